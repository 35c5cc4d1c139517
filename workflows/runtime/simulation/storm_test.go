package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// move is one thing that the scheduler can do next.
type move struct {
	name   string
	weight int
	// make makes the move; false: it is not possible now.
	make func() bool
}

// allMoves are the moves of a storm.
func (w *world) allMoves() []move {
	running := func(do func()) func() bool {
		return func() bool {
			if w.process == nil {
				return false
			}
			do()
			return true
		}
	}
	return []move{
		{"answer", 620, w.answerOne},
		{"ask", 230, running(w.askFor)},
		{"offer", 60, running(w.takeOffer)},
		{"repeat", 30, running(w.repeat)},
		{"hang up", 8, w.hangUpOne},
		{"push", 24, func() bool { w.push(w.one("main", "main", "next")); return true }},
		{"deliver", 30, running(w.deliver)},
		{"request", 24, running(w.request)},
		{"time", 150, func() bool { w.time(); return true }},
		{"clock", 14, func() bool { w.step(); return true }},
		{"crash", 14, running(func() { w.log("crash"); w.kill() })},
		{"stop", 8, running(func() {
			w.log("the process is asked to end")
			w.process.ending = true
			w.process.cancel()
		})},
		{"boot", 200, func() bool {
			if w.process != nil {
				return false
			}
			w.freeze()
			w.boot()
			return true
		}},
		{"sight", 6, func() bool {
			w.sight.Store(!w.sight.Load())
			w.log("the disk can be read: %v", w.sight.Load())
			return true
		}},
		{"member", 12, func() bool { w.member(); return true }},
	}
}

// freeze writes another configuration: now and then with a freeze in it.
func (w *world) freeze() {
	if w.dice.IntN(4) > 0 {
		return
	}
	w.freezes = nil
	if w.dice.IntN(3) > 0 {
		from := w.now().Add(time.Duration(w.dice.IntN(120)-60) * time.Minute)
		w.freezes = []workflows.Freeze{{Name: "quiet", From: from, To: from.Add(time.Duration(1+w.dice.IntN(300)) * time.Minute),
			On: []string{w.one("*/Production", "shop", "*/Deploy")}, MayPass: [][]string{nil, {"group:team", "group:bosses"}}[w.dice.IntN(2)]}}
	}
	w.log("the configuration has %d freezes", len(w.freezes))
}

// next draws a move and makes it.
func (w *world) next() {
	if !w.sight.Load() && w.dice.IntN(8) == 0 {
		w.sight.Store(true)
		w.log("the disk can be read again")
	}
	total := 0
	for _, m := range w.moves {
		total += m.weight
	}
	for range 20 {
		n := w.dice.IntN(total)
		for _, m := range w.moves {
			if n -= m.weight; n >= 0 {
				continue
			}
			if m.make() {
				return
			}
			break
		}
	}
	w.time()
}

// answerOne answers a parked call.
func (w *world) answerOne() bool {
	calls := w.waiting()
	if len(calls) == 0 {
		return false
	}
	c := calls[w.dice.IntN(len(calls))]
	for _, other := range calls { // commits hold everybody up: mostly they are next
		if other.kind == "commit" && w.dice.IntN(3) > 0 {
			c = other
		}
	}
	w.reply(c, w.fateOf(c))
	return true
}

// fates says how often a call of each kind ends how, in percent; the rest is fine.
func fates(kind string) map[string]int {
	switch kind {
	case "commit":
		return map[string]int{before: 3, after: 3, late: 15, "die before": 1, "die after": 1}
	case "answer":
		return map[string]int{after: 5}
	case "feed":
		return map[string]int{before: 5}
	case "reopen":
		return map[string]int{before: 30}
	case "start":
		return map[string]int{before: 8, after: 10, panics: 2, bursts: 2}
	case "follow":
		return map[string]int{before: 8, after: 6, panics: 3}
	case "create":
		return map[string]int{before: 10, after: 10}
	case "poll", "find", "cancel":
		return map[string]int{before: 10, after: 4, panics: 2}
	case "member":
		return map[string]int{before: 6}
	}
	return map[string]int{before: 12, panics: 2}
}

func (w *world) fateOf(c *call) fate {
	f := fate{how: fine, die: w.dice.Uint64()}
	if w.calm {
		return f
	}
	n := w.dice.IntN(100)
	all := fates(c.kind)
	for _, how := range []string{before, after, late, panics, bursts, "die before", "die after"} {
		if n -= all[how]; n < 0 {
			f.how = how
			return f
		}
	}
	return f
}

// reply answers a call with its fate.
func (w *world) reply(c *call, f fate) {
	commits := w.ledger.commits
	switch f.how {
	case "die before":
		w.log("%s %s: the process dies before it", c.kind, c.key)
		w.release(c, fate{how: before})
		w.kill()
	case "die after":
		f.how = after
		w.release(c, f)
		w.rest()
		w.log("%s %s: the process dies after it: %s", c.kind, c.key, w.ledger.last)
		w.kill()
	default:
		w.release(c, f)
		w.rest()
		what := ""
		if c.kind == "commit" && w.ledger.commits > commits {
			what = ": " + w.ledger.last
		}
		w.log("%s %s is %s%s", c.kind, c.key, f.how, what)
	}
}

