package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// C10: however often somebody asks, one look a second is made, and it is of the
// size of a decision: a disk that takes a byte and no decision is not ready.
func TestReadinessIsOneLookASecond(t *testing.T) {
	started := make(chan struct{})
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	said := &log{}
	commits, room := 0, 1<<20
	p := &probe{dir: t.TempDir(), started: started, log: slog.New(slog.NewTextHandler(said, nil)), now: func() time.Time { return now },
		commit: func(_ context.Context, row []byte) error {
			if commits++; len(row) > room {
				return errors.New("write /data/rollcall.db: no space left on device")
			}
			return nil
		}}
	if err := p.ready(t.Context()); err == nil || commits != 0 {
		t.Fatalf("before the start: %v, %d commits", err, commits)
	}
	close(started)
	ask := func() (failed int) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 1000 {
			all.Go(func() {
				if err := p.ready(t.Context()); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
					if strings.Contains(err.Error(), "/data") {
						t.Errorf("a stranger reads %q", err)
					}
				}
			})
		}
		all.Wait()
		return failed
	}
	if failed := ask(); failed != 0 || commits != 1 {
		t.Errorf("well: %d of 1000 failed, %d commits", failed, commits)
	}
	room = 100
	if failed := ask(); failed != 0 || commits != 1 {
		t.Errorf("within the second: %d failed, %d commits", failed, commits)
	}
	for range 3 {
		now = now.Add(probeEvery)
		if failed := ask(); failed != 1000 {
			t.Errorf("a store that refuses what is large: %d of 1000 failed", failed)
		}
	}
	room = 1 << 20
	now = now.Add(probeEvery)
	if failed := ask(); failed != 0 || commits != 5 {
		t.Errorf("well again: %d failed, %d commits", failed, commits)
	}
	if text := said.String(); strings.Count(text, "no space left") != 1 || strings.Count(text, "ready again") != 1 {
		t.Errorf("the log has\n%s", text)
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	now = now.Add(probeEvery)
	if failed := ask(); failed != 1000 || commits != 5 {
		t.Errorf("no data folder: %d failed, %d commits", failed, commits)
	}
}
