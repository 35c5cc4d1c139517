package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

var (
	cho = workflows.Principal{ID: "slack:U4", Name: "Cho", Email: "cho@acme.example", Via: "slack"}
	dan = workflows.Principal{ID: "slack:U5", Name: "Dan", Email: "dan@acme.example", Via: "slack"}
	ci  = workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}
)

// guarded: Ana may everything, Ben may start and look, Cho may only see `open`.
func guarded() *access.Policy {
	return &access.Policy{
		Admins: []string{ana.Email},
		Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{ben.Email}},
			{Allow: []workflows.Verb{workflows.View}, To: []string{cho.Email}, On: []string{"open"}},
			{Allow: []workflows.Verb{workflows.RollBack, workflows.Lock}, To: []string{"slack-group:S1"}, On: []string{"*/Production"}},
		},
		Tokens: map[string][]workflows.Verb{"ci": {workflows.View, workflows.Approve}},
	}
}

// phonebook is a Directory.
type phonebook struct {
	members map[string]string // group -> ID
	down    bool
	asked   int
}

func (p *phonebook) Member(_ context.Context, who workflows.Principal, group string) (bool, error) {
	p.asked++
	if p.down {
		return false, errors.New("Slack is away")
	}
	return p.members[group] == who.ID, nil
}

func TestRightsAreCheckedAndRefusalsRecorded(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.boot()
		w.define(shop, named("open"))
		id := w.begin("webshop")

		p := w.refused(ben, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Reason: strings.Repeat("x", 5000)}, workflows.CodeAccessDenied)
		if !strings.Contains(p.Message, "stop") || !strings.Contains(p.Hint, ana.Email) || p.ID == "" {
			t.Errorf("the refusal is %+v: it must name the right, who has it, and its ID", p)
		}
		if !strings.Contains(w.log.String(), p.ID) {
			t.Error("the refusal's ID is not in the log")
		}
		last := w.disk.frames[len(w.disk.frames)-1].Events[0]
		if last.Kind != event.IntentRefused || last.By.ID != ben.ID || last.Refused.Problem.ID != p.ID || last.Refused.Intent.Verb != workflows.StopExecution {
			t.Errorf("the record says %+v", last)
		}
		if n := len(last.Refused.Intent.Reason); n > 300 {
			t.Errorf("the record keeps %d bytes of what was typed", n)
		}
		w.status(id, workflows.StatusInProgress)

		frames := len(w.disk.frames)
		w.refused(eve, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, workflows.CodePipelineNotFound)
		w.refused(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshp"}, workflows.CodePipelineNotFound)
		if len(w.disk.frames) != frames {
			t.Error("what is not there, or not to be seen, has no record")
		}
		w.refused(ana, workflows.Intent{Verb: workflows.Retry, Execution: id, Stage: "Build"}, workflows.CodeStageNotRetryable)
		if len(w.disk.frames) != frames+1 {
			t.Error("a refusal by the state of things has no record")
		}
		w.refused(ana, workflows.Intent{Verb: workflows.Annotate, Execution: id, Note: &workflows.Note{Name: "ticket"}}, workflows.CodeAccessDenied)
	})
}

func TestWhoMayNotSeeHearsThatThereIsNothing(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.boot()
		w.define(shop, named("open"))
		id, ctx := w.begin("webshop"), w.t.Context()
		_, err := w.Execution(ctx, cho, id)
		hidden := w.problem(err, workflows.CodeExecutionNotFound)
		_, err = w.Execution(ctx, cho, "00000000-none")
		if none := w.problem(err, workflows.CodeExecutionNotFound); strings.ReplaceAll(none.Message, "00000000-none", id) != hidden.Message {
			t.Errorf("what is hidden reads %q, what is not there %q", hidden.Message, none.Message)
		}
		_, err = w.Pipeline(ctx, cho, "webshop", 0)
		w.problem(err, workflows.CodePipelineNotFound)
		_, err = w.Executions(ctx, cho, record.Query{Pipeline: "webshop"})
		w.problem(err, workflows.CodePipelineNotFound)
		_, err = w.Targets(ctx, cho, "webshop", "Production")
		w.problem(err, workflows.CodePipelineNotFound)
		_, err = w.Log(ctx, cho, id, "", "", 0)
		w.problem(err, workflows.CodeExecutionNotFound)
		w.refused(cho, workflows.Intent{Verb: workflows.StopExecution, Execution: id}, workflows.CodeExecutionNotFound)
		if p := w.refused(cho, workflows.Intent{Verb: workflows.Start, Pipeline: "webshp"}, workflows.CodePipelineNotFound); strings.Contains(p.Hint, "webshop") {
			t.Errorf("the hint %q gives a hidden name away", p.Hint)
		}
		if p := w.refused(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshp"}, workflows.CodePipelineNotFound); !strings.Contains(p.Hint, "webshop") {
			t.Errorf("the hint %q does not help", p.Hint)
		}
		views, err := w.Pipelines(ctx, cho)
		if err != nil || len(views) != 1 || views[0].Name != "open" {
			t.Errorf("sees %v, %v", views, err)
		}
		if open, err := w.Approvals(ctx, cho); err != nil || len(open) != 0 {
			t.Errorf("sees %v, %v", open, err)
		}
		frames, err := w.Feed(ctx, cho, 0, 100)
		for _, f := range frames {
			if f.Pipeline != "open" {
				t.Errorf("the feed shows %s", f.Pipeline)
			}
		}
		if err != nil || len(frames) == 0 {
			t.Errorf("the feed shows %d frames, %v", len(frames), err)
		}
	})
}

