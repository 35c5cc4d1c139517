package machine

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// bench is a pipeline with a gate and then four stages of three actions, in
// which thirty executions have ended: what a state holds in the long run.
type bench struct {
	s      *State
	at     time.Time
	seed   uint64
	events int
}

func newBench(b *testing.B) *bench {
	first := defined(b, "Src: App{out=app}", "Gate: Ok{gate from=token:ci requesterMayApprove}",
		"S0: A0 + A1 + A2", "S1: A0 + A1 + A2", "S2: A0 + A1 + A2", "S3: A0 + A1 + A2")
	x := &bench{s: first.s, at: first.at}
	for range 30 {
		x.start(b)
		x.approve(b)
		x.run(b)
	}
	b.ReportAllocs()
	return x
}

// input is an input of the next moment.
func (x *bench) input(in Input) Input {
	x.at = x.at.Add(time.Millisecond)
	x.seed++
	in.At = x.at
	binary.BigEndian.PutUint64(in.Seed[:], x.seed)
	return in
}

func (x *bench) decide(b *testing.B, in Input) []event.Event {
	events, err := x.s.Decide(x.input(in))
	if err != nil || len(events) == 0 {
		b.Fatal(len(events), err)
	}
	x.events += len(events)
	return events
}

func (x *bench) do(b *testing.B, in Input) {
	for _, e := range x.decide(b, in) {
		x.s.Evolve(e)
	}
	x.s.Departed()
}

// start parks an execution at its gate.
func (x *bench) start(b *testing.B) {
	x.do(b, Input{By: workflows.EnginePrincipal(), Intent: &workflows.Intent{Verb: workflows.Start}})
	x.do(b, x.outcome(x.s.Tasks()[0]))
}

func (x *bench) outcome(t work.Task) Input {
	o := &work.Outcome{Task: t.ID, State: work.Succeeded}
	if t.Action.IsSource() {
		o.Artifacts = []workflows.Artifact{{Name: "app", Digest: "d"}}
		o.Revision = &workflows.SourceRevision{RevisionID: t.Execution, Branch: "main", Repository: "acme/webshop"}
	}
	return Input{By: workflows.EnginePrincipal(), Outcome: o}
}

func (x *bench) approval() Input {
	return Input{By: person("token:ci"), Intent: &workflows.Intent{Verb: workflows.Approve, Execution: x.s.Executions[0].ID}}
}

func (x *bench) approve(b *testing.B) { x.do(b, x.approval()) }

// run ends everything that is under way, one action after the other.
func (x *bench) run(b *testing.B) {
	for tasks := x.s.Tasks(); len(tasks) > 0; tasks = x.s.Tasks() {
		x.do(b, x.outcome(tasks[0]))
	}
}

// BenchmarkDecide decides again and again from the same state.
func BenchmarkDecide(b *testing.B) {
	b.Run("outcome", func(b *testing.B) { // of one action of three
		x := newBench(b)
		x.start(b)
		x.approve(b)
		in := x.input(x.outcome(x.s.Tasks()[0]))
		benchDecide(b, x.s, in)
	})
	b.Run("lastOutcome", func(b *testing.B) { // ends a stage and opens the next
		x := newBench(b)
		x.start(b)
		x.approve(b)
		x.do(b, x.outcome(x.s.Tasks()[0]))
		x.do(b, x.outcome(x.s.Tasks()[0]))
		in := x.input(x.outcome(x.s.Tasks()[0]))
		benchDecide(b, x.s, in)
	})
	b.Run("approval", func(b *testing.B) { // closes the gate and opens the next stage
		x := newBench(b)
		x.start(b)
		benchDecide(b, x.s, x.input(x.approval()))
	})
}

func benchDecide(b *testing.B, s *State, in Input) {
	for b.Loop() {
		if events, err := s.Decide(in); err != nil || len(events) == 0 {
			b.Fatal(len(events), err)
		}
	}
}

// BenchmarkExecution is one execution from its gate to its end: deciding,
// evolving, the tasks and the next deadline after each of 13 inputs.
func BenchmarkExecution(b *testing.B) {
	x := newBench(b)
	step := func(in Input) {
		x.do(b, in)
		x.s.Due()
	}
	for b.Loop() {
		x.start(b)
		x.events = 0
		step(x.approval())
		for tasks := x.s.Tasks(); len(tasks) > 0; tasks = x.s.Tasks() {
			step(x.outcome(tasks[0]))
		}
	}
	b.ReportMetric(float64(x.events), "events/op")
}

// BenchmarkOffers is what a card asks of a parked execution.
func BenchmarkOffers(b *testing.B) {
	x := newBench(b)
	x.start(b)
	id := x.s.Executions[0].ID
	for b.Loop() {
		if len(x.s.Offers(id, Facts{})) == 0 {
			b.Fatal("nothing is offered at a gate")
		}
	}
}

// BenchmarkTasks asks for the three tasks of a stage.
func BenchmarkTasks(b *testing.B) {
	x := newBench(b)
	x.start(b)
	x.approve(b)
	for b.Loop() {
		if len(x.s.Tasks()) != 3 {
			b.Fatal("not three tasks")
		}
	}
}
