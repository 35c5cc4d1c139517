package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// A branch that is looked at and also announced by webhooks: whichever brings a
// commit first, the pipeline starts once; a commit that comes back later counts again.
func TestPollAndWebhookOfACommitStartOnce(t *testing.T) {
	for _, first := range []string{"poll", "webhook", "both"} {
		t.Run(first, func(t *testing.T) {
			play(t, func(w *world) {
				git := &remote{head: "c1"}
				w.options.Sources = map[string]runtime.Source{"Git": git}
				w.boot()
				w.define(named("web"), named("shop"))
				pass(time.Second)
				git.push("c2")
				var got told
				switch first {
				case "webhook":
					got, _ = w.receive("github/1", push("c2"))
					pass(5 * time.Minute)
				case "poll":
					pass(31 * time.Second)
					got, _ = w.receive("github/1", push("c2"))
				case "both": // the start of the one is not durable yet when the other comes
					w.plug.slower(time.Second)
					pass(29500 * time.Millisecond)
					got, _ = w.receive("github/1", push("c2"))
				}
				pass(5 * time.Minute)
				if n := w.disk.count(event.ExecutionStarted); n != 2 {
					t.Errorf("%d executions of two pipelines for one commit", n)
				}
				for i, name := range []string{"web#1", "shop#1"} {
					if id := w.execution(name).ID; !slices.Contains(got.Started, id) || len(got.Ignored) != 0 {
						t.Errorf("the sender of the webhook is told %+v, want %s, %d", got, id, i)
					}
				}
				w.plug.slower(0)
				git.push("c1") // taken back by force
				pass(31 * time.Second)
				git.push("c2") // and again
				w.receive("github/2", push("c2"))
				pass(31 * time.Second)
				if n := w.disk.count(event.ExecutionStarted); n < 4 {
					t.Errorf("%d executions, and the branch has moved three times", n)
				}
			})
		})
	}
}

// A webhook that overtakes a slow look at the branch does not make the older
// commit, which that look has found, news again.
func TestALookThatIsOvertakenStartsNothing(t *testing.T) {
	play(t, func(w *world) {
		git := &slowRemote{remote: remote{head: "c1"}}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		w.define(named("web"))
		pass(time.Minute)
		git.push("c2")
		w.receive("github/1", push("c2"))
		git.delay.Lock()
		pass(31 * time.Second) // a look has found c2, and is held up
		git.push("c3")
		w.receive("github/2", push("c3"))
		git.delay.Unlock()
		pass(5 * time.Minute)
		if n := w.disk.count(event.ExecutionStarted); n != 2 {
			t.Errorf("%d executions for two commits", n)
		}
	})
}

// slowRemote answers late when its delay is held.
type slowRemote struct {
	remote
	delay chanMutex
}

// chanMutex is a lock that a bubble of synthetic time can wait for.
type chanMutex struct {
	once sync.Once
	held chan struct{}
}

func (m *chanMutex) init() { m.once.Do(func() { m.held = make(chan struct{}, 1) }) }

func (m *chanMutex) Lock() { m.init(); m.held <- struct{}{} }

func (m *chanMutex) Unlock() { <-m.held }

func (r *slowRemote) Head(ctx context.Context, f work.Followed) (work.Change, error) {
	c, err := r.remote.Head(ctx, f)
	r.delay.Lock()
	defer r.delay.Unlock()
	return c, err
}

// What a trigger names may be of another branch than the action's: it says so, with the branch.
func TestAChangeOfAnotherBranchSaysSo(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(strings.Replace(named("web"), "stages:", `triggers:
  - {providerType: CodeStarSourceConnection, gitConfiguration: {sourceActionName: App, push: [{branches: {includes: ["feature/**", main]}}, {tags: {includes: ["v*"]}}], pullRequest: [{branches: {includes: [main]}}]}}
stages:`, 1))
		for i, c := range []struct {
			change func(c *work.Change)
			branch string
			any    bool
		}{
			{func(c *work.Change) {}, "main", false},
			{func(c *work.Change) { c.Branch = "feature/basket" }, "feature/basket", true},
			{func(c *work.Change) { c.Branch, c.Tag = "", "v1" }, "", true},
			{func(c *work.Change) { c.Event, c.PullEvent = "pull_request", "OPEN" }, "main", true},
		} {
			changes := push(fmt.Sprint("c", i))
			c.change(&changes[0])
			got, _ := w.receive(fmt.Sprint("github/", i), changes)
			if len(got.Started) != 1 {
				t.Fatalf("%d: %+v", i, got)
			}
			if r := w.execution(got.Started[0]).SourceRevisions[0]; r.AnyBranch != c.any || r.Branch != c.branch {
				t.Errorf("%d: the revision is of %q, any branch: %v", i, r.Branch, r.AnyBranch)
			}
			pass(time.Minute)
		}
	})
}

