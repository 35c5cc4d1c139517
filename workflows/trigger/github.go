package trigger

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// queued is how the branches of GitHub's merge queue begin.
const queued = "gh-readonly-queue/"

const queuedOnly = "it is a branch of the merge queue, and no pattern begins with " + queued

func isQueued(branch string) bool { return strings.HasPrefix(branch, queued) }

// names says whether one of the patterns that begin with the prefix of the merge queue includes the branch.
func names(p *workflows.Patterns, branch string) bool {
	if p == nil {
		return false
	}
	named := slices.DeleteFunc(slices.Clone(p.Includes), func(include string) bool { return !isQueued(include) })
	return len(named) > 0 && (&workflows.Patterns{Includes: named}).Match(branch)
}

// IsGitHub says whether events of that kind have a trigger of their own.
func IsGitHub(kind string) bool {
	switch kind {
	case "release", "workflow_run", "deployment", "merge_group":
		return true
	}
	return false
}

// kinds names what triggers wait for, as sentences do.
func kinds(event string) string {
	return map[string]string{"release": "releases", "workflow_run": "workflow runs", "deployment": "deployments", "merge_group": "merge groups"}[event]
}

// waitsFor names the events of GitHub by which the source action starts the pipeline; empty: none.
func waitsFor(p *workflows.Pipeline, a *workflows.Action) string {
	var all []string
	for i := range p.Triggers {
		if event, filter := p.Triggers[i].OnGitHub(); filter != nil && p.Triggers[i].SourceActionName == a.Name && !slices.Contains(all, kinds(event)) {
			all = append(all, kinds(event))
		}
	}
	return strings.Join(all, " and ")
}

// Listens says whether the pipeline has a trigger by such an event of GitHub about
// that repository, whether or not this one fits.
func Listens(p *workflows.Pipeline, e Event) bool {
	for a := range sources(p) {
		if reads(a, e) && slices.ContainsFunc(p.Triggers, func(t workflows.Trigger) bool {
			event, _ := t.OnGitHub()
			return event == e.Kind && t.SourceActionName == a.Name
		}) {
			return true
		}
	}
	return false
}

// Variables are those with which an event of GitHub starts the pipeline, which
// [Match] says it does by that source action; doc is its payload, as
// [document.Read] returns it. why says why it does not start all the same.
func Variables(p *workflows.Pipeline, sourceAction string, e Event, doc any) (variables map[string]string, why string) {
	for a := range sources(p) {
		if a.Name != sourceAction || !IsGitHub(e.Kind) {
			continue
		}
		if t, ok, _ := byGitHub(p, a, e); ok {
			return variablesOf(t.Variables, doc)
		}
	}
	return nil, ""
}

// byGitHub returns the first trigger of the source action that the event fits, or why none does.
func byGitHub(p *workflows.Pipeline, a *workflows.Action, e Event) (*workflows.Trigger, bool, string) {
	var faults []string
	for i := range p.Triggers {
		t := &p.Triggers[i]
		if event, filter := t.OnGitHub(); event == e.Kind && t.SourceActionName == a.Name {
			fault := unfit(filter, e)
			if fault == "" {
				fault = itself(p, e)
			}
			if fault == "" {
				return t, true, what(e)
			}
			if !slices.Contains(faults, fault) {
				faults = append(faults, fault)
			}
		}
	}
	if faults == nil {
		return nil, false, fmt.Sprintf("no trigger of %s is for %s", a.Name, kinds(e.Kind))
	}
	return nil, false, strings.Join(faults, ", ")
}

// itself refuses the run of a workflow that the pipeline dispatches, and a deployment by one: it would go round for ever.
func itself(p *workflows.Pipeline, e Event) string {
	if e.Cause != "workflow_dispatch" {
		return ""
	}
	for i := range p.Stages {
		for _, a := range p.Stages[i].Actions {
			for _, key := range words.Keys(a.Configuration) {
				for _, name := range e.Workflow {
					if value := a.Configuration[key]; a.ActionType.Provider == "GitHubWorkflow" && (value == name || value == path.Base(name)) {
						return "the action " + a.Name + " of this pipeline dispatches that workflow"
					}
				}
			}
		}
	}
	return ""
}

// unfit returns why a filter does not match an event of its kind, or nothing.
func unfit(f *workflows.GitFilter, e Event) string {
	switch e.Kind {
	case "release":
		switch {
		case !f.Tags.Match(e.Tag):
			return "tag " + e.Tag + " does not match"
		case f.Prerelease != nil && *f.Prerelease != e.Prerelease:
			return map[bool]string{true: "it is a prerelease", false: "it is no prerelease"}[e.Prerelease]
		}
	case "workflow_run":
		return unfitRun(f, e)
	case "deployment":
		switch {
		case !f.Environments.Match(e.Environment):
			return "environment " + e.Environment + " does not match"
		case !f.Refs.Match(e.Branch):
			return "ref " + e.Branch + " does not match"
		}
	case "merge_group":
		if !f.Branches.Match(e.Branch) {
			return "branch " + e.Branch + " does not match"
		}
	}
	return ""
}

func unfitRun(f *workflows.GitFilter, e Event) string {
	wanted := f.Conclusions
	if len(wanted) == 0 {
		wanted = []string{"success"}
	}
	switch {
	case !matchesRun(f.Workflows, e.Workflow):
		return "workflow " + strings.Join(e.Workflow[:min(1, len(e.Workflow))], "") + " does not match"
	case isQueued(e.Branch) && !names(f.Branches, e.Branch):
		return queuedOnly
	case !f.Branches.Match(e.Branch):
		return "branch " + e.Branch + " does not match"
	case !slices.Contains(wanted, e.Conclusion):
		return fmt.Sprintf("the filter is for %s, the run ended in %s", strings.Join(wanted, ", "), e.Conclusion)
	case len(f.Events) > 0 && !slices.Contains(f.Events, e.Cause):
		return fmt.Sprintf("the filter is for runs by %s, this one is by %s", strings.Join(f.Events, ", "), e.Cause)
	}
	return ""
}

// matchesRun says whether a pattern includes the name of a workflow or the path of its file, and none excludes either.
func matchesRun(p *workflows.Patterns, workflow []string) bool {
	if p == nil {
		return true
	}
	for _, name := range workflow {
		if len(p.Excludes) > 0 && !(&workflows.Patterns{Excludes: p.Excludes}).Match(name) {
			return false
		}
	}
	return len(p.Includes) == 0 || (&workflows.Patterns{Includes: p.Includes}).Match(workflow...)
}

// whatOnGitHub names the event: "release v1", "workflow run CI on main", "deployment of main to staging", "merge group for main".
func whatOnGitHub(e Event) string {
	switch e.Kind {
	case "release":
		return "release " + e.Tag
	case "workflow_run":
		return "workflow run " + strings.Join(e.Workflow[:min(1, len(e.Workflow))], "") + " on " + e.Branch
	case "deployment":
		return "deployment of " + e.Branch + " to " + e.Environment
	}
	return "merge group for " + e.Branch
}
