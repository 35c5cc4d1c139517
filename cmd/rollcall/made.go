package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
)

// promised is the answer to a start or a rollback whose execution does not exist
// yet: it is planned, or AWS makes it.
type promised struct {
	workflows.Execution
	Planned *workflows.PlannedRollback `json:"planned"`
	Request *workflows.Request         `json:"request"`
}

// made asks for an execution. Without --wait one that does not exist yet is only
// told of (false), as plan says it; with it the same request, by its token, is made until it exists.
func (s *service) made(ctx context.Context, o *output, w *waiting, path string, body any, e *workflows.Execution, plan string) (bool, error) {
	var answer promised
	if err := s.post(ctx, path, body, &answer); err != nil {
		return false, err
	}
	if answer.ID == "" && w.Wait == "" {
		return false, s.promise(o, &answer, plan)
	}
	if answer.ID == "" {
		if err := s.begun(ctx, w, path, body, &answer); err != nil {
			return false, err
		}
	}
	*e = answer.Execution
	return true, nil
}

// promise says what is going to be.
func (s *service) promise(o *output, p *promised, plan string) error {
	if p.Request != nil {
		return s.asked(o, p.Request)
	}
	if s.structured() {
		return s.printValue(o.out, map[string]any{"planned": p.Planned})
	}
	fmt.Fprintln(o.out, "planned: "+plan+" when what runs there has ended")
	return nil
}

// asked says what AWS was asked to do.
func (s *service) asked(o *output, r *workflows.Request) error {
	return s.show(o, map[string]any{"request": r}, nil, func() []string { return nil }, func(p client.Printer) { p.Line(client.Asked(r)) })
}

// begun waits until what was promised has its execution.
func (s *service) begun(ctx context.Context, w *waiting, path string, body any, answer *promised) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var over <-chan time.Time
	if w.Timeout > 0 {
		over = time.After(w.Timeout)
	}
	for answer.ID == "" {
		goesOn, late := "the rollback stays planned", "what runs there has not ended"
		if answer.Request != nil {
			goesOn, late = "AWS may still do it", "AWS has not begun"
		}
		select {
		case <-ctx.Done():
			return &exit{exitInterrupted, "no longer waiting; " + goesOn}
		case <-over:
			return &exit{exitTimeout, fmt.Sprintf("%s within %s; %s", late, w.Timeout, goesOn)}
		case <-tick.C:
		}
		*answer = promised{}
		if err := s.post(ctx, path, body, answer); err != nil {
			return err
		}
	}
	return nil
}
