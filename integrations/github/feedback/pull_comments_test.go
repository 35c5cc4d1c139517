package feedback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// contents are the pull requests of executions, by ID and stage.
type contents map[string]brings

// brings is what one execution brings into a stage.
type brings struct {
	Brought, Undone []work.Pull
	Missing         string
}

func (c contents) pulls(_ context.Context, execution, stage string) (brought, undone []work.Pull, missing string, err error) {
	all := c[execution+"/"+stage]
	return all.Brought, all.Undone, all.Missing, nil
}

func pullRequests(numbers ...int) (all []work.Pull) {
	for _, n := range numbers {
		all = append(all, work.Pull{Number: n, URL: fmt.Sprintf("https://github.com/acme/webshop/pull/%d", n)})
	}
	return all
}

// commenting runs a test with a follower that comments on pull requests, in virtual time.
func commenting(t *testing.T, test func(t *testing.T, w *stage, c contents)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, c := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}, contents{}
		w.lane = &lane{follow: newComments(t, w, c, wirefake.Direct(w.hub)).Follow, world: w.world}
		test(t, w, c)
	})
}

func newComments(t *testing.T, w *stage, c contents, tr http.RoundTripper) *PullComments {
	t.Helper()
	f, err := NewPullComments(Options{APIURL: "http://github.test/", Token: token, PublicURL: "https://rollcall.example/", Reader: w.world, Notes: w.world,
		Transport: tr, Log: slog.New(slog.NewTextHandler(w.log, nil))}, c.pulls)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// since has an execution have succeeded in a stage.
func since(name string, by ...string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		if len(e.Stages) == 0 {
			begin(e)
		}
		enter(name)(e)
		if len(by) > 0 {
			ask(e)
			approve(by...)(e)
		}
		succeed(name)(e)
		in(e, name).Since = new(time.Now())
	}
}

func (w *stage) comment(t *testing.T, number int) string {
	t.Helper()
	all := w.hub.Comments("acme/webshop", number)
	if len(all) != 1 {
		t.Errorf("pull request %d has %d comments", number, len(all))
		return ""
	}
	return all[0].Body
}

func TestOneCommentForAllEnvironments(t *testing.T) {
	commenting(t, func(t *testing.T, w *stage, c contents) {
		c["id-0001/Staging"], c["id-0001/Production"] = brings{Brought: pullRequests(7, 8)}, brings{Brought: pullRequests(7, 8)}
		c["id-0002/Production"] = brings{Undone: pullRequests(8)}
		c["id-0003/Production"] = brings{Brought: pullRequests(9), Undone: pullRequests(7)}
		w.do(t, since("Staging"), 1)
		time.Sleep(time.Hour)
		w.do(t, since("Production", "Ana", "C_ho"), 1)
		want := `<!-- rollcall https://rollcall.example -->
- ✅ in production since 1 Jan 01:00 UTC, approved by Ana and C&#95;ho ([webshop#1](https://rollcall.example/executions/id-0001))
- ✅ in staging since 1 Jan 00:00 UTC ([webshop#1](https://rollcall.example/executions/id-0001))`
		for _, number := range []int{7, 8} {
			if diff := cmp.Diff(want, w.comment(t, number)); diff != "" {
				t.Errorf("%d (-want +got)\n%s", number, diff)
			}
		}
		w.do(t, func(e *workflows.Execution) {
			rollback(1, "Production")(e)
			e.Trigger.By = workflows.Principal{Name: "Ben"}
			since("Production")(e)
		}, 2)
		if got := w.comment(t, 8); !strings.Contains(got, "↩️ rolled back from production at 1 Jan 01:00 UTC by Ben ([webshop#2]") || !strings.Contains(got, "in staging since") {
			t.Errorf("after the rollback:\n%s", got)
		}
		if got := w.comment(t, 7); !strings.Contains(got, "in production since") {
			t.Errorf("what was not rolled back:\n%s", got)
		}
		w.do(t, func(e *workflows.Execution) {
			rollback(1, "Production")(e)
			e.Trigger.Type = workflows.TriggerAutomated
			since("Production")(e)
		}, 3)
		if a, b := w.comment(t, 9), w.comment(t, 7); !strings.Contains(a, "in production since") || !strings.Contains(b, "rolled back from production at 1 Jan 01:00 UTC automatically") {
			t.Errorf("after a rollback to another line of history:\n%s\n%s", a, b)
		}
		calls := w.hub.Calls()
		w.do(t, func(*workflows.Execution) {}, 1)
		if w.hub.Calls() != calls {
			t.Error("nothing changed, and GitHub was called")
		}
	})
}

// What an older execution did is no news once a newer one has been there.
func TestTheNewestExecutionSpeaksOnAPullRequest(t *testing.T) {
	m := &commented{}
	for n, c := range []struct {
		p    presence
		want bool
	}{{presence{Pipeline: "webshop", Environment: "production", Execution: "id-0002"}, true}, {presence{Pipeline: "webshop", Environment: "production", Execution: "id-0001"}, false},
		{presence{Pipeline: "webshop", Environment: "production", Execution: "id-0002"}, false}, {presence{Pipeline: "webshop", Environment: "staging", Execution: "id-0001"}, true},
		{presence{Pipeline: "api", Environment: "production", Execution: "id-0001"}, true}, {presence{Pipeline: "webshop", Environment: "production", Execution: "id-0003"}, true}} {
		if got := m.put(c.p); got != c.want {
			t.Errorf("%d: %v", n, got)
		}
	}
	if len(m.Places) != 3 {
		t.Errorf("places %v", m.Places)
	}
}

