package machine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// world plays the runtime's part around one State: it looks facts up, applies
// events, keeps rows and definitions. After every decision it checks what must
// hold of any decision: it leaves the state alone, and folding the log, through
// JSON, gives the same state.
type world struct {
	s        *State
	shadow   *State // folded from the log as the store would give it back
	at       time.Time
	seed     uint64
	archive  map[string]*workflows.Execution
	versions map[int]*workflows.Pipeline
	members  map[string][]string // who-expression -> keys of people
	may      []string            // keys of people with the right to approve
	log      []event.Event
	ids      map[int]string // number -> ID
	tokens   []string       // of gates, in the order they opened
	rounds   int
}

func newWorld() *world {
	return &world{
		s: New("webshop"), shadow: New("webshop"), at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		archive: map[string]*workflows.Execution{}, versions: map[int]*workflows.Pipeline{}, members: map[string][]string{}, ids: map[int]string{},
	}
}

// decide asks until all facts are there, and applies what was decided.
func (w *world) decide(in Input) ([]event.Event, error) {
	in.At = w.at
	w.seed++
	binary.BigEndian.PutUint64(in.Seed[:], w.seed)
	before := marshal(w.s)
	for range 8 {
		events, err := w.s.Decide(in)
		if !bytes.Equal(before, marshal(w.s)) {
			return nil, errors.New("BROKEN: deciding changed the state")
		}
		var need *NeedFacts
		if errors.As(err, &need) {
			w.rounds++
			in.Facts = w.lookUp(in.Facts, need)
			continue
		}
		if err != nil {
			return nil, err
		}
		return events, w.apply(events)
	}
	return nil, errors.New("BROKEN: facts are asked for without end")
}

func (w *world) apply(events []event.Event) error {
	for _, e := range events {
		before := statuses(w.s)
		w.s.Evolve(e)
		if silent := unsaid(before, statuses(w.s), e); silent != "" {
			return fmt.Errorf("BROKEN: %s changes %s", e.Kind, silent)
		}
		var stored event.Event
		if err := json.Unmarshal(marshal(e), &stored); err != nil {
			return err
		}
		w.shadow.Evolve(stored)
		if e.Kind == event.PipelineDefined {
			d := e.Defined.Definition
			w.versions[e.Defined.Version] = &d
		}
		if e.Kind == event.ExecutionStarted {
			w.ids[e.Started.Number] = e.Started.ID
		}
		if e.Kind == event.GateOpened {
			w.tokens = append(w.tokens, e.Gate.Token)
		}
	}
	w.log = append(w.log, events...)
	for _, row := range w.s.Departed() {
		w.archive[row.ID] = &row
	}
	w.shadow.Departed()
	again := &State{}
	if err := json.Unmarshal(marshal(w.shadow), again); err != nil {
		return err
	}
	w.shadow = again
	if a, b := marshal(w.s), marshal(w.shadow); !bytes.Equal(a, b) {
		return fmt.Errorf("BROKEN: folding the log gives another state:\n%s\n%s", a, b)
	}
	return nil
}

func (w *world) lookUp(f Facts, need *NeedFacts) Facts {
	if f.Members == nil {
		f = Facts{Members: map[string]map[string]bool{}, May: map[string]bool{}, Executions: map[string]*workflows.Execution{}, External: map[string]string{}, Versions: map[int]*workflows.Pipeline{}, Changes: map[work.Range]work.Changes{}}
	}
	for _, r := range need.Changes {
		f.Changes[r] = work.Changes{Why: "no scenario has a repository"}
	}
	for _, p := range need.People {
		if f.Members[p.Key()] == nil {
			f.Members[p.Key()] = map[string]bool{}
		}
		for _, who := range need.Who {
			f.Members[p.Key()][who] = who == p.Key() || slices.Contains(w.members[who], p.Key())
		}
		if need.MayApprove != "" {
			f.May[p.Key()] = slices.Contains(w.may, p.Key())
		}
	}
	for _, external := range need.External {
		f.External[external] = ""
		for id, e := range w.archive {
			if e.ExternalID == external {
				f.External[external], f.Executions[id] = id, e
			}
		}
	}
	for _, id := range need.Executions {
		f.Executions[id] = w.archive[id]
	}
	for _, v := range need.Versions {
		f.Versions[v] = w.versions[v]
	}
	return f
}

// ask submits an intent.
func (w *world) ask(by workflows.Principal, in workflows.Intent) ([]event.Event, error) {
	return w.decide(Input{By: by, Intent: &in})
}

// answer brings the outcome of a task.
func (w *world) answer(o work.Outcome) ([]event.Event, error) {
	return w.decide(Input{By: workflows.EnginePrincipal(), Outcome: &o})
}

// restore brings a backup back that was made so long ago.
func (w *world) restore(ago time.Duration) ([]event.Event, error) {
	return w.decide(Input{By: workflows.EnginePrincipal(), Restored: &event.Restored{Epoch: w.s.Epoch + 1, Token: "t", At: w.at, Backup: w.at.Add(-ago)}})
}

// pass lets time go by, looking whenever the state wants to be looked at.
func (w *world) pass(d time.Duration) ([]event.Event, error) {
	var all []event.Event
	until := w.at.Add(d)
	for {
		due, ok := w.s.Due()
		if !ok || due.After(until) {
			break
		}
		if due.After(w.at) {
			w.at = due
		}
		events, err := w.decide(Input{By: workflows.EnginePrincipal()})
		if err != nil {
			return all, err
		}
		if len(events) == 0 {
			return all, fmt.Errorf("BROKEN: due at %s, and nothing happened", due)
		}
		all = append(all, events...)
	}
	w.at = until
	return all, nil
}

// execution returns an execution, unfinished or archived.
func (w *world) execution(id string) (workflows.Execution, bool) {
	if e, ok := w.s.Execution(id); ok {
		return e, true
	}
	if e := w.archive[id]; e != nil {
		return *e, true
	}
	return workflows.Execution{}, false
}

func person(name string) workflows.Principal {
	switch token, isMachine := strings.CutPrefix(name, "token:"); {
	case isMachine:
		return workflows.Principal{ID: name, Name: token, Via: "api"}
	case name == "rollcall":
		return workflows.EnginePrincipal()
	}
	return workflows.Principal{ID: "slack:U" + strings.ToUpper(name), Name: name, Email: name + "@acme.example", Via: "slack"}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
