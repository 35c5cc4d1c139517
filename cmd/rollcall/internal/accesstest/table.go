package accesstest

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// State is how a pipeline stands when somebody asks: what is written in its
// file, what its actions do, and what was done before.
type State struct {
	Name     string
	From     string            // of the gate; empty: it names nobody
	Outcomes map[string]string // by Stage/Action: "fails", "hangs" or "in doubt"; else it succeeds
	Freezes  []workflows.Freeze
	Locked   bool // Production is
	Idle     bool // nothing was started
}

// What actions do in a [State].
const (
	Fails   = "fails"
	Hangs   = "hangs"
	InDoubt = "in doubt"
)

// States are those of the table.
func States() []State {
	newYear := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	freezes := []workflows.Freeze{
		{Name: "one", To: newYear, On: []string{"*/Production"}, MayPass: []string{mail("eve"), mail("fay")}},
		{Name: "two", To: newYear, On: []string{"*/Production"}, MayPass: []string{mail("eve")}},
	}
	return []State{
		{Name: "nothing started", Idle: true},
		{Name: "at a gate that names Fay", From: mail("fay")},
		{Name: "at a gate that names Bea's group", From: "group:bea"},
		{Name: "at a gate that names nobody"},
		{Name: "at a gate that names a token", From: "token:ci"},
		{Name: "running in Build", Outcomes: map[string]string{"Build/Test": Hangs}},
		{Name: "in doubt in Build", Outcomes: map[string]string{"Build/Test": InDoubt}},
		{Name: "failed in Build", Outcomes: map[string]string{"Build/Test": Fails}},
		{Name: "failed at Production's condition", Outcomes: map[string]string{"Production/beforeEntry:Ready": Fails}},
		{Name: "before a locked stage", Locked: true},
		{Name: "in a freeze", Freezes: freezes},
		{Name: "in a freeze, and locked", Freezes: freezes, Locked: true},
	}
}

// request is what somebody asks for. "x" stands for the execution that was started.
type request struct {
	Name string
	workflows.Intent
}

// requests are the rows of the table. The last ones only read.
func requests() []request {
	revision := []workflows.RevisionOverride{{ActionName: "App", RevisionType: "COMMIT_ID", RevisionValue: "abcdef0"}}
	return []request{
		{"start", workflows.Intent{Verb: workflows.Start}},
		{"start, naming a stage", workflows.Intent{Verb: workflows.Start, Stage: "Production"}},
		{"start a revision", workflows.Intent{Verb: workflows.Start, Revisions: revision}},
		{"approve", workflows.Intent{Verb: workflows.Approve, Execution: "x"}},
		{"reject", workflows.Intent{Verb: workflows.Reject, Execution: "x", Reason: "no"}},
		{"approve what is no gate", workflows.Intent{Verb: workflows.Approve, Execution: "x", Stage: "Build", Action: "Test"}},
		{"stop", workflows.Intent{Verb: workflows.StopExecution, Execution: "x"}},
		{"stop, naming a stage", workflows.Intent{Verb: workflows.StopExecution, Execution: "x", Stage: "Production"}},
		{"retry", workflows.Intent{Verb: workflows.Retry, Execution: "x"}},
		{"retry Production", workflows.Intent{Verb: workflows.Retry, Execution: "x", Stage: "Production"}},
		{"override", workflows.Intent{Verb: workflows.Override, Execution: "x", Reason: "it must"}},
		{"override Build", workflows.Intent{Verb: workflows.Override, Execution: "x", Stage: "Build", Reason: "it must"}},
		{"override Production", workflows.Intent{Verb: workflows.Override, Execution: "x", Stage: "Production", Reason: "it must"}},
		{"resolve", workflows.Intent{Verb: workflows.Resolve, Execution: "x", As: "failed"}},
		{"resolve Build/Test", workflows.Intent{Verb: workflows.Resolve, Execution: "x", Stage: "Build", Action: "Test", As: "failed"}},
		{"unlock Production", workflows.Intent{Verb: workflows.Unlock, Stage: "Production"}},
		{"unlock Production for x", workflows.Intent{Verb: workflows.Unlock, Stage: "Production", Execution: "x"}},
		{"lock Build", workflows.Intent{Verb: workflows.Lock, Stage: "Build"}},
		{"roll Production back", workflows.Intent{Verb: workflows.RollBack, Stage: "Production", Target: "x", Reason: "broken"}},
		{"archive", workflows.Intent{Verb: workflows.Archive}},
		{"view", workflows.Intent{Verb: workflows.View, Execution: "x"}},
		{"logs of Build", workflows.Intent{Verb: workflows.Logs, Execution: "x", Stage: "Build", Action: "Test"}},
	}
}

