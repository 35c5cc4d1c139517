package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// staff says who people are now, by e-mail address; whom it does not hold has not changed.
type staff struct {
	now  map[string]string // what kind of stranger they have become, or a new address
	down bool
}

func (s *staff) Now(_ context.Context, p workflows.Principal) (workflows.Principal, error) {
	now := s.now[p.Email]
	switch {
	case s.down && p.Via == "slack":
		return p, errors.New("Slack is away")
	case strings.Contains(now, "@"):
		p.Email = now
	case now != "":
		p.Stranger, p.Email = now, ""
	}
	return p, nil
}

const quorum = `approval: {from: [ana@acme.example, cho@acme.example, dan@acme.example], required: 2}`

func gated(approval string) string {
	return strings.Replace(shop, "approval: {from: [ana@acme.example]}", approval, 1)
}

func (w *world) gate(id string) *workflows.Approval {
	w.t.Helper()
	a, ok := w.execution(id).Stages[2].Action("SignOff")
	if !ok || a.Approval == nil {
		w.t.Fatal("there is no gate")
	}
	return a.Approval
}

// T3: who has voted and is no full member any more counts no more; the record
// and the gate say so, and the quorum waits for somebody else.
func TestAVoteDoesNotOutliveItsVoter(t *testing.T) {
	for kind, why := range map[string]string{
		"deactivated": "deactivated", "guest": "a guest", "bot": "a bot", "connect": "of another organisation", "unknown": "not known in the workspace",
		"ana@elsewhere.example": "they may not answer this gate any more", // she goes by another address, which the gate does not name
	} {
		t.Run(kind, func(t *testing.T) {
			play(t, func(w *world) {
				people := &staff{now: map[string]string{}}
				w.options.People = people
				w.boot()
				w.define(gated(quorum))
				id := w.begin("webshop")
				approve := workflows.Intent{Verb: workflows.Approve, Execution: id}
				w.submit(ana, approve)

				people.now[ana.Email] = kind
				w.submit(cho, approve)
				synctest.Wait()
				g, want := w.gate(id), "Ana's vote no longer counts: "+why
				if g.Closed != "" || g.Approvals() != 1 || len(g.Votes) != 1 || strings.Join(g.Dropped, ", ") != want || strings.Join(g.Missing, ", ") != "1 more approval" {
					t.Fatalf("the gate is %q with %+v, lacks %v, says %q", g.Closed, g.Votes, g.Missing, g.Dropped)
				}
				recorded := false
				for _, f := range w.disk.frames {
					for _, ev := range f.Events {
						recorded = recorded || ev.Kind == event.GateVoteDropped && ev.Vote.By.Name == "Ana" && ev.Reason.Message == want
					}
				}
				if !recorded {
					t.Error("the record does not say that Ana's vote was dropped")
				}
				w.reboot()
				w.submit(dan, approve)
				synctest.Wait()
				w.status(id, workflows.StatusSucceeded)
			})
		})
	}
}

// T3: whoever is a stranger by the time of the click may nothing, whatever
// their surface took them for; who cannot be asked about is neither yes nor no.
func TestWhoAsksIsWhoTheyAreNow(t *testing.T) {
	for _, kind := range []string{"deactivated", "guest", "bot", "connect", "unknown"} {
		play(t, func(w *world) {
			people := &staff{now: map[string]string{}}
			w.options.People = people
			w.boot()
			w.define(gated(quorum))
			id := w.begin("webshop")
			people.now[ana.Email] = kind
			w.refused(ana, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeAccessDenied)
			w.refused(ana, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}, workflows.CodePipelineNotFound)
			w.refused(ana, workflows.Intent{Verb: workflows.StopExecution, Execution: id}, workflows.CodeExecutionNotFound)

			delete(people.now, ana.Email)
			people.down = true
			if p := w.refused(ana, workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.CodeUnavailable); !strings.Contains(p.Message, "could not check who Ana is now") {
				t.Errorf("a failed look-up reads %q", p.Message)
			}
			if g := w.gate(id); len(g.Votes) != 0 {
				t.Errorf("%s: the gate has %+v", kind, g.Votes)
			}
		})
	}
}

