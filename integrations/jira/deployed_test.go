package jira

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// releases is a house whose executions bring issues to places.
type releases struct {
	*house
	brings map[string]Brought
	panel  bool
	calls  int
}

func newReleases(t *testing.T) *releases {
	return &releases{house: newHouse(t, jirafake.Options{Projects: []string{"OPS", "SHOP"}}), brings: map[string]Brought{}, panel: true}
}

func (r *releases) Brings(_ context.Context, execution, _ string) (Brought, error) {
	r.calls++
	b, ok := r.brings[execution]
	if !ok {
		return b, &workflows.Problem{Code: workflows.CodeExecutionNotFound}
	}
	return b, nil
}

// follower starts it anew, with nothing in memory.
func (r *releases) follower() *Deployments {
	r.t.Helper()
	o := DeploymentsOptions{URL: r.url, User: user, Token: token, PublicURL: "https://rollcall.example", Contents: r, Reader: r, Submitter: r, Notes: r,
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), Now: r.now, Transport: r}
	if r.panel {
		var err error
		if o.Panel, err = NewPanel(PanelOptions{URL: r.url, User: user, Token: token, PublicURL: "https://rollcall.example", Now: r.now, Transport: r}); err != nil {
			r.t.Fatal(err)
		}
		if o.Panel.client, err = newPacedClient(site{url: r.url, user: user, token: token}, r, wire.Pacing{Retries: -1}); err != nil {
			r.t.Fatal(err)
		}
	}
	f, err := NewDeployments(o)
	if err != nil {
		r.t.Fatal(err)
	}
	if f.jira, err = newPacedClient(site{url: r.url, user: user, token: token}, r, wire.Pacing{Retries: -1}); err != nil { // nothing waits for a real clock
		r.t.Fatal(err)
	}
	return f
}

// follow is the runtime for a while.
func (r *releases) follow(d time.Duration) {
	r.t.Helper()
	for end := r.now().Add(d); ; {
		err := r.follower().Follow(r.t.Context(), event.Batch{Pipeline: r.pipeline.Name, Frames: r.frames[r.taken:]})
		var more *event.Unfinished
		if err != nil && !errors.As(err, &more) {
			r.t.Fatalf("the batch was not taken: %v", err)
		}
		r.taken = len(r.frames)
		if err == nil || r.now().Add(more.After).After(end) {
			r.clock.Store(end.UnixNano())
			return
		}
		r.pass(more.After)
	}
}

func issues(keys ...string) (all []work.Issue) {
	for _, k := range keys {
		all = append(all, work.Issue{Key: k})
	}
	return all
}

// release deploys an execution that brings issues.
func (r *releases) release(number int, ok bool, keys ...string) *workflows.Execution {
	e := r.house.start(number)
	e.Pipeline = r.pipeline.Name
	e.Stages[0].Actions = append(e.Stages[0].Actions, workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusSucceeded, Approval: &workflows.Approval{
		Closed: "approved", Votes: []workflows.Vote{{By: workflows.Principal{Name: "Ana"}, Answer: "approve"}, {By: workflows.Principal{Name: "Cho"}, Answer: "approve"}}}})
	r.brings[e.ID] = Brought{Come: issues(keys...)}
	r.end(e, ok)
	return e
}

func (r *releases) end(e *workflows.Execution, ok bool) {
	r.pass(time.Minute)
	at := r.now()
	e.Stages[0].Since = &at
	if !ok {
		r.fail(e, "ActionFailed")
		return
	}
	e.Stages[0].Status, e.Stages[0].Actions[0].Status = workflows.StatusSucceeded, workflows.StatusSucceeded
	r.succeed(e)
}

// back rolls back from an execution that failed, or from one that people leave.
func (r *releases) back(number, target int, from *workflows.Execution, gone ...string) {
	e := r.rollback(number, target, from)
	if from.Status == workflows.StatusSucceeded {
		e.Rollback.FailedExecution, e.Trigger = "", workflows.StartedBy{Type: "StartPipelineExecution", By: workflows.Principal{Name: "Ben"}}
	}
	r.brings[e.ID] = Brought{Gone: issues(gone...)}
	r.end(e, true)
}

func (r *releases) open(n int) (keys []string) {
	for range n {
		keys = append(keys, r.jira.Open("SHOP", "Story", "Sell shoes"))
	}
	return keys
}

// comment is the one comment that an issue must have.
func (r *releases) comment(key string) string {
	r.t.Helper()
	i, _ := r.jira.Issue(key)
	if len(i.Comments) != 1 {
		r.t.Fatalf("%s has %d comments: %q", key, len(i.Comments), i.Comments)
	}
	return i.Comments[0]
}

