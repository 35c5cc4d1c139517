package feedback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// deploying runs a test with a follower of deployments and its world, in virtual time.
func deploying(t *testing.T, test func(t *testing.T, w *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}
		d, err := NewDeployments(Options{APIURL: "http://github.test/", Token: token, PublicURL: "https://rollcall.example/", Reader: w.world, Notes: w.world,
			Transport: wirefake.Direct(w.hub), Log: slog.New(slog.NewTextHandler(w.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		w.lane = &lane{follow: d.Follow, world: w.world}
		test(t, w)
	})
}

// stage is what a test of deployments works with.
type stage struct {
	*world
	hub  *githubfake.Server
	lane *lane
	log  *bytes.Buffer
}

// do commits a change of an execution and lets the follower work for a second.
func (w *stage) do(t *testing.T, change func(*workflows.Execution), number int) {
	t.Helper()
	w.change(number, change)
	w.lane.run(t, time.Second)
}

// shown are the deployments on GitHub, one line each.
func (w *stage) shown() (lines []string) {
	for _, d := range w.hub.Deployments() {
		var p payload
		if err := json.Unmarshal(d.Payload, &p); err != nil {
			return []string{err.Error()}
		}
		var states []string
		for _, s := range d.Statuses {
			states = append(states, strings.TrimSpace(s.State+" "+s.Description))
		}
		lines = append(lines, fmt.Sprintf("%s %s %s production=%v %s: %s", p.Execution, d.Task, d.Environment, d.Production, d.SHA[:4], strings.Join(states, ", ")))
	}
	return lines
}

func TestADeploymentFollowsItsStage(t *testing.T) {
	deploying(t, func(t *testing.T, w *stage) {
		for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging"), enter("Production"), ask, approve("Ana", "Cho"), act("Production"), succeed("Production")} {
			w.do(t, step, 1)
		}
		if diff := cmp.Diff([]string{
			"id-0001 deploy staging production=false 0001: queued starting, in_progress running, success succeeded",
			"id-0001 deploy production production=true 0001: queued starting, queued waiting for approval: 0 of 1 approval, queued starting, in_progress running, success approved by Ana and Cho",
		}, w.shown()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for _, d := range w.hub.Deployments() {
			for _, s := range d.Statuses {
				if s.LogURL != "https://rollcall.example/executions/id-0001" {
					t.Errorf("log_url %q", s.LogURL)
				}
			}
		}
		calls := w.hub.Calls()
		w.do(t, func(*workflows.Execution) {}, 1)
		if w.hub.Calls() != calls {
			t.Error("nothing visible changed, and GitHub was called")
		}
	})
}

func TestHowADeploymentEnds(t *testing.T) {
	until := func(steps ...func(*workflows.Execution)) []func(*workflows.Execution) {
		return append([]func(*workflows.Execution){begin, enter("Production")}, steps...)
	}
	for name, c := range map[string]struct {
		steps []func(*workflows.Execution)
		want  string
	}{
		"an action fails":                  {until(act("Production"), fail("Production", "ActionFailed")), "failure Deploy failed in Production"},
		"its artifact is not stored":       {until(act("Production"), fail("Production", codeNotStored)), "error Deploy failed in Production"},
		"rejected":                         {until(ask, reject("Ben")), "inactive not approved by Ben"},
		"stopped":                          {until(act("Production"), stop), "inactive stopped"},
		"superseded after it stepped back": {until(ask, stepBack, supersede), "inactive superseded"},
		"failed, and then retried":         {until(act("Production"), fail("Production", "ActionFailed"), retry("Production"), succeed("Production")), "success succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			deploying(t, func(t *testing.T, w *stage) {
				for _, step := range c.steps {
					w.do(t, step, 1)
				}
				all := w.hub.Deployments()
				if len(all) != 1 {
					t.Fatalf("%d deployments", len(all))
				}
				last := all[0].Statuses[len(all[0].Statuses)-1]
				if got := last.State + " " + last.Description; got != c.want {
					t.Errorf("ends as %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestWhatGetsNoDeployment(t *testing.T) {
	deploying(t, func(t *testing.T, w *stage) {
		w.do(t, begin, 1)          // no stage was entered
		w.do(t, enter("Build"), 1) // it has no environment
		w.provider = "Git"
		w.do(t, begin, 2)
		w.do(t, enter("Staging"), 2)
		if n := w.hub.Calls(); n != 0 {
			t.Errorf("%d calls, deployments %v", n, w.shown())
		}
	})
}

func TestARollbackHasItsOwnDeployment(t *testing.T) {
	deploying(t, func(t *testing.T, w *stage) {
		for n := range 2 {
			for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging")} {
				w.do(t, step, n+1)
			}
		}
		for _, step := range []func(*workflows.Execution){rollback(1, "Staging"), enter("Staging"), act("Staging"), succeed("Staging")} {
			w.do(t, step, 3)
		}
		if diff := cmp.Diff([]string{
			"id-0001 deploy staging production=false 0001: queued starting, in_progress running, success succeeded, inactive",
			"id-0002 deploy staging production=false 0002: queued starting, in_progress running, success succeeded, inactive",
			"id-0003 deploy:rollback staging production=false 0001: queued starting, in_progress running, success succeeded",
		}, w.shown()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// An older execution whose success is late must not make the newer one inactive.
func TestALateSuccessLeavesTheNewerDeploymentAlone(t *testing.T) {
	deploying(t, func(t *testing.T, w *stage) {
		for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging")} {
			w.do(t, step, 1)
		}
		first := w.hub.Deployments()[0].ID
		w.hub.Faults.Set(fault.Fault{Match: fmt.Sprintf("POST /repos/acme/webshop/deployments/%d/", first), Status: 500})
		w.do(t, succeed("Staging"), 1)
		for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging")} {
			w.do(t, step, 2)
		}
		w.lane.run(t, 30*time.Second)
		w.hub.Faults.Set()
		w.lane.run(t, 70*time.Second)
		all := w.hub.Deployments()
		if len(all) != 2 || all[0].State() != "success" || all[1].State() != "success" {
			t.Errorf("shown: %v", w.shown())
		}
	})
}

func TestADeploymentIsNotMadeTwice(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"a lost answer":         {Cut: true, After: true, Times: 1},
		"cut before the effect": {Cut: true, Times: 1},
		"502 after the effect":  {Status: 502, After: true, Times: 1},
		"500":                   {Status: 500, Times: 1},
		"429":                   {Status: 429, RetryAfter: 20 * time.Second, Times: 5},
		"the secondary limit":   {Status: 403, RetryAfter: time.Minute, Times: 3, Body: `{"message":"You have exceeded a secondary rate limit"}`},
		"no answer at all":      {Hang: true, After: true, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			deploying(t, func(t *testing.T, w *stage) {
				f.Match = "POST /repos/acme/webshop/deployments$"
				w.hub.Faults.Set(f)
				for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging")} {
					w.do(t, step, 1)
				}
				w.lane.run(t, 4*time.Minute) // a limit is waited for as GitHub says
				if all := w.hub.Deployments(); len(all) != 1 || all[0].State() != "success" {
					t.Errorf("shown: %v", w.shown())
				}
			})
		})
	}
}

// Who has not granted the permission loses nothing else, is told what to do, and
// the queue does not grow for ever.
func TestWithoutThePermission(t *testing.T) {
	deploying(t, func(t *testing.T, w *stage) {
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/deployments", Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`})
		for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging"), finish} {
			w.do(t, step, 1)
		}
		w.lane.run(t, 2*refusedFor)
		if log := w.log.String(); strings.Count(log, "Deployments: read and write") != 1 || strings.Contains(log, token) {
			t.Errorf("the log says:\n%s", log)
		}
		if _, ok := w.memos["queue/webshop"]; ok {
			t.Error("it still waits")
		}
		w.hub.Faults.Set()
		for _, step := range []func(*workflows.Execution){begin, enter("Staging"), act("Staging"), succeed("Staging")} {
			w.do(t, step, 2)
		}
		if all := w.hub.Deployments(); len(all) != 1 || all[0].State() != "success" {
			t.Errorf("after the permission was granted: %v", w.shown())
		}
	})
}

func TestOursByItsPayload(t *testing.T) {
	for raw, want := range map[string]bool{
		`{"execution":"e","stage":"Staging"}`:           true,
		`"{\"execution\":\"e\",\"stage\":\"Staging\"}"`: true,
		`{"execution":"e","stage":"Production"}`:        false,
		`{"execution":"f","stage":"Staging"}`:           false,
		`""`:                                            false, `null`: false, `[1]`: false, ``: false,
	} {
		if got := isOurs(json.RawMessage(raw), "e", "Staging"); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}
