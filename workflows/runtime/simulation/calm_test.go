package simulation

import (
	"bytes"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/rule"
)

// calmDown ends a story: everything works from now on, and everything must come to rest.
func (w *world) calmDown() {
	if w.process != nil && w.dice.IntN(2) == 0 {
		w.log("a last crash")
		w.kill()
	}
	w.log("calm")
	w.calm = true
	w.lastFault = []string{"", "", before, after}[w.dice.IntN(4)]
	w.sight.Store(true)
	w.skew.Store(int64(w.ahead)) // a clock that was set back is right again
	w.drain(quiet)
	w.finished() // before a restart: the next start would only do the same
	w.forPeople()
	w.decideAll()
	w.restart()
	w.drain(quiet)
	w.rows()
	w.old()
	w.judgeFollowers()
	w.carriedOut()
	w.accounted()
	w.whole()
}

// quiet is after how many minutes without a commit nothing more comes by
// itself: nothing waits longer before it is tried again.
const quiet = 13

// drain answers honestly and lets time pass until nothing more happens by itself for some minutes.
func (w *world) drain(quiet int) {
	commits, minutes := -1, 0
	for range 20_000 {
		w.harvest()
		w.whole()
		if w.process == nil {
			w.boot()
			continue
		}
		if calls := w.waiting(); len(calls) > 0 {
			w.serve(calls[0])
			continue
		}
		if w.ledger.commits != commits {
			commits, minutes = w.ledger.commits, 0
		}
		if minutes++; minutes > quiet {
			if len(w.clients) > 0 {
				w.violated("everybody is answered", "%s waits for ever", w.clients[0].what)
				w.whole()
			}
			return
		}
		pass(time.Minute)
	}
	w.violated("everything comes to rest", "it does not; the last commit is %s", w.ledger.last)
	w.whole()
}

// answerAll answers honestly what there is to answer, and what follows from it.
func (w *world) answerAll() {
	for range 400 {
		w.harvest()
		calls := w.waiting()
		if len(calls) == 0 {
			break
		}
		w.serve(calls[0])
	}
	pass(2 * time.Second)
}

// serve answers a call honestly; looks at branches are not worth a line.
func (w *world) serve(c *call) {
	if c.kind == "head" {
		w.release(c, fate{how: fine})
		return
	}
	f := w.fateOf(c)
	if c.kind == "commit" && w.lastFault != "" && c.process.isReady() {
		f.how, w.lastFault = w.lastFault, ""
	}
	w.reply(c, f)
}

// forPeople checks that whatever has not ended waits for somebody.
func (w *world) forPeople() {
	for _, name := range w.names {
		for _, x := range w.ledger.book(name).state.Unfinished() {
			if x.WaitsFor == nil && !needs(x, workflows.NeedsApproval) && !needs(x, workflows.NeedsResolve) && !waitsForTime(x) && !waitsIn(x, "CodePipeline") {
				w.violated("what has not ended waits for people", "%s is %s in %s", x.Ref(), x.Status, inside(x))
			}
		}
	}
	w.whole()
}

// waitsForTime says whether a condition of the execution waits for its window.
func waitsForTime(x workflows.Execution) bool { return waitsIn(x, rule.DeploymentWindow) }

// waitsIn says whether something of that provider is in progress.
func waitsIn(x workflows.Execution, provider string) bool {
	for i := range x.Stages {
		for _, a := range open(&x.Stages[i]) {
			if a.Status == workflows.StatusInProgress && a.Provider == provider {
				return true
			}
		}
	}
	return false
}

// decideAll has people decide whatever waits for them, until everything has ended.
func (w *world) decideAll() {
	const maxRounds = 6 // rounds, after which they stop what they cannot agree on
	for round := range 20 {
		left := 0
		for _, name := range w.names {
			b := w.ledger.book(name)
			for _, x := range b.state.Unfinished() {
				left++
				w.decide(b, x, round >= maxRounds)
			}
		}
		if left == 0 {
			return
		}
		w.drain(2)
	}
	for _, name := range w.names {
		for _, x := range w.ledger.book(name).state.Unfinished() {
			w.violated("everything comes to its end", "%s is %s in %q, waits for %+v", x.Ref(), x.Status, inside(x), x.WaitsFor)
		}
	}
	w.whole()
}

// decide has people do for an execution whatever it waits for.
func (w *world) decide(b *book, x workflows.Execution, enough bool) {
	all := []workflows.Principal{cho, ben, ana, boss(bosses - 1), boss(bosses - 2), dan}
	in := workflows.Intent{Pipeline: b.name, Execution: x.ID, Reason: "to end it"}
	send := func(verb workflows.Verb, by workflows.Principal) {
		in.Verb, in.Token = verb, ""
		w.submit(in, by)
		w.drainClients()
	}
	switch {
	case enough && (x.Stop == nil || !x.Stop.Abandon):
		in.Abandon = true
		send(workflows.StopExecution, boss(bosses-1))
	case x.WaitsFor != nil && x.WaitsFor.For == workflows.WaitsForFreeze:
		pass(time.Hour)
	case waitsForTime(x):
		send(workflows.Override, boss(bosses-1))
	case x.WaitsFor != nil && x.WaitsFor.For == workflows.WaitsForTransition:
		in.Stage, in.Execution = x.WaitsFor.Stage, ""
		send(workflows.Unlock, boss(bosses-1))
	case needs(x, workflows.NeedsResolve):
		for i := range x.Stages {
			st := &x.Stages[i]
			for _, a := range open(st) {
				if a.Needs == workflows.NeedsResolve && a.Status == workflows.StatusInProgress {
					in.Stage, in.Action, in.As = st.Name, a.Name, w.one("succeeded", "failed")
					send(workflows.Resolve, boss(bosses-1))
				}
			}
		}
	case needs(x, workflows.NeedsApproval):
		for _, g := range b.gates() {
			if g.execution != x.ID {
				continue
			}
			for _, by := range all {
				if slices.ContainsFunc(b.gates(), func(o openGate) bool { return o.token == g.token }) {
					in.Gate = g.token
					send(workflows.Approve, by)
				}
			}
		}
	}
}