func (r *releases) link(key string) jirafake.RemoteLink {
	r.t.Helper()
	all := r.jira.RemoteLinks(key)
	if len(all) != 1 {
		r.t.Fatalf("%s has %d links: %+v", key, len(all), all)
	}
	return all[0]
}

// An issue has one link and one comment about an environment, which say where it is:
// deployed, failed, rolled back by itself and by people, and deployed again. So does
// Jira's deployments panel, with rising numbers.
func TestWhereIssuesAreDeployed(t *testing.T) {
	r := newReleases(t)
	keys := r.open(3)
	r.release(42, true, keys[0], keys[1])
	r.follow(time.Minute)
	if got := r.comment(keys[0]); got != "*Deployments to production* (rollcall)\nwebshop: in production since 2026-03-01 12:01 UTC, [webshop#42|https://rollcall.example/executions/id-42], approved by Ana and Cho\n" {
		t.Errorf("deployed: %q", got)
	}
	if l := r.link(keys[1]); l.URL != "https://rollcall.example/executions/id-42" || l.Title != "production: webshop#42 deployed" || l.Status != "resolved" || l.GlobalID != "system=rollcall&environment=production" ||
		!strings.Contains(l.Summary, "approved by Ana and Cho") {
		t.Errorf("%+v", l)
	}
	failed := r.release(43, false, keys[2])
	r.follow(time.Minute)
	if got := r.comment(keys[2]); !strings.Contains(got, "webshop: the deployment to production failed on 2026-03-01 12:03 UTC, [webshop#43|") {
		t.Errorf("failed: %q", got)
	}
	r.back(44, 42, failed)
	r.follow(time.Minute)
	if got := r.comment(keys[2]); !strings.Contains(got, "webshop: rolled back in production on 2026-03-01 12:05 UTC, [webshop#44|") || !strings.Contains(got, "went back to #42") || strings.Contains(got, "failed") {
		t.Errorf("rolled back by itself: %q", got)
	}
	if l := r.link(keys[2]); l.Title != "production: webshop#44 rolled back" || l.Status != "" {
		t.Errorf("%+v", l)
	}
	good := r.release(45, true, keys[2])
	r.follow(time.Minute)
	if got := r.comment(keys[2]); !strings.Contains(got, "webshop: in production since 2026-03-01 12:07 UTC, [webshop#45|") || strings.Contains(got, "rolled back") {
		t.Errorf("again: %q", got)
	}
	r.back(46, 42, good, keys[2])
	r.follow(time.Minute)
	if got := r.comment(keys[2]); !strings.Contains(got, "rolled back in production") || !strings.Contains(got, "asked for by Ben") {
		t.Errorf("rolled back by people: %q", got)
	}
	if !strings.Contains(r.comment(keys[0]), "webshop#42") || r.link(keys[0]).Title != "production: webshop#42 deployed" {
		t.Error("what stayed has changed")
	}
	var panel []string
	for _, d := range r.jira.Deployments() {
		panel = append(panel, fmt.Sprintf("%d %s %s %s", d.Sequence, d.State, d.Environment.Type, strings.Join(d.Issues, "+")))
	}
	want := []string{"42 successful production SHOP-1+SHOP-2", "43 failed production SHOP-3", "44 rolled_back production SHOP-3", "45 successful production SHOP-3", "46 rolled_back production SHOP-3"}
	if !slices.Equal(panel, want) {
		t.Errorf("the panel: %q", panel)
	}
	before := len(r.jira.Calls())
	r.taken = 0 // all of it once more, as after a crash
	r.follow(time.Minute)
	if n := len(r.jira.Calls()) - before; n > len(want) { // the panel's are harmless, and have no memo once they are done
		t.Errorf("%d calls for what Jira has: %q", n, r.jira.Calls()[before:])
	}
}

// Killed wherever that can happen, and with every answer lost once: never two comments, never none.
func TestDeploymentsThroughCrashes(t *testing.T) {
	for n := 1; ; n++ {
		r := newReleases(t)
		keys := r.open(2)
		survived := r.crashAt(n)
		first := r.release(42, true, keys...)
		step := func() {
			defer func() {
				if v := recover(); v != nil && v != any(errCrash) {
					panic(v)
				}
			}()
			r.follow(10 * time.Minute)
		}
		step()
		r.back(43, 41, first, keys...)
		for range 3 { // it dies at most once, and what was taken may come again
			step()
			r.taken = 0
		}
		for _, key := range keys {
			if !strings.Contains(r.comment(key), "rolled back") || r.link(key).Title != "production: webshop#43 rolled back" {
				t.Fatalf("crash %d: %q", n, r.comment(key))
			}
		}
		if survived() < n {
			if n < 20 {
				t.Errorf("only %d places to die at", n)
			}
			return
		}
	}
}

