package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// playStory is the story of a team's day, from a push to the fix: gate, two votes,
// production, a failing release, its ticket, the automatic rollback, a rollback
// by hand, and the fix that is admitted. It ends the same whatever happens to the
// service in between.
func playStory(w *fixture) (commits []string) {
	w.t.Helper()
	// Two good releases.
	for n, page := range []string{"one", "two"} {
		commits = append(commits, w.push(page, "Release "+page))
		w.approve(w.ana, n+1)
		w.approve(w.ben, n+1)
		w.ended(n+1, workflows.StatusSucceeded)
	}
	// A careless one comes back by itself.
	commits = append(commits, w.push("broken", "Be careless"))
	w.approve(w.ana, 3)
	w.approve(w.ben, 3)
	w.ended(3, workflows.StatusFailed)
	w.ended(4, workflows.StatusSucceeded)
	w.until("production runs #2 again", func() bool { r := w.stage("Production").Running; return r != nil && r.Number == 2 && r.Certain })
	// Ana returns to #1 by hand, from the card of what runs.
	w.rollBack(1, "coupons are wrong")
	w.ended(5, workflows.StatusSucceeded)
	// The fix waits before the locked stage, is admitted, and lifts the lock.
	commits = append(commits, w.push("fixed", "Fix the coupons"))
	w.until("#6 waits before Production", func() bool { e := w.execution(6); return e.WaitsFor != nil && e.WaitsFor.For == "transition" })
	admitted := func() bool { e := w.execution(6); return e.ID != "" && e.WaitsFor == nil }
	w.until("#6 is admitted", func() bool {
		w.pressUnless(admitted, w.ana, "rollcall_execution", 6, "enable")
		return w.soon(admitted)
	})
	w.approve(w.ana, 6)
	w.approve(w.ben, 6)
	w.ended(6, workflows.StatusSucceeded)
	return commits
}

// rollBack opens the form on a card, chooses webshop#n and sends it, unless that rollback runs already.
func (w *fixture) rollBack(n int, reason string) {
	w.t.Helper()
	var target workflows.Execution
	w.until(fmt.Sprintf("#%d can be looked at", n), func() bool { target = w.execution(n); return target.ID != "" })
	began := func() bool {
		e := w.execution(5)
		return e.ID != "" && e.Rollback != nil && e.Rollback.Target == target.ID
	}
	for range 20 {
		w.pressUnless(began, w.ana, "rollcall_execution", 4, "rollback")
		opened := w.soon(func() bool {
			views := w.slack.Views(w.ana.ID)
			return len(views) > 0 && len(views[len(views)-1].Options("target")) > 0
		})
		if began() {
			return
		}
		if !opened {
			continue
		}
		views := w.slack.Views(w.ana.ID)
		view := views[len(views)-1]
		value := ""
		for _, o := range view.Options("target") {
			if strings.Contains(o.Text, fmt.Sprintf("#%d", n)) {
				value = o.Value
			}
		}
		if value == "" {
			w.t.Fatalf("the form does not offer #%d:\n%s", n, w.slack.RenderedView(view))
		}
		_, err := w.slack.Submit(w.t.Context(), w.ana.ID, view.ID, map[string]string{"target": value, "reason": reason})
		if err == nil && w.soon(began) || began() {
			return
		}
	}
	w.t.Fatal("the rollback never began")
}