// T3: at the quorum a voter who cannot be asked about holds it up: it is neither
// reached without them nor by them.
func TestAQuorumWaitsForWhoCannotBeAskedAbout(t *testing.T) {
	play(t, func(w *world) {
		people := &staff{now: map[string]string{}}
		w.options.People = people
		w.boot()
		w.define(gated(strings.Replace(quorum, "dan@acme.example", `"token:ci"`, 1)))
		id := w.begin("webshop")
		approve := workflows.Intent{Verb: workflows.Approve, Execution: id}
		w.submit(ana, approve)
		people.down = true
		w.refused(ci, approve, workflows.CodeUnavailable)
		if g := w.gate(id); g.Closed != "" || len(g.Votes) != 1 {
			t.Fatalf("the gate is %q with %+v", g.Closed, g.Votes)
		}
		people.down = false
		w.submit(ci, approve)
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
	})
}

// T3: nobody acts for somebody who is nobody any more, at a gate or by a right;
// and a deputy who is nobody acts for nobody.
func TestADeputyActsForSomebodyWhoIsStillThere(t *testing.T) {
	for about, c := range map[string]struct {
		now  map[string]string
		down bool
		code string // of both refusals; empty: both are done
	}{
		"the absent one is there":             {},
		"the absent one has left":             {now: map[string]string{ben.Email: "deactivated"}, code: workflows.CodeNotAnApprover},
		"the deputy has become a guest":       {now: map[string]string{cho.Email: "guest"}, code: workflows.CodeAccessDenied},
		"nobody knows whether they are there": {down: true, code: workflows.CodeUnavailable},
	} {
		t.Run(about, func(t *testing.T) {
			play(t, func(w *world) {
				people := &staff{now: map[string]string{}}
				w.options.People = people
				w.options.Policy = &access.Policy{
					Rules: []access.Rule{
						{Allow: []workflows.Verb{workflows.View}, To: []string{"everyone"}},
						{Allow: []workflows.Verb{workflows.Start, workflows.Lock}, To: []string{ben.Email}},
					},
					Deputies: map[string]string{ben.Email: cho.Email},
				}
				w.boot()
				w.define(gated("approval: {from: [ben@acme.example], requesterMayApprove: true}"))
				id := w.begin("webshop")
				people.now, people.down = c.now, c.down
				lock := workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Build"}
				approve := workflows.Intent{Verb: workflows.Approve, Execution: id}
				switch c.code {
				case "":
					w.submit(cho, lock)
					w.submit(cho, approve)
				case workflows.CodeNotAnApprover:
					w.refused(cho, lock, workflows.CodeAccessDenied)
					w.refused(cho, approve, c.code)
				case workflows.CodeAccessDenied:
					w.refused(cho, lock, workflows.CodePipelineNotFound)
					w.refused(cho, approve, c.code)
				default:
					w.refused(cho, lock, c.code)
					w.refused(cho, approve, c.code)
				}
			})
		})
	}
}

// T3: somebody whose address changes between a start and its gate, or between
// two answers, is one person.
func TestANewAddressMakesNobodyElse(t *testing.T) {
	play(t, func(w *world) {
		people := &staff{now: map[string]string{}}
		w.options.People = people
		w.options.Policy.Rules = []access.Rule{{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{"everyone"}}}
		w.boot()
		w.define(gated(`approval: {from: ["everyone"], required: 2}`))
		id := w.submit(cho, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}).Execution.ID
		synctest.Wait()
		approve := workflows.Intent{Verb: workflows.Approve, Execution: id}
		w.submit(dan, approve)
		people.now = map[string]string{cho.Email: "married@acme.example", dan.Email: "dan2@acme.example"}
		w.refused(cho, approve, workflows.CodeSelfApproval)
		w.refused(dan, approve, workflows.CodeConflict)
	})
}

// answering is a Directory with members by group: it answers, is down for now, or refuses for good.
type answering struct {
	is    string // "answers", "down", "refuses"
	in    map[string]string
	asked int
}

func (a *answering) Member(_ context.Context, p workflows.Principal, group string) (bool, error) {
	a.asked++
	switch a.is {
	case "down":
		return false, errors.New("it is away")
	case "refuses":
		return false, &workflows.Problem{Message: "GitHub shows no team acme/sre", Hint: "check the team's name"}
	}
	return a.in[group] == p.Email, nil
}

