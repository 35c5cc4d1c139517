package runtime_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// remote is a Source: one repository with one branch.
type remote struct {
	mu    sync.Mutex
	head  string
	looks int
	err   error
}

func (r *remote) Head(_ context.Context, f work.Followed) (work.Change, error) {
	a := f.Action
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	return work.Change{
		Provider: a.ActionType.Provider, Event: "push", Repository: a.Configuration["Repository"], Branch: a.Configuration["BranchName"], Commit: r.head,
		By: workflows.Principal{ID: "git:dora@acme.example", Name: "Dora", Via: "git"},
	}, r.err
}

func (r *remote) looked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looks
}

func (r *remote) breaks(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *remote) push(commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = commit
}

func TestTheFirstLookOnlyRecords(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		w.define(named("web"))
		pass(time.Hour)
		if n := w.disk.count(event.ExecutionStarted); n != 0 {
			t.Fatalf("%d executions without a push", n)
		}
		git.push("c2")
		pass(31 * time.Second)
		x := w.execution("web#1")
		if x.Trigger.Type != workflows.TriggerPoll || x.SourceRevisions[0].RevisionID != "c2" || x.Trigger.By.ID != "git:dora@acme.example" {
			t.Errorf("it was started by %+v with %+v", x.Trigger, x.SourceRevisions)
		}
		pass(25 * time.Hour)    // longer than a start's token is remembered
		w.define(named("late")) // follows a branch that somebody has seen already
		pass(time.Hour)
		w.reboot()
		pass(time.Hour)
		if n := w.disk.count(event.ExecutionStarted); n != 1 {
			t.Errorf("%d executions for one push", n)
		}
		git.push("c3")
		pass(31 * time.Second)
		if n := w.disk.count(event.ExecutionStarted); n != 3 {
			t.Errorf("%d executions after a push that two pipelines follow", n)
		}
	})
}

func TestPushesWhileAwayAreFound(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		play(t, func(w *world) {
			git := &remote{head: "c1"}
			w.options.Sources = map[string]runtime.Source{"Git": git}
			w.boot()
			w.define(named("web"))
			pass(time.Minute)
			w.stop()
			git.push("c2")
			w.boot()
			w.plug.fail(func(int) string { w.plug.kill(); return when }) // at the commit of the start
			pass(time.Minute)
			w.crash()
			w.boot()
			pass(time.Minute)
			if n := w.disk.count(event.ExecutionStarted); n != 1 {
				t.Errorf("%s: %d executions, want 1", when, n)
			}
		})
	}
}

func TestOneLookServesAllWhoFollow(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		w.define(named("one"), named("two"), named("three"))
		pass(time.Second)
		looks := git.looked()
		pass(10 * time.Minute)
		if n := git.looked() - looks; n < 19 || n > 21 {
			t.Errorf("%d looks in ten minutes, want one each 30 s", n)
		}
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, Pipeline: "one"})
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, Pipeline: "two"})
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, Pipeline: "three"})
		pass(time.Minute)
		looks = git.looked()
		pass(10 * time.Minute)
		if git.looked() != looks {
			t.Error("nobody follows the branch any more, and it is still looked at")
		}
	})
}

// archive is a remote that also knows what changed.
type archive struct {
	remote
	changed []string // between any two commits
	asked   []string
}

func (r *archive) Changed(_ context.Context, a workflows.Action, from, to string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, from+".."+to+" of "+a.Configuration["BranchName"])
	return r.changed, nil
}

// filtered starts on pushes to any branch that change something below src.
func filtered(name string) string {
	return named(name) + "\ntriggers: [{gitConfiguration: {sourceActionName: App, push: [{branches: [\"*\"], filePaths: [src/**]}]}}]\n"
}

// C8: a filter for file paths is judged by what differs between before and after,
// of whatever branch. Where that is not known it starts, and the execution says so.
func TestAFilterIsJudgedByWhatDiffers(t *testing.T) {
	unknown := "https://git.example/shop.git dev; which files changed is not known, so no filter was asked about them"
	for name, c := range map[string]struct {
		changed []string
		before  string
		detail  string // empty: nothing starts
	}{
		"matches":          {[]string{"src/a"}, "c7", "https://git.example/shop.git dev"},
		"does not match":   {[]string{"docs/a"}, "c7", ""},
		"nothing differs":  {[]string{}, "c7", ""},
		"the copy lost it": {nil, "c7", unknown},
		"no before":        {[]string{"docs/a"}, "", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(w *world) {
				git := &archive{remote: remote{head: "c1"}, changed: c.changed}
				w.options.Sources = map[string]runtime.Source{"Git": git}
				w.boot()
				w.define(filtered("web"))
				p := push("c8")
				p[0].Branch, p[0].Before = "dev", c.before
				if needed, err := w.NeedsFiles(w.t.Context(), p[0]); !needed || err != nil {
					t.Fatalf("files needed: %v %v", needed, err)
				}
				var err error
				if p[0].Files, err = w.Changed(w.t.Context(), p[0]); err != nil {
					t.Fatal(err)
				}
				if c.before != "" && !slices.Equal(git.asked, []string{"c7..c8 of dev"}) {
					t.Errorf("asked for %v", git.asked)
				}
				got, _ := w.receive("github/1", p)
				if len(got.Started) != 0 != (c.detail != "") {
					t.Fatalf("got %+v", got)
				}
				if c.detail != "" {
					if x := w.execution(got.Started[0]); x.Trigger.Detail != c.detail {
						t.Errorf("it says %q, want %q", x.Trigger.Detail, c.detail)
					}
				}
			})
		})
	}
}

