package feedback

import (
	"context"
	"errors"
	"fmt"
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

// reporting runs a test with a follower of commit statuses, in virtual time.
func reporting(t *testing.T, checks func(context.Context) (bool, error), test func(t *testing.T, w *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token})}
		s, err := NewStatuses(Options{APIURL: "http://github.test/", Token: token, PublicURL: "https://rollcall.example/", Reader: w.world, Notes: w.world,
			Transport: wirefake.Direct(w.hub), Checks: checks})
		if err != nil {
			t.Fatal(err)
		}
		w.lane = &lane{follow: s.Follow, world: w.world}
		test(t, w)
	})
}

// posted are the statuses of the stages, in their order.
func (w *stage) posted() (lines []string) {
	for _, s := range w.hub.Statuses("") {
		if name, ok := strings.CutPrefix(s.Context, "rollcall/webshop/"); ok {
			lines = append(lines, name+" "+s.State+" "+s.Description)
		}
	}
	return lines
}

func TestOneStatusForEachStage(t *testing.T) {
	for name, c := range map[string]struct {
		steps []func(*workflows.Execution)
		want  []string
	}{
		"all is well": {[]func(*workflows.Execution){begin, enter("Build"), succeed("Build"), enter("Production"), ask, approve("Ana", "Cho"), act("Production"), succeed("Production")},
			[]string{"Build pending running", "Build success succeeded", "Production pending running", "Production pending waiting for approval", "Production pending running", "Production success approved by Ana and Cho"}},
		"an action fails": {[]func(*workflows.Execution){begin, enter("Build"), act("Build"), fail("Build", "ActionFailed")}, []string{"Build pending running", "Build failure Deploy failed in Build"}},
		"rejected":        {[]func(*workflows.Execution){begin, enter("Production"), ask, reject("Ben")}, []string{"Production pending running", "Production pending waiting for approval", "Production failure not approved by Ben"}},
		"stopped":         {[]func(*workflows.Execution){begin, enter("Build"), stop}, []string{"Build pending running", "Build error stopped"}},
		"it steps back and is superseded": {[]func(*workflows.Execution){begin, enter("Production"), ask, stepBack, supersede},
			[]string{"Production pending running", "Production pending waiting for approval", "Production pending waiting", "Production error superseded"}},
		"a rollback leaves commits alone": {[]func(*workflows.Execution){rollback(1, "Production"), enter("Production"), act("Production"), succeed("Production")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			reporting(t, nil, func(t *testing.T, w *stage) {
				for _, step := range c.steps {
					w.do(t, step, 2)
				}
				w.do(t, func(*workflows.Execution) {}, 2) // nothing changed
				if diff := cmp.Diff(c.want, w.posted()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				for _, s := range w.hub.Statuses("") {
					if s.TargetURL != "https://rollcall.example/executions/id-0002" {
						t.Errorf("%s links %q", s.Context, s.TargetURL)
					}
				}
			})
		})
	}
}

// ofCommit has an execution bring the commit of another one.
func ofCommit(number int) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		begin(e)
		e.SourceRevisions[0].RevisionID = strings.Repeat(fmt.Sprintf("%04d", number), 10)
	}
}

// While GitHub refuses the status of a newer execution of the commit, what the
// stages of the older one need is not forgotten.
func TestStagesOfAnOlderExecutionWaitWithTheNewer(t *testing.T) {
	reporting(t, nil, func(t *testing.T, w *stage) {
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/statuses", Status: 404})
		w.do(t, ofCommit(1), 2)
		w.do(t, ofCommit(1), 3)
		w.do(t, enter("Build"), 2)
		w.hub.Faults.Set()
		w.lane.run(t, 2*time.Minute)
		if diff := cmp.Diff([]string{"Build pending running"}, w.posted()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// What a stage shows follows from the executions alone: a process that never
// posted anything says the same of one that has stepped back.
func TestAStageThatWasLeftIsKnownFromTheExecution(t *testing.T) {
	reporting(t, nil, func(t *testing.T, w *stage) {
		for _, step := range []func(*workflows.Execution){ofCommit(1), enter("Production"), ask, approve("Ana"), act("Production"), succeed("Production")} {
			w.do(t, step, 1)
		}
		for _, step := range []func(*workflows.Execution){ofCommit(1), enter("Production"), ask, stepBack} {
			w.change(2, step)
		}
		w.lane.run(t, time.Minute) // it sees only how the second one stands
		all := w.posted()
		if last := all[len(all)-1]; last != "Production pending waiting" {
			t.Errorf("the last status is %q of %q", last, all)
		}
	})
}

// Check runs take over: what a commit has already is finished, and nothing new is
// begun. While GitHub does not say which it is, it waits.
func TestStagesInCheckRunsGetNoStatuses(t *testing.T) {
	checks, away := false, error(nil)
	reporting(t, func(context.Context) (bool, error) { return checks, away }, func(t *testing.T, w *stage) {
		w.do(t, begin, 1)
		w.do(t, enter("Build"), 1)
		away = errors.New("connection refused")
		w.do(t, succeed("Build"), 1)
		if n := len(w.posted()); n != 1 {
			t.Errorf("while GitHub is away: %v", w.posted())
		}
		checks, away = true, nil
		w.lane.run(t, time.Minute)
		w.do(t, enter("Production"), 1)
		if diff := cmp.Diff([]string{"Build pending running", "Build success succeeded"}, w.posted()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
