package machine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// cloud is a pipeline in AWS CodePipeline, as far as a bridge sees it: Source fetches,
// Build makes, Production asks (SignOff) and deploys.
type cloud struct {
	at          time.Time
	mode        string
	version     int
	runs        []*workflows.Execution // oldest first
	waits       map[string]string      // a run's ID -> the stage it waits before
	transitions map[string]workflows.Transition
	tokens      int
}

func newCloud(at time.Time, mode string) *cloud {
	c := &cloud{at: at, mode: mode, version: 3, waits: map[string]string{}, transitions: map[string]workflows.Transition{}}
	for _, name := range cloudStages {
		c.transitions[name] = workflows.Transition{Enabled: true}
	}
	return c
}

var cloudStages = []string{"Source", "Build", "Production"}

// definition is what GetPipeline gives, with what the bridge adds.
func (c *cloud) definition(mode, outside string) *workflows.Pipeline {
	action := func(name, category, provider string, order int) workflows.Action {
		return workflows.Action{Name: name, ActionType: workflows.ActionType{Category: category, Owner: "AWS", Provider: provider, Version: "1"}, RunOrder: order}
	}
	sign := action("SignOff", "Approval", "Manual", 1)
	sign.Approval = &workflows.ApprovalPolicy{From: []string{"group:a"}, Required: 2, Comment: "optional"}
	stage := func(name string, actions ...workflows.Action) workflows.Stage {
		return workflows.Stage{Name: name, Actions: actions, Rollback: workflows.RollbackPolicy{Lock: "always", Eligible: "any", Approval: "require"}}
	}
	return &workflows.Pipeline{Name: "webshop", ExecutionMode: c.mode,
		Bridge: &workflows.Bridge{Name: "prod-eu", Account: "111122223333", Region: "eu-west-1", ARN: "arn:aws:codepipeline:eu-west-1:111122223333:webshop", Mode: mode, Type: "V2", Outside: outside},
		Stages: []workflows.Stage{stage("Source", action("App", "Source", "CodeStarSourceConnection", 1)), stage("Build", action("Make", "Build", "CodeBuild", 1)),
			stage("Production", sign, action("Deploy", "Deploy", "CodeDeploy", 2))}}
}

func (c *cloud) tick() *time.Time {
	c.at = c.at.Add(7 * time.Second)
	at := c.at
	return &at
}

func (c *cloud) run(id string) *workflows.Execution {
	for _, r := range c.runs {
		if r.ExternalID == id {
			return r
		}
	}
	return nil
}

// start begins a run, or a rollback of Production to target.
func (c *cloud) start(target string) *workflows.Execution {
	at := c.tick()
	n := len(c.runs) + 1
	r := &workflows.Execution{ExternalID: fmt.Sprintf("0000aaaa-1111-4222-8333-%012d", n), Version: c.version, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
		StartedAt: *at, UpdatedAt: *at, Trigger: workflows.StartedBy{Type: workflows.TriggerWebhook, By: workflows.Principal{ID: "aws:bob", Name: "bob", Via: "outside"}}}
	c.runs = append(c.runs, r)
	if target != "" {
		r.Type, r.Trigger.Type, r.Rollback = workflows.TypeRollback, workflows.TriggerRollback, &workflows.Rollback{Target: target}
		c.enter(r, "Production")
		return r
	}
	c.arrive(r, "Source")
	return r
}

// inside is who occupies a stage; nil: nobody.
func (c *cloud) inside(stage string) *workflows.Execution {
	for _, r := range c.runs {
		if st := r.Inside(); st != nil && st.Name == stage {
			return r
		}
	}
	return nil
}

func (c *cloud) arrive(r *workflows.Execution, stage string) {
	if c.mode == workflows.ModeSuperseded {
		for id, before := range c.waits {
			if old := c.run(id); before == stage && old != r {
				delete(c.waits, id)
				c.end(old, workflows.StatusSuperseded)
			}
		}
	}
	c.waits[r.ExternalID] = stage
	c.admit()
}

// admit lets those in who wait before a free and open stage.
func (c *cloud) admit() {
	for _, r := range c.runs {
		stage, waits := c.waits[r.ExternalID]
		if waits && c.transitions[stage].Enabled && (c.mode == workflows.ModeParallel || c.inside(stage) == nil) {
			delete(c.waits, r.ExternalID)
			c.enter(r, stage)
		}
	}
}

func (c *cloud) enter(r *workflows.Execution, stage string) {
	at := c.tick()
	actions := map[string][]workflows.ActionExecution{
		"Source": {{Name: "App", RunOrder: 1, Provider: "CodeStarSourceConnection"}}, "Build": {{Name: "Make", RunOrder: 1, Provider: "CodeBuild"}},
		"Production": {{Name: "SignOff", RunOrder: 1, Provider: "Manual"}, {Name: "Deploy", RunOrder: 2, Provider: "CodeDeploy"}},
	}[stage]
	for i := range actions {
		actions[i].Status = workflows.StatusNotStarted
	}
	r.Stages = append(r.Stages, workflows.StageExecution{Name: stage, Status: workflows.StatusInProgress, Since: at, Actions: actions})
	c.begin(r, &r.Stages[len(r.Stages)-1].Actions[0])
}

