package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// runPad is a workspace of a task.
type runPad struct {
	work.Workspace
	dir string
}

func (d runPad) Dir() string     { return d.dir }
func (d runPad) LogFile() string { return filepath.Join(d.dir, "log") }
func (d runPad) Log() (io.WriteCloser, error) {
	return os.OpenFile(d.LogFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

func (d runPad) logged(t *testing.T) string {
	text, err := os.ReadFile(d.LogFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// jotter keeps memos.
type jotter struct {
	mu   sync.Mutex
	all  map[string]string
	fail error
}

func (j *jotter) Memo(_ context.Context, key string) ([]byte, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	v, ok := j.all[key]
	return []byte(v), ok, j.fail
}

func (j *jotter) Note(_ context.Context, key string, value []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail == nil {
		j.all[key] = string(value)
	}
	return j.fail
}

// runs is a world with workflows, and what the engine does with a runner in it.
type runs struct {
	t       *testing.T
	hub     *githubfake.Server
	notes   *jotter
	restart bool // a new process for every call
	app     *api.App
	now     *Runner
	dirs    map[string]runPad
}

func newRuns(t *testing.T, all ...githubfake.Workflow) *runs {
	w := &runs{t: t, hub: githubfake.New(githubfake.Options{Token: "t0k"}), notes: &jotter{all: map[string]string{}}, dirs: map[string]runPad{}}
	w.hub.Actions.SetWorkflows(all...)
	return w
}

func (w *runs) runner() *Runner {
	if w.now == nil || w.restart {
		o := Options{APIURL: "http://api.github.test/", Token: "t0k", Notes: func() api.Notes { return w.notes }, Transport: wirefake.Direct(w.hub), Log: slog.New(slog.DiscardHandler)}
		if w.app != nil {
			o.Token, o.App = "", w.app
		}
		r, err := NewRunner(o)
		if err != nil {
			w.t.Fatal(err)
		}
		w.now = r
	}
	return w.now
}

func (w *runs) pad(task string) runPad {
	if _, ok := w.dirs[task]; !ok {
		w.dirs[task] = runPad{dir: w.t.TempDir()}
	}
	return w.dirs[task]
}

func deploy() githubfake.Workflow {
	return githubfake.Workflow{Repository: "acme/webshop", File: "deploy.yml", Manual: true, Inputs: []string{"environment", "sha", "rollcall"}, Takes: time.Minute}
}

func deployTask(id string, settings ...string) work.Task {
	t := work.Task{ID: id, Kind: work.Start, Pipeline: "webshop", Execution: "e", Stage: "Production", Attempt: 1,
		Action:        workflows.Action{Name: "Deploy", ActionType: workflows.ActionType{Category: "Deploy", Owner: "Rollcall", Provider: "GitHubWorkflow"}},
		Configuration: map[string]string{"FullRepositoryId": "acme/webshop", "Workflow": "deploy.yml", "Ref": "main", "Inputs": `{"environment": "production"}`}}
	for i := 0; i+1 < len(settings); i += 2 {
		t.Configuration[settings[i]] = settings[i+1]
	}
	return t
}

// start does what the engine does until a start has an outcome.
func (w *runs) start(t work.Task) work.Outcome {
	w.t.Helper()
	ctx := w.t.Context()
	o, err := w.runner().Start(ctx, t, w.pad(t.ID))
	for tries := 0; err != nil; tries++ {
		if tries > 100 {
			w.t.Fatalf("no outcome of the start: %v", err)
		}
		time.Sleep(min(time.Second<<min(tries, 5), 30*time.Second))
		var ok bool
		if o, ok, err = w.runner().Find(ctx, t, w.pad(t.ID)); err == nil && !ok {
			o, err = w.runner().Start(ctx, t, w.pad(t.ID))
		}
	}
	return o
}

// run is start, and then polls until there is an end.
func (w *runs) run(t work.Task) work.Outcome {
	w.t.Helper()
	return w.follow(t, w.start(t))
}

func (w *runs) follow(t work.Task, o work.Outcome) work.Outcome {
	w.t.Helper()
	t.Kind = work.Poll
	for tries := 0; o.State == work.Running; tries++ {
		if tries > 1000 {
			w.t.Fatalf("it never ends: %+v", o)
		}
		t.Handle = o.Handle
		time.Sleep(max(o.PollAfter, time.Second))
		next, err := w.runner().Poll(w.t.Context(), t, w.pad(t.ID))
		if err == nil {
			o = next
		}
	}
	return o
}

// stop is what the engine does with an action that is to be cancelled.
func (w *runs) stop(t work.Task) (o work.Outcome, took time.Duration) {
	w.t.Helper()
	t.Kind = work.Cancel
	began := time.Now()
	for tries := 0; tries < 200; tries++ {
		got, err := w.runner().Cancel(w.t.Context(), t, w.pad(t.ID))
		if err == nil && got.State != work.Running {
			return got, time.Since(began)
		}
		time.Sleep(3 * time.Second)
	}
	w.t.Fatal("the cancel never ends")
	return o, 0
}

func inRuns(t *testing.T, f func(w *runs), all ...githubfake.Workflow) {
	t.Helper()
	if all == nil {
		all = []githubfake.Workflow{deploy()}
	}
	synctest.Test(t, func(t *testing.T) { f(newRuns(t, all...)) })
}

func TestAWorkflowIsDispatchedAndFollowed(t *testing.T) {
	inRuns(t, func(w *runs) {
		task := deployTask("t1", "Inputs", `{"environment": "production", "sha": "abc", "rollcall": true}`)
		o := w.start(task)
		if o.State != work.Running || o.Handle != "7000000001" || o.ExternalURL != "https://github.com/acme/webshop/actions/runs/7000000001" || o.ExternalID != o.Handle || o.Summary == "" {
			t.Errorf("started as %+v", o)
		}
		run := w.hub.Actions.Runs()[0]
		if run.Ref != "main" || !maps.Equal(run.Inputs, map[string]string{"environment": "production", "sha": "abc", "rollcall": "true"}) {
			t.Errorf("dispatched as %+v", run)
		}
		o = w.follow(task, o)
		want := map[string]string{"RunId": "7000000001", "RunNumber": "1", "RunUrl": o.ExternalURL, "Conclusion": "success", "CommitId": strings.Repeat("ab", 20), "BranchName": "main"}
		if o.State != work.Succeeded || !maps.Equal(o.Outputs, want) || o.EndedAt.IsZero() {
			t.Errorf("ended as %+v, outputs %v", o, o.Outputs)
		}
		if log := w.pad("t1").logged(t); !strings.Contains(log, o.ExternalURL) {
			t.Errorf("the log has no link: %s", log)
		}
	})
}

// GitHub starts a workflow at the end of a branch: where that is not what the
// execution brings, people must see it.
func TestTheRunIsOnAnotherCommit(t *testing.T) {
	inRuns(t, func(w *runs) {
		task := deployTask("t1", "Ref", "")
		task.Revision = &workflows.SourceRevision{RevisionID: strings.Repeat("0c", 20), Branch: "release"}
		w.hub.Actions.SetHead("acme/webshop", "release", strings.Repeat("0d", 20))
		o := w.run(task)
		if w.hub.Actions.Runs()[0].Ref != "release" || !strings.Contains(o.Summary, "ran on 0d0d0d0, the execution brings 0c0c0c0") || !strings.Contains(w.pad("t1").logged(t), "check it out") {
			t.Errorf("%+v\n%s", o, w.pad("t1").logged(t))
		}
	})
}

func TestSettingsThatCannotWork(t *testing.T) {
	inRuns(t, func(w *runs) {
		for i, c := range []struct {
			key, value, says string
		}{
			{"FullRepositoryId", "acme/../user", "is not a repository"},
			{"FullRepositoryId", "webshop", "owner/name is wanted"},
			{"Workflow", "../x.yml", "give the name of its file"},
			{"Workflow", "deploy", "give the name of its file"},
			{"Workflow", "-5", "give the name of its file"},
			{"Ref", strings.Repeat("a1", 20), "GitHub starts workflows on a branch or a tag only"},
			{"Ref", "", "set Ref to a branch or a tag"},
			{"Ref", "a b", "no branch and no tag"},
			{"Inputs", `["a"]`, "no JSON object"},
			{"Inputs", `{"a":1}{}`, "no JSON object"},
			{"Inputs", `{"a":{}}`, `the input "a"`},
			{"Inputs", `{"rollcall":"x"}`, ""},
			{"CancelOnStop", "never", "true or false"},
			{"CorrelationInput", "environment", "CorrelationInput too"},
		} {
			o := w.start(deployTask(fmt.Sprint("t", i), c.key, c.value))
			if c.says == "" {
				continue
			}
			if o.State != work.Failed || o.Error.Code != "ConfigurationInvalid" || !strings.Contains(o.Error.Message, c.says) {
				t.Errorf("%s %q: %+v", c.key, c.value, o.Error)
			}
		}
		if n := len(w.hub.Actions.Runs()); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestWhatGitHubRefuses(t *testing.T) {
	for _, c := range []struct {
		what         string
		change       func(one *githubfake.Workflow)
		deny         bool
		settings     []string
		code, class  string
		message, fix string
	}{
		{"no such file", nil, false, []string{"Workflow", "other.yml"}, "ConfigurationInvalid", "NotFound", "404", ".github/workflows"},
		{"no permission", nil, true, nil, "AccessDenied", "AccessDenied", "not accessible", "Actions: read and write"},
		{"not by hand", func(one *githubfake.Workflow) { one.Manual = false }, false, nil, "ConfigurationInvalid", "Validation", "workflow_dispatch", "add workflow_dispatch"},
		{"disabled", func(one *githubfake.Workflow) { one.Disabled = true }, false, nil, "ConfigurationInvalid", "Validation", "disabled", "enable the workflow"},
		{"no such ref", func(one *githubfake.Workflow) { one.Refs = []string{"dev"} }, false, nil, "ConfigurationInvalid", "NotFound", "No ref found", "set Ref"},
		{"unknown input", func(one *githubfake.Workflow) { one.Inputs = nil }, false, nil, "ConfigurationInvalid", "Validation", "Unexpected inputs", "compare Inputs"},
		{"missing input", func(one *githubfake.Workflow) { one.Required = []string{"sha"} }, false, nil, "ConfigurationInvalid", "Validation", "Required input", "compare Inputs"},
	} {
		one := deploy()
		if c.change != nil {
			c.change(&one)
		}
		inRuns(t, func(w *runs) {
			w.hub.Actions.Deny(c.deny)
			o := w.start(deployTask("t1", c.settings...))
			if o.State != work.Failed || o.Error.Code != c.code || !strings.Contains(o.Error.Message, c.message) || o.Error.Finding == nil || o.Error.Finding.Class != c.class || !strings.Contains(strings.Join(o.Error.Finding.Fix, " "), c.fix) {
				t.Errorf("%s: %+v, %+v", c.what, o.Error, o.Error.Finding)
			}
			if len(w.hub.Actions.Runs()) != 0 {
				t.Errorf("%s: it ran", c.what)
			}
		}, one)
	}
}

func TestAFailedRunSaysWhere(t *testing.T) {
	one := deploy()
	one.Conclusion = "failure"
	one.Jobs = []githubfake.Job{
		{Name: "build", Conclusion: "success"},
		{Name: "deploy (eu)", Steps: []githubfake.Step{{Name: "checkout"}, {Name: "terraform apply", Conclusion: "failure"}, {Name: "post", Conclusion: "skipped"}},
			Log: "2026-11-30T10:00:00.1234567Z ##[group]Run terraform\n2026-11-30T10:00:01.1Z \x1b[31mError:\x1b[0m  no quota\n2026-11-30T10:00:01.2Z ##[error]Process completed with exit code 1.\n2026-11-30T10:00:02.2Z Post job cleanup.\n"},
	}
	inRuns(t, func(w *runs) {
		o := w.run(deployTask("t1"))
		f := o.Error.Finding
		if o.State != work.Failed || o.Error.Code != "ActionFailed" || o.Error.Message != "deploy.yml #1 failed: job deploy (eu), step terraform apply" || f == nil || f.Class != "CommandFailed" {
			t.Fatalf("%+v %+v", o.Error, f)
		}
		if len(f.Links) != 2 || f.Links[0].URL != o.ExternalURL+"/job/700000000101" || len(f.Evidence) != 1 || !strings.HasSuffix(f.Evidence[0].Text, "Error:  no quota\nProcess completed with exit code 1.") || f.Evidence[0].From != "GitHub Actions job deploy (eu), step terraform apply" {
			t.Errorf("%+v", f)
		}
		log := w.pad("t1").logged(t)
		if !strings.Contains(log, "\nError:  no quota\nProcess completed with exit code 1.\n") || strings.Contains(log, "Post job") || strings.Contains(log, "secret-of-the-log") {
			t.Errorf("the log is\n%s", log)
		}
	}, one)
	for conclusion, says := range map[string]string{"cancelled": "was cancelled on GitHub", "timed_out": "time limit", "startup_failure": "could not start", "action_required": "needs an approval", "skipped": "did nothing", "stale": "given up", "something new": "failed"} {
		one := deploy()
		one.Conclusion = conclusion
		inRuns(t, func(w *runs) {
			if o := w.run(deployTask("t1")); o.State != work.Failed || !strings.Contains(o.Error.Message, says) || o.Error.Finding == nil || len(o.Error.Finding.Links) != 1 {
				t.Errorf("%s: %+v", conclusion, o.Error)
			}
		}, one)
	}
}

// Each fault that a call can have, at each call, once with the same process and once
// with a new one for every call: one run, and what passes fails nothing.
func TestWorkflowMatrix(t *testing.T) {
	const at = "/repos/acme/webshop/actions/"
	calls := []string{"POST " + at + "workflows/deploy.yml/dispatches", "GET " + at + "runs/", "GET " + at + "workflows/deploy.yml/runs", "GET /user"}
	limited := `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
	faults := map[string]fault.Fault{
		"500": {Status: 500, Body: `{"message":"Server Error"}`}, "502": {Status: 502}, "500 after": {Status: 500, After: true}, "503": {Status: 503, RetryAfter: 20 * time.Second}, "429": {Status: 429, RetryAfter: 20 * time.Second},
		"limited": {Status: 403, RetryAfter: 20 * time.Second, Body: limited}, "401": {Status: 401, Body: `{"message":"Bad credentials"}`},
		"cut before": {Cut: true}, "cut after": {Cut: true, After: true}, "no answer": {Hang: true, After: true},
	}
	for _, correlated := range []bool{false, true} {
		for _, old := range []bool{false, true} {
			for _, restart := range []bool{false, true} {
				for _, call := range calls {
					for name, f := range faults {
						t.Run(fmt.Sprintf("%s %s old=%v correlated=%v restart=%v", call, name, old, correlated, restart), func(t *testing.T) {
							one := deploy()
							one.Shows = "rollcall"
							inRuns(t, func(w *runs) {
								f.Match, f.Times, w.restart = call, 4, restart // more than the transport repeats
								w.hub.Actions.SetServer(old, 5*time.Second)
								w.hub.Faults.Set(f)
								task := deployTask("t1")
								if correlated {
									task.Configuration["CorrelationInput"] = "rollcall"
								}
								o := w.run(task)
								if n := len(w.hub.Actions.Runs()); o.State != work.Succeeded || n != 1 {
									t.Errorf("%d runs, ended as %+v %+v", n, o, o.Error)
								}
							}, one)
						})
					}
				}
			}
		}
	}
}

// Somebody else's run is never taken for ours, and of two that may be ours neither is.
func TestARunThatIsNotKnownIsInDoubt(t *testing.T) {
	cut := func(w *runs, after bool) {
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/actions/workflows/deploy.yml/dispatches", Times: 1, Cut: true, After: after})
	}
	quiet := func(w *runs) { // an old server, which lists late and has no accounts
		w.hub.Actions.SetServer(true, 10*time.Second)
		w.hub.Faults.Set(fault.Fault{Match: "GET /user", Status: 404})
	}
	other := func(actor string) githubfake.Run {
		return githubfake.Run{Repository: "acme/webshop", File: "deploy.yml", Ref: "main", Actor: actor, Title: "deploy.yml", Conclusion: "success"}
	}
	for name, c := range map[string]struct {
		given func(w *runs)
		state string
		runs  int
		says  string
	}{
		"another person's":               {func(w *runs) { cut(w, true); w.hub.Actions.AddRun(other("ana")) }, work.Succeeded, 2, ""},
		"another person's, ours is none": {func(w *runs) { cut(w, false); w.hub.Actions.AddRun(other("ana")) }, work.Succeeded, 2, ""},
		"ours by hand":                   {func(w *runs) { cut(w, true); w.hub.Actions.AddRun(other("rollcall-bot")) }, work.InDoubt, 2, "any of 2 runs"},
		"another branch's": {func(w *runs) {
			cut(w, true)
			r := other("rollcall-bot")
			r.Ref = "dev"
			w.hub.Actions.AddRun(r)
		}, work.Succeeded, 2, ""},
		"an earlier one": {func(w *runs) {
			r := other("rollcall-bot")
			r.CreatedAt = time.Now().Add(-time.Hour)
			w.hub.Actions.AddRun(r)
			cut(w, false)
		}, work.Succeeded, 2, ""},
		"another task's, which is known":       {func(w *runs) { w.start(deployTask("t0")); cut(w, false) }, work.Succeeded, 2, ""},
		"another task's, which is unaccounted": {func(w *runs) { w.startOnly("t0", true); cut(w, false) }, work.InDoubt, 1, "1 more dispatch"},
		"no account": {func(w *runs) {
			w.hub.Faults.Set(fault.Fault{Match: "GET /user", Status: 403}, fault.Fault{Match: "POST /repos/acme/webshop/actions/workflows/deploy.yml/dispatches", Times: 1, Cut: true, After: true})
		}, work.InDoubt, 1, "any of 1 runs"},
		"no account, but taken": {func(w *runs) { quiet(w) }, work.Succeeded, 1, ""},
		"no account, taken, another's just before": {func(w *runs) {
			quiet(w)
			r := other("ana")
			r.CreatedAt = time.Now().Add(-30 * time.Second)
			w.hub.Actions.AddRun(r)
		}, work.InDoubt, 2, "any of 2 runs"},
	} {
		t.Run(name, func(t *testing.T) {
			inRuns(t, func(w *runs) {
				c.given(w)
				o := w.run(deployTask("t1"))
				if n := len(w.hub.Actions.Runs()); o.State != c.state || n != c.runs || c.says != "" && !strings.Contains(o.Error.Message, c.says) {
					t.Errorf("%d runs, %+v %+v", n, o, o.Error)
				}
			})
			// With the input that a run shows there is no doubt.
			one := deploy()
			one.Shows = "rollcall"
			inRuns(t, func(w *runs) {
				c.given(w)
				o := w.run(deployTask("t1", "CorrelationInput", "rollcall"))
				if o.State != work.Succeeded && name != "another task's, which is unaccounted" {
					t.Errorf("correlated: %+v %+v", o, o.Error)
				}
				if ours := w.hub.Actions.Runs(); o.State == work.Succeeded && !slices.ContainsFunc(ours, func(r githubfake.Run) bool {
					return fmt.Sprint(r.ID) == o.ExternalID && r.Title == correlationToken("t1")
				}) {
					t.Errorf("correlated: it followed %s of %+v", o.ExternalID, ours)
				}
			}, one)
		})
	}
}

// startOnly starts a task whose answer is lost, and asks no further.
func (w *runs) startOnly(id string, after bool) {
	w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/actions/workflows/deploy.yml/dispatches", Times: 1, Cut: true, After: after})
	if _, err := w.runner().Start(w.t.Context(), deployTask(id), w.pad(id)); err == nil {
		w.t.Fatal("the answer was not lost")
	}
}

// Nothing is dispatched before it is noted that it may be.
func TestTheMarkerComesFirst(t *testing.T) {
	inRuns(t, func(w *runs) {
		w.notes.fail = errors.New("the disk is full")
		if o, err := w.runner().Start(w.t.Context(), deployTask("t1"), w.pad("t1")); err == nil || len(w.hub.Actions.Runs()) != 0 {
			t.Errorf("%+v, %d runs", o, len(w.hub.Actions.Runs()))
		}
		w.notes.fail = nil
		if _, ok, err := w.runner().Find(w.t.Context(), deployTask("t1"), w.pad("t1")); ok || err != nil {
			t.Errorf("found what never was: %v %v", ok, err)
		}
		if o := w.run(deployTask("t1")); o.State != work.Succeeded {
			t.Errorf("%+v", o)
		}
	})
}

func TestWorkflowsAreCancelled(t *testing.T) {
	for _, c := range []struct {
		name     string
		stubborn bool
		settings []string
		handle   bool // the start's answer was saved
		ended    string
		state    string
		within   time.Duration
		goesOn   bool
	}{
		{"at once", false, nil, true, "", work.Cancelled, 10 * time.Second, false},
		{"by force", true, nil, true, "", work.Cancelled, forceAfter + 10*time.Second, false},
		{"not at all", false, []string{"CancelOnStop", "false"}, true, "", work.Cancelled, time.Second, true},
		{"without a handle", false, nil, false, "", work.Cancelled, 30 * time.Second, false},
		{"too late", false, nil, true, "success", work.Succeeded, time.Second, false},
		{"failed before", false, nil, true, "failure", work.Cancelled, time.Second, false},
	} {
		for _, restart := range []bool{false, true} {
			one := deploy()
			one.Takes, one.Stubborn = -1, c.stubborn
			inRuns(t, func(w *runs) {
				w.restart = restart
				task := deployTask("t1", c.settings...)
				o := w.start(task)
				if c.handle {
					task.Handle = o.Handle
				}
				if c.ended != "" {
					w.hub.Actions.End(7000000001, c.ended)
				}
				o, took := w.stop(task)
				run := w.hub.Actions.Runs()[0]
				if o.State != c.state || took > c.within || (run.Status != "completed") != c.goesOn {
					t.Errorf("%s: %+v after %s, the run is %s", c.name, o, took, run.Status)
				}
				if c.goesOn && (run.Cancelled || !strings.Contains(o.Summary, "goes on")) {
					t.Errorf("%s: %+v", c.name, o)
				}
			}, one)
		}
	}
}

func TestARunThatWasDeletedIsInDoubt(t *testing.T) {
	inRuns(t, func(w *runs) {
		task := deployTask("t1")
		o := w.start(task)
		w.hub.Actions.Delete(7000000001)
		if o = w.follow(task, o); o.State != work.InDoubt || !strings.Contains(o.Error.Message, "no longer shows run 7000000001") {
			t.Errorf("%+v %+v", o, o.Error)
		}
	})
}

// Two executions dispatch the same workflow at the same time, and each has its run,
// also where the server does not name it and an answer is lost.
func TestManyDispatchesOfOneWorkflow(t *testing.T) {
	one := deploy()
	one.Shows = "rollcall"
	inRuns(t, func(w *runs) {
		w.hub.Actions.SetServer(true, 10*time.Second)
		w.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/actions/workflows/deploy.yml/dispatches", Times: 3, Cut: true, After: true})
		var wait sync.WaitGroup
		var mu sync.Mutex
		followed := map[string]string{}
		w.runner()
		for i := range 8 {
			w.pad(fmt.Sprint("t", i))
		}
		for i := range 8 {
			task := deployTask(fmt.Sprint("t", i), "CorrelationInput", "rollcall")
			wait.Go(func() {
				o := w.run(task)
				mu.Lock()
				defer mu.Unlock()
				followed[task.ID] = o.State + " " + o.ExternalID
			})
		}
		wait.Wait()
		all := w.hub.Actions.Runs()
		if len(all) != 8 {
			t.Errorf("%d runs", len(all))
		}
		for i := range 8 {
			id := fmt.Sprint("t", i)
			if !slices.ContainsFunc(all, func(r githubfake.Run) bool {
				return r.Title == correlationToken(id) && followed[id] == fmt.Sprint("succeeded ", r.ID)
			}) {
				t.Errorf("%s followed %s", id, followed[id])
			}
		}
	}, one)
}

func FuzzReadDispatch(f *testing.F) {
	f.Add("acme/webshop", "deploy.yml", "main", `{"a":"b","n":1.50,"t":true}`)
	f.Add("acme/webshop", "123", "refs/tags/v1", `{"a":"b"`)
	f.Fuzz(func(t *testing.T, repository, workflow, ref, inputs string) {
		d, err := readDispatch(&work.Task{ID: "t", Configuration: map[string]string{"FullRepositoryId": repository, "Workflow": workflow, "Ref": ref, "Inputs": inputs}})
		if err != nil {
			return
		}
		path := d.owner + "/" + d.name + "/" + d.workflow
		if strings.Count(path, "/") != 2 || strings.Contains(path, "..") && strings.Contains("/"+path+"/", "/../") || strings.ContainsAny(path, "?#% \n") || d.ref == "" || len(d.inputs) > mostInputs {
			t.Errorf("%+v", d)
		}
	})
}

func TestWorkflowChecks(t *testing.T) {
	one, off := deploy(), deploy()
	one.Text, off.File, off.Disabled = "file", "off.yml", true
	hub := githubfake.New(githubfake.Options{Token: "t0k"})
	hub.Actions.SetWorkflows(one, off)
	o := Options{APIURL: "http://api.github.test/", Token: "t0k", Transport: wirefake.Direct(hub)}
	type file struct {
		manual bool
		inputs map[string]bool
	}
	says := file{true, map[string]bool{"environment": true, "sha": false}}
	for _, c := range []struct {
		settings []string
		says     file
		status   string
		message  string
	}{
		{nil, says, "ok", "can be started with these inputs"},
		{[]string{"Workflow", "1001"}, says, "ok", "can be started"},
		{[]string{"Inputs", `{"environment":"#{variables.x}","Sha":"1"}`}, says, "failed", "knows no input Sha; it knows environment, sha"},
		{[]string{"CorrelationInput", "rollcall"}, says, "failed", "knows no input rollcall"},
		{[]string{"Inputs", `{}`}, says, "failed", "needs the input environment"},
		{nil, file{}, "failed", "no workflow_dispatch"},
		{[]string{"Workflow", "off.yml"}, says, "failed", "disabled manually"},
		{[]string{"Workflow", "gone.yml"}, says, "failed", "cannot be read"},
		{[]string{"Workflow", "#{variables.w}"}, says, "skipped", "when it starts"},
	} {
		task := deployTask("t", c.settings...)
		a := task.Action
		a.Configuration = task.Configuration
		got := Checks(t.Context(), o, map[string]*workflows.Action{"shop: Prod/Deploy": &a}, func(text []byte) (bool, map[string]bool, error) {
			if string(text) != "file" {
				t.Errorf("the file is %q", text)
			}
			return c.says.manual, c.says.inputs, nil
		})
		if len(got) != 1 || got[0].About != "shop: Prod/Deploy" || string(got[0].Status) != c.status || !strings.Contains(got[0].Message, c.message) {
			t.Errorf("%v: %+v", c.settings, got)
		}
	}
}
