package bridged

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// closedKept is how many requests are remembered after AWS has answered them: until
// a look shows what they led to, and people have seen what became of them.
const closedKept = 20

// Memory is what the state of a pipeline in AWS keeps beside that of every pipeline.
// It is replaced, never written.
type Memory struct {
	Looked bool              `json:"looked,omitempty"` // there was a look that saw it
	Lost   *workflows.Reason `json:"lost,omitempty"`   // why it is not seen
	LostAt time.Time         `json:"lostAt,omitzero"`
	Newest time.Time         `json:"newest,omitzero"`  // when, in AWS, the newest known execution started
	Open   []event.Request   `json:"open,omitempty"`   // what AWS is to be asked for, oldest first
	Closed []Closed          `json:"closed,omitempty"` // what it has answered, newest first
}

// Closed is a request that AWS has answered.
type Closed struct {
	event.Request
	Began string `json:"began,omitempty"` // the execution that it began, by its ID in AWS
}

// Evolve applies an event; the memory may be nil at first.
func (m *Memory) Evolve(ev event.Event) *Memory {
	now := Memory{}
	if m != nil {
		now = *m
	}
	switch ev.Kind {
	case event.BridgeLost:
		now.Lost, now.LostAt = ev.Reason, ev.At
	case event.BridgeSeen:
		now.Lost, now.LostAt, now.Looked = nil, time.Time{}, true
	case event.RequestOpened:
		now.Open = append(slices.Clone(now.Open), *ev.Request)
	case event.RequestClosed:
		now.close(ev)
	case event.ExecutionStarted, event.ExecutionObserved:
		if ev.Started.ExternalID == "" {
			return m
		}
		if ev.Started.StartedAt.After(now.Newest) {
			now.Newest = ev.Started.StartedAt
		}
	default:
		return m
	}
	return &now
}

func (m *Memory) close(ev event.Event) {
	closed := Closed{Request: *ev.Request}
	if ev.Outcome != nil {
		closed.Began = ev.Outcome.ExternalID
	}
	m.Open = slices.DeleteFunc(slices.Clone(m.Open), func(r event.Request) bool { return r.ID == closed.ID })
	m.Closed = append([]Closed{closed}, m.Closed[:min(len(m.Closed), closedKept-1)]...)
}

// Token is the client request token with which the execution was asked for that AWS
// knows by this ID; empty: none was, or it is not known.
func (m *Memory) Token(external string) string {
	if r := m.began(external); r != nil {
		return r.Intent.Token
	}
	return ""
}

// began is the request that began an execution; nil: none that is known.
func (m *Memory) began(external string) *Closed {
	for i := range m.all().Closed {
		if c := &m.Closed[i]; c.Began == external && external != "" {
			return c
		}
	}
	return nil
}

// all is the memory, or an empty one.
func (m *Memory) all() *Memory { return cmp.Or(m, &Memory{}) }

// View is where the pipeline is and how it is seen, and what is asked of AWS beside
// what concerns an execution.
func (m *Memory) View(b *workflows.Bridge) (*workflows.Bridge, []workflows.Request) {
	shown := *b
	if m != nil && m.Lost != nil {
		at := m.LostAt
		shown.Error, shown.SeenAt = m.Lost, &at
	}
	return &shown, m.Requests()
}

// Requests are those that belong to no execution: open ones, then answered ones, newest first.
func (m *Memory) Requests() []workflows.Request {
	var all []workflows.Request
	for _, r := range m.all().Open {
		if r.Intent.Execution == "" {
			all = append(all, r.Request)
		}
	}
	for _, r := range m.all().Closed {
		if r.Intent.Execution == "" {
			all = append(all, r.Request.Request)
		}
	}
	return all
}

// ByToken is the request that was made with a client request token; nil: none is known.
func (m *Memory) ByToken(token string) *workflows.Request {
	for i := range m.all().Open {
		if r := &m.Open[i]; token != "" && r.Intent.Token == token {
			return &r.Request
		}
	}
	for i := range m.all().Closed {
		if r := &m.Closed[i]; token != "" && r.Intent.Token == token {
			return &r.Request.Request
		}
	}
	return nil
}

// asked is the newest request of that verb about the same thing, open or answered; nil: none.
func (m *Memory) asked(verb workflows.Verb, external, stage, action string) *event.Request {
	is := func(r *event.Request) bool {
		return r.Verb == verb && r.ExternalID == external && r.Stage == stage && r.Action == action
	}
	for i := len(m.all().Open) - 1; i >= 0; i-- {
		if is(&m.Open[i]) {
			return &m.Open[i]
		}
	}
	for i := range m.all().Closed {
		if r := &m.Closed[i]; is(&r.Request) && r.State == workflows.RequestDone {
			return &r.Request
		}
	}
	return nil
}

// Tasks are the open requests as tasks of the bridge's runner.
func (m *Memory) Tasks(pipeline string, b *workflows.Bridge) []work.Task {
	var tasks []work.Task
	for _, r := range m.all().Open {
		at := *b
		tasks = append(tasks, work.Task{
			ID: r.ID, Kind: work.Start, Pipeline: pipeline, Execution: r.Intent.Execution, Stage: r.Stage, Attempt: 1,
			Action: workflows.Action{Name: string(r.Verb), ActionType: work.BridgeAction()},
			Request: &work.Request{ID: r.ID, Bridge: at, Verb: r.Verb, By: r.By, At: r.At, ExternalID: r.ExternalID,
				Stage: r.Stage, Action: r.Action, Token: r.Token, Text: r.Text, Intent: r.Intent},
		})
	}
	return tasks
}
