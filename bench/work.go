package main

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// work is W: E executions that wait at their gates, one per pipeline, are
// approved at once; it ends when the live feed has shown the last end.
func (r *round) work(ctx context.Context) error {
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions, Parked: true}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	gates, err := v.gates(ctx)
	if err != nil {
		return err
	}
	if err := v.waitIdle(); err != nil {
		return err
	}
	size, err := v.used()
	if err != nil {
		return err
	}
	w, err := v.approved(ctx, gates)
	if err != nil {
		return err
	}
	r.note(w.figures("")...)
	after, err := v.look()
	if err != nil {
		return err
	}
	if err := v.stop(); err != nil {
		return err
	}
	now, err := v.used()
	r.note(figure{"peak memory", "MB", absolute, after.peak / 1024},
		figure{"database growth per execution", "KB", absolute, (now - size) / 1024 / float64(len(gates))})
	return err
}

// ran is what W took.
type ran struct {
	actions  int
	answered time.Duration // all approvals
	ended    time.Duration // all executions
	cpu      time.Duration
}

// approved approves gates at once and waits for the ends.
func (v *service) approved(ctx context.Context, gates []gate) (w ran, err error) {
	f, err := v.follow(ctx, "")
	if err != nil {
		return w, err
	}
	before, err := v.look()
	if err != nil {
		return w, err
	}
	began := time.Now()
	if err := v.approveAll(ctx, gates); err != nil {
		return w, err
	}
	w.answered = time.Since(began)
	if err := f.endings(ctx, len(gates)); err != nil {
		return w, err
	}
	w.ended, w.actions = time.Since(began), fill.Actions*len(gates)
	after, err := v.look()
	w.cpu = after.cpu - before.cpu
	return w, err
}

func (w ran) figures(with string) []figure {
	return []figure{
		{title("durable actions", with), "/s", inRate, float64(w.actions) / w.ended.Seconds()},
		{title("CPU per action", with), "us", absolute, float64(w.cpu.Microseconds()) / float64(w.actions)},
		took(title("all approvals answered", with), w.answered),
	}
}

// recovery is R: kill -9 once all approvals are answered, start again, and wait
// until what was under way has ended.
func (r *round) recovery(ctx context.Context) error {
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions, Parked: true}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	gates, err := v.gates(ctx)
	if err != nil {
		return err
	}
	f, err := v.follow(ctx, "")
	if err != nil {
		return err
	}
	if err := v.approveAll(ctx, gates); err != nil {
		return err
	}
	v.kill()
	_ = f.until(ctx, func() bool { return false }) // what the dead process had sent is read
	if f.cursor() == "" {
		return errors.New("the live feed showed nothing before the kill")
	}
	ended := f.ended
	began := time.Now()
	if err := v.start(ctx, r.subject); err != nil {
		return err
	}
	again, err := v.follow(ctx, f.cursor())
	if err != nil {
		return err
	}
	if err := again.endings(ctx, len(gates)-ended); err != nil {
		return err
	}
	r.note(took("ready again", v.ready), took("all ended, after the restart began", time.Since(began)),
		figure{"under way when it was killed", "", count, float64(len(gates) - ended)})
	return nil
}