// T20: a kind of group that nothing answers for, or not now, holds up nobody
// about whom all is certain without it; and that trying again helps is said
// only where it is so. Every kind of who-expression, at a gate and by a rule.
func TestOneGroupThatCannotBeAskedHoldsUpNobodyElse(t *testing.T) {
	const slackGroup, team = "slack-group:S1", "github-team:acme/sre"
	for _, kind := range []string{slackGroup, team} {
		other := map[string]string{slackGroup: team, team: slackGroup}[kind]
		for _, is := range []string{"answers", "down", "refuses", "absent"} {
			for _, c := range []struct {
				about string
				who   workflows.Principal
				from  []string
				extra string // of the gate's policy
				want  string // when it does not answer: yes, or unknown
			}{
				{"named besides", ana, []string{ana.Email, kind}, "", "yes"},
				{"named behind it", ana, []string{kind, ana.Email}, "", "yes"},
				{"in a group of the configuration besides", ana, []string{kind, "group:admins"}, "", "yes"},
				{"in another outside group besides", dan, []string{kind, other}, "", "yes"},
				{"in none", cho, []string{ana.Email, kind}, "", "unknown"},
				{"in it alone", ben, []string{kind}, "", "unknown"},
				{"named, and the group is counted", ana, []string{ana.Email, kind}, fmt.Sprintf(", atLeast: {%q: 1}", kind), "unknown"},
			} {
				t.Run(kind+" "+is+" "+c.about, func(t *testing.T) {
					play(t, func(w *world) {
						asked := &answering{is: is, in: map[string]string{kind: ben.Email}}
						others := &answering{is: "answers", in: map[string]string{other: dan.Email}}
						of := func(group string) string { k, _, _ := strings.Cut(group, ":"); return k }
						w.options.Directories = map[string]runtime.Directory{of(other): others, of(kind): asked}
						if is == "absent" {
							delete(w.options.Directories, of(kind))
						}
						w.options.Policy = &access.Policy{
							Groups: map[string][]string{"admins": {ana.Email}},
							Rules: []access.Rule{
								{Allow: []workflows.Verb{workflows.View}, To: []string{"everyone"}},
								{Allow: []workflows.Verb{workflows.StopExecution}, To: c.from},
								{Allow: []workflows.Verb{workflows.Lock}, To: []string{kind}, On: []string{"elsewhere"}},
							},
						}
						w.boot()
						w.define(gated(fmt.Sprintf(`approval: {from: ["%s"]%s}`, strings.Join(c.from, `", "`), c.extra)))
						id := w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}).Execution.ID
						synctest.Wait()
						approve, stop := workflows.Intent{Verb: workflows.Approve, Execution: id}, workflows.Intent{Verb: workflows.StopExecution, Execution: id, Reason: "try"}
						lock := workflows.Intent{Verb: workflows.Lock, Pipeline: "webshop", Stage: "Build"}
						want := c.want
						if is == "answers" {
							want = "yes"
							if c.who == cho {
								want = "no"
							}
						}
						w.refused(c.who, lock, workflows.CodeAccessDenied) // it could give that right elsewhere only
						if asked.asked > 0 {
							t.Error("it was asked about though it could change nothing")
						}
						switch want {
						case "no":
							w.refused(c.who, approve, workflows.CodeNotAnApprover)
							w.refused(c.who, stop, workflows.CodeAccessDenied)
						case "unknown":
							p := w.refused(c.who, approve, workflows.CodeUnavailable)
							if c.extra == "" {
								p = w.refused(c.who, stop, workflows.CodeUnavailable)
							}
							if !strings.Contains(p.Message, "could not check whether "+c.who.Name+" is in "+kind) || strings.Contains(p.Hint, "try again") != (is == "down") || p.Hint == "" {
								t.Errorf("it says %q (%s)", p.Message, p.Hint)
							}
							if len(w.gate(id).Votes) != 0 {
								t.Error("the vote counts all the same")
							}
						default:
							w.submit(c.who, approve)
							synctest.Wait()
							if c.extra == "" {
								w.status(id, workflows.StatusSucceeded)
								return
							}
							if g := w.gate(id); len(g.Votes) != 1 {
								t.Errorf("the gate has %+v", g.Votes)
							}
						}
					})
				})
			}
		}
	}
}
