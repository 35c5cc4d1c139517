package main

import (
	"context"
	"time"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// pace is the pause between two approvals of A: each finds an idle service.
const pace = 5 * time.Millisecond

// clicks is A with 200 open gates, or as many as are approved.
func (r *round) clicks(ctx context.Context) error {
	v, err := r.serve(ctx, fill.Plan{Pipelines: max(r.approvals, 200), Parked: true}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	return r.clicked(ctx, v, "")
}

// clicked approves some of the open gates one by one, and times from the request to its
// answer, and to the start of the next action as the live feed tells it.
func (r *round) clicked(ctx context.Context, v *service, with string) error {
	gates, err := v.gates(ctx)
	if err != nil {
		return err
	}
	f, err := v.follow(ctx, "")
	if err != nil {
		return err
	}
	if err := v.waitIdle(); err != nil {
		return err
	}
	var answered, started []time.Duration
	for _, g := range gates[:min(r.approvals, len(gates))] {
		began := time.Now()
		if err := v.approve(ctx, g); err != nil {
			return err
		}
		answered = append(answered, time.Since(began))
		at, err := f.firstAction(ctx, g.execution)
		if err != nil {
			return err
		}
		started = append(started, at.Sub(began))
		time.Sleep(pace)
	}
	r.note(took(title("answered p50", with), percentile(answered, 50)), took(title("answered p99", with), percentile(answered, 99)),
		took(title("next action p50", with), percentile(started, 50)), took(title("next action p99", with), percentile(started, 99)))
	return nil
}