// drainClients answers honestly until nobody waits for an answer.
func (w *world) drainClients() {
	for range 2000 {
		w.harvest()
		w.whole()
		if len(w.clients) == 0 {
			return
		}
		if w.process == nil {
			w.boot()
			continue
		}
		if calls := w.waiting(); len(calls) > 0 {
			w.serve(calls[0])
			continue
		}
		pass(time.Second)
	}
	w.violated("everybody is answered", "%s waits for ever", w.clients[0].what)
	w.whole()
}

// restart ends the process in good order, checks what it leaves, and starts another.
func (w *world) restart() {
	p := w.process
	w.log("the process is asked to end")
	p.ending = true
	p.cancel()
	for range 200 {
		w.harvest()
		if w.process == nil {
			break
		}
		if calls := w.waiting(); len(calls) > 0 {
			w.serve(calls[0])
			continue
		}
		pass(100 * time.Millisecond)
	}
	if w.process != nil {
		w.violated("the engine ends when it is asked to", "it does not")
		w.whole()
	}
	wrong, err := w.disk.Check(w.t.Context())
	if err != nil || len(wrong) > 0 {
		w.violated("the store is whole", "%v %v", err, wrong)
	}
	for _, name := range w.names {
		b := w.ledger.book(name)
		cp, after, err := w.disk.Load(w.t.Context(), name)
		if err != nil {
			w.violated("the store can be read", "%v", err)
			continue
		}
		state := machine.New(name)
		if len(cp.State) > 0 {
			if state, err = checkpoint.Decode(cp.State); err != nil {
				w.violated("a checkpoint can be read", "%s: %v", name, err)
				continue
			}
		}
		for _, f := range after {
			for _, ev := range f.Events {
				state.Evolve(ev)
			}
		}
		if got, want := written(state), written(b.state); cp.Seq+uint64(len(after)) != b.seq || !bytes.Equal(got, want) {
			w.violated("checkpoint and log give the state", "%s: %d + %d frames of %d:\n%s\n%s", name, cp.Seq, len(after), b.seq, got, want)
		}
	}
	w.boot()
}

// rows checks that what the store answers about is what the log says.
func (w *world) rows() {
	ctx := w.t.Context()
	for _, name := range w.names {
		b := w.ledger.book(name)
		for id, x := range b.archive {
			if _, back := b.state.Execution(id); back {
				continue
			}
			row, ok, err := w.disk.Execution(ctx, id)
			if w.ledger.removed[id] {
				if ok || err != nil {
					w.violated("what was removed is gone", "%s: %v", x.Ref(), err)
				}
				continue
			}
			if got, want := rendered(row), rendered(x); err != nil || !ok || got != want {
				w.violated("an ended execution's row is what the log says", "%s: %v\nrow %s\nlog %s", x.Ref(), err, got, want)
			}
		}
		for stage, ids := range b.succeeded {
			rows, err := w.disk.Executions(ctx, record.Query{Pipeline: name, SucceededInStage: stage, Limit: 100})
			if err != nil {
				w.violated("the store can be read", "%v", err)
			}
			for _, id := range ids {
				if len(rows) < 100 && !w.ledger.removed[id] && !slices.ContainsFunc(rows, func(x workflows.Execution) bool { return x.ID == id }) {
					w.violated("what succeeded in a stage is found", "%s in %s", w.ledger.ref(id), stage)
				}
			}
		}
	}
}

// carriedOut checks that what was acknowledged was carried out, once.
func (w *world) carriedOut() {
	ctx := w.t.Context()
	for key, at := range w.ledger.accepted {
		r, ok, err := w.disk.Receipt(ctx, key)
		if err != nil || ok && !r.Done || !ok && w.now().Sub(at) < receiptLife {
			w.violated("what was acknowledged is carried out", "%s: kept %v, done %v %v", key, ok, r.Done, err)
		}
	}
	for key, first := range w.ledger.receipts {
		for _, id := range parsed[received]([]byte(first.result)).Started {
			if w.ledger.refs[id] == "" {
				w.violated("what was acknowledged is in the log", "%s: %s", key, id)
			}
		}
	}
	for token, a := range w.ledger.asked {
		if found := w.ledger.tokens[token]; a.refused != "" && a.tries == 1 && len(found) > 0 {
			w.violated("a refusal changes nothing", "%s was refused (%s), and %+v is in the log", phrase(w, a.in), a.refused, found)
		}
	}
	w.finished()
}

// finished checks that no delivery is left half-done.
func (w *world) finished() {
	left, err := w.disk.List(w.t.Context(), "runtime", "delivery/")
	if err != nil {
		w.violated("the store can be read", "%v", err)
	}
	for _, m := range left {
		w.violated("a delivery is finished", "%s is not: %s", m.Key, m.Value)
	}
}

// accounted checks that nothing is left running outside that nobody knows of.
func (w *world) accounted() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, j := range w.outside.jobs {
		if j.starts == 0 || j.ended {
			continue
		}
		x, _ := w.ledger.book(j.task.Pipeline).execution(j.task.Execution)
		if !slices.Contains(x.Orphans, id) && !w.ledger.doubted[id] {
			w.violatedLocked("what still runs outside is named", "%s runs, %s is %s", nameOf(j.task), x.Ref(), x.Status)
		}
	}
}