// check checks how the story must have ended.
func (w *fixture) check(commits []string) {
	w.t.Helper()
	all := w.executions()
	if len(all) != 6 {
		w.t.Fatalf("%d executions, want 6", len(all))
	}
	auto, hand := all[3], all[4]
	if auto.Type != workflows.TypeRollback || auto.Trigger.Type != workflows.TriggerAutomated || auto.Rollback.FailedExecution != all[2].ID || auto.Rollback.Target != all[1].ID {
		w.t.Errorf("automatic rollback: %+v %+v", auto.Trigger, auto.Rollback)
	}
	if hand.Trigger.Type != workflows.TriggerRollback || hand.Trigger.By.Email != w.ana.Email || hand.SourceRevisions[0].RevisionID != commits[0] || len(hand.Stages) != 1 {
		w.t.Errorf("rollback by hand: %+v %+v", hand.Trigger, hand.SourceRevisions)
	}
	if s := w.stage("Production"); s.Running == nil || s.Running.Number != 6 || !s.Running.Certain || !s.Transition.Enabled {
		w.t.Errorf("production: %+v %+v", s.Running, s.Transition)
	}
	if got := w.read("shop"); got != "fixed\n" {
		w.t.Errorf("the shop shows %q", got)
	}
	// No command ran twice, none was lost; a rollback built nothing.
	lines := strings.Split(strings.TrimSpace(w.read("ledger")), "\n")
	want := []string{}
	for _, n := range []int{1, 2, 3, 6} {
		want = append(want, fmt.Sprintf("build webshop#%d", n))
	}
	for _, n := range []int{1, 2, 4, 5, 6} {
		want = append(want, fmt.Sprintf("deploy webshop#%d 1 begins", n), fmt.Sprintf("deploy webshop#%d 1 ends", n))
	}
	want = append(want, "deploy webshop#3 1 begins")
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		w.t.Errorf("the ledger:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	// One card each, true at the end; one ticket; statuses for the people on GitHub.
	for i := range all {
		e := &all[i]
		w.until("one true card of "+e.Ref(), func() bool {
			cards := w.posts("rollcall_execution", e.ID)
			return len(cards) == 1 && !strings.Contains(w.slack.Rendered(cards[0]), "waiting")
		})
	}
	if text := w.slack.Rendered(w.posts("rollcall_execution", all[1].ID)[0]); strings.Contains(text, "to #2 automatically") {
		w.t.Errorf("#2 was not left by the rollback to #2:\n%s", text)
	}
	if text := w.slack.Rendered(w.posts("rollcall_execution", all[3].ID)[0]); strings.Contains(text, "#2 from #2") || !strings.Contains(text, "#3 failed: Deploy") {
		w.t.Errorf("the card of the automatic rollback:\n%s", text)
	}
	w.until("the ticket is on the card", func() bool {
		return len(w.jira.Issues()) == 1 && strings.Contains(w.slack.Rendered(w.posts("rollcall_execution", all[2].ID)[0]), "OPS-1")
	})
	for i, state := range []string{"success", "success", "failure", "success"} {
		w.until("the status of "+commits[i], func() bool {
			s, ok := w.github.Latest(commits[i], "rollcall/webshop")
			return ok && s.State == state
		})
	}
	if v := w.slack.Violations(); len(v) > 0 {
		w.t.Errorf("Slack would refuse: %v", v)
	}
}

func TestStoryFromPushToFix(t *testing.T) {
	w := newWorld(t)
	w.until("loading started nothing", func() bool { return w.executions() != nil })
	if n := len(w.executions()); n != 0 {
		t.Fatalf("loading started %d executions", n)
	}
	w.check(playStory(w))
	w.checkMetrics()
	text := w.read("service.log") + w.everythingSaid()
	for _, secret := range append(w.secretsOfService, "must-not-leak") {
		if strings.Contains(text, secret) {
			t.Errorf("the secret %s was printed", secret)
		}
	}
}

func (w *fixture) everythingSaid() string {
	var b strings.Builder
	for _, m := range w.slack.Messages("#deploys") {
		for _, m := range w.slack.Thread("CDEPLOYS", m.TS) {
			b.WriteString(w.slack.Rendered(m) + string(m.Blocks))
		}
	}
	return b.String()
}

// The service is killed at random moments of the story and started again each
// time: 8 kills (ROLLCALL_KILLS says otherwise) over as many stories as that takes.
func TestStorySurvivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	kills := 8
	if n := os.Getenv("ROLLCALL_KILLS"); n != "" {
		if _, err := fmt.Sscan(n, &kills); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ROLLCALL_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ROLLCALL_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for done := 0; done < kills; {
		w := newWorld(t)
		stop, stopped := make(chan struct{}), make(chan struct{})
		var killed atomic.Int64
		go func() {
			defer close(stopped)
			for int(killed.Load())+done < kills {
				wait := time.Duration(random.Int64N(int64(1500 * time.Millisecond)))
				select {
				case <-stop:
					return
				case <-time.After(wait):
				}
				w.kill()
				killed.Add(1)
				w.start()
			}
		}()
		commits := playStory(w)
		close(stop)
		<-stopped
		w.check(commits)
		done += int(killed.Load())
		w.end()
		t.Logf("%d kills, the story ended as it must", done)
	}
}
