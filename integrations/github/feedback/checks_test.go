package feedback

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// checking runs a test with a follower of check runs, in virtual time.
func checking(t *testing.T, test func(t *testing.T, w *stage)) {
	t.Helper()
	key := githubfake.PrivateKey()
	synctest.Test(t, func(t *testing.T) {
		w := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}
		w.hub.Grant(map[string]string{"checks": "write"})
		o := Options{APIURL: "http://github.test/", App: &api.App{ID: 1, InstallationID: 2, PrivateKey: key}, PublicURL: "https://rollcall.example/", Reader: w.world, Notes: w.world,
			Transport: wirefake.Direct(w.hub), Log: slog.New(slog.NewTextHandler(w.log, nil))}
		var err error
		if o.Checks, err = ChecksGranted(o); err != nil {
			t.Fatal(err)
		}
		c, err := NewCheckRuns(o)
		if err != nil {
			t.Fatal(err)
		}
		w.lane = &lane{follow: c.Follow, world: w.world}
		test(t, w)
	})
}

// runs are the check runs, one line each.
func (w *stage) runs() (lines []string) {
	for _, c := range w.hub.CheckRuns("") {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s", c.ExternalID, c.Status, c.Conclusion, c.Output.Title)))
	}
	return lines
}

func TestACheckRunShowsTheStages(t *testing.T) {
	checking(t, func(t *testing.T, w *stage) {
		long := func(e *workflows.Execution) {
			a := &in(e, "Build").Actions[0]
			from, to := time.Now(), time.Now().Add(90*time.Second)
			a.StartedAt, a.EndedAt = &from, &to
		}
		for _, step := range []func(*workflows.Execution){begin, enter("Build"), long, succeed("Build"), enter("Production"), ask, approve("Ana", "Cho"), act("Production"),
			fail("Production", "ActionFailed"), func(e *workflows.Execution) {
				a := &in(e, "Production").Actions[1]
				why := *a.Error
				why.Finding = &workflows.Finding{Title: "ECS may not pull <the image>", Cause: "a secret"}
				a.Error = &why
			}} {
			w.do(t, step, 1)
		}
		all := w.hub.CheckRuns("")
		if len(all) != 1 || all[0].Name != "rollcall/webshop (stages)" || all[0].DetailsURL != "https://rollcall.example/executions/id-0001" || all[0].Conclusion != "failure" {
			t.Fatalf("check runs %+v", all)
		}
		want := `| Stage | Status | Took | Approval |
|---|---|---|---|
| Source | to come |  |  |
| Build | succeeded | 1m30s |  |
| Staging | to come |  |  |
| Production | failed |  | approved by Ana and Cho |

**What went wrong**
- Deploy in Production: ECS may not pull &#60;the image&#62;`
		if diff := cmp.Diff(want, all[0].Output.Summary); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestCheckRunsOfOneCommit(t *testing.T) {
	checking(t, func(t *testing.T, w *stage) {
		same := func(e *workflows.Execution) {
			begin(e)
			e.SourceRevisions[0].RevisionID = strings.Repeat("0001", 10)
		}
		for _, step := range []func(*workflows.Execution){same, enter("Build"), act("Build"), fail("Build", "ActionFailed"), retry("Build")} {
			w.do(t, step, 1)
		}
		w.do(t, same, 2)
		w.do(t, stop, 1)
		w.do(t, stop, 2)
		if diff := cmp.Diff([]string{"id-0001/1 completed failure: Deploy failed in Build", "id-0001/2 completed neutral: replaced by webshop#2", "id-0002/1 completed cancelled: stopped"}, w.runs()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestACheckRunIsNotMadeTwice(t *testing.T) {
	for name, f := range map[string]fault.Fault{"a lost answer": {Cut: true, After: true, Times: 1}, "cut": {Cut: true, Times: 2}, "502": {Status: 502, After: true, Times: 1}, "500": {Status: 500, Times: 3},
		"429": {Status: 429, RetryAfter: 30 * time.Second, Times: 3}} {
		t.Run(name, func(t *testing.T) {
			checking(t, func(t *testing.T, w *stage) {
				f.Match = "POST /repos/acme/webshop/check-runs"
				w.hub.Faults.Set(f)
				for _, step := range []func(*workflows.Execution){begin, enter("Build"), stop} {
					w.do(t, step, 1)
				}
				w.lane.run(t, 3*time.Minute)
				if diff := cmp.Diff([]string{"id-0001/1 completed cancelled: stopped"}, w.runs()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestWithoutTheRightToCheck(t *testing.T) {
	checking(t, func(t *testing.T, w *stage) {
		w.hub.Grant(map[string]string{"statuses": "write"})
		w.do(t, begin, 1)
		if calls := w.hub.Calls(); calls != 1 { // for the token, which says it
			t.Errorf("%d calls", calls)
		}
		w.hub.Grant(map[string]string{"checks": "write"})
		time.Sleep(61 * time.Minute)
		w.do(t, enter("Build"), 1)
		if len(w.hub.CheckRuns("")) != 1 {
			t.Errorf("after it was granted: %v", w.runs())
		}
		w.hub.Grant(nil) // and taken away
		w.do(t, stop, 1)
		w.lane.run(t, 2*refusedFor)
		if strings.Count(w.log.String(), "Checks: read and write") != 1 {
			t.Errorf("the log says %s", w.log)
		}
		if _, ok := w.memos["queue/webshop"]; ok {
			t.Error("it still waits")
		}
	})
	ask, err := ChecksGranted(Options{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if granted, err := ask(context.Background()); granted || err != nil {
		t.Errorf("a token may write check runs: %v, %v", granted, err)
	}
}

func TestMarkdownOfOthersMeansNothing(t *testing.T) {
	if got, want := markdown("@all <b>|x| #12 a_b `c`\nd"), "&#64;all &#60;b&#62;&#124;x&#124; &#35;12 a&#95;b &#96;c&#96; d"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