func TestRefusalsAreForAuditorsOnly(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.boot()
		w.define(named("open"))
		w.refused(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "open", Stage: "Deploy"}, workflows.CodeAccessDenied)
		for viewer, want := range map[workflows.Principal]int{ana: 1, ben: 0} {
			frames, err := w.Feed(w.t.Context(), viewer, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, f := range frames {
				for _, ev := range f.Events {
					if ev.Kind == event.IntentRefused {
						n++
					}
				}
			}
			if n != want {
				t.Errorf("%s sees %d refusals, want %d", viewer.Name, n, want)
			}
		}
	})
}

func TestOffersAreWhatTheViewerMayDo(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.options.Policy.Rules[1].On = nil // Cho sees everything and may nothing
		w.boot()
		w.define(strings.Replace(shop, "ana@acme.example", "cho@acme.example", 1))
		id := w.begin("webshop")
		verbs := func(p workflows.Principal) (all []workflows.Verb) {
			x, err := w.Execution(w.t.Context(), p, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range x.Offers {
				all = append(all, o.Verb)
			}
			return all
		}
		if got := verbs(ben); len(got) != 0 {
			t.Errorf("Ben is offered %v", got)
		}
		if got := verbs(cho); len(got) != 2 || got[0] != workflows.Approve || got[1] != workflows.Reject {
			t.Errorf("Cho, whom the gate names, is offered %v", got)
		}
		if got := verbs(ana); len(got) == 0 || got[len(got)-1] != workflows.StopExecution {
			t.Errorf("Ana is offered %v", got)
		}
		view, err := w.Pipeline(w.t.Context(), ben, "webshop", 0)
		if err != nil || len(view.Stages[0].Offers) != 1 || view.Stages[0].Offers[0].Verb != workflows.Start {
			t.Errorf("Ben is offered %v at the stage, %v", view.Stages[0].Offers, err)
		}
	})
}

func TestAnswersAtGates(t *testing.T) {
	play(t, func(w *world) {
		book := &phonebook{members: map[string]string{"slack-group:S9": cho.ID}}
		w.options.Policy, w.options.Directories = guarded(), kinds(book)
		w.boot()
		w.define(strings.Replace(shop, "ana@acme.example", `"slack-group:S9"`, 1))
		id := w.begin("webshop")
		token := w.gates()[0].Approval.Token

		w.refused(ben, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeNotAnApprover)
		w.refused(ci, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeNotAnApprover)
		w.refused(eve, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeAccessDenied)
		w.refused(cho, workflows.Intent{Verb: workflows.Approve, Gate: "nothing"}, workflows.CodeInvalidApprovalToken)
		w.refused(ben, workflows.Intent{Verb: workflows.Approve, Gate: token}, workflows.CodeNotAnApprover)
		gate := w.gates()[0]
		if last := w.disk.frames[len(w.disk.frames)-1].Events[0]; last.Execution != id || last.Stage != gate.Stage || last.Action != gate.Action {
			t.Errorf("a refused answer to a gate does not say on record which it was: %+v", last)
		}
		book.down = true
		if p := w.refused(cho, workflows.Intent{Verb: workflows.Approve, Gate: token}, workflows.CodeUnavailable); !strings.Contains(p.Message, "could not check") {
			t.Errorf("a failed look-up reads %q", p.Message)
		}
		book.down = false
		if len(w.gates()) != 1 {
			t.Fatal("the gate has closed")
		}
		w.submit(cho, workflows.Intent{Verb: workflows.Approve, Gate: token}) // she is asked: she needs no right, not even to look
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
		w.refused(cho, workflows.Intent{Verb: workflows.Approve, Gate: token}, workflows.CodeApprovalCompleted)
	})
}