func TestDeploymentsWithLostAnswers(t *testing.T) {
	for _, f := range []fault.Fault{
		{Match: "POST /rest/api/2/issue/", Cut: true, After: true, Times: 3}, {Match: "PUT /rest/api/2/issue/", Cut: true, After: true, Times: 2}, {Status: 503, Times: 5}, {Status: 401, Times: 3},
		{Match: "POST /rest/api/2/issue/", Status: 500, After: true, Times: 2},
	} {
		r := newReleases(t)
		keys := r.open(2)
		r.jira.Faults.Set(f)
		first := r.release(42, true, keys...)
		r.follow(20 * time.Minute)
		r.jira.Faults.Set(f)
		r.back(43, 41, first, keys...)
		r.follow(20 * time.Minute)
		for _, key := range keys {
			if !strings.Contains(r.comment(key), "rolled back") || r.link(key).Title != "production: webshop#43 rolled back" {
				t.Errorf("%+v: %q", f, r.comment(key))
			}
		}
	}
}

// While Jira is away for an hour, thirty releases of two hundred issues cost two
// writes for each issue afterwards, and the executions say that something waits.
func TestAnHourWithoutJira(t *testing.T) {
	r := newReleases(t)
	r.panel = false
	keys := r.open(200)
	r.jira.Faults.Set(fault.Fault{Status: 503})
	for n := range 30 {
		r.release(n+1, true, keys...)
		r.follow(2 * time.Minute)
	}
	if n := r.executions[id(30)].Notes; len(n) != 1 || n[0].State != "waiting" || n[0].Text != "Jira is away; its issues are brought up to date as soon as it answers" {
		t.Errorf("while it is away: %+v", n)
	}
	if n := r.executions[id(1)].Notes; len(n) != 1 || !strings.HasPrefix(n[0].Text, "later news of its issues") {
		t.Errorf("on the first: %+v", n)
	}
	r.jira.Faults.Set()
	before := len(r.jira.Calls())
	r.follow(90 * time.Second)
	for _, key := range keys {
		if !strings.Contains(r.comment(key), "webshop#30") || !strings.Contains(r.link(key).Title, "webshop#30") {
			t.Fatalf("%s: %q", key, r.comment(key))
		}
	}
	if n := len(r.jira.Calls()) - before; n > 2*len(keys)+2 {
		t.Errorf("%d calls for %d issues", n, len(keys))
	}
	for n := 1; n <= 30; n += 29 {
		if notes := r.executions[id(n)].Notes; len(notes) > 0 && notes[0].State != "done" {
			t.Errorf("afterwards on #%d: %+v", n, notes)
		}
	}
}

// An issue that Jira refuses keeps up no other one, is written to once that is
// mended, and is said on the execution; one that is gone is left alone.
func TestRefusedIssues(t *testing.T) {
	r := newReleases(t)
	keys := r.open(3)
	r.jira.Delete(keys[1])
	r.jira.Faults.Set(fault.Fault{Match: "POST /rest/api/2/issue/" + keys[0] + "/comment", Status: 403, Body: `{"errorMessages":["You do not have the permission to comment on this issue."]}`})
	e := r.release(42, true, keys...)
	r.follow(2 * time.Minute)
	if !strings.Contains(r.comment(keys[2]), "webshop#42") || r.link(keys[0]).Title == "" {
		t.Error("the others wait")
	}
	if len(e.Notes) != 1 || e.Notes[0].State != "waiting" || !strings.Contains(e.Notes[0].Text, keys[0]+": Jira answers 403: You do not have the permission") {
		t.Errorf("%+v", e.Notes)
	}
	r.jira.Faults.Set()
	r.follow(10 * time.Minute)
	if r.comment(keys[0]) == "" || e.Notes[0].State != "done" {
		t.Errorf("mended: %+v", e.Notes)
	}
	r.jira.Faults.Set(fault.Fault{Match: "POST /rest/api/2/issue/" + keys[0] + "/remotelink", Status: 403}, fault.Fault{Match: "PUT /rest/api/2/issue/" + keys[0] + "/comment", Status: 403})
	e = r.release(43, true, keys[0])
	r.follow(26 * time.Hour)
	if len(e.Notes) != 1 || e.Notes[0].State != "refused" || len(r.memos["queue/webshop"]) != 0 {
		t.Errorf("never mended: %+v, %s", e.Notes, r.memos["queue/webshop"])
	}
	r.jira.RefuseDeployments("Environment is blocked")
	r.jira.Faults.Set()
	e = r.release(44, true, keys[0])
	r.follow(time.Minute)
	if len(e.Notes) != 1 || !strings.Contains(e.Notes[0].Text, "do not take webshop#44") || !strings.Contains(e.Notes[0].Text, "Environment is blocked") {
		t.Errorf("the panel refuses: %+v", e.Notes)
	}
}