// time lets some time pass.
func (w *world) time() {
	d := []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, time.Second, 3 * time.Second, 15 * time.Second, 15 * time.Second,
		time.Minute, time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour, 26 * time.Hour}[w.dice.IntN(14)]
	if d >= time.Hour && w.dice.IntN(4) > 0 {
		d = 10 * time.Second
	}
	pass(d)
	w.log("%s pass", d)
}

// step sets the clock of the service, forward or back.
func (w *world) step() {
	d := []time.Duration{-2 * time.Minute, -time.Second, -50 * time.Millisecond, 50 * time.Millisecond, 2 * time.Second, 20 * time.Minute}[w.dice.IntN(6)]
	w.skew.Add(int64(d))
	w.ahead = max(w.ahead, time.Duration(w.skew.Load()))
	w.log("the clock is set by %s, and is %s off", d, time.Duration(w.skew.Load()))
}

func (w *world) askFor() {
	if in, by, ok := w.wish(); ok {
		w.submit(in, by)
	}
}

// repeat asks again with the token of something that was asked before.
func (w *world) repeat() {
	if w.asked == 0 {
		return
	}
	a := w.ledger.asked[fmt.Sprint("c", 1+w.dice.IntN(w.asked))]
	if a == nil || !w.ledger.fresh(w.ledger.tokens[a.in.Token]) {
		return
	}
	w.log("again:")
	w.resubmit(a)
}

func (w *world) hangUpOne() bool {
	if len(w.clients) == 0 {
		return false
	}
	c := w.clients[w.dice.IntN(len(w.clients))]
	w.log("the client of %s hangs up", c.what)
	w.hangUp(c)
	return true
}

// push moves a branch on.
func (w *world) push(branch string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.outside
	o.pushes++
	o.heads[branch] = fmt.Sprintf("%s%d", branch[:1], o.pushes)
	w.log("%s is pushed to %s", o.heads[branch], branch)
}

// member changes who is in the group outside.
func (w *world) member() {
	w.mu.Lock()
	defer w.mu.Unlock()
	who := []workflows.Principal{ana, ben, cho, dan}[w.dice.IntN(4)]
	group := w.outside.members["slack-group:S1"]
	group[who.Email] = !group[who.Email]
	w.log("%s is in the group: %v", who.Name, group[who.Email])
}

// received is what the sender of a delivery is told.
type received struct{ Started, Ignored []string }

// deliver brings a push as a webhook does, now and then one that came before.
func (w *world) deliver() {
	key := fmt.Sprint("github/", w.dice.IntN(1+w.outside.pushes))
	branch := w.one("main", "main", "next")
	if known, ok := w.ledger.branches[key]; ok {
		branch = known
	}
	w.ledger.branches[key] = branch
	w.mu.Lock()
	change := w.outside.change(branch)
	w.mu.Unlock()
	if w.outside.pushes%2 == 0 { // else the same push comes under several keys
		change.Commit += "-" + key[len("github/"):]
	}
	w.log("delivery %s to %s", key, branch)
	w.send("delivery", func(ctx context.Context, e *runtime.Engine) func(bool) {
		r, _, err := e.Receive(ctx, work.Receipt{Key: key, Source: "github"}, []work.Change{change})
		return func(lost bool) {
			if err != nil || lost {
				return
			}
			w.delivered(key, r)
		}
	})
}

// delivered judges what the sender of a delivery was told: it is so, and it stays so.
func (w *world) delivered(key string, r work.Receipt) {
	var got received
	if err := json.Unmarshal(r.Result, &got); err != nil || !r.Done && len(got.Started) > 0 {
		w.violated("a receipt has a result", "%s: %s %v", key, r.Result, err)
	}
	for _, id := range got.Started {
		if w.ledger.refs[id] == "" {
			w.violated("what was acknowledged is in the log", "%s: the execution %s is not", key, id)
		}
	}
	first, known := w.ledger.receipts[key]
	if known && first.result != string(r.Result) && w.now().Sub(first.at) < receiptLife {
		w.violated("a delivery has one result", "%s: %s, and before %s", key, r.Result, first.result)
	}
	if !known {
		w.ledger.receipts[key] = receipt{w.now(), string(r.Result)}
	}
}

