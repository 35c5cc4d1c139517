package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// BenchmarkCommit says what a commit costs beside the least a disk can do, both
// measured in turns in one run: absolute figures mean little on shared machines.
//
//	p50/F     median commit in medians of writing and syncing 4 KiB
//	frames/F  durable frames per second in such writes per second
//	p50/bare  median commit in medians of a bare bbolt transaction that writes one row as large
func BenchmarkCommit(b *testing.B) {
	for _, frames := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("frames=%d", frames), func(b *testing.B) {
			dir := b.TempDir()
			db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			floor, bare := newFloor(b, dir), newBare(b, dir)
			var commits, floors, bares []time.Duration
			seq := uint64(0)
			for b.Loop() {
				seq++
				c := benchCommit(frames, seq)
				commits = append(commits, took(b, func() error { return db.Commit(context.Background(), c) }))
				floors = append(floors, took(b, floor))
				bares = append(bares, took(b, bare))
			}
			p50, f := median(commits), median(floors)
			b.ReportMetric(float64(p50)/float64(f), "p50/F")
			b.ReportMetric(float64(p50)/float64(median(bares)), "p50/bare")
			b.ReportMetric(float64(frames)*float64(total(floors))/float64(total(commits)), "frames/F")
			b.ReportMetric(float64(len(commits))/total(commits).Seconds(), "commits/s")
			b.ReportMetric(float64(f.Microseconds()), "F-µs")
		})
	}
}

// benchCommit is a stage transition in each of n pipelines: a frame of two
// events, and for every eighth the execution's row and the pipeline's checkpoint.
func benchCommit(n int, seq uint64) *record.Commit {
	c := &record.Commit{}
	for i := range n {
		p := fmt.Sprintf("service-%03d", i)
		by := workflows.Principal{ID: "slack:U0123ABC", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
		e := event.Event{Kind: event.ActionSucceeded, At: time.Unix(1e9, 0), By: by, Execution: "0195a000-0001-7000-8000-00000000beef", Stage: "Production", Action: "Deploy", Attempt: 1,
			Outcome: &event.Outcome{Summary: "deployed in 42 s", Outputs: map[string]string{"URL": "https://example.com"}}}
		c.Frames = append(c.Frames, event.Frame{Pipeline: p, Seq: seq, Events: []event.Event{e, e}})
		if i%8 == 0 {
			x := workflows.Execution{ID: fmt.Sprintf("%08x-0001-7000-8000-%012x", seq, i), Number: int(seq), Pipeline: p, Status: workflows.StatusSucceeded, Variables: map[string]string{"a": "b"}}
			c.Executions = append(c.Executions, x)
			c.Checkpoints = append(c.Checkpoints, record.Checkpoint{Pipeline: p, Seq: seq, State: make([]byte, 2000)})
		}
	}
	return c
}

// newFloor returns what writes and syncs 4 KiB in place.
func newFloor(b *testing.B, dir string) func() error {
	f, err := os.Create(filepath.Join(dir, "floor"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	block := make([]byte, 4096)
	at := int64(0)
	if _, err := f.Write(make([]byte, 16<<20)); err != nil {
		b.Fatal(err)
	}
	return func() error {
		at = (at + 4096) % (16 << 20)
		if _, err := f.WriteAt(block, at); err != nil {
			return err
		}
		return syscall.Fdatasync(int(f.Fd()))
	}
}

// newBare returns a bbolt transaction that appends one row of 1 KiB.
func newBare(b *testing.B, dir string) func() error {
	db, err := bbolt.Open(filepath.Join(dir, "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	n := uint64(0)
	row := make([]byte, 1024)
	return func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
			if err != nil {
				return err
			}
			n++
			return rows.Put(fmt.Appendf(nil, "%016x", n), row)
		})
	}
}

func took(b *testing.B, do func() error) time.Duration {
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}

func total(d []time.Duration) (sum time.Duration) {
	for _, x := range d {
		sum += x
	}
	return sum
}
