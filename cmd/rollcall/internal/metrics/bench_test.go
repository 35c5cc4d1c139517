package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// BenchmarkCount counts an execution of twelve actions behind a gate, as its frames come.
func BenchmarkCount(b *testing.B) {
	c := newCounter(New(slog.New(slog.DiscardHandler)), &world{})
	x := &workflows.Execution{ID: "a", StartedAt: began, Stages: []workflows.StageExecution{{Name: "Gate", Actions: []workflows.ActionExecution{{Name: "Ok", Provider: "Manual"}}}}}
	events := []event.Event{{Kind: event.ExecutionStarted, Execution: "a", At: began, Started: x}, {Kind: event.GateOpened, Execution: "a", Stage: "Gate", Action: "Ok", At: began},
		{Kind: event.GateClosed, Execution: "a", Stage: "Gate", Action: "Ok", At: began.Add(time.Minute), Text: "approved"}}
	for s := range 4 {
		stage := workflows.StageExecution{Name: fmt.Sprintf("S%d", s)}
		for a := range 3 {
			name := fmt.Sprintf("A%d", a)
			stage.Actions = append(stage.Actions, workflows.ActionExecution{Name: name, Provider: "Wait"})
			events = append(events, event.Event{Kind: event.ActionStarted, Execution: "a", Stage: stage.Name, Action: name, At: began},
				event.Event{Kind: event.ActionSucceeded, Execution: "a", Stage: stage.Name, Action: name, At: began.Add(time.Second)})
		}
		x.Stages = append(x.Stages, stage)
	}
	events = append(events, event.Event{Kind: event.ExecutionSucceeded, Execution: "a", At: began.Add(time.Hour)})
	f := &event.Frame{Pipeline: "webshop", Events: events}
	b.ReportAllocs()
	for b.Loop() {
		c.frame(context.Background(), f)
	}
}