func TestAGateThatNamesNobodyNeedsTheRight(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.options.Policy.Rules = append(w.options.Policy.Rules, access.Rule{Allow: []workflows.Verb{workflows.Approve}, To: []string{cho.Email}, On: []string{"*/Production"}})
		w.boot()
		w.define(strings.Replace(shop, "approval: {from: [ana@acme.example]}, ", "", 1))
		id := w.submit(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}).Execution.ID
		synctest.Wait()
		w.refused(ci, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeNotAnApprover)
		if p := w.refused(ben, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeAccessDenied); !strings.Contains(p.Hint, cho.Email) {
			t.Errorf("the hint %q does not say whom to ask", p.Hint)
		}
		w.submit(cho, workflows.Intent{Verb: workflows.Approve, Execution: id})
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
	})
}

// people is a Directory that knows them by their e-mail addresses too.
type people map[string][]string // group -> addresses

func (p people) Member(_ context.Context, who workflows.Principal, group string) (bool, error) {
	return slices.Contains(p[group], who.Email), nil
}

// A deputy counts as the one they stand in for, or as themself: as one person,
// and not for somebody who has answered in person.
func TestADeputyIsOnePersonAtAGate(t *testing.T) {
	gate := func(policy string) string {
		return strings.Replace(shop, "{from: [ana@acme.example]}", policy, 1)
	}
	for about, c := range map[string]struct {
		gate    string
		answers []workflows.Principal
		refused string // of the last one
		missing string // what the gate still lacks; empty: it is through
	}{
		"for the absent one":                       {gate: "{from: [ben@acme.example]}", answers: []workflows.Principal{cho}},
		"for the member of a group":                {gate: `{from: ["group:security"]}`, answers: []workflows.Principal{cho}},
		"for the member of an outside group":       {gate: `{from: ["slack-group:S7"]}`, answers: []workflows.Principal{cho}},
		"not for somebody else's absent one":       {gate: "{from: [ben@acme.example]}", answers: []workflows.Principal{ana}, refused: workflows.CodeNotAnApprover, missing: "1 more approval"},
		"counts for the group's share":             {gate: `{from: [ana@acme.example, "group:security"], required: 2, atLeast: {"group:security": 1}}`, answers: []workflows.Principal{ana, cho}},
		"is one person, not two":                   {gate: `{from: [cho@acme.example, ben@acme.example], required: 2}`, answers: []workflows.Principal{cho, cho}, refused: workflows.CodeConflict, missing: "1 more approval"},
		"is in one person's group, not both":       {gate: `{from: ["group:dev", "group:security"], required: 1, atLeast: {"group:dev": 1, "group:security": 1}}`, answers: []workflows.Principal{cho}, missing: "1 of group:security"},
		"but not beside the one they stand in for": {gate: `{from: [ben@acme.example, ana@acme.example], required: 2}`, answers: []workflows.Principal{cho, ben}, missing: "1 more approval"},
		"nor after them":                           {gate: `{from: [ben@acme.example, ana@acme.example], required: 2}`, answers: []workflows.Principal{ben, cho}, refused: workflows.CodeNotAnApprover, missing: "1 more approval"},
		"nor for what they have started themself":  {gate: "{from: [eve@acme.example]}", answers: []workflows.Principal{dan}, refused: workflows.CodeSelfApproval, missing: "1 more approval"},
	} {
		t.Run(about, func(t *testing.T) {
			play(t, func(w *world) {
				w.options.Directories = kinds(people{"slack-group:S7": {ben.Email}})
				w.options.Policy = &access.Policy{
					Rules:    []access.Rule{{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{"everyone"}}},
					Groups:   map[string][]string{"security": {ben.Email}, "dev": {cho.Email}},
					Deputies: map[string]string{ben.Email: cho.Email, eve.Email: dan.Email},
				}
				w.boot()
				w.define(gate(c.gate))
				id := w.submit(dan, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}).Execution.ID
				synctest.Wait()
				for i, who := range c.answers {
					in := workflows.Intent{Verb: workflows.Approve, Execution: id}
					if i == len(c.answers)-1 && c.refused != "" {
						w.refused(who, in, c.refused)
					} else {
						w.submit(who, in)
					}
				}
				synctest.Wait()
				a, _ := w.execution(id).Stages[2].Action("SignOff")
				if missing := strings.Join(a.Approval.Missing, ", "); missing != c.missing || (a.Approval.Closed == "approved") != (c.missing == "") {
					t.Errorf("the gate is %q and lacks %q, want %q; it has %+v", a.Approval.Closed, missing, c.missing, a.Approval.Votes)
				}
			})
		})
	}
}