// A start that is refused is seen: by the sender of the webhook, and in the record.
func TestARefusedStartIsVisible(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.boot()
		w.define(strings.Replace(named("full"), "stages:", "executionMode: PARALLEL\nstages:", 1), strings.Replace(named("asks"), "stages:", "variables: [{name: canary}]\nstages:", 1))
		w.holdUp()
		for range 50 {
			w.begin("full")
		}
		w.refused(ben, workflows.Intent{Verb: workflows.Start, Pipeline: "full"}, workflows.CodeConcurrencyLimit)
		before := w.disk.count(event.IntentRefused)
		got, _ := w.receive("github/1", push("c2"))
		if len(got.Started) != 0 || len(got.Ignored) != 2 {
			t.Fatalf("the sender is told %+v", got)
		}
		for _, want := range []string{"full: full has 50 unfinished executions", "asks: asks cannot start without a value"} {
			if !slices.ContainsFunc(got.Ignored, func(text string) bool { return strings.HasPrefix(text, want) }) {
				t.Errorf("the sender is told %q, want %q", got.Ignored, want)
			}
		}
		if n := w.disk.count(event.IntentRefused) - before; n != 2 {
			t.Errorf("%d refusals are on record, want 2", n)
		}

		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.reboot()
		pass(time.Minute)
		before = w.disk.count(event.IntentRefused)
		git.push("c3")
		pass(10 * time.Minute)
		if n := w.disk.count(event.IntentRefused) - before; n != 2 {
			t.Errorf("a commit that was found by looking is refused %d times, want once for each pipeline", n)
		}
		last := w.disk.frames[len(w.disk.frames)-1].Events
		if kept := last[len(last)-1].Refused; kept == nil || kept.Intent.Trigger == nil || kept.Intent.Trigger.Type != workflows.TriggerPoll {
			t.Errorf("the record says %+v, and not what wanted to start it", kept)
		}
	})
}

func TestPollingRestsWhileThePipelineDoes(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		w.define(named("web"))
		pass(40 * 24 * time.Hour)
		w.reboot()
		looks := git.looked()
		pass(time.Hour)
		if n := git.looked() - looks; n != 0 {
			t.Errorf("%d looks although nothing has started for 30 days", n)
		}
		git.push("c2")
		pass(time.Hour)
		id := w.begin("web") // has the newest commit anyway
		pass(5 * time.Minute)
		if n := w.disk.count(event.ExecutionStarted); n != 1 {
			t.Errorf("%d executions: looking again only records", n)
		}
		w.status(id, workflows.StatusSucceeded)
		git.push("c3")
		pass(time.Minute)
		w.status("web#2", workflows.StatusSucceeded)
	})
}

func TestAnyRevisionIsARightOfItsOwn(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = &access.Policy{Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{ben.Email, ana.Email}},
			{Allow: []workflows.Verb{workflows.StartAnyRevision}, To: []string{ana.Email}, On: []string{"web"}},
		}}
		w.boot()
		w.define(named("web"), named("shop"))
		for _, c := range []struct {
			by       workflows.Principal
			pipeline string
			want     bool
		}{{ana, "web", true}, {ben, "web", false}, {ana, "shop", false}} {
			r := w.submit(c.by, workflows.Intent{Verb: workflows.Start, Pipeline: c.pipeline, AnyRevision: true,
				Change:    []workflows.SourceRevision{{ActionName: "App", RevisionID: "forged", AnyBranch: true}},
				Trigger:   &workflows.StartedBy{Type: workflows.TriggerSchedule, By: workflows.EnginePrincipal()},
				Revisions: []workflows.RevisionOverride{{ActionName: "App", RevisionType: "COMMIT_ID", RevisionValue: "c9c9c9c"}}})
			synctest.Wait()
			x := w.execution(r.Execution.ID)
			if rev := x.SourceRevisions[0]; rev.RevisionID != "c9c9c9c" || rev.AnyBranch != c.want {
				t.Errorf("%s at %s: %+v", c.by.Name, c.pipeline, rev)
			}
			if x.Trigger.By.ID != c.by.ID || x.Trigger.Type != workflows.TriggerStart {
				t.Errorf("a surface could say that it was started by %+v", x.Trigger)
			}
		}
	})
}
