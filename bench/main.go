// Program bench measures the real rollcall binary from outside, over HTTP and
// through /proc, beside what the disk can do at best in the same run.
//
//	go run . -bin ../rollcall            all benchmarks
//	go run . -bin ../rollcall W A        some of them
//	go run . -bin NEW -base OLD W        two binaries in turns, in the same rounds
//
// README.md says what each measures and how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	bin, base, dir string
	port, rounds   int
	executions     int           // E, of W and R
	approvals      int           // of A
	finished       int           // of growth
	parked         int           // of parked
	rate           int           // of load, requests per second
	idle           time.Duration // how long idle looks
	rest           time.Duration // how long parked waits before it looks
	floor          time.Duration // how long the disk is measured, before and after each turn
	quick, peers   bool
	keep           string // where filled folders are kept for the next run; empty: nowhere
}

func parse() *options {
	o := &options{floor: 400 * time.Millisecond}
	flag.StringVar(&o.bin, "bin", "rollcall", "the binary")
	flag.StringVar(&o.base, "base", "", "an older binary, measured in turns in the same rounds")
	flag.StringVar(&o.dir, "dir", "", "scratch folder, on the disk that is to be measured; default: a new one in the system's")
	flag.IntVar(&o.port, "port", 18500, "the service's port; the next one is the local Slack's")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each benchmark")
	flag.IntVar(&o.executions, "e", 1000, "executions of W, R, load and backup")
	flag.IntVar(&o.approvals, "n", 200, "approvals of A")
	flag.IntVar(&o.finished, "finished", 1_000_000, "finished executions of growth")
	flag.IntVar(&o.parked, "parked", 10_000, "open gates of parked")
	flag.IntVar(&o.rate, "rate", 500, "requests per second of load")
	flag.StringVar(&o.keep, "keep", "", "folder that keeps what benchmarks begin with, for the next run; default: it is made anew")
	flag.DurationVar(&o.idle, "idle", 20*time.Second, "how long idle looks at the process")
	flag.DurationVar(&o.rest, "rest", 5*time.Second, "how long parked lets a service rest before it looks at its memory")
	flag.BoolVar(&o.quick, "quick", false, "one tiny round of each: does everything still run?")
	flag.BoolVar(&o.peers, "peers", false, "W with other engines too, where they can be built")
	flag.Usage = usage
	flag.Parse()
	if o.quick {
		o.rounds, o.executions, o.approvals, o.finished, o.parked, o.rate, o.idle, o.rest, o.floor = 1, 20, 5, 200, 40, 100, 300*time.Millisecond, 0, 40*time.Millisecond
	}
	return o
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), "usage: bench [flags] [BENCHMARK…]\n\n")
	for _, b := range benchmarks() {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-8s %s\n", b.name, b.about)
	}
	fmt.Fprintln(flag.CommandLine.Output())
	flag.PrintDefaults()
}

// benchmark is something that is measured, one round at a time.
type benchmark struct {
	name, about string
	round       func(r *round, ctx context.Context) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"W", "E executions approved at once: durable actions per second, CPU, memory, disk", (*round).work},
		{"A", "an approval: answered, and the next action seen on the live feed", (*round).clicks},
		{"R", "kill -9 with E executions under way: ready again, all ended", (*round).recovery},
		{"start", "a process, new pipelines, a restart", (*round).starting},
		{"idle", "CPU, wake-ups and memory of a service that has nothing to do", (*round).idling},
		{"parked", "memory of an open gate, and A, with few and with many of them", (*round).parking},
		{"load", "signed slash commands and GitHub deliveries while W runs", (*round).loading},
		{"backup", "a backup every second while W runs, each restored and checked", (*round).backups},
		{"growth", "start, W, A and reading with few and with many finished executions", (*round).growth},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, parse(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options, chosen []string) error {
	all := benchmarks()
	for _, name := range chosen {
		if !slices.ContainsFunc(all, func(b benchmark) bool { return b.name == name }) {
			return fmt.Errorf("there is no benchmark %s; bench -h lists them", name)
		}
	}
	made, err := o.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	var failed []error
	s := &suite{options: o, seeds: map[string]string{}}
	for _, b := range all {
		if len(chosen) > 0 && !slices.Contains(chosen, b.name) {
			continue
		}
		if err := s.measure(ctx, b); err != nil { // the others are measured all the same
			failed = append(failed, fmt.Errorf("%s: %w", b.name, err))
		}
	}
	if o.peers {
		failed = append(failed, s.peerRounds(ctx))
	}
	return errors.Join(failed...)
}

// scratch makes the folder that everything is in, and that is removed at the end.
func (o *options) scratch() (string, error) {
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o700); err != nil {
			return "", err
		}
	}
	made, err := os.MkdirTemp(o.dir, "rollcall-bench-")
	o.dir = made
	if o.keep == "" {
		o.keep = made
	}
	return made, err
}

// subjects are the binaries under their names, in the order in which they take turns.
func (o *options) subjects() []subject {
	if o.base == "" {
		return []subject{{"", o.bin}}
	}
	return []subject{{"base", o.base}, {"new", o.bin}}
}

// subject is a binary under measurement.
type subject struct{ name, path string }

func title(parts ...string) string { return strings.TrimSpace(strings.Join(parts, " ")) }