// What is not known yet is looked at again; what nobody can know any more is left;
// what happened weeks ago is no news; a failure before the deployment is none.
func TestWhatIsNotWrittenToIssues(t *testing.T) {
	r := newReleases(t)
	keys := r.open(2)
	e := r.release(42, true, keys[0])
	r.brings[e.ID] = Brought{Come: issues(keys[0]), Why: "GitHub is away"}
	r.follow(time.Minute)
	r.brings[e.ID] = Brought{Come: issues(keys...)}
	r.follow(3 * time.Minute)
	if r.comment(keys[1]) == "" || len(r.jira.Deployments()) != 1 || len(r.jira.Deployments()[0].Issues) != 2 {
		t.Errorf("known later: %+v", r.jira.Deployments())
	}
	rejected := r.start(43)
	r.brings[rejected.ID] = Brought{Come: issues(keys...)}
	rejected.Stages[0].Actions = []workflows.ActionExecution{{Name: "SignOff", Status: workflows.StatusFailed, Approval: &workflows.Approval{Closed: "rejected"}}}
	rejected.Stages[0].Status = workflows.StatusFailed
	at := r.now()
	rejected.Stages[0].Since = &at
	r.commit(event.Event{Kind: event.StageFailed, Execution: rejected.ID, Stage: "Production"})
	gone := r.release(44, true, keys...)
	delete(r.brings, gone.ID)
	r.follow(time.Minute)
	r.release(45, true, keys...)
	r.pass(newsFor + time.Hour)
	r.follow(time.Minute)
	for _, key := range keys {
		if got := r.comment(key); !strings.Contains(got, "webshop#42") {
			t.Errorf("%q", got)
		}
	}
}

// Several pipelines that deploy an issue to one environment share its link and
// comment; a comment that somebody deleted is made anew with the next change.
func TestPipelinesShareIssues(t *testing.T) {
	r := newReleases(t)
	keys := r.open(1)
	r.release(42, true, keys...)
	r.follow(time.Minute)
	r.pipeline.Name = "billing"
	r.release(7, true, keys...)
	r.follow(time.Minute)
	if got := r.comment(keys[0]); strings.Count(got, "\n") != 3 || !strings.Contains(got, "\nbilling: in production") || !strings.Contains(got, "\nwebshop: in production") {
		t.Errorf("%q", got)
	}
	if l := r.link(keys[0]); l.Title != "production: billing#7 deployed" || !strings.Contains(l.Summary, "webshop#42") {
		t.Errorf("%+v", l)
	}
}

// Issues move to the status and get the fix version that the pipeline names, once:
// who moves one back is left alone. A rollback moves nothing.
func TestStatusAndFixVersion(t *testing.T) {
	r := newReleases(t)
	r.pipeline.Jira = &workflows.Released{Status: "Done", FixVersion: "{pipeline} 1.{number}"}
	keys := r.open(2)
	first := r.release(42, true, keys...)
	r.follow(time.Minute)
	for _, key := range keys {
		if i, _ := r.jira.Issue(key); i.Status != "Done" || !slices.Equal(r.jira.FixVersions(key), []string{"webshop 1.42"}) {
			t.Errorf("%s is %s in %v", key, i.Status, r.jira.FixVersions(key))
		}
	}
	if n := len(slices.DeleteFunc(r.jira.Calls(), func(c string) bool { return c != "POST /rest/api/2/version" })); n != 1 {
		t.Errorf("the version is made %d times", n)
	}
	moves := func() int {
		return len(slices.DeleteFunc(r.jira.Calls(), func(c string) bool {
			return !strings.HasSuffix(c, "/transitions") || !strings.HasPrefix(c, http.MethodPost)
		}))
	}
	before := moves()
	r.jira.Forbid("ADMINISTER_PROJECTS")
	r.back(43, 41, first, keys...)
	r.follow(time.Minute)
	again := r.release(44, true, keys[0])
	r.follow(time.Minute)
	if moves() != before || len(r.jira.FixVersions(keys[0])) != 1 || len(again.Notes) != 0 {
		t.Errorf("%d moves, versions %v, notes %+v", moves()-before, r.jira.FixVersions(keys[0]), again.Notes)
	}
}