func TestGroupsAreLookedUpOnlyWhenTheyMatter(t *testing.T) {
	play(t, func(w *world) {
		book := &phonebook{members: map[string]string{"slack-group:S1": ben.ID}}
		w.options.Policy, w.options.Directories = guarded(), kinds(book)
		w.boot()
		w.define(shop)
		w.begin("webshop") // Ben may start by a rule that names him
		if book.asked != 0 {
			t.Errorf("%d look-ups for what the configuration alone answers", book.asked)
		}
		w.submit(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production"})
		w.refused(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Build"}, workflows.CodeAccessDenied)
		book.down = true
		w.refused(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Build"}, workflows.CodeAccessDenied) // no group could allow it
		w.refused(ben, workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Production"}, workflows.CodeUnavailable)
		refusal, holders, err := w.Verdict(w.t.Context(), ana, workflows.RollBack, "webshop", "Production")
		if refusal != nil || err != nil || len(holders) != 2 {
			t.Errorf("got %v, %v, %v", refusal, holders, err)
		}
	})
}

// Whoever may audit can ask about others, everybody about themselves, and the
// answer is the one that an intent would get.
func TestAccessIsExplained(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy, w.options.Directories = guarded(), kinds(&phonebook{members: map[string]string{"slack-group:S1": ben.ID}})
		w.options.People = workspace{ana, ben, cho}
		w.boot()
		w.define(shop)
		for _, c := range []struct{ who, verb, on, want string }{
			{ana.Email, "rollback", "webshop/Production", "yes: Ana is an admin"},
			{ben.Email, "rollback", "webshop/Production", "yes: slack-group:S1 may rollback on */Production"},
			{ben.Email, "rollback", "webshop/Build", "no: Ben does not have the right rollback on webshop/Build; ask ana@acme.example"},
			{cho.Email, "start", "webshop", "no: Cho does not have the right start on webshop; ask ben@acme.example, ana@acme.example"},
			{"nobody@acme.example", "view", "webshop", "no: nobody@acme.example has no rights here: the account is not known in the workspace; ask ben@acme.example, slack-group:S1, ana@acme.example"},
			{"token:ci", "approve", "webshop/Production", "no: token ci is not among those who may answer there; ask ana@acme.example; Production/SignOff: false"},
			{"token:ci", "start", "webshop", "no: the token ci may not start: its `may` does not list it; ask ben@acme.example, ana@acme.example"},
			{ana.Email, "reject", "webshop", "yes: Production/SignOff names Ana or a group of theirs; Production/SignOff: true"},
			{"ana", "start", "webshop", "neither an e-mail address nor a token"},
			{"token:cd", "start", "webshop", "there is no API token"},
			{ana.Email, "fly", "webshop", `"fly" is not a right`},
			{ana.Email, "start", "webshop/Moon", "Moon"},
			{ana.Email, "start", "nothing", "there is no pipeline"},
		} {
			pipeline, stage, _ := strings.Cut(c.on, "/")
			a, err := w.Explain(w.t.Context(), ana, say.AccessQuestion{Who: c.who, Verb: workflows.Verb(c.verb), Pipeline: pipeline, Stage: stage})
			if got := explained(a, err); !strings.Contains(got, c.want) {
				t.Errorf("%s %s %s: %s; want %s", c.who, c.verb, c.on, got, c.want)
			}
		}
		about := func(viewer workflows.Principal, who string) error {
			_, err := w.Explain(w.t.Context(), viewer, say.AccessQuestion{Who: who, Verb: workflows.Start, Pipeline: "webshop"})
			return err
		}
		if err := about(ben, ben.Email); err != nil {
			t.Errorf("about oneself: %v", err)
		}
		w.problem(about(ben, ana.Email), workflows.CodeAccessDenied)
		w.problem(about(cho, cho.Email), workflows.CodePipelineNotFound) // who may not see it learns nothing of it
	})
}

func explained(a say.AccessAnswer, err error) string {
	if err != nil {
		return err.Error()
	}
	text := map[bool]string{true: "yes: ", false: "no: "}[a.Allowed] + a.Reason
	if !a.Allowed {
		text += "; ask " + strings.Join(a.Holders, ", ")
	}
	for _, g := range a.Gates {
		text += fmt.Sprintf("; %s: %t", g.Action, g.Allowed)
	}
	return text
}

// workspace is the People of a chat with these members.
type workspace []workflows.Principal

func (w workspace) Now(_ context.Context, p workflows.Principal) (workflows.Principal, error) {
	for _, one := range w {
		if one.Is(p) {
			return one, nil
		}
	}
	if strings.HasPrefix(p.ID, "mail:") {
		p.Stranger = "unknown"
	}
	return p, nil
}

func TestAPipelineOfAFileIsEditedThere(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		p, _ := spec.Parse("web.yaml", []byte(named("web")))
		file := workflows.Intent{Verb: workflows.Edit, Pipeline: "web", NewDefinition: p, ManagedBy: "file:/etc/web.yaml"}
		if r := w.submit(workflows.EnginePrincipal(), file); r.Version != 1 || !r.Changed {
			t.Errorf("got %+v", r)
		}
		if r := w.submit(workflows.EnginePrincipal(), file); r.Version != 1 || r.Changed {
			t.Errorf("equal content: %+v", r)
		}
		api := workflows.Intent{Verb: workflows.Edit, Pipeline: "web", NewDefinition: p, ManagedBy: "api"}
		if refusal := w.refused(ana, api, workflows.CodeManagedByFile); !strings.Contains(refusal.Message, "/etc/web.yaml") {
			t.Errorf("got %q", refusal.Message)
		}
		w.refused(ana, workflows.Intent{Verb: workflows.Archive, Pipeline: "web"}, workflows.CodeManagedByFile)
		forged := api
		forged.ManagedBy = "file:/etc/web.yaml" // only the engine speaks for files
		w.refused(ana, forged, workflows.CodeManagedByFile)
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, Pipeline: "web", ManagedBy: "file:/etc/web.yaml"})
		if views, _ := w.Pipelines(w.t.Context(), ana); len(views) != 0 {
			t.Errorf("an archived pipeline is listed: %v", views[0].Name)
		}
		if got, _ := w.receive("github/1", push("c1")); len(got.Started) != 0 {
			t.Error("an archived pipeline was started by a push")
		}
	})
}

