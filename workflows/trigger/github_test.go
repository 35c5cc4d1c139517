package trigger_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
)

// waits adds triggers by events of GitHub.
func waits(p *workflows.Pipeline, triggers ...workflows.Trigger) *workflows.Pipeline {
	for _, t := range triggers {
		if t.SourceActionName == "" {
			t.SourceActionName = "App"
		}
		p.Triggers = append(p.Triggers, t)
	}
	return p
}

func ran(change func(*trigger.Event)) trigger.Event {
	return with(trigger.Event{Provider: "GitHub", Kind: "workflow_run", Repository: "acme/webshop", Branch: "main", Workflow: []string{"CI", ".github/workflows/ci.yml"}, Conclusion: "success", Cause: "push"}, change)
}

func onGitHub(kind string, change func(*trigger.Event)) trigger.Event {
	return with(trigger.Event{Provider: "GitHub", Kind: kind, Repository: "acme/webshop"}, change)
}

func same(*trigger.Event) {}

func TestEventsOfGitHub(t *testing.T) {
	yes, no := true, false
	released := func(f workflows.GitFilter) *workflows.Pipeline {
		return waits(pipeline(), workflows.Trigger{Release: &f})
	}
	after := func(f workflows.GitFilter) *workflows.Pipeline {
		return waits(pipeline(), workflows.Trigger{WorkflowRun: &f})
	}
	deployed := func(f workflows.GitFilter) *workflows.Pipeline {
		return waits(pipeline(), workflows.Trigger{Deployment: &f})
	}
	queue := waits(pipeline(), workflows.Trigger{MergeGroup: &workflows.GitFilter{Branches: includes("main")}})
	dispatching := after(workflows.GitFilter{})
	dispatching.Stages[1].Actions = append(dispatching.Stages[1].Actions, workflows.Action{Name: "Ship", ActionType: workflows.ActionType{Provider: "GitHubWorkflow"}, Configuration: map[string]string{"Workflow": "ci.yml"}})
	v1 := onGitHub("release", func(e *trigger.Event) { e.Tag = "v1" })
	rc := onGitHub("release", func(e *trigger.Event) { e.Tag, e.Prerelease = "v1", true })
	staging := onGitHub("deployment", func(e *trigger.Event) { e.Branch, e.Environment = "main", "staging" })
	queued := "gh-readonly-queue/main/pr-7-4b1c"

	for _, c := range []struct {
		about string
		p     *workflows.Pipeline
		e     trigger.Event
		want  bool
		why   string
	}{
		{"any release", released(workflows.GitFilter{}), v1, true, "release v1"},
		{"a tag that fits", released(workflows.GitFilter{Tags: includes("v*")}), v1, true, "release v1"},
		{"another tag", released(workflows.GitFilter{Tags: includes("w*")}), v1, false, "tag v1 does not match"},
		{"no prereleases", released(workflows.GitFilter{Prerelease: &no}), rc, false, "it is a prerelease"},
		{"only prereleases", released(workflows.GitFilter{Prerelease: &yes}), v1, false, "it is no prerelease"},
		{"a prerelease", released(workflows.GitFilter{Prerelease: &yes}), rc, true, "release v1"},
		{"who waits for releases does not start on pushes", released(workflows.GitFilter{}), push("main"), false, "App starts on releases only, this is push to main"},
		{"nor on other events", released(workflows.GitFilter{}), staging, false, "no trigger of App is for deployments"},
		{"a push besides", waits(pipeline(pushes(workflows.GitFilter{Branches: includes("main")})), workflows.Trigger{Release: &workflows.GitFilter{}}), push("main"), true, "push to main"},
		{"a trigger of another source", waits(pipeline(), workflows.Trigger{Release: &workflows.GitFilter{}, SourceActionName: "Lib"}), push("main"), true, "push to main"},
		{"nobody waits", pipeline(), v1, false, "no trigger of App is for releases"},

		{"a run that succeeded", after(workflows.GitFilter{}), ran(same), true, "workflow run CI on main"},
		{"a run that failed", after(workflows.GitFilter{}), ran(func(e *trigger.Event) { e.Conclusion = "failure" }), false, "the filter is for success, the run ended in failure"},
		{"a failure that is waited for", after(workflows.GitFilter{Conclusions: []string{"failure", "timed_out"}}), ran(func(e *trigger.Event) { e.Conclusion = "failure" }), true, "workflow run CI on main"},
		{"by the file's name", after(workflows.GitFilter{Workflows: includes(".github/workflows/ci.*")}), ran(same), true, "workflow run CI on main"},
		{"another workflow", after(workflows.GitFilter{Workflows: includes("Lint")}), ran(same), false, "workflow CI does not match"},
		{"an excluded workflow, whose file is not", after(workflows.GitFilter{Workflows: excludes("CI")}), ran(same), false, "workflow CI does not match"},
		{"another branch", after(workflows.GitFilter{Branches: includes("main")}), ran(func(e *trigger.Event) { e.Branch = "dev" }), false, "branch dev does not match"},
		{"started by something else", after(workflows.GitFilter{Events: []string{"push"}}), ran(func(e *trigger.Event) { e.Cause = "schedule" }), false, "the filter is for runs by push, this one is by schedule"},
		{"a fork's branch main", after(workflows.GitFilter{Branches: includes("main")}), ran(forked), false, "it comes from a fork, whose code is not run here"},
		{"on a branch of the merge queue", after(workflows.GitFilter{}), ran(func(e *trigger.Event) { e.Branch = queued }), false, "it is a branch of the merge queue, and no pattern begins with gh-readonly-queue/"},
		{"a run that the pipeline dispatched", dispatching, ran(func(e *trigger.Event) { e.Cause = "workflow_dispatch" }), false, "the action Ship of this pipeline dispatches that workflow"},
		{"a run of that workflow by a push", dispatching, ran(same), true, "workflow run CI on main"},

		{"any deployment", deployed(workflows.GitFilter{}), staging, true, "deployment of main to staging"},
		{"another environment", deployed(workflows.GitFilter{Environments: includes("prod*")}), staging, false, "environment staging does not match"},
		{"another ref", deployed(workflows.GitFilter{Refs: includes("release/*")}), staging, false, "ref main does not match"},

		{"a merge group", queue, onGitHub("merge_group", func(e *trigger.Event) { e.Branch = "main" }), true, "merge group for main"},
		{"of another branch", queue, onGitHub("merge_group", func(e *trigger.Event) { e.Branch = "dev" }), false, "branch dev does not match"},

		{"the queue's branch and any push", pipeline(pushes(workflows.GitFilter{})), push(queued), false, "it is a branch of the merge queue, and no pattern begins with gh-readonly-queue/"},
		{"and every branch", pipeline(pushes(workflows.GitFilter{Branches: includes("**")})), push(queued), false, "it is a branch of the merge queue, and no pattern begins with gh-readonly-queue/"},
		{"and all but one", pipeline(pushes(workflows.GitFilter{Branches: excludes("dev")})), push(queued), false, "it is a branch of the merge queue, and no pattern begins with gh-readonly-queue/"},
		{"and a pattern that names it", pipeline(pushes(workflows.GitFilter{Branches: includes("main", "gh-readonly-queue/main/**")})), push(queued), true, "push to " + queued},
		{"and one that names another", pipeline(pushes(workflows.GitFilter{Branches: includes("**", "gh-readonly-queue/dev/**")})), push(queued), false, "it is a branch of the merge queue, and no pattern begins with gh-readonly-queue/"},
	} {
		t.Run(c.about, func(t *testing.T) {
			_, ok, why := trigger.Match(c.p, c.e)
			if ok != c.want || why != c.why {
				t.Errorf("got %v, %q; want %v, %q", ok, why, c.want, c.why)
			}
		})
	}
}

