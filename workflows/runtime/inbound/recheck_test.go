package inbound

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What nobody told of is found by a look for it, once; what a pipeline has never seen,
// because the branch could not be looked at, starts nothing.
func TestALookForWhatWasMissed(t *testing.T) {
	s3 := &announced{}
	poll(t, map[string]Source{"S3": s3}, func(d *desk, m *member) {
		all := func(workflows.Action) bool { return true }
		m.put(quiet("web"))
		pass(time.Minute)
		s3.set("drop app.zip", "v1")
		m.sources.Recheck(all)
		pass(time.Second)
		if n := d.starts("web"); n != 0 {
			t.Fatalf("%d starts of what could not be seen before", n)
		}
		s3.set("drop app.zip", "v2")
		m.sources.Recheck(func(workflows.Action) bool { return false })
		pass(time.Second)
		if n := d.starts("web"); n != 0 {
			t.Fatalf("%d starts of a look that was about something else", n)
		}
		for range 3 {
			m.sources.Recheck(all)
			m.sources.Recheck(all)
			pass(time.Minute)
		}
		if n := d.starts("web"); n != 1 {
			t.Errorf("%d starts of one change that was missed", n)
		}
		if in := d.intents[len(d.intents)-1]; in.Change[0].RevisionID != "v2" || in.Trigger.Type != workflows.TriggerPoll {
			t.Errorf("started by %+v with %+v", in.Trigger, in.Change)
		}
	})
}

// A look finds nothing where pushes arrived, in whichever order; what arrives while it
// looks, or after it, starts no second time.
func TestALookBesidePushes(t *testing.T) {
	hub := &announced{}
	hub.set("acme/webshop main", "c0")
	poll(t, map[string]Source{"GitHub": hub}, func(d *desk, m *member) {
		push := func(key, before, commit string) {
			t.Helper()
			c := work.Change{Provider: "GitHub", Event: "push", Repository: "acme/webshop", Branch: "main", Before: before, Commit: commit}
			if _, _, err := m.receipts.Receive(context.Background(), work.Receipt{Key: "github/" + key, Source: "github"}, []work.Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		look := func() {
			m.sources.Recheck(func(workflows.Action) bool { return true })
			pass(time.Minute)
		}
		m.putOnGitHub(waitingOnGitHub("web"))
		pass(time.Minute)
		look()
		hub.set("acme/webshop main", "c2")
		push("2", "c1", "c2")
		push("1", "c0", "c1") // late
		look()
		if n := d.starts("web"); n != 2 {
			t.Errorf("%d starts of two pushes", n)
		}
		hub.set("acme/webshop main", "c1") // forced back
		push("3", "c2", "c1")
		look()
		if n := d.starts("web"); n != 3 {
			t.Errorf("%d starts, the last of a push back", n)
		}
		pass(time.Hour)
		hub.set("acme/webshop main", "c3")
		look()
		push("4", "c1", "c3") // arrives after all
		look()
		if n := d.starts("web"); n != 4 {
			t.Errorf("%d starts, the last of a push that was found first", n)
		}
	})
}

// A branch that is ahead of the pushes that are delivered, as after an outage of
// the sender, has missed nothing: its commit was there when it was looked at first.
// What comes after that is missed, also a push back to that commit.
func TestALookWhilePushesArriveLate(t *testing.T) {
	hub := &announced{}
	hub.set("acme/webshop main", "c9")
	poll(t, map[string]Source{"GitHub": hub}, func(d *desk, m *member) {
		push := func(before, commit string) {
			t.Helper()
			c := work.Change{Provider: "GitHub", Event: "push", Repository: "acme/webshop", Branch: "main", Before: before, Commit: commit}
			if _, _, err := m.receipts.Receive(context.Background(), work.Receipt{Key: "github/" + before + commit, Source: "github"}, []work.Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		m.putOnGitHub(waitingOnGitHub("web"))
		pass(time.Minute)
		for i, step := range []struct {
			name   string
			do     func()
			starts int
		}{
			{"late pushes", func() { push("c6", "c7"); push("c7", "c8") }, 2},
			{"one that does not say where it was", func() { push("", "c5") }, 3},
			{"the last of them", func() { push("c8", "c9") }, 4},
			{"a push that is lost", func() { hub.set("acme/webshop main", "c10") }, 5},
			{"one that arrives", func() { hub.set("acme/webshop main", "c11"); push("c10", "c11") }, 6},
			{"a push back that is lost", func() { hub.set("acme/webshop main", "c10") }, 7},
		} {
			step.do()
			m.sources.Recheck(func(workflows.Action) bool { return true })
			pass(time.Hour)
			if n := d.starts("web"); n != step.starts {
				t.Errorf("step %d, %s: %d starts, want %d", i+1, step.name, n, step.starts)
			}
		}
	})
}

// Where a branch could not be looked at before its first push, the first look only records.
func TestTheFirstCheckOnlyRecords(t *testing.T) {
	hub := &announced{}
	poll(t, map[string]Source{"GitHub": hub}, func(d *desk, m *member) {
		look := func() {
			m.sources.Recheck(func(workflows.Action) bool { return true })
			pass(time.Minute)
		}
		m.putOnGitHub(waitingOnGitHub("web"))
		pass(time.Minute)
		hub.set("acme/webshop main", "c3")
		c := work.Change{Provider: "GitHub", Event: "push", Repository: "acme/webshop", Branch: "main", Commit: "c1"}
		if _, _, err := m.receipts.Receive(context.Background(), work.Receipt{Key: "github/1", Source: "github"}, []work.Change{c}); err != nil {
			t.Fatal(err)
		}
		look()
		if n := d.starts("web"); n != 1 {
			t.Errorf("%d starts of one push", n)
		}
		hub.set("acme/webshop main", "c4")
		look()
		if n := d.starts("web"); n != 2 {
			t.Errorf("%d starts, the second of a push that was lost", n)
		}
	})
}
