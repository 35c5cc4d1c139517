package bot_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// counted is a snapshot that counts who asks for the successes of a stage.
type counted struct {
	snapshot
	before []workflows.Execution
	asked  int
}

func (c *counted) Executions(ctx context.Context, by workflows.Principal, q record.Query) ([]workflows.Execution, error) {
	if q.SucceededInStage == "" {
		return c.snapshot.Executions(ctx, by, q)
	}
	c.asked++
	return c.before, nil
}

// A stage that runs says when it is usually done, by the median of what it took
// before; that is asked for once per success and not once per edit.
func TestACardSaysWhenAStageIsUsuallyDone(t *testing.T) {
	began := time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)
	deploy := func(status workflows.Status, took time.Duration) []workflows.StageExecution {
		a := workflows.ActionExecution{Name: "Deploy", Status: status, Attempt: 1, StartedAt: &began}
		if end := began.Add(took); took > 0 {
			a.EndedAt = &end
		}
		return []workflows.StageExecution{{Name: "Production", Status: status, Since: &began, Actions: []workflows.ActionExecution{a}}}
	}
	s := &counted{snapshot: snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}}
	s.pipeline.Definition.Stages[0].Announce = "never" // nothing else asks for successes
	e := steps()[0].execution
	e.Stages = deploy(workflows.StatusInProgress, 0)
	s.executions[e1] = e
	past := func(minutes ...int) {
		s.before = nil
		for i, n := range minutes {
			s.before = append(s.before, workflows.Execution{ID: fmt.Sprint(i), Stages: deploy(workflows.StatusSucceeded, time.Duration(n)*time.Minute)})
		}
	}
	o := newOutside()
	past(3, 5)
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o})
	shows := func(want string, is bool) {
		t.Helper()
		if all := o.of("rollcall_execution"); len(all) != 1 || strings.Contains(all[0], want) != is {
			t.Errorf("it shows %q: %t, want %t: %s", want, !is, is, all)
		}
	}
	follow := func(events ...event.Event) {
		t.Helper()
		if err := b.Follow(t.Context(), batch(events...)); err != nil {
			t.Fatal(err)
		}
	}
	follow(happened(event.ExecutionStarted))
	shows("usually done", false) // two are too few
	past(3, 90, 5)
	follow(happened(event.ExecutionNoted))
	shows("usually done", false)
	if s.asked != 1 {
		t.Errorf("it was asked for %d times, want once", s.asked)
	}
	follow(happened(event.StageSucceeded)) // of another execution, as far as the card knows
	shows(fmt.Sprintf("usually done by \\u003c!date^%d^{time}|", began.Add(5*time.Minute).Unix()), true)
	if follow(happened(event.ExecutionNoted)); s.asked != 2 {
		t.Errorf("it was asked for %d times, want twice", s.asked)
	}
}
