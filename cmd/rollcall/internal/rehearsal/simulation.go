package rehearsal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// simulation is one test being played: a pipeline, its clock, what is faked, and
// what happened. It does what the runtime does in the service.
type simulation struct {
	directory
	file     *File
	s        *machine.State
	at       time.Time
	zone     *time.Location
	seed     uint64
	archive  map[string]*workflows.Execution // that ended, by ID
	versions map[int]*workflows.Pipeline
	numbers  map[string]int
	ids      []string // by number, from 1
	events   []event.Event
	trace    []string

	fakes    map[string]*fake     // by Stage/Action
	began    map[string]time.Time // by task
	answered map[string]bool      // tasks that have had their outcome
	tasks    map[string]work.Task // what was started last, by execution and Stage/Action
	heads    map[string]workflows.SourceRevision
	ignored  string // why the last push started nothing
}

// broken is an error that no pipeline can be blamed for.
type broken struct{ error }

func newWorld(f *File, at time.Time) *simulation {
	return &simulation{
		directory: f.people, file: f, s: machine.New(f.pipeline.Name), at: at, zone: f.zone,
		archive: map[string]*workflows.Execution{}, versions: map[int]*workflows.Pipeline{}, numbers: map[string]int{}, ids: []string{""},
		fakes: map[string]*fake{}, began: map[string]time.Time{}, answered: map[string]bool{}, tasks: map[string]work.Task{},
		heads: map[string]workflows.SourceRevision{},
	}
}

// ask submits an intent: the right first, then the decision.
func (w *simulation) ask(by workflows.Principal, in workflows.Intent) error {
	in.Pipeline = w.s.Name
	if p := w.refusal(by, &in); p != nil {
		return p
	}
	return w.decide(machine.Input{By: by, Intent: &in})
}

// tick lets the state see what time it is.
func (w *simulation) tick() error { return w.decide(machine.Input{By: workflows.EnginePrincipal()}) }

// decide asks until all facts are there, and applies what was decided.
func (w *simulation) decide(in machine.Input) error {
	events, err := w.tryDecide(in)
	if err != nil {
		return err
	}
	for _, e := range events {
		w.s.Evolve(e)
		w.record(e)
	}
	for _, row := range w.s.Departed() {
		w.archive[row.ID] = &row
	}
	return nil
}

// decisions is how many a test may need: a wait of years ends with a sentence, not in an hour.
const decisions = 10_000

// tryDecide decides and changes nothing.
func (w *simulation) tryDecide(in machine.Input) ([]event.Event, error) {
	in.At = w.at
	if w.seed++; w.seed > decisions {
		return nil, broken{fmt.Errorf("the test needs more than %d decisions; wait for less", decisions)}
	}
	binary.BigEndian.PutUint64(in.Seed[:], w.seed)
	var people []workflows.Principal
	for range 8 {
		events, err := w.s.Decide(in)
		var need *machine.NeedFacts
		if !errors.As(err, &need) {
			return events, err
		}
		people = append(people, need.People...)
		in.Facts = w.lookUp(in.Facts, need, people)
	}
	return nil, broken{errors.New("the decision never had enough facts")}
}

// record keeps what a test can ask about.
func (w *simulation) record(e event.Event) {
	w.events = append(w.events, e)
	switch e.Kind {
	case event.PipelineDefined:
		d := e.Defined.Definition
		w.versions[e.Defined.Version] = &d
	case event.ExecutionStarted:
		w.ids = append(w.ids, e.Started.ID)
		w.numbers[e.Started.ID] = e.Started.Number
	case event.ActionStarted:
		w.began[e.Start.Task] = e.At
		if e.Start.After != nil {
			w.began[e.Start.Task] = *e.Start.After
		}
	}
	if line := w.traced(&e); line != "" {
		w.traceLine(line)
	}
	for _, t := range w.s.Tasks() {
		if _, seen := w.began[t.ID]; !seen && t.Configuration[work.WatchedAlarms] != "" {
			w.began[t.ID] = e.At
		}
		if t.Kind == work.Start {
			w.tasks[t.Execution+" "+t.Stage+"/"+t.Action.Name] = t
		}
	}
}

// indent sets what happens apart from the steps it follows from.
const indent = "    "

func (w *simulation) traceLine(line string) {
	w.trace = append(w.trace, w.at.In(w.zone).Format(indent+"Mon 2 Jan 15:04  ")+line)
}

// row returns an execution, unfinished or ended.
func (w *simulation) row(id string) (workflows.Execution, bool) {
	if e, ok := w.s.Execution(id); ok {
		return e, true
	}
	if e := w.archive[id]; e != nil {
		return *e, true
	}
	return workflows.Execution{}, false
}

// runUntilIdle carries out what is to be done outside until nothing is left, and
// lets the time of actions run out that are faked to take too long.
func (w *simulation) runUntilIdle() error {
	for range rounds {
		if err := w.runTasks(); err != nil {
			return err
		}
		deadline, ok := w.timesOut()
		if !ok {
			return nil
		}
		if err := w.pass(deadline); err != nil {
			return err
		}
	}
	return w.endlessLoop()
}

// rounds is how often something may follow by itself before that counts as for ever.
const rounds = 500

func (w *simulation) endlessLoop() error {
	return broken{errors.New("this would go on for ever: something is started again and again")}
}

// runTasks answers every task that has an answer now.
func (w *simulation) runTasks() error {
	for range rounds {
		worked := false
		for _, t := range w.s.Tasks() {
			key := t.ID + " " + t.Kind
			if w.answered[key] {
				continue
			}
			o, ok := w.answer(t)
			if !ok {
				continue
			}
			w.answered[key], worked = true, true
			if err := w.decide(machine.Input{By: workflows.EnginePrincipal(), Outcome: &o}); err != nil {
				return err
			}
		}
		if !worked {
			return nil
		}
	}
	return w.endlessLoop()
}

// pass lets time go by, stopping whenever the state or a fake wants to be looked at.
func (w *simulation) pass(until time.Time) error {
	seen, again := time.Time{}, 0
	for {
		next, ok := w.next()
		if !ok || next.After(until) {
			break
		}
		if next.After(w.at) {
			w.at = next
		}
		if again++; !w.at.Equal(seen) {
			seen, again = w.at, 0
		}
		if again > rounds {
			return broken{fmt.Errorf("the pipeline wants to be looked at on %s, and nothing happens", w.at.Format(time.DateTime))}
		}
		if err := w.tick(); err != nil {
			return err
		}
		if err := w.runTasks(); err != nil {
			return err
		}
	}
	w.at = until
	if err := w.tick(); err != nil {
		return err
	}
	return w.runTasks()
}

// next is when something is due by itself.
func (w *simulation) next() (time.Time, bool) {
	next, ok := w.s.Due()
	for _, t := range w.s.Tasks() {
		if at, open := w.endFake(t); open && at.After(w.at) && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}
