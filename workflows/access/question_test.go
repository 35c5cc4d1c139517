package access_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

// at is an execution of webshop in a state.
func at(status map[string]workflows.Status, waits string, gates ...workflows.ActionExecution) *workflows.Execution {
	x := &workflows.Execution{ID: "x1", Pipeline: "webshop"}
	for _, name := range []string{"Source", "Build", "Production"} {
		st := workflows.StageExecution{Name: name, Status: status[name]}
		if st.Status == "" {
			st.Status = workflows.StatusNotStarted
		}
		if name == "Production" {
			st.Actions = gates
		}
		x.Stages = append(x.Stages, st)
	}
	if waits != "" {
		x.WaitsFor = &workflows.Wait{Stage: waits}
	}
	return x
}

func gate(closed string, from ...string) workflows.ActionExecution {
	return workflows.ActionExecution{Name: "SignOff", Approval: &workflows.Approval{Token: "t1", Closed: closed, From: from}}
}

// T21: what an intent needs, for every verb and state.
func TestAbout(t *testing.T) {
	done, fails := workflows.StatusSucceeded, workflows.StatusFailed
	running := workflows.StatusInProgress
	inBuild := at(map[string]workflows.Status{"Source": done, "Build": running}, "")
	failed := at(map[string]workflows.Status{"Source": done, "Build": fails}, "")
	before := at(map[string]workflows.Status{"Source": done, "Build": done}, "Production")
	through := at(map[string]workflows.Status{"Source": done, "Build": done, "Production": done}, "")
	asked := map[string]workflows.Status{"Source": done, "Build": done, "Production": running}
	forBen, forAll, closed := at(asked, "", gate("", "ben@acme.example")), at(asked, "", gate("")), at(asked, "", gate("approved", "ben@acme.example"))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	freeze := func(who ...string) workflows.Freeze {
		return workflows.Freeze{From: now.Add(-time.Hour), To: now.Add(time.Hour), MayPass: who}
	}
	over := freeze("eve@acme.example")
	over.To = now
	view := func(enabled bool, freezes ...workflows.Freeze) *workflows.PipelineView {
		return &workflows.PipelineView{Name: "webshop", Freezes: freezes, Stages: []workflows.StageView{{Name: "Production", Transition: workflows.Transition{Enabled: enabled}}}}
	}
	on := func(stage string) access.Question {
		return access.Question{On: access.Resource{Pipeline: "webshop", Stage: stage}}
	}
	named := func(n access.Question, who ...[]string) access.Question { n.Named, n.Freezes = who, who; return n }
	frozen := func(n access.Question, who ...[]string) access.Question { n.Freezes = who; return n }
	atGate := func(stage string, from ...string) access.Question {
		n := on(stage)
		n.AtGate, n.Alone = true, true
		if from != nil {
			n.Named = [][]string{from}
		}
		return n
	}
	decided := on("")
	decided.AtGate = true
	revision := on("")
	revision.Beyond = workflows.StartAnyRevision
	for _, c := range []struct {
		about string
		by    workflows.Principal
		in    workflows.Intent
		x     *workflows.Execution
		view  *workflows.PipelineView
		want  access.Question
		stage string // of the intent, afterwards
	}{
		{"a start is of the pipeline, whatever stage is named", person("ben"), workflows.Intent{Verb: workflows.Start, Stage: "Production"}, nil, nil, on(""), "Production"},
		{"a revision may come from elsewhere by another right", person("ben"), workflows.Intent{Verb: workflows.Start, Revisions: make([]workflows.RevisionOverride, 1)}, nil, nil, revision, ""},
		{"an edit", person("ben"), workflows.Intent{Verb: workflows.Edit, Stage: "Production"}, nil, nil, on(""), "Production"},
		{"a stop is where the execution is", person("ben"), workflows.Intent{Verb: workflows.StopExecution}, inBuild, nil, on("Build"), ""},
		{"a stop is nowhere else, whatever stage is named", person("ben"), workflows.Intent{Verb: workflows.StopExecution, Stage: "Production"}, inBuild, nil, on("Build"), "Production"},
		{"a stop of one that waits", person("ben"), workflows.Intent{Verb: workflows.StopExecution}, before, nil, on("Production"), ""},
		{"a stop of one that is through", person("ben"), workflows.Intent{Verb: workflows.StopExecution}, through, nil, on(""), ""},
		{"a retry is where it failed", person("ben"), workflows.Intent{Verb: workflows.Retry}, failed, nil, on("Build"), "Build"},
		{"a retry of a stage that is named", person("ben"), workflows.Intent{Verb: workflows.Retry, Stage: "Production"}, failed, nil, on("Production"), "Production"},
		{"a word about an action", person("ben"), workflows.Intent{Verb: workflows.Resolve}, inBuild, nil, on("Build"), "Build"},
		{"an override is in the last stage that was entered", person("ben"), workflows.Intent{Verb: workflows.Override}, before, nil, on("Build"), "Build"},
		{"an override where a stage is named", person("ben"), workflows.Intent{Verb: workflows.Override, Stage: "Production"}, before, nil, on("Production"), "Production"},
		{"a rollback", person("ben"), workflows.Intent{Verb: workflows.RollBack, Stage: "Production"}, nil, nil, on("Production"), "Production"},
		{"a lock", person("ben"), workflows.Intent{Verb: workflows.Lock, Stage: "Production"}, nil, nil, on("Production"), "Production"},
		{"unlocking, though a freeze names them", person("eve"), workflows.Intent{Verb: workflows.Unlock, Stage: "Production"}, nil, view(true, freeze("eve@acme.example")), on("Production"), "Production"},
		{"admitting one, past a freeze", person("eve"), workflows.Intent{Verb: workflows.Unlock, Stage: "Production", Execution: "x1"}, before, view(true, freeze("eve@acme.example")), named(on("Production"), []string{"eve@acme.example"}), "Production"},
		{"admitting one, past two freezes", person("eve"), workflows.Intent{Verb: workflows.Unlock, Stage: "Production", Execution: "x1"}, before, view(true, freeze("eve@acme.example"), freeze("fay@acme.example")), named(on("Production"), []string{"eve@acme.example"}, []string{"fay@acme.example"}), "Production"},
		{"admitting one, past a freeze that is over", person("eve"), workflows.Intent{Verb: workflows.Unlock, Stage: "Production", Execution: "x1"}, before, view(true, over), on("Production"), "Production"},
		{"admitting one, past a freeze and a lock", person("eve"), workflows.Intent{Verb: workflows.Unlock, Stage: "Production", Execution: "x1"}, before, view(false, freeze("eve@acme.example")), frozen(on("Production"), []string{"eve@acme.example"}), "Production"},
		{"at a gate that names people", person("eve"), workflows.Intent{Verb: workflows.Approve}, forBen, nil, atGate("Production", "ben@acme.example"), ""},
		{"at a gate that names nobody", person("eve"), workflows.Intent{Verb: workflows.Approve}, forAll, nil, on("Production"), ""},
		{"by the gate's token", person("eve"), workflows.Intent{Verb: workflows.Reject, Gate: "t1"}, forAll, nil, on("Production"), ""},
		{"by another's token", person("eve"), workflows.Intent{Verb: workflows.Approve, Gate: "t2"}, forAll, nil, decided, ""},
		{"at another action", person("eve"), workflows.Intent{Verb: workflows.Approve, Action: "Deploy"}, forAll, nil, decided, ""},
		{"at another stage", person("eve"), workflows.Intent{Verb: workflows.Approve, Stage: "Build"}, forAll, nil, decided, "Build"},
		{"at a gate that is closed", person("eve"), workflows.Intent{Verb: workflows.Approve}, closed, nil, decided, ""},
		{"where there is nothing", person("eve"), workflows.Intent{Verb: workflows.Approve}, nil, nil, decided, ""},
		{"a machine at a gate that names nobody", token("ci"), workflows.Intent{Verb: workflows.Approve}, forAll, nil, atGate("Production"), ""},
		{"a stranger at a gate that names people", stranger("ben", "guest"), workflows.Intent{Verb: workflows.Approve}, forBen, nil, on("Production"), ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			c.in.Pipeline = "webshop"
			got := access.About(c.in, c.by, c.x, c.view, now)
			c.want.By, c.want.Verb, c.want.Intent = c.by, c.in.Verb, c.in
			c.want.Intent.Stage = c.stage
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// T21: being named and having the right are two ways; what cannot be checked is
// never yes, and delays nobody who is certain by the other.
func TestAQuestionIsAnsweredByNameOrByRight(t *testing.T) {
	const yes, no, fails = access.Yes, access.No, access.Failed
	p := &access.Policy{Rules: []access.Rule{rule("unlock", "slack-group:SRIGHT", "")}}
	for _, c := range []struct {
		right access.Fact
		named []access.Fact // one for each list
		alone bool
		want  access.Fact
	}{
		{yes, nil, false, yes}, {no, nil, false, no}, {fails, nil, false, fails},
		{no, []access.Fact{yes}, false, yes}, {no, []access.Fact{yes, yes}, false, yes}, {no, []access.Fact{yes, no}, false, no}, {no, []access.Fact{no, yes}, false, no},
		{yes, []access.Fact{no}, false, yes}, {yes, []access.Fact{fails}, false, yes}, {fails, []access.Fact{yes}, false, yes},
		{fails, []access.Fact{no}, false, fails}, {no, []access.Fact{fails}, false, fails}, {fails, []access.Fact{fails}, false, fails}, {no, []access.Fact{no, fails}, false, no},
		{yes, nil, true, no}, {yes, []access.Fact{no}, true, no}, {yes, []access.Fact{yes}, true, yes}, {yes, []access.Fact{fails}, true, fails},
	} {
		q := access.Question{By: person("ben"), Verb: workflows.Unlock, On: access.Resource{Pipeline: "webshop"}, Alone: c.alone}
		facts := map[string]access.Fact{"slack-group:SRIGHT": c.right}
		for i, fact := range c.named {
			group := fmt.Sprint("slack-group:S", i)
			facts[group] = fact
			q.Named = append(q.Named, []string{group})
		}
		a, asked := askAgain(p, q, func(l access.Lookup) access.Fact { return facts[l.Group] })
		got := no
		switch {
		case len(a.Open.Failed) > 0:
			got = fails
		case a.Allowed:
			got = yes
		}
		if got != c.want || got == fails && a.Allowed {
			t.Errorf("%+v: got %v, having asked %v", c, got, asked)
		}
		if (a.Refusal() == nil) != a.Allowed || a.Reason == "" {
			t.Errorf("%+v: the verdict is %+v", c, a.Verdict)
		}
	}
}

// askAgain asks a question again until nothing can be looked up that could change the answer.
func askAgain(p *access.Policy, q access.Question, fact func(access.Lookup) access.Fact) (a access.Answer, asked []access.Lookup) {
	known := access.Facts{}
	for {
		a = p.Ask(q, known)
		if len(a.Open.Lookups) == 0 {
			return a, asked
		}
		next := a.Open.Lookups[0]
		asked, known[next] = append(asked, next), fact(next)
	}
}

// The outside is asked only for what can change the answer: nothing about what
// the configuration says alone, a deputy's absent one before that one's groups,
// and never about the groups of somebody who is nobody any more.
func TestOnlyWhatCanChangeAnAnswerIsLookedUp(t *testing.T) {
	p := policy()
	p.Deputies["dan@acme.example"] = "fay@acme.example"
	p.Rules = append(p.Rules, rule("override", "dan@acme.example slack-group:S0AAA", "webshop"))
	inProduction, webshop := access.Resource{Pipeline: "webshop", Stage: "Production"}, access.Resource{Pipeline: "webshop"}
	own, absent, theirs := access.Lookup{Group: "slack-group:S0123ABC"}, access.Lookup{As: "dan@acme.example"}, access.Lookup{As: "dan@acme.example", Group: "slack-group:S0123ABC"}
	revision := access.About(workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Revisions: make([]workflows.RevisionOverride, 1)}, person("eve"), nil, nil, time.Time{})
	for _, c := range []struct {
		about string
		q     access.Question
		facts access.Facts
		asked []access.Lookup
		want  bool
	}{
		{"an admin", access.Right(person("ana"), workflows.Override, webshop), nil, nil, true},
		{"a member of a group of the configuration", access.Right(person("ben"), workflows.Approve, inProduction), nil, nil, true},
		{"what no group could allow", access.Right(person("eve"), workflows.Lock, webshop), nil, nil, false},
		{"a stranger", access.Right(stranger("eve", "guest"), workflows.Approve, inProduction), nil, nil, false},
		{"a token", access.Right(token("ci"), workflows.Approve, inProduction), nil, nil, false},
		{"somebody who may be in the group", access.Right(person("eve"), workflows.Approve, inProduction), nil, []access.Lookup{own}, false},
		{"a deputy", access.Right(person("fay"), workflows.Approve, inProduction), access.Facts{absent: access.Yes, theirs: access.Yes}, []access.Lookup{own, absent, theirs}, true},
		{"a deputy of somebody who left", access.Right(person("fay"), workflows.Approve, inProduction), access.Facts{absent: access.No, theirs: access.Yes}, []access.Lookup{own, absent}, false},
		{"a deputy of somebody who is named", access.Right(person("fay"), workflows.Override, webshop), access.Facts{absent: access.Yes}, []access.Lookup{{Group: "slack-group:S0AAA"}, absent}, true},
		{"a revision from elsewhere, which nobody may but admins", revision, nil, nil, true},
	} {
		a, asked := askAgain(p, c.q, func(l access.Lookup) access.Fact { return cmp.Or(c.facts[l], access.No) })
		if a.Allowed != c.want || !slices.Equal(asked, c.asked) {
			t.Errorf("%s: %v, having asked %v; want %v by %v", c.about, a.Verdict, asked, c.want, c.asked)
		}
	}
	if a := p.Ask(revision, nil); a.Beyond {
		t.Error("who may start may start any revision")
	}
	revision.By = person("ana")
	if a := p.Ask(revision, nil); !a.Beyond {
		t.Error("an admin may not start any revision")
	}
}

// What a question does not depend on need not be read: whoever asks it without
// the execution asks the same.
func TestWhatAQuestionDependsOn(t *testing.T) {
	machine, gone := token("ci"), token("ci")
	gone.Stranger = "removed"
	waits := at(nil, "", gate("", "ana@acme.example"))
	for _, c := range []struct {
		by   workflows.Principal
		verb workflows.Verb
		want bool
	}{
		{machine, workflows.Approve, false},
		{machine, workflows.Reject, false},
		{machine, workflows.Annotate, false},
		{person("ana"), workflows.Annotate, false},
		{gone, workflows.Approve, true},
		{person("ana"), workflows.Approve, true},
		{machine, workflows.StopExecution, true},
		{machine, workflows.Override, true},
	} {
		in := workflows.Intent{Verb: c.verb, Pipeline: "webshop", Execution: waits.ID}
		if got := access.NeedsExecution(in, c.by); got != c.want {
			t.Errorf("%s by %s depends on the execution: %v", c.verb, c.by.ID, got)
		}
		if with, without := access.About(in, c.by, waits, nil, time.Time{}), access.About(in, c.by, nil, nil, time.Time{}); !c.want && with.AtGate != without.AtGate {
			t.Errorf("%s by %s: %+v with the execution, %+v without", c.verb, c.by.ID, with, without)
		}
	}
}
