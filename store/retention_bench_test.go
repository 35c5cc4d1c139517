package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// BenchmarkCommitAfterRemoval says what commits cost in a file from which most
// executions were removed, beside one from which none were, in turns.
//
//	after/kept   median commit in the one in median commits in the other
//	during/kept  median commit between two commits that remove 64 rows each
//	remove/kept  median commit that removes 64 rows
func BenchmarkCommitAfterRemoval(b *testing.B) {
	const rows, kept, batch = 120_000, 20_000, 64
	ctx := context.Background()
	open := func(name string) *store.DB {
		db, err := store.Open(filepath.Join(b.TempDir(), name), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		for n := 0; n < rows; n += 2000 {
			c := &record.Commit{}
			for i := range 2000 {
				c.Executions = append(c.Executions, benchEnded(n+i))
			}
			if err := db.Commit(ctx, c); err != nil {
				b.Fatal(err)
			}
		}
		return db
	}
	control, db := open("kept.db"), open("removed.db")
	seq := uint64(0)
	one := func(db *store.DB) time.Duration {
		return took(b, func() error { return db.Commit(ctx, benchCommit(16, seq)) })
	}
	var quiet, removals, during, still, after []time.Duration
	for n := 0; n < rows-kept; n += batch {
		c := &record.Commit{}
		for i := range batch {
			c.Removed = append(c.Removed, benchEnded(n+i).ID)
		}
		removals = append(removals, took(b, func() error { return db.Commit(ctx, c) }))
		seq++
		during, quiet = append(during, one(db)), append(quiet, one(control))
	}
	for b.Loop() {
		seq++
		after, still = append(after, one(db)), append(still, one(control))
	}
	b.ReportMetric(float64(median(after))/float64(median(still)), "after/kept")
	b.ReportMetric(float64(median(during))/float64(median(quiet)), "during/kept")
	b.ReportMetric(float64(median(removals))/float64(median(quiet)), "remove/kept")
}

// benchEnded is an execution of one of 50 pipelines, in the order of their IDs.
func benchEnded(n int) workflows.Execution {
	pipeline, number := fmt.Sprintf("old-%02d", n%50), n/50+1
	at := time.Unix(9e8, 0).Add(time.Duration(n) * time.Second).UTC()
	x := workflows.Execution{ID: fmt.Sprintf("0000%08x-7%03x-8000-%012x", n, n%4096, uint64(n)*2654435761%(1<<48)), Number: number, Pipeline: pipeline, Version: 3, Type: workflows.TypeStandard,
		Status: workflows.StatusSucceeded, StartedAt: at, UpdatedAt: at, EndedAt: &at, Attempt: 1, Variables: map[string]string{"canary": fmt.Sprint(n)}}
	for _, stage := range []string{"Source", "Build", "Production"} {
		x.Stages = append(x.Stages, workflows.StageExecution{Name: stage, Status: workflows.StatusSucceeded, Actions: []workflows.ActionExecution{
			{Name: "Do", RunOrder: 1, Provider: "Commands", Status: workflows.StatusSucceeded, Attempt: 1, StartedAt: &at, EndedAt: &at, ExternalID: fmt.Sprintf("%016x", uint64(n)*11400714819323198485)}}})
	}
	return x
}
