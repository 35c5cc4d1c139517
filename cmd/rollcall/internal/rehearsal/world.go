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

// world is one test being played: a pipeline, its clock, what is faked, and
// what happened. It does what the runtime does in the service.
type world struct {
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

func newWorld(f *File, at time.Time) *world {
	return &world{
		directory: f.people, file: f, s: machine.New(f.pipeline.Name), at: at, zone: f.zone,
		archive: map[string]*workflows.Execution{}, versions: map[int]*workflows.Pipeline{}, numbers: map[string]int{}, ids: []string{""},
		fakes: map[string]*fake{}, began: map[string]time.Time{}, answered: map[string]bool{}, tasks: map[string]work.Task{},
		heads: map[string]workflows.SourceRevision{},
	}
}

// ask submits an intent: the right first, then the decision.
func (w *world) ask(by workflows.Principal, in workflows.Intent) error {
	in.Pipeline = w.s.Name
	if p := w.refusal(by, &in); p != nil {
		return p
	}
	return w.decide(machine.Input{By: by, Intent: &in})
}

// tick lets the state see what time it is.
func (w *world) tick() error { return w.decide(machine.Input{By: workflows.EnginePrincipal()}) }

// decide asks until all facts are there, and applies what was decided.
func (w *world) decide(in machine.Input) error {
	events, err := w.consider(in)
	if err != nil {
		return err
	}
	for _, e := range events {
		w.s.Evolve(e)
		w.note(e)
	}
	for _, row := range w.s.Departed() {
		w.archive[row.ID] = &row
	}
	return nil
}

// decisions is how many a test may need: a wait of years ends with a sentence, not in an hour.
const decisions = 10_000

// consider decides and changes nothing.
func (w *world) consider(in machine.Input) ([]event.Event, error) {
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

// note keeps what a test can ask about.
func (w *world) note(e event.Event) {
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
	}
	if line := w.tell(e); line != "" {
		w.say(line)
	}
	for _, t := range w.s.Tasks() {
		if t.Kind == work.Start {
			w.tasks[t.Execution+" "+t.Stage+"/"+t.Action.Name] = t
		}
	}
}

// indent sets what happens apart from the steps it follows from.
const indent = "    "

func (w *world) say(line string) {
	w.trace = append(w.trace, w.at.In(w.zone).Format(indent+"Mon 2 Jan 15:04  ")+line)
}

// row returns an execution, unfinished or ended.
func (w *world) row(id string) (workflows.Execution, bool) {
	if e, ok := w.s.Execution(id); ok {
		return e, true
	}
	if e := w.archive[id]; e != nil {
		return *e, true
	}
	return workflows.Execution{}, false
}

// settle carries out what is to be done outside until nothing is left, and
// lets the time of actions run out that are faked to take too long.
func (w *world) settle() error {
	for range rounds {
		if err := w.work(); err != nil {
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
	return w.endless()
}

// rounds is how often something may follow by itself before that counts as for ever.
const rounds = 500

func (w *world) endless() error {
	return broken{errors.New("this would go on for ever: something is started again and again")}
}

// work answers every task that has an answer now.
func (w *world) work() error {
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
	return w.endless()
}

// pass lets time go by, stopping whenever the state or a fake wants to be looked at.
func (w *world) pass(until time.Time) error {
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
		if err := w.work(); err != nil {
			return err
		}
	}
	w.at = until
	if err := w.tick(); err != nil {
		return err
	}
	return w.work()
}

// next is when something is due by itself.
func (w *world) next() (time.Time, bool) {
	next, ok := w.s.Due()
	for _, t := range w.s.Tasks() {
		if at, open := w.ends(t); open && at.After(w.at) && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}
