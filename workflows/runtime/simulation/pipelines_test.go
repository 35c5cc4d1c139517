package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// shape is a pipeline that worlds have. Another kind of pipeline is one more of these.
type shape struct{ name, file string }

const sourceOf = `  - name: Source
    actions: [{name: App, provider: Git, namespace: App, configuration: {Repository: "` + repository + `", BranchName: BRANCH}, outputArtifacts: [app]}]
`

// shapes are the pipelines of a world. Commands can look a start up, Wait cannot.
func shapes() []shape {
	return []shape{
		{"shop", `
executionMode: SUPERSEDED
stages:
` + on("main") + `
  - name: Build
    actions:
      - {name: Test, provider: Commands, commands: ["make #{App.CommitId}"], inputArtifacts: [app]}
      - {name: Lint, provider: Wait}
  - name: Production
    environment: production
    onFailure: {result: ROLLBACK}
    actions:
      - {name: SignOff, provider: Manual, approval: {from: ["group:team", "group:bosses"], required: 2, remindAt: [50%, 90%]}, timeoutInMinutes: 240}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["deploy"], inputArtifacts: [app], timeoutInMinutes: 30}
`},
		{"mini", `
executionMode: SUPERSEDED
stages:
` + on("main") + `
  - name: Deploy
    rollback: {lock: never}
    actions: [{name: Ship, provider: Wait, restartable: false, timeoutInMinutes: 20}]
`},
		{"edge", `
executionMode: SUPERSEDED
variables: [{name: share, defaultValue: "10", pattern: "[0-9]+"}]
stages:
` + on("next") + `
  - name: Canary
    actions:
      - {name: Push, provider: Wait, restartable: true}
      - {name: Look, provider: Manual, runOrder: 2, approval: {from: ["slack-group:S1", "group:bosses"], required: 2, atLeast: {"slack-group:S1": 1}}, timeoutInMinutes: 600}
  - name: World
    environment: production
    onFailure: {result: ROLLBACK}
    rollback: {lock: manual, approval: require}
    actions:
      - {name: SignOff, provider: Manual, approval: {required: 1, requesterMayApprove: true, comment: required}, timeoutInMinutes: 60}
      - {name: Push, provider: Commands, runOrder: 2, commands: ["push #{variables.share}"], inputArtifacts: [app], restartable: false}
      - {name: Warm, provider: Commands, runOrder: 2, commands: ["warm"]}
`},
		{"line", `
executionMode: QUEUED
triggers:
  - schedule: {cron: "20 * * * *", timezone: Europe/Berlin}
  - {gitConfiguration: {sourceActionName: App, push: [{branches: {includes: [next]}}]}}
stages:
` + on("next") + `
  - name: Build
    onFailure: {result: RETRY}
    actions: [{name: Make, provider: Commands, commands: ["make"], inputArtifacts: [app], timeoutInMinutes: 25}]
  - name: Production
    environment: production
    beforeEntry: {result: FAIL, rules: [{name: Weekday, provider: DeploymentWindow, configuration: {Cron: "* 0-30 * ? * *"}, timeoutInMinutes: 90}]}
    onFailure: {result: ROLLBACK, condition: {result: ROLLBACK, rules: [{name: Bad, provider: Commands, commands: ["is it bad"]}]}}
    rollback: {lock: manual}
    actions:
      - {name: SignOff, provider: Manual, approval: {from: ["group:team", "group:bosses"], required: 1, remindAt: [25%]}, timeoutInMinutes: 120}
      - {name: Deploy, provider: Wait, runOrder: 2, restartable: false}
`},
		{"side", `
executionMode: PARALLEL
stages:
` + on("main") + `
  - name: Check
    beforeEntry: {result: SKIP, rules: [{name: Fresh, provider: VariableCheck, configuration: {Variable: "#{App.CommitId}", Operator: CONTAINS, Value: "1"}}]}
    actions: [{name: Lint, provider: Commands, commands: ["lint"]}, {name: Scan, provider: Wait}]
  - name: Ship
    environment: production
    onSuccess: {result: FAIL, rules: [{name: Healthy, provider: Commands, commands: ["curl"], timeoutInMinutes: 5}]}
    onFailure: {result: RETRY}
    actions:
      - {name: SignOff, provider: Manual, approval: {required: 1}, timeoutInMinutes: 300}
      - {name: Push, provider: Commands, runOrder: 2, commands: ["push"], inputArtifacts: [app]}
`},
		{"call", `
executionMode: SUPERSEDED
stages:
` + on("next") + `
  - name: Others
    actions: [{name: Mini, provider: CodePipeline, configuration: {PipelineName: mini}, timeoutInMinutes: 45}]
  - name: Done
    beforeEntry: {result: FAIL, rules: [{name: Ok, provider: Commands, commands: ["ok"], timeoutInMinutes: 10}]}
    actions: [{name: Tell, provider: Commands, commands: ["tell"]}]
`},
	}
}

// cast draws the pipelines of a world: three of them, and what they start.
func (w *world) cast() (names []string) {
	for _, i := range w.dice.Perm(len(shapes()))[:3] {
		names = append(names, shapes()[i].name)
	}
	if slices.Contains(names, "call") && !slices.Contains(names, "mini") {
		names = append(names, "mini")
	}
	slices.Sort(names)
	return names
}