// The first trigger that fits says with which variables an event starts a pipeline.
func TestVariablesOfEventsOfGitHub(t *testing.T) {
	p := waits(pipeline(),
		workflows.Trigger{Release: &workflows.GitFilter{Tags: includes("w*")}, Variables: map[string]string{"TAG": "w"}},
		workflows.Trigger{Release: &workflows.GitFilter{Tags: includes("v*")}, Variables: map[string]string{"TAG": "$.release.tag_name", "ZONE": "eu"}})
	for payload, want := range map[string]string{
		`{"release":{"tag_name":"v1"}}`: "map[TAG:v1 ZONE:eu] ",
		`{"release":{}}`:                "map[] for the variable TAG the event has nothing at $.release.tag_name",
	} {
		doc, err := document.Read([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		e := onGitHub("release", func(e *trigger.Event) { e.Tag = "v1" })
		variables, why := trigger.Variables(p, "App", e, doc)
		if got := fmt.Sprint(variables, " ", why); got != want {
			t.Errorf("%s: %s, want %s", payload, got, want)
		}
	}
	if !trigger.Listens(p, onGitHub("release", same)) || trigger.Listens(p, ran(same)) || trigger.Listens(pipeline(), onGitHub("release", same)) {
		t.Error("who listens to what")
	}
}
