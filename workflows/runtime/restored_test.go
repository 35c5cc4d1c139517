package runtime_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// backup is a copy of the disk as it is after its latest commit. d.mu is held.
func (d *disk) backup() *disk {
	c := newDisk()
	c.frames, c.successes = slices.Clone(d.frames), slices.Clone(d.successes)
	c.checkpoints, c.rows, c.receipts, c.memos = maps.Clone(d.checkpoints), maps.Clone(d.rows), maps.Clone(d.receipts), maps.Clone(d.memos)
	return c
}

// restore ends the engine and puts a backup in the place of its disk.
func (w *world) restore(d *disk, backup time.Time) {
	w.t.Helper()
	w.stop()
	w.disk = d
	w.options.Restored = event.Restored{Epoch: w.options.Restored.Epoch + 1, Token: "token-" + time.Now().String(), At: time.Now(), Backup: backup}
}

// booted boots an engine whose n-th commit ends with an error, written or not, and
// which is killed then; false: it has come through, perhaps after reading anew.
func (w *world) booted(n int, when string, killed bool) bool {
	w.plug = &plug{disk: w.disk}
	reached := make(chan struct{})
	w.plug.fail(func(i int) string {
		switch {
		case i < n, i > n && !killed:
			return ""
		case i == n && !killed:
			return when
		case i > n:
			return "before"
		}
		w.plug.kill()
		close(reached)
		return when
	})
	o := w.options
	o.Store, o.Inbox, o.Memos, o.History = w.plug, w.plug, w.plug, w.plug
	e := must(runtime.New(o))
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	ended := false
	select {
	case <-reached:
		ended = true
	case <-e.Ready():
	}
	cancel()
	<-done
	return ended
}

// TestABackupOfEveryCommit restores a backup that was made after each commit of a
// release, and has the first start after it killed at each of its commits. For
// hours nothing begins, nothing is polled and nobody is told; then people
// say what became of what was under way, and the release comes to its end.
func TestABackupOfEveryCommit(t *testing.T) {
	for at := 1; ; at++ {
		reached := false
		play(t, func(w *world) {
			follower := newScribe("scribe")
			w.options.Followers = []runtime.Follower{follower}
			w.outside.answer = func(t work.Task) (work.Outcome, error) {
				if t.Action.Name == "Deploy" { // takes a while
					return work.Outcome{State: work.Running, Handle: "h"}, nil
				}
				return succeeded(t), nil
			}
			w.boot()
			w.define(shop, strings.Replace(named("nightly"), "stages:", "triggers: [{schedule: {cron: \"0 * * * *\"}}]\nstages:", 1))
			if _, _, err := w.Accept(w.t.Context(), work.Receipt{Key: "slack/1", Source: "slack", Payload: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			var kept *disk
			last := w.disk.made() + at
			w.disk.mu.Lock()
			w.plug.wrote = func(n int) {
				if n == last {
					kept = w.disk.backup()
				}
			}
			w.disk.mu.Unlock()
			if err := w.release(w.t.Context()); err != nil {
				t.Fatal(err)
			}
			if reached = kept != nil; !reached {
				return
			}
			backup := time.Now()
			pass(3 * time.Hour)
			w.restore(kept, backup)
			before := w.touched(follower)
			for n := 1; w.booted(n, []string{"before", "after"}[n%2], at%2 == 0) && n < 20; n++ {
				synctest.Wait()
			}
			w.quiet()
			if after := w.touched(follower); !maps.Equal(before, after) {
				t.Errorf("backup %d: after the restore the outside was asked %v, before %v", at, after, before)
			}
			w.goesOn(at)
		})
		if !reached || t.Failed() {
			if at < 8 {
				t.Errorf("only %d backups were restored", at-1)
			}
			return
		}
	}
}

// touched counts what runners and a follower were asked.
func (w *world) touched(follower *scribe) map[string]int {
	all := w.starts()
	for id, n := range w.outside.polls {
		all["poll "+id] = n
	}
	all["finds"], all["cancels"], all["told"] = w.outside.finds, w.outside.cancels, len(follower.calls)
	return all
}

// quiet boots the engine after a restore and lets time go by.
func (w *world) quiet() {
	w.t.Helper()
	w.boot()
	pass(29 * time.Minute) // of a schedule, every full hour is due meanwhile
	if n := w.disk.count(event.BackupRestored); n != 2 {
		w.t.Errorf("%d pipelines have taken the restore up, each once, want 2", n)
	}
	if open, err := w.Pending(w.t.Context(), "slack"); err != nil || len(open) > 0 {
		w.t.Errorf("receipts are open: %v %+v", err, open)
	}
	if log := w.log.String(); !strings.Contains(log, "receipt=slack/1") {
		w.t.Error("the log does not name the receipt that was closed")
	}
}

// goesOn has people say that what was under way succeeded.
func (w *world) goesOn(at int) {
	w.t.Helper()
	r := w.submit(ben, workflows.Intent{Verb: workflows.Start, Pipeline: "webshop", Token: "release-1"}) // known, unless the backup is older
	for range 8 {
		pass(time.Second)
		x := w.execution(r.Execution.ID)
		for _, o := range x.Offers {
			switch {
			case o.Verb == workflows.Resolve && o.Action == "App":
				w.submit(ana, workflows.Intent{Verb: workflows.Resolve, Execution: x.ID, Stage: o.Stage, Action: o.Action, As: "again"})
			case o.Verb == workflows.Resolve:
				w.submit(ana, workflows.Intent{Verb: workflows.Resolve, Execution: x.ID, Stage: o.Stage, Action: o.Action, As: "succeeded"})
			case o.Verb == workflows.Approve:
				w.submit(ana, workflows.Intent{Verb: workflows.Approve, Execution: x.ID})
			}
		}
	}
	if x := w.execution(r.Execution.ID); x.Status != workflows.StatusSucceeded || x.Number != 1 {
		w.t.Errorf("backup %d: %s is %s (%v)", at, x.Ref(), x.Status, x.StatusReason)
	}
}