func on(branch string) string { return strings.ReplaceAll(sourceOf, "BRANCH", branch) }

// definitions are the shapes, read once.
var definitions = sync.OnceValue(func() map[string]*workflows.Pipeline {
	all := map[string]*workflows.Pipeline{}
	for _, s := range shapes() {
		p, faults := spec.Parse(s.name+".yaml", []byte("name: "+s.name+s.file))
		if p == nil {
			panic(fmt.Sprint(s.name, ": ", faults))
		}
		all[s.name] = p
	}
	return all
})

// defined returns a copy of a shape's pipeline, to be changed.
func defined(name string) *workflows.Pipeline {
	b, err := json.Marshal(definitions()[name])
	if err != nil {
		panic(err)
	}
	p := parsed[workflows.Pipeline](b)
	return &p
}

// edited returns a pipeline's definition with one thing changed, or several: who
// approves, what runs, which stages there are, or nothing at all.
func (w *world) edited(name string) (*workflows.Pipeline, string) {
	p := defined(name)
	var did []string
	for range 1 + w.dice.IntN(2) {
		did = append(did, w.edits(p))
	}
	for i := range p.Stages { // in PARALLEL mode nothing rolls back by itself
		st := &p.Stages[i]
		if st.OnFailure != nil && st.OnFailure.Result == "ROLLBACK" && p.ExecutionMode == workflows.ModeParallel {
			st.OnFailure = nil
		}
		if st.OnSuccess != nil && p.ExecutionMode == workflows.ModeParallel {
			st.OnSuccess.Result = "FAIL"
		}
	}
	return p, strings.Join(did, ", ")
}

func (w *world) edits(p *workflows.Pipeline) string {
	st := &p.Stages[1+w.dice.IntN(len(p.Stages)-1)]
	a := &st.Actions[w.dice.IntN(len(st.Actions))]
	switch w.dice.IntN(12) {
	case 0:
		st.Rollback.Lock = w.one("always", "manual", "never")
		return st.Name + " locks " + st.Rollback.Lock
	case 1:
		st.Rollback.Eligible = w.one("any", "sameVersion")
		return st.Name + " goes back to " + st.Rollback.Eligible
	case 2:
		if a.Approval != nil {
			a.Approval.Required = 1 + w.dice.IntN(3)
			a.Approval.RequesterMayApprove = w.dice.IntN(2) == 0
			return fmt.Sprintf("%s wants %d", a.Name, a.Approval.Required)
		}
		a.Configuration = map[string]string{"seconds": fmt.Sprint(w.dice.IntN(5))}
		return a.Name + " runs otherwise"
	case 3:
		if a.Approval != nil {
			a.Approval.From = [][]string{{"group:team"}, {"group:team", "group:bosses"}, nil, {"slack-group:S1", "group:bosses"}}[w.dice.IntN(4)]
			a.Approval.AtLeast = nil
			return fmt.Sprintf("%s from %v", a.Name, a.Approval.From)
		}
		a.TimeoutMinutes = 5 + w.dice.IntN(30)
		return fmt.Sprintf("%s within %d min", a.Name, a.TimeoutMinutes)
	case 4:
		st.Name = st.Name + "2"
		return "a stage is " + st.Name
	case 5:
		if _, twice := p.Stage("Last"); twice {
			break
		}
		extra := *st
		extra.Name = "Last"
		extra.OnFailure = nil
		p.Stages = append(p.Stages, extra)
		return "a stage more"
	case 6:
		if a.Approval == nil {
			a.Restartable = !a.Restartable
			return fmt.Sprintf("%s restartable %v", a.Name, a.Restartable)
		}
	case 7:
		p.ExecutionMode = w.one("SUPERSEDED", "QUEUED", "PARALLEL")
		return "it is " + p.ExecutionMode
	case 8:
		st.BeforeEntry = w.condition(w.one("FAIL", "SKIP"))
		return "a condition before " + st.Name
	case 9:
		st.OnSuccess = w.condition(w.one("FAIL", "ROLLBACK"))
		return "a condition after " + st.Name
	case 10:
		st.OnFailure = &workflows.OnFailure{Result: w.one("RETRY", "ROLLBACK"), RetryMode: w.one("FAILED_ACTIONS", "ALL_ACTIONS")}
		return st.Name + " on failure: " + st.OnFailure.Result
	}
	return "nothing"
}

// condition draws a condition of one rule.
func (w *world) condition(result string) *workflows.Condition {
	rule := func(provider string) workflows.ActionType {
		return workflows.ActionType{Category: "Rule", Owner: "AWS", Provider: provider, Version: "1"}
	}
	r := []workflows.Rule{
		{Name: "Says", RuleType: rule("Commands"), Commands: []string{"true"}, TimeoutMinutes: 10},
		{Name: "Is", RuleType: rule("VariableCheck"), Configuration: map[string]string{"Variable": "#{App.CommitId}", "Operator": "CONTAINS", "Value": w.one("m", "n", "2")}},
		{Name: "When", RuleType: rule("DeploymentWindow"), Configuration: map[string]string{"Cron": "* 0-20 * ? * *"}, TimeoutMinutes: 60},
	}[w.dice.IntN(3)]
	return &workflows.Condition{Result: result, Rules: []workflows.Rule{r}}
}

// one draws one of some words.
func (w *world) one(words ...string) string { return words[w.dice.IntN(len(words))] }
