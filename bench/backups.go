package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// backups takes a backup every second while W runs; each is restored to a
// folder of its own, where check must accept it.
func (r *round) backups(ctx context.Context) error {
	if help, _ := exec.CommandContext(ctx, r.subject.path, "help").CombinedOutput(); !strings.Contains(string(help), "restore") {
		return fmt.Errorf("%w: %s has no command restore", errSkipped, r.subject.path)
	}
	v, err := r.serve(ctx, fill.Plan{Pipelines: r.executions, Parked: true}, extra{})
	if err != nil {
		return err
	}
	defer v.end()
	gates, err := v.gates(ctx)
	if err != nil {
		return err
	}
	var made []string
	var durations []time.Duration
	done, stop := make(chan error, 1), make(chan struct{})
	go func() {
		done <- every(ctx, time.Second, stop, func(i int) error {
			file, began := filepath.Join(v.dir, fmt.Sprintf("backup-%d", i)), time.Now()
			made = append(made, file)
			err := r.command(ctx, v, "backup", file)
			durations = append(durations, time.Since(began))
			return err
		})
	}()
	w, err := v.approved(ctx, gates)
	close(stop)
	if failed := <-done; err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	r.note(w.figures("with backups")...)
	r.note(took("a backup, p50", percentile(durations, 50)), took("a backup, the longest", percentile(durations, 100)))
	for i, file := range made {
		if err := r.restored(ctx, v, file, filepath.Join(v.dir, fmt.Sprintf("restored-%d", i))); err != nil {
			return err
		}
	}
	r.note(figure{"backups restored and accepted", "", count, float64(len(made))})
	return nil
}

// restored restores a backup, and has it checked.
func (r *round) restored(ctx context.Context, v *service, file, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config := filepath.Join(dir, "rollcall.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "listen: 127.0.0.1:0\ndataDir: %s\npipelines: %s\n", filepath.Join(dir, "data"), v.pipelines), 0o600); err != nil {
		return err
	}
	if err := r.command(ctx, v, "restore", file, "--config", config); err != nil {
		return err
	}
	return r.command(ctx, v, "check", "--config", config)
}

// command runs a client verb of the binary against the service.
func (r *round) command(ctx context.Context, v *service, args ...string) error {
	c := exec.CommandContext(ctx, r.subject.path, args...)
	c.Env = append(os.Environ(), "ROLLCALL_URL="+v.url, "ROLLCALL_TOKEN="+token)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("rollcall %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// every does something at once and then after each interval, until stop is closed.
func every(ctx context.Context, interval time.Duration, stop <-chan struct{}, do func(i int) error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		if err := do(i); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
