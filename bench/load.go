package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// loading sends signed slash commands and GitHub deliveries, half each, at a
// fixed rate while W runs. A request's time begins when it was due, so that a
// service that is slow for a moment is slow for all that came then.
func (r *round) loading(ctx context.Context) error {
	o, err := r.newOutside()
	if err != nil {
		return err
	}
	defer o.close()
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions, Parked: true}, r.connected())
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
	alone := o.start(ctx, r.rate)
	time.Sleep(loadAlone)
	r.note(alone.end().figures("without W")...)
	beside := o.start(ctx, r.rate)
	w, err := v.approved(ctx, gates)
	found := beside.end()
	if err != nil {
		return err
	}
	if len(found.commands.took) == 0 || len(found.pushes.took) == 0 {
		return errors.Join(errors.New("nothing was answered"), found.commands.err, found.pushes.err)
	}
	r.note(w.figures("under load")...)
	r.note(found.figures("")...)
	accepted := int64(len(alone.commands.took) + len(found.commands.took))
	for end := time.Now().Add(answersWithin); o.answers.Load() < accepted && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	r.note(figure{"accepted commands without an answer", "", count, float64(max(0, accepted-o.answers.Load()))})
	return nil
}

const (
	loadAlone     = 3 * time.Second  // the same requests, before W
	answersWithin = 30 * time.Second // after the last request, until every command's answer has come
	probes        = 50               // per second
)

// offered are requests that are sent at a fixed rate, until they end.
type offered struct {
	commands, pushes, probes *timed
	stop                     chan struct{}
	sending                  sync.WaitGroup
}

// start sends so many signed requests per second, and beside them a few that
// the service does nothing for: what those take is the least that any can.
func (o *outside) start(ctx context.Context, rate int) *offered {
	all := &offered{commands: &timed{do: o.command}, pushes: &timed{do: o.push}, probes: &timed{do: o.probe}, stop: make(chan struct{})}
	all.sending.Go(func() { steadily(ctx, rate, all.stop, []*timed{all.commands, all.pushes}) })
	all.sending.Go(func() { steadily(ctx, probes, all.stop, []*timed{all.probes}) })
	return all
}

// end sends no more, and returns once all are answered.
func (all *offered) end() *offered {
	close(all.stop)
	all.sending.Wait()
	return all
}

func (all *offered) figures(with string) []figure {
	failed := all.commands.failed + all.pushes.failed
	found := []figure{
		took(title("slash command p50", with), percentile(all.commands.took, 50)), took(title("slash command p99", with), percentile(all.commands.took, 99)),
		took(title("GitHub delivery p50", with), percentile(all.pushes.took, 50)), took(title("GitHub delivery p99", with), percentile(all.pushes.took, 99)),
		took(title("nothing asked p50", with), percentile(all.probes.took, 50)), took(title("nothing asked p99", with), percentile(all.probes.took, 99)),
		{title("requests answered", with), "", count, float64(len(all.commands.took) + len(all.pushes.took))},
		{title("requests refused or not answered", with), "", count, float64(failed)},
	}
	if failed > 0 {
		fmt.Printf("%-8s%d were refused or not answered %s: %v\n", "load", failed, with, errors.Join(all.commands.err, all.pushes.err))
	}
	return found
}

// timed is a kind of request, and how long each took.
type timed struct {
	do   func(ctx context.Context) error
	mu   sync.Mutex
	took []time.Duration // of those that were answered with 2xx

	failed int
	err    error // the first one
}

func (t *timed) once(ctx context.Context, due time.Time) {
	err := t.do(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.took = append(t.took, time.Since(due))
		return
	}
	if t.failed++; t.err == nil {
		t.err = err
	}
}

// steadily sends so many requests per second, of each kind in turn, until stop
// is closed; it returns once all are answered.
func steadily(ctx context.Context, rate int, stop <-chan struct{}, kinds []*timed) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for i := 0; ; {
		for ; time.Since(began) >= time.Duration(i)*time.Second/time.Duration(rate); i++ {
			due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
			kind := kinds[i%len(kinds)] // i goes on before the request is made
			all.Go(func() { kind.once(ctx, due) })
		}
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