// request is an intent that comes as a bot's do: its receipt is durable first,
// then it is acknowledged, then carried out, and at last noted as done.
func (w *world) request() {
	in, by, ok := w.wish()
	if !ok || in.Verb == workflows.Annotate {
		return
	}
	key := fmt.Sprint("slack/", w.asked+1)
	in.Token = key
	w.log("%s sends %s: %s", by.Name, key, phrase(w, in))
	w.send("request", func(ctx context.Context, e *runtime.Engine) func(bool) {
		_, fresh, err := e.Accept(ctx, work.Receipt{Key: key, Source: "slack", Payload: bytesOf(wanted{in, by})})
		if err != nil || !fresh {
			return nil
		}
		w.mu.Lock()
		w.ledger.accepted[key] = w.now() // and acknowledged
		w.mu.Unlock()
		w.perform(ctx, e, key, wanted{in, by})
		return nil
	})
}

// wanted is what a receipt of a request holds.
type wanted struct {
	In workflows.Intent
	By workflows.Principal
}

// perform does what a receipt asks for, and notes that.
func (w *world) perform(ctx context.Context, e *runtime.Engine, key string, o wanted) {
	_, err := e.Submit(ctx, o.In, o.By)
	var p *workflows.Problem
	if err != nil && (!errors.As(err, &p) || p.Code == workflows.CodeUnavailable || p.Code == workflows.CodeCommitUnknown) {
		return // the janitor does it
	}
	result := "ok"
	if p != nil {
		result = p.Code
	}
	_ = e.Finish(ctx, key, []byte(result))
}

// janitor carries out what an earlier process had acknowledged and not finished.
func (w *world) janitor(p *process) {
	c := w.send("janitor", func(ctx context.Context, e *runtime.Engine) func(bool) {
		left, err := e.Pending(ctx, "slack")
		if err != nil {
			return nil
		}
		for _, r := range left {
			w.perform(ctx, e, r.Key, parsed[wanted](r.Payload))
		}
		return nil
	})
	c.process = p
}

// takeOffer looks at what can be done with something and does it at once. It
// is refused only when something else came in between.
func (w *world) takeOffer() {
	for _, c := range w.waiting() {
		if c.kind == "commit" || c.kind == "answer" || c.kind == "reopen" {
			return // something is on its way: the race would be lost
		}
	}
	if w.isBlind() || len(w.clients) > 0 || w.people.offers >= bosses-1 {
		return
	}
	names := w.names
	b := w.ledger.book(names[w.dice.IntN(len(names))])
	by, id, pick := boss(w.people.offers), w.anExecution(b), w.dice.Uint64()
	w.people.offers++
	w.log("%s looks at %s %s", by.Name, b.name, w.ledger.ref(id))
	var in workflows.Intent
	var problem error
	at := b.seq
	c := w.send("offer", func(ctx context.Context, e *runtime.Engine) func(bool) {
		var offers []workflows.Offer
		if id != "" && pick%3 > 0 {
			x, err := e.Execution(ctx, by, id)
			if err != nil {
				return nil
			}
			offers = x.Offers
		} else {
			id = ""
			view, err := e.Pipeline(ctx, by, b.name, 0)
			if err != nil {
				return nil
			}
			for _, st := range view.Stages {
				offers = append(offers, st.Offers...)
			}
		}
		if len(offers) == 0 {
			return nil
		}
		in = take(b.name, id, offers[int(pick/3)%len(offers)])
		in.Token = fmt.Sprint("o", by.Name)
		_, problem = e.Submit(ctx, in, by)
		return nil
	})
	if !w.onlyFor(c) {
		return
	}
	var p *workflows.Problem
	if problem == nil || c.lost || errors.As(problem, &p) && (p.Code == workflows.CodeCommitUnknown || p.Code == workflows.CodeUnavailable) {
		w.log("  and takes %s", phrase(w, in))
		return
	}
	if b.seq > at+1 || b.seq == at { // more than the refusal: the race was lost
		return
	}
	w.violated("what is offered is accepted", "%s: %v", phrase(w, in), problem)
}

// take fills in the form of an offer.
func take(pipeline, execution string, o workflows.Offer) workflows.Intent {
	in := workflows.Intent{Verb: o.Verb, Pipeline: pipeline, Execution: execution, Stage: o.Stage, Action: o.Action, Reason: "as offered"}
	switch o.Verb {
	case workflows.Start:
		in.Stage = ""
	case workflows.RollBack:
		in.Execution, in.Target, in.WhileRunning = "", o.Target, "wait"
	case workflows.Unlock:
		in.Execution = o.Target
	case workflows.Resolve:
		in.As = "failed"
	case workflows.StopExecution:
		in.Abandon = true // what a form asks, where it is being stopped already
	}
	return in
}

// onlyFor answers, honestly, only what keeps a client waiting; false: it still waits.
func (w *world) onlyFor(c *client) bool {
	for range 40 {
		w.rest()
		w.mu.Lock()
		done := c.done
		w.mu.Unlock()
		if done {
			return true
		}
		moved := false
		for _, call := range w.waiting() {
			if call.kind == "commit" || call.kind == "answer" || call.kind == "member" || call.kind == "reopen" {
				w.release(call, fate{how: fine})
				moved = true
				break
			}
		}
		if !moved {
			return false
		}
	}
	return false
}