// C8: a commit that is forced away brings back what was pushed before it a moment
// ago. That is another push of the same commit.
func TestAPushBackIsNoRepeat(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		started := 0
		for i, move := range [][2]string{{"c1", "c2"}, {"c2", "c3"}, {"c3", "c2"}, {"c3", "c2"}} {
			p := push(move[1])
			p[0].Before = move[0]
			got, _ := w.receive("github/"+strconv.Itoa(i), p)
			if len(got.Ignored) == 0 {
				started += len(got.Started)
			}
			pass(time.Second)
		}
		if started != 3 {
			t.Errorf("%d of the pushes count, want 3: the last is a repeat", started)
		}
	})
}

// A filter for file paths is judged by what has changed since the last look.
func TestAPolledBranchKnowsItsChangedFiles(t *testing.T) {
	for files, starts := range map[string]int{"docs/a.md src/a.go": 1, "docs/a.md": 0} {
		play(t, func(w *world) {
			git := &archive{remote: remote{head: "c1"}, changed: strings.Fields(files)}
			w.options.Sources = map[string]runtime.Source{"Git": git}
			w.boot()
			w.define(named("web") + "\ntriggers: [{gitConfiguration: {sourceActionName: App, push: [{branches: [main], filePaths: [src/**]}]}}]\n")
			pass(time.Minute)
			git.push("c2")
			pass(time.Minute)
			if n := w.disk.count(event.ExecutionStarted); n != starts {
				t.Errorf("%s: %d executions, want %d", files, n, starts)
			}
			if len(git.asked) != 1 || git.asked[0] != "c1..c2 of main" {
				t.Errorf("asked for %v", git.asked)
			}
		})
	}
}

// Two actions that read the same branch are one reader: a push starts their pipeline once.
func TestAPipelineThatReadsABranchTwiceStartsOnce(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		again := `, {name: Docs, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [docs]}]`
		w.define(strings.Replace(named("web"), `outputArtifacts: [app]}]`, `outputArtifacts: [app]}`+again, 1))
		pass(time.Minute)
		git.push("c2")
		pass(time.Minute)
		git.push("c3")
		w.receive("github/1", push("c3"))
		pass(time.Minute)
		if n := w.disk.count(event.ExecutionStarted); n != 2 {
			t.Errorf("%d executions for two pushes", n)
		}
	})
}

func TestPollingIsTurnedOffByTheAction(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git, "GitHub": git}
		w.boot()
		w.define(strings.Replace(named("quiet"), "BranchName: main", `BranchName: main, PollForSourceChanges: "false"`, 1))
		w.define(strings.NewReplacer("provider: Git,", "provider: GitHub,", `Repository: "https://git.example/shop.git"`, "FullRepositoryId: acme/shop").Replace(named("hub")))
		pass(10 * time.Minute)
		if git.looked() != 0 {
			t.Errorf("%d looks that nobody asked for", git.looked())
		}
	})
}

func TestARepositoryThatIsAwayIsLookedAtLessOften(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1"}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		w.define(named("web"))
		pass(time.Minute)
		git.breaks(errors.New("connection refused"))
		looks := git.looked()
		pass(time.Hour)
		if n := git.looked() - looks; n < 6 || n > 20 {
			t.Errorf("%d looks in an hour in which the repository is away", n)
		}
		git.breaks(nil)
		git.push("c2")
		pass(10 * time.Minute)
		w.status("web#1", workflows.StatusSucceeded)
	})
}

// T11: a definition of before such addresses were refused may hold a password; no log shows it.
func TestAPasswordInAnAddressIsNotLogged(t *testing.T) {
	play(t, func(w *world) {
		git := &remote{head: "c1", err: errors.New("connection refused")}
		w.options.Sources = map[string]runtime.Source{"Git": git}
		w.boot()
		p, _ := spec.Parse("web.yaml", []byte(named("web")))
		p.Stages[0].Actions[0].Configuration["Repository"] = "https://bob:PASSWORD@git.example/acme/shop.git"
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Edit, Pipeline: "web", NewDefinition: p, ManagedBy: "api"})
		pass(time.Hour)
		if log := w.log.String(); strings.Contains(log, "PASSWORD") || !strings.Contains(log, "main of https://***@git.example/acme/shop.git") {
			t.Error("it is logged, or the branch is not")
		}
	})
}
