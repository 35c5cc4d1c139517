package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

var (
	ana = member("ana")
	ben = member("ben")
	cho = member("cho")
	dan = member("dan") // writes everything that is released
	eve = workflows.Principal{ID: "slack:UEVE", Name: "eve", Email: "eve@acme.example", Via: "slack", Stranger: "guest"}
	ci  = workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}
)

func member(name string) workflows.Principal {
	return workflows.Principal{ID: "slack:U" + name, Name: name, Email: name + "@acme.example", Via: "slack"}
}

// bosses is how many admins there are. Each takes up one offer, and does nothing else before the end.
const bosses = 24

func boss(n int) workflows.Principal { return member(fmt.Sprint("boss", n)) }

// people are those who ask, and what they may.
type people struct {
	policy *access.Policy
	offers int // taken up so far: the number of the next boss
}

func newPeople() *people {
	all := []string{}
	for n := range bosses {
		all = append(all, boss(n).Email)
	}
	return &people{policy: &access.Policy{
		Admins: []string{"group:bosses"},
		Groups: map[string][]string{"team": {ana.Email, ben.Email, cho.Email}, "bosses": all},
		Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start, workflows.StopExecution, workflows.Retry}, To: []string{"everyone"}},
			{Allow: []workflows.Verb{workflows.Approve, workflows.RollBack, workflows.Override, workflows.Lock, workflows.Unlock, workflows.Resolve, workflows.Edit, workflows.StartAnyRevision}, To: []string{"group:team"}},
			{Allow: []workflows.Verb{workflows.RollBack, workflows.Approve}, To: []string{"slack-group:S1"}, On: []string{"edge"}},
		},
		Tokens: map[string][]workflows.Verb{"ci": {workflows.View, workflows.Start}},
	}}
}

// client is somebody who waits for an answer.
type client struct {
	n       int
	what    string
	process *process
	cancel  context.CancelFunc
	lost    bool            // hung up, or the process died: the answer does not count
	done    bool            // guarded by world.mu
	judge   func(lost bool) // what to make of the answer; runs with the scheduler
}

// send has somebody ask the engine. ask runs on its own goroutine and returns
// what the scheduler is to make of the answer.
func (w *world) send(what string, ask func(ctx context.Context, e *runtime.Engine) (judge func(lost bool))) *client {
	p := w.process
	w.asked++
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{n: w.asked, what: what, process: p, cancel: cancel}
	w.clients = append(w.clients, c)
	go func() {
		judge := ask(ctx, p.engine)
		w.mu.Lock()
		defer w.mu.Unlock()
		c.judge, c.done = judge, true
	}()
	return c
}

// hangUp makes a client not wait any longer.
func (w *world) hangUp(c *client) {
	c.lost = true
	c.cancel()
}

// asking is an intent on its way, and everything that was asked with its token.
type asking struct {
	in      workflows.Intent
	by      workflows.Principal
	result  *event.Result // of the first success
	unclear bool          // an answer was lost, or unknown
	tries   int
	refused string // code of the first refusal
}

// submit sends an intent, with a token of its own unless it has one.
func (w *world) submit(in workflows.Intent, by workflows.Principal) {
	if in.Token == "" && in.Verb != workflows.Annotate {
		in.Token = fmt.Sprint("c", w.asked+1)
	}
	w.resubmit(&asking{in: in, by: by})
}

func (w *world) resubmit(a *asking) {
	w.log("%s asks: %s", a.by.Name, phrase(w, a.in))
	w.ledger.asked[a.in.Token] = a
	a.tries++
	w.send(string(a.in.Verb), func(ctx context.Context, e *runtime.Engine) func(bool) {
		r, err := e.Submit(ctx, a.in, a.by)
		var seen error
		if err == nil && r.Execution != nil {
			_, seen = e.Execution(ctx, workflows.EnginePrincipal(), r.Execution.ID)
		}
		return func(lost bool) { w.answered(a, r, err, seen, lost) }
	})
}

// answered judges what became of an intent.
func (w *world) answered(a *asking, r event.Result, err, seen error, lost bool) {
	var p *workflows.Problem
	switch {
	case lost, err != nil && !errors.As(err, &p):
		a.unclear = true
		return
	case err != nil && p.Code == workflows.CodeCommitUnknown:
		w.log("  %s is told: %s", a.by.Name, p.Code)
		a.unclear = true
		return
	case err != nil:
		w.log("  %s is refused: %s %s", a.by.Name, p.Code, p.Message)
		w.ledger.refused(a, p)
		return
	}
	w.ledger.granted(a, r)
	if seen != nil && !w.isBlind() && !errors.Is(seen, context.Canceled) {
		w.violated("what was answered can be read", "%s: %v", phrase(w, a.in), seen)
	}
	if a.result == nil {
		a.result = &r
	}
}

// isBlind says whether reads may fail.
func (w *world) isBlind() bool { return !w.sight.Load() || w.process == nil || w.process.ending }

// phrase says what an intent asks for, with numbers instead of IDs.
func phrase(w *world, in workflows.Intent) string {
	text := string(in.Verb) + " " + in.Pipeline
	for _, part := range []string{w.ledger.ref(in.Execution), in.Stage, in.Action, in.As, in.WhileRunning, in.Definition, w.ledger.ref(in.Target)} {
		if part != "" {
			text += " " + part
		}
	}
	if in.Verb == workflows.Edit {
		text += ": " + in.Reason
	}
	if in.IfCurrent != "" {
		text += " if " + w.ledger.ref(in.IfCurrent)
	}
	if in.Abandon {
		text += " abandon"
	}
	if in.All {
		text += " all"
	}
	return text
}

