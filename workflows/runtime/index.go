package runtime

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// The engine's own memos, beside those of its packages. All are written in the
// commit of the events they follow from, so they are never behind.
const (
	openGatePrefix = "gate/open/"  // PIPELINE/EXECUTION/STAGE/ACTION: a gate that waits
	tokenPrefix    = "gate/token/" // TOKEN: where the gate of that token is, or was
	versionPrefix  = "version/"    // PIPELINE/VERSION/TIME: a version was put in force
)

// tokenKept is how long a gate's token is known after it opened: longer than
// any gate can stay open, so that a late answer hears what became of it.
const tokenKept = 90 * 24 * time.Hour

func definitionKey(pipeline string, version int) string {
	return fmt.Sprintf("definition/%s/%d", pipeline, version)
}

// gateMemo says where a gate is.
type gateMemo struct {
	Pipeline  string    `json:"pipeline"`
	Execution string    `json:"execution"`
	Stage     string    `json:"stage"`
	Action    string    `json:"action"`
	Token     string    `json:"token"`
	OpenedAt  time.Time `json:"openedAt"`
	// Open is what is listed while it waits; nil: the memo was written before there was that.
	Open *say.OpenApproval `json:"open,omitempty"`
}

func (g gateMemo) key() string {
	return openGatePrefix + strings.Join([]string{g.Pipeline, g.Execution, g.Stage, g.Action}, "/")
}

// index are the memos that follow from a pipeline's events; s is the state after them.
func index(s *machine.State, events []event.Event) []Memo {
	memos := inbound.Index(s, events)
	set := func(key string, value any) { memos = append(memos, record.NewMemo(owner, key, value)) }
	gates := map[string]bool{} // executions whose open gates may be listed in another way
	for _, ev := range events {
		at := gateMemo{Pipeline: s.Name, Execution: ev.Execution, Stage: ev.Stage, Action: ev.Action}
		switch {
		case ev.Kind == event.PipelineDefined:
			set(definitionKey(s.Name, ev.Defined.Version), ev.Defined.Definition)
			set(versionKey(s.Name, ev), versionOf(ev))
			for _, x := range s.Executions { // who may answer follows the definition in force
				gates[x.ID] = true
			}
		case ev.Kind == event.GateOpened:
			at.Token, at.OpenedAt = ev.Gate.Token, ev.At
			set(tokenPrefix+at.Token, at)
			gates[ev.Execution] = true
		case ev.Kind == event.GateClosed:
			set(at.key(), nil)
		case strings.HasPrefix(string(ev.Kind), "gate"), ev.Outcome != nil && ev.Outcome.Revision != nil:
			gates[ev.Execution] = true
		}
	}
	for _, x := range s.Executions {
		if gates[x.ID] {
			openGates(x, func(g gateMemo) { set(g.key(), g) })
		}
	}
	return memos
}

// openGates calls f with the open gates of an execution.
func openGates(x *workflows.Execution, f func(g gateMemo)) {
	for i := range x.Stages {
		st := &x.Stages[i]
		for k := range st.Actions {
			a := &st.Actions[k]
			if a.Needs != workflows.NeedsApproval || a.Approval == nil {
				continue
			}
			f(gateMemo{
				Pipeline: x.Pipeline, Execution: x.ID, Stage: st.Name, Action: a.Name, Token: a.Approval.Token, OpenedAt: a.Approval.OpenedAt,
				Open: &say.OpenApproval{Pipeline: x.Pipeline, Execution: x.ID, Number: x.Number, Stage: st.Name, Action: a.Name,
					Approval: *a.Approval, SourceRevisions: x.SourceRevisions, StartedBy: x.Trigger},
			})
		}
	}
}