func TestACommentOfOthersIsLeftAlone(t *testing.T) {
	commenting(t, func(t *testing.T, w *stage, c contents) {
		c["id-0001/Staging"] = brings{Brought: pullRequests(7)}
		w.hub.WriteComment("acme/webshop", 7, "dan", "> <!-- rollcall https://rollcall.example -->\n> in staging\n\nthanks")
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/issues/", Cut: true, Times: 1})
		w.do(t, since("Staging"), 1)
		w.lane.run(t, 2*time.Minute)
		all := w.hub.Comments("acme/webshop", 7)
		if len(all) != 2 || all[0].Edits != 0 || !strings.Contains(all[1].Body, "in staging since") {
			t.Errorf("comments %+v", all)
		}
	})
}

func TestADeletedCommentIsWrittenAgain(t *testing.T) {
	commenting(t, func(t *testing.T, w *stage, c contents) {
		c["id-0001/Staging"], c["id-0001/Production"] = brings{Brought: pullRequests(7)}, brings{Brought: pullRequests(7)}
		w.do(t, since("Staging"), 1)
		w.hub.DeleteComments("acme/webshop", 7)
		w.do(t, since("Production"), 1)
		if got := w.comment(t, 7); !strings.Contains(got, "in staging since") || !strings.Contains(got, "in production since") {
			t.Errorf("it says\n%s", got)
		}
	})
}

func TestCommentsWithoutThePermission(t *testing.T) {
	commenting(t, func(t *testing.T, w *stage, c contents) {
		c["id-0001/Staging"] = brings{Brought: pullRequests(7, 8)}
		w.hub.Faults.Set(fault.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`})
		w.do(t, since("Staging"), 1)
		w.lane.run(t, 2*refusedFor)
		if log := w.log.String(); !strings.Contains(log, "github.pullRequests.comment: false") || strings.Contains(log, token) || strings.Count(log, "GitHub refuses") != 1 {
			t.Errorf("the log says\n%s", log)
		}
		if _, ok := w.memos["queue/webshop"]; ok {
			t.Error("it still waits")
		}
	})
}

func TestPullRequestsThatAreNotKnownYet(t *testing.T) {
	commenting(t, func(t *testing.T, w *stage, c contents) {
		c["id-0001/Staging"] = brings{Brought: pullRequests(7), Missing: "GitHub is away"}
		w.do(t, since("Staging"), 1)
		w.comment(t, 7) // what is known is said
		c["id-0001/Staging"] = brings{Brought: pullRequests(7, 8)}
		w.lane.run(t, time.Minute)
		w.comment(t, 8)
		c["id-0002/Staging"] = brings{Missing: "it is too long ago"}
		w.do(t, since("Staging"), 2)
		w.lane.run(t, pullsWithin+time.Minute)
		if _, ok := w.memos["queue/webshop"]; ok {
			t.Error("what will never be known is waited for")
		}
	})
}

// However often it crashes, each pull request has one comment, and it is right in the end.
func TestCommentsAfterCrashes(t *testing.T) {
	crashes := 0
	for seed := range 200 {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(uint64(seed), 14))
			w, c := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}, contents{}
			s := &story{t: t, dice: dice, world: w.world, hub: w.hub}
			boot := func() {
				s.dead, s.fuse = false, 0
				if dice.IntN(2) == 0 {
					s.fuse = 1 + dice.IntN(12)
				}
				w.lane = &lane{follow: newComments(t, w, c, s).Follow, world: w.world, again: time.Now()}
				w.broken = func() error {
					switch before, after := s.power(); {
					case !before:
						return errPower
					case !after:
						return errors.Join(errApplied, errPower)
					}
					return nil
				}
			}
			c["id-0001/Staging"], c["id-0001/Production"], c["id-0002/Production"] = brings{Brought: pullRequests(7, 8)}, brings{Brought: pullRequests(7, 8)}, brings{Undone: pullRequests(8)}
			boot()
			for n, step := range []func(*workflows.Execution){since("Staging"), since("Production", "Ana"), func(e *workflows.Execution) { rollback(1, "Production")(e); since("Production")(e) }} {
				w.change(1+n/2, step)
				if dice.IntN(3) == 0 {
					w.hub.Faults.Set([]fault.Fault{{Cut: true, After: true, Times: 2}, {Status: 500, Times: 2}, {Status: 502, After: true, Times: 1}}[dice.IntN(3)])
				}
				for end := time.Now().Add(time.Minute); ; crashes++ {
					if err := w.lane.run(t, time.Until(end)); err == nil && !s.dead {
						break
					}
					time.Sleep(time.Second)
					boot()
				}
			}
			s.fuse = 0
			w.hub.Faults.Set()
			_ = w.lane.run(t, 70*time.Second)
			if a, b := w.comment(t, 7), w.comment(t, 8); !strings.Contains(a, "in production since") || !strings.Contains(b, "rolled back from production") || !strings.Contains(b, "in staging since") {
				t.Errorf("seed %d:\n%s\n%s", seed, a, b)
			}
		})
	}
	if crashes < 100 {
		t.Errorf("only %d crashes", crashes)
	}
}