// wish draws something to ask for; false: nothing comes to mind.
func (w *world) wish() (in workflows.Intent, by workflows.Principal, ok bool) {
	names := w.names
	b := w.ledger.book(names[w.dice.IntN(len(names))])
	in.Pipeline = b.name
	by = []workflows.Principal{ana, ben, cho, ana, ben, cho, dan, eve, ci, boss(bosses - 1)}[w.dice.IntN(10)]
	x := w.anExecution(b)
	switch n := w.dice.IntN(46); {
	case n < 8:
		in.Verb = workflows.Start
		if b.name == "edge" && w.dice.IntN(2) == 0 {
			in.Variables = map[string]string{"share": w.one("20", "x")}
		}
		if w.dice.IntN(4) == 0 {
			in.Revisions = []workflows.RevisionOverride{{ActionName: "App", RevisionType: "COMMIT_ID", RevisionValue: w.one("m0", "n0", "m1")}}
		}
	case n < 17:
		in.Verb, by = w.one2(workflows.Approve, workflows.Reject, 8), []workflows.Principal{ana, ben, cho, dan, boss(bosses - 1), ci}[w.dice.IntN(6)]
		in.Reason = w.one("", "looks good", "looks good")
		if gates := b.gates(); len(gates) > 0 && w.dice.IntN(8) > 0 {
			g := gates[w.dice.IntN(len(gates))]
			if in.Execution = g.execution; w.dice.IntN(2) == 0 {
				in.Execution, in.Gate = "", g.token
			}
			return in, by, true
		}
		in.Execution = x
	case n < 20:
		in.Verb, in.Execution, in.Abandon = workflows.StopExecution, x, w.dice.IntN(2) == 0
	case n < 24:
		in.Verb, in.Execution, in.All = workflows.Retry, x, w.dice.IntN(3) == 0
	case n < 29:
		w.wishBack(b, &in, x)
	case n < 31:
		in.Verb, in.Stage = workflows.Lock, w.aStage(b)
	case n < 34:
		in.Verb, in.Stage = workflows.Unlock, w.aStage(b)
		if w.dice.IntN(2) == 0 {
			in.Execution = x
		}
	case n < 37:
		in.Verb, in.As = workflows.Resolve, w.one("succeeded", "failed", "again")
		if in.Execution = x; len(b.doubts()) > 0 {
			in.Execution = b.doubts()[0]
		}
	case n < 41:
		in.Verb = workflows.Edit
		in.NewDefinition, in.Reason = w.edited(b.name)
	case n < 42 && w.dice.IntN(3) == 0:
		in.Verb = workflows.Archive
	case n < 43:
		in.Verb, in.Execution, by = workflows.Annotate, x, workflows.EnginePrincipal()
		in.Note = &workflows.Note{Name: "ticket", State: "done", Text: fmt.Sprint("OPS-", w.dice.IntN(3))}
	default:
		in.Verb, in.Execution, in.Stage, in.Reason = workflows.Override, x, w.one("", w.aStage(b)), w.one("", "it must go out", "it must go out")
		if all := b.state.Unfinished(); len(all) > 0 && w.dice.IntN(2) == 0 {
			one := all[w.dice.IntN(len(all))]
			in.Execution, in.Stage = one.ID, inside(one)
		}
	}
	needsOne := slices.Contains([]workflows.Verb{workflows.StopExecution, workflows.Retry, workflows.Approve, workflows.Reject, workflows.Resolve, workflows.Annotate, workflows.Override}, in.Verb)
	return in, by, !needsOne || in.Execution != ""
}

// wishBack draws a rollback: mostly to something that worked there.
func (w *world) wishBack(b *book, in *workflows.Intent, x string) {
	in.Verb, in.Stage, in.Target = workflows.RollBack, w.aStage(b), x
	if worked := b.succeeded[in.Stage]; len(worked) > 0 && w.dice.IntN(6) > 0 {
		in.Target = worked[w.dice.IntN(len(worked))]
	}
	in.WhileRunning, in.Definition = w.one("", "", "stop", "wait"), w.one("", "original", "current")
	if now := b.runs(in.Stage); now != "" && w.dice.IntN(3) == 0 {
		if in.IfCurrent = now; w.dice.IntN(4) == 0 {
			in.IfCurrent = in.Target
		}
	}
}

func (w *world) one2(usual, rare workflows.Verb, in int) workflows.Verb {
	if w.dice.IntN(in) == 0 {
		return rare
	}
	return usual
}

// anExecution draws one of the newest executions of a pipeline; empty: there is none.
func (w *world) anExecution(b *book) string {
	if len(b.numbers) == 0 {
		return ""
	}
	return b.numbers[max(0, len(b.numbers)-1-w.dice.IntN(6))]
}

func (w *world) aStage(b *book) string {
	p := b.definition()
	if p == nil {
		return "Deploy"
	}
	return p.Stages[min(len(p.Stages)-1, w.dice.IntN(len(p.Stages)+1))].Name
}
