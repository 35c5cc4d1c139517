package main

import (
	"context"
	"strconv"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// few finished executions are those that fill a page of the one pipeline that has
// half of them: less would compare a page with a row.
const few = 50

// growth does the same with few finished executions and with many, and divides.
func (r *round) growth(ctx context.Context) error {
	var before, after []figure
	for _, n := range []int{few, r.finished} {
		found, err := r.grown(ctx, n)
		if err != nil {
			return err
		}
		before, after = after, found
	}
	for i, f := range after {
		ratio := f.value / before[i].value
		if f.scale == inRate {
			ratio = 1 / ratio
		}
		r.note(f, figure{title(f.name+", beside", strconv.Itoa(few)), "x", absolute, ratio})
	}
	return nil
}

// grown measures a service with so many finished executions.
func (r *round) grown(ctx context.Context, finished int) ([]figure, error) {
	outer := r.found
	defer func() { r.found = outer }()
	r.found = nil
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions/2 + r.approvals, Finished: finished, Parked: true}, extra{})
	if err != nil {
		return nil, err
	}
	defer v.end()
	r.note(took("ready", v.ready))
	if err := v.waitIdle(); err != nil {
		return nil, err
	}
	p, err := v.look()
	if err != nil {
		return nil, err
	}
	r.note(figure{"RssAnon", "MB", absolute, p.anon / 1024})
	for _, q := range []struct{ name, path string }{
		{"newest page", "/api/v1/pipelines/p0/executions"},
		{"one execution", "/api/v1/executions/p0%231"},
		{"targets", "/api/v1/pipelines/p0/stages/S3/targets"},
	} {
		all, err := v.reading(ctx, 50, q.path)
		if err != nil {
			return nil, err
		}
		r.note(took(q.name, percentile(all, 50)))
	}
	if err := r.clicked(ctx, v, ""); err != nil {
		return nil, err
	}
	gates, err := v.gates(ctx)
	if err != nil {
		return nil, err
	}
	w, err := v.approved(ctx, gates)
	if err != nil {
		return nil, err
	}
	r.note(w.figures("")...)
	return r.found, nil
}
