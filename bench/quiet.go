package main

import (
	"context"
	"os/exec"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// starting times a process that does nothing, a service that finds new
// pipelines, and the same service again.
func (r *round) starting(ctx context.Context) error {
	began := time.Now()
	if err := exec.CommandContext(ctx, r.subject.path, "version").Run(); err != nil {
		return err
	}
	r.note(took("the process alone (version)", time.Since(began)))
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	r.note(took("ready with new pipelines", v.ready))
	if err := v.stop(); err != nil {
		return err
	}
	if err := v.start(ctx, r.subject); err != nil {
		return err
	}
	r.note(took("ready with the same ones again", v.ready))
	return nil
}

// idling looks at a service with 200 open gates and a reader of its live feed.
func (r *round) idling(ctx context.Context) error {
	v, err := r.serve(ctx, fill.Plan{Pipelines: 200, Parked: true}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	if _, err := v.follow(ctx, ""); err != nil {
		return err
	}
	if err := v.waitIdle(); err != nil {
		return err
	}
	before, err := v.look()
	if err != nil {
		return err
	}
	time.Sleep(r.idle)
	after, err := v.look()
	if err != nil {
		return err
	}
	r.note(figure{"CPU, of a core", "%", absolute, 100 * (after.cpu - before.cpu).Seconds() / r.idle.Seconds()},
		figure{"wake-ups", "/s", absolute, float64(after.switches-before.switches) / r.idle.Seconds()},
		figure{"RssAnon", "MB", absolute, after.anon / 1024})
	return nil
}

// parking compares a service with few and with many open gates.
func (r *round) parking(ctx context.Context) error {
	var anon [3]float64
	sizes := [3]int{0, min(200, r.parked/2), r.parked}
	for i, n := range sizes {
		v, err := r.serve(ctx, fill.Plan{Pipelines: n, Parked: n > 0}, extra{})
		if err != nil {
			return err
		}
		if anon[i], err = r.parkedAt(ctx, v, n); err != nil {
			return err
		}
	}
	for i, n := range sizes[1:] {
		r.note(figure{title("RssAnon per gate at", strconv.Itoa(n)), "KB", absolute, (anon[i+1] - anon[0]) / float64(n)})
	}
	return nil
}

// parkedAt is the memory of a service with so many open gates, and A beside it.
func (r *round) parkedAt(ctx context.Context, v *service, n int) (anon float64, err error) {
	defer v.end()
	if err := v.waitIdle(); err != nil {
		return 0, err
	}
	time.Sleep(r.rest)
	p, err := v.look()
	if err != nil || n == 0 {
		return p.anon, err
	}
	r.note(took(title("ready at", strconv.Itoa(n)), v.ready))
	return p.anon, r.clicked(ctx, v, title("at", strconv.Itoa(n)))
}
