package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// suite is a run of the program.
type suite struct {
	*options
	seeds map[string]string // folders that rounds begin with, by subject and plan
}

// round is one turn of one binary.
type round struct {
	*suite
	subject
	number int
	parts  int // folders begun so far
	found  []figure
}

// errSkipped is why a binary has no part in a benchmark.
var errSkipped = errors.New("skipped")

// measure runs all rounds of a benchmark, the binaries in turns, and prints what was found.
func (s *suite) measure(ctx context.Context, b benchmark) error {
	var all figures
	var floors []floor
	for n := range s.rounds {
		for _, sub := range s.subjects() {
			before, err := measureFloor(s.dir, s.floor)
			if err != nil {
				return err
			}
			r := &round{suite: s, subject: sub, number: n}
			err = b.round(r, ctx)
			if errors.Is(err, errSkipped) {
				fmt.Printf("%-8s%v\n", b.name, err)
			} else if err != nil {
				return fmt.Errorf("round %d %s: %w", n+1, sub.name, err)
			}
			after, err := measureFloor(s.dir, s.floor)
			if err != nil {
				return err
			}
			floors = append(floors, before.between(after))
			all.add(sub.name, r.found, floors[len(floors)-1])
		}
	}
	var p50, rate []float64
	for _, f := range floors {
		p50, rate = append(p50, float64(f.p50.Microseconds())), append(rate, f.rate)
	}
	fmt.Printf("%-8sF %s us, rate %s/s (median of %d rounds)\n", b.name, number(median(p50)), number(median(rate)), s.rounds)
	all.print(os.Stdout, b.name)
	return nil
}

// note adds figures of the round.
func (r *round) note(f ...figure) { r.found = append(r.found, f...) }

// place is a new place for a service, begun with a plan; the caller removes it.
func (r *round) place(ctx context.Context, p fill.Plan) (place, error) {
	seed, err := r.seed(ctx, r.subject, p)
	if err != nil {
		return place{}, err
	}
	r.parts++
	return begin(seed, filepath.Join(r.dir, fmt.Sprintf("round-%s%d-%d", r.subject.name, r.number, r.parts)))
}

// serve begins a service at a new place with a plan; the caller ends it, and removes its place.
func (r *round) serve(ctx context.Context, p fill.Plan, x extra) (*service, error) {
	at, err := r.place(ctx, p)
	if err != nil {
		return nil, err
	}
	return r.suite.serve(ctx, r.subject, at, x)
}