// begin starts an action; an approval gets a token.
func (c *cloud) begin(r *workflows.Execution, a *workflows.ActionExecution) {
	at := c.tick()
	*a = workflows.ActionExecution{Name: a.Name, RunOrder: a.RunOrder, Provider: a.Provider, Status: workflows.StatusInProgress, StartedAt: at}
	if a.Provider == "Manual" {
		c.tokens++
		a.Handle = fmt.Sprintf("token-%d", c.tokens)
	} else {
		a.ExternalID = fmt.Sprintf("%s:%d", a.Name, at.Unix())
	}
	r.UpdatedAt = *at
}

// finish ends the open action of a run: well, or not; v is the answer to an approval.
func (c *cloud) finish(r *workflows.Execution, well bool, v *workflows.Vote) {
	st := r.Inside()
	if st == nil {
		return
	}
	i := slices.IndexFunc(st.Actions, func(a workflows.ActionExecution) bool { return a.Status == workflows.StatusInProgress })
	a, at := &st.Actions[i], c.tick()
	a.Status, a.EndedAt, r.UpdatedAt = workflows.StatusSucceeded, at, *at
	if a.Provider == "Manual" {
		a.Handle = ""
		if v != nil {
			v.At = *at
			a.Approval = &workflows.Approval{Votes: []workflows.Vote{*v}}
		}
	}
	if a.Name == "App" && well {
		r.SourceRevisions = []workflows.SourceRevision{{ActionName: "App", RevisionID: fmt.Sprintf("%040d", len(c.runs)), Author: &workflows.Author{Name: "Eve", Email: "eve@acme.example"}}}
	}
	if !well {
		a.Status = workflows.StatusFailed
		if a.Provider != "Manual" {
			a.Error = &workflows.Reason{Code: "JobFailed", Message: "exit status 1"}
		}
		st.Status, st.Since = workflows.StatusFailed, at
		c.end(r, workflows.StatusFailed)
		return
	}
	if i+1 < len(st.Actions) {
		c.begin(r, &st.Actions[i+1])
		return
	}
	st.Status, st.Since = workflows.StatusSucceeded, at
	next := slices.Index(cloudStages, st.Name) + 1
	if r.Type == workflows.TypeRollback || next == len(cloudStages) {
		c.end(r, workflows.StatusSucceeded)
		return
	}
	c.arrive(r, cloudStages[next])
	c.admit()
}

func (c *cloud) end(r *workflows.Execution, status workflows.Status) {
	at := c.tick()
	r.Status, r.EndedAt, r.UpdatedAt = status, at, *at
	delete(c.waits, r.ExternalID)
	c.admit()
}

// stop abandons what runs of a run.
func (c *cloud) stop(r *workflows.Execution) {
	at := c.tick()
	if st := r.Inside(); st != nil {
		for i := range st.Actions {
			if st.Actions[i].Status == workflows.StatusInProgress {
				st.Actions[i].Status, st.Actions[i].EndedAt, st.Actions[i].Handle = workflows.StatusAbandoned, at, ""
			}
		}
		st.Status, st.Since = workflows.StatusStopped, at
	}
	c.end(r, workflows.StatusStopped)
}

// retry takes a failed or stopped run up again, where nobody is in its stage.
func (c *cloud) retry(r *workflows.Execution) {
	if len(r.Stages) == 0 || r.Status != workflows.StatusFailed && r.Status != workflows.StatusStopped {
		return
	}
	st := &r.Stages[len(r.Stages)-1]
	if c.inside(st.Name) != nil || st.Status == workflows.StatusSucceeded {
		return
	}
	r.Status, r.EndedAt, st.Status, st.Since = workflows.StatusInProgress, nil, workflows.StatusInProgress, c.tick()
	for i := range st.Actions {
		if s := st.Actions[i].Status; s == workflows.StatusFailed || s == workflows.StatusAbandoned {
			c.begin(r, &st.Actions[i])
			return
		}
	}
}

// lock disables the transition into a stage, or enables it again.
func (c *cloud) lock(stage, reason string) {
	by := workflows.Principal{ID: "aws:bob", Name: "bob", Via: "outside"}
	c.transitions[stage] = workflows.Transition{Enabled: reason == "", Reason: reason, By: &by, At: c.tick()}
	c.admit()
}

// look is what a bridge sees: all that is unfinished, and what has changed since.
func (c *cloud) look(since time.Time) *work.Snapshot {
	c.tick()
	seen := work.Snapshot{Pipeline: "webshop", At: c.at}
	for _, name := range cloudStages {
		st := work.SnapshotStage{Name: name, Transition: c.transitions[name]}
		for _, r := range c.runs {
			if c.waits[r.ExternalID] == name {
				st.Inbound = append(st.Inbound, r.ExternalID)
			}
		}
		seen.Stages = append(seen.Stages, st)
	}
	for _, r := range c.runs {
		if !r.Status.Final() || r.UpdatedAt.After(since) {
			seen.Executions = append(seen.Executions, *r)
		}
	}
	var apart work.Snapshot // what a look saw does not change any more
	b, err := json.Marshal(seen)
	if err == nil {
		err = json.Unmarshal(b, &apart)
	}
	if err != nil {
		panic(err)
	}
	return &apart
}