func TestADecisionThatPanicsEndsNothingElse(t *testing.T) {
	play(t, func(w *world) {
		dry := &dice{}
		w.options.Rand = dry
		w.boot()
		w.define(shop)
		id := w.begin("webshop")
		dry.empty.Store(true)
		w.refused(ben, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, workflows.CodeUnavailable)
		pass(2 * time.Hour) // ticks fail too, and are tried again at their pace
		if n := strings.Count(w.log.String(), "a decision panicked"); n < 10 || n > 200 {
			t.Errorf("%d panics in two hours; want a pace that slows to one a minute", n)
		}
		dry.empty.Store(false)
		pass(2 * time.Minute)
		w.status(id, workflows.StatusFailed) // its gate has expired
	})
}

// dice is a source of randomness that can run dry.
type dice struct {
	n     byte
	empty atomic.Bool
}

func (d *dice) Read(b []byte) (int, error) {
	if d.empty.Load() {
		return 0, errors.New("no more")
	}
	for i := range b {
		d.n++
		b[i] = d.n
	}
	return len(b), nil
}

// TestAPanicHurtsOnlyWhatIsNotYetHandedOver: a decision that is being committed
// stands, those behind it are told, and what comes next waits for fresh state.
func TestAPanicHurtsOnlyWhatIsNotYetHandedOver(t *testing.T) {
	play(t, func(w *world) {
		dry := &dice{}
		w.options.Rand = dry
		w.boot()
		w.define(shop)
		w.plug.slower(time.Second)
		got := make([]error, 4)
		var all sync.WaitGroup
		for i := range got {
			dry.empty.Store(i == 2)
			all.Go(func() {
				_, got[i] = w.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, ben)
			})
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		for i, broken := range []bool{false, true, true, false} {
			if broken {
				w.problem(got[i], workflows.CodeUnavailable)
			} else if got[i] != nil {
				t.Errorf("start %d: %v", i, got[i])
			}
		}
		pass(10 * time.Second)
		if n := w.disk.count(event.ExecutionStarted); n != 2 {
			t.Errorf("%d executions, want those of the first and the last", n)
		}
	})
}

// kinds lets one directory answer for the groups of Slack.
func kinds(d runtime.Directory) map[string]runtime.Directory {
	return map[string]runtime.Directory{subject.SlackGroup: d}
}