// reads says whether it is asked for something to look at.
func (a request) reads() bool { return a.Verb == workflows.View || a.Verb == workflows.Logs }

// of is the intent about a pipeline and an execution of it.
func (a request) of(pipeline, execution string) workflows.Intent {
	in := a.Intent
	in.Pipeline = pipeline
	for _, ref := range []*string{&in.Execution, &in.Target} {
		if *ref == "x" {
			*ref = execution
		}
	}
	return in
}

// Askers are the columns of the table: Ana is an admin, Bea has rights in
// Production, Cho in Build; Dee stands in for Bea. Fay is named at a gate and by
// a freeze and may not even look; Eve is named by freezes and may. Gil may start
// and read logs, and Gus is of a group of the chat that has rights in Production.
func (State) Askers() []string {
	return []string{"ana", "bea", "cho", "dee", "eve", "fay", "gil", "gus", "token:ci", "guest"}
}

func mail(name string) string { return name + "@acme.example" }

// Groups are the chat's groups, and who is in them.
func (State) Groups() map[string][]string { return map[string][]string{group: {mail("gus")}} }

const group = "slack-group:S1"

func inGroup(who workflows.Principal) bool { return who.HasMail(mail("gus")) }

// Principal is one of the askers.
func (State) Principal(name string) workflows.Principal {
	if token, ok := strings.CutPrefix(name, "token:"); ok {
		return workflows.Principal{ID: name, Name: token, Via: "api"}
	}
	p := workflows.Principal{ID: "slack:" + strings.ToUpper(name), Name: name, Email: mail(name), Via: "slack"}
	if name == "guest" {
		p.Email, p.Stranger = "", "guest"
	}
	return p
}

// Policy is who may what.
func (State) Policy() access.Policy {
	all := []workflows.Verb{workflows.StopExecution, workflows.Retry, workflows.Override, workflows.Resolve, workflows.Unlock, workflows.Lock, workflows.RollBack, workflows.Approve, workflows.Start}
	return access.Policy{
		Admins: []string{mail("ana")}, Groups: map[string][]string{"bea": {mail("bea")}}, Deputies: map[string]string{mail("bea"): mail("dee")},
		Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View}, To: []string{mail("eve")}},
			{Allow: all, To: []string{mail("bea")}, On: []string{"*/Production"}},
			{Allow: all, To: []string{mail("cho")}, On: []string{"*/Build"}},
			{Allow: []workflows.Verb{workflows.Start, workflows.Logs}, To: []string{mail("gil")}},
			{Allow: []workflows.Verb{workflows.StopExecution, workflows.Unlock, workflows.Approve}, To: []string{group}, On: []string{"*/Production"}},
		},
		Tokens: map[string][]workflows.Verb{"ci": {workflows.View, workflows.Approve, workflows.StopExecution}},
	}
}

const file = `
name: NAME
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Test, provider: Commands, commands: ["true"], inputArtifacts: [app], restartable: false}]
  - name: Production
    beforeEntry: {result: FAIL, rules: [{name: Ready, provider: Commands, commands: ["true"], inputArtifacts: [app]}]}
    actions:
      - {name: SignOff, provider: Manual, APPROVAL timeoutInMinutes: 60}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["true"], inputArtifacts: [app]}
`

// Pipeline is one of that name, as the state has it.
func (s State) Pipeline(t *testing.T, name string) *workflows.Pipeline {
	t.Helper()
	approval := ""
	if s.From != "" {
		approval = `approval: {from: ["` + s.From + `"]},`
	}
	p, faults := spec.Parse("web.yaml", []byte(strings.NewReplacer("NAME", name, "APPROVAL", approval).Replace(file)))
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

// Steps are the intents of the engine that bring a pipeline into the state.
func (s State) Steps(p *workflows.Pipeline) []workflows.Intent {
	steps := []workflows.Intent{{Verb: workflows.Edit, NewDefinition: p, ManagedBy: "api"}}
	if s.Locked {
		steps = append(steps, workflows.Intent{Verb: workflows.Lock, Stage: "Production", Reason: "not now"})
	}
	if !s.Idle {
		steps = append(steps, workflows.Intent{Verb: workflows.Start})
	}
	for i := range steps {
		steps[i].Pipeline = p.Name
	}
	return steps
}
