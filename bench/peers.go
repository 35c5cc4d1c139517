package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// peers are the other engines that have an adapter: a program in peers/NAME, a
// module of its own, which runs W and prints {"actions", "seconds"}.
func peers() []string { return []string{"goworkflows"} }

// peerRounds runs W on each peer. One whose adapter cannot be built (its
// modules cannot be had, or bench does not run in its folder) is skipped.
func (s *suite) peerRounds(ctx context.Context) error {
	for _, name := range peers() {
		bin := filepath.Join(s.dir, name)
		build := exec.CommandContext(ctx, "go", "build", "-o", bin, ".")
		build.Dir = filepath.Join("peers", name)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Printf("%-8sskipped: %s cannot be built: %v %.200s\n", "peer", name, err, out)
			continue
		}
		if err := s.peer(ctx, name, bin); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// peer runs all rounds of one peer, and prints what was found.
func (s *suite) peer(ctx context.Context, name, bin string) error {
	var all figures
	for range s.rounds {
		before, err := measureFloor(s.dir, s.floor)
		if err != nil {
			return err
		}
		found, err := s.peerOnce(ctx, name, bin)
		if err != nil {
			return err
		}
		after, err := measureFloor(s.dir, s.floor)
		if err != nil {
			return err
		}
		all.add("", found, before.between(after))
	}
	all.print(os.Stdout, "peer")
	return nil
}

func (s *suite) peerOnce(ctx context.Context, name, bin string) ([]figure, error) {
	dir := filepath.Join(s.dir, "peer")
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, bin, "-e", strconv.Itoa(s.executions), "-dir", dir)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	var w struct{ Actions, Seconds float64 }
	if err := json.Unmarshal(out, &w); err != nil {
		return nil, err
	}
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	return []figure{{title(name, "durable actions"), "/s", inRate, w.Actions / w.Seconds},
		{title(name, "CPU per action"), "us", absolute, float64(cpu.Microseconds()) / w.Actions}}, nil
}
