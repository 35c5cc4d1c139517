package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An execution of the shop as the story sees it.
func execution(number int, title string, status workflows.Status, deploy workflows.Status) workflows.Execution {
	return workflows.Execution{ID: "id-" + title, Number: number, Pipeline: "webshop", Status: status, Type: workflows.TypeStandard,
		SourceRevisions: []workflows.SourceRevision{{RevisionSummary: title}},
		Stages:          []workflows.StageExecution{{Name: "Production", Actions: []workflows.ActionExecution{{Name: "Deploy", Status: deploy}}}}}
}

func TestStepsOfTheStory(t *testing.T) {
	const ok, open, failed, idle = workflows.StatusSucceeded, workflows.StatusInProgress, workflows.StatusFailed, workflows.StatusNotStarted
	gift := execution(42, "Add gift boxes", ok, ok)
	coupons := execution(43, "Add coupons", open, idle)
	out := execution(43, "Add coupons", ok, ok)
	quick := execution(45, "Fix the coupons, quickly", open, idle)
	locked := quick
	locked.WaitsFor = &workflows.Wait{Stage: "Production", For: "transition"}
	back := workflows.Execution{ID: "id-back", Number: 44, Status: ok, Type: workflows.TypeRollback, Rollback: &workflows.Rollback{TargetNumber: 42}}
	going := execution(44, "", open, open)
	going.Type, going.Rollback = workflows.TypeRollback, &workflows.Rollback{TargetNumber: 42}
	gate := func(number int, voters ...string) []say.OpenApproval {
		g := say.OpenApproval{Number: number}
		for _, v := range voters {
			g.Approval.Votes = append(g.Approval.Votes, workflows.Vote{Answer: "approve", By: workflows.Principal{Email: mail(v)}})
		}
		return []say.OpenApproval{g}
	}
	runs := func(x workflows.Execution) *workflows.StageView {
		return &workflows.StageView{Running: &workflows.Running{Execution: x.ID, Number: x.Number}}
	}
	all := func(newestFirst ...workflows.Execution) []workflows.Execution { return newestFirst }
	for _, c := range []struct {
		name  string
		scene scene
		step  Step
		about string
	}{
		{"before the beginning", scene{seeding: true}, Watch, "few seconds"},
		{"the opening", scene{newest: all(coupons, gift), production: runs(gift), gates: gate(43, "ben")}, Approve, "#43"},
		{"the visitor was first", scene{newest: all(coupons, gift), production: runs(gift), gates: gate(43, "ana")}, Watch, "Ben looks at #43"},
		{"deploying", scene{newest: all(execution(43, "Add coupons", open, open), gift), production: runs(gift)}, Watch, "#43 is being deployed"},
		{"deployed", scene{newest: all(out, gift), production: runs(out), rate: 0.01}, Look, "coupons"},
		{"the errors climb", scene{newest: all(out, gift), production: runs(out), rate: 0.2}, RollBack, "#43"},
		{"going back", scene{newest: all(going, out, gift), production: runs(out), rate: 0.2}, Watch, "back to #42"},
		{"back", scene{newest: all(back, out, gift), production: runs(gift)}, Careless, "careless"},
		{"before the lock", scene{newest: all(locked, back, out, gift), production: runs(gift)}, AdmitOne, "Production is locked: click Let only #45 in"},
		{"asked again", scene{newest: all(quick, back, out, gift), production: runs(gift), gates: gate(45)}, Approve, "#45"},
		{"building", scene{newest: all(quick, back, out, gift), production: runs(gift)}, Watch, "#45"},
		{"errors, and a fix is building", scene{newest: all(quick, out, gift), production: runs(out), rate: 0.2}, Watch, "#45"},
		{"errors, and a fix before the lock", scene{newest: all(locked, out, gift), production: runs(out), rate: 0.2}, RollBack, "#43"},
		{"came back by itself", scene{newest: all(back, execution(45, "Fix the coupons, quickly", failed, failed), gift), production: runs(gift)}, Good, "two approvals, Ben's and yours"},
		{"a good fix is out", scene{newest: all(execution(47, "Fix the coupons, with care", ok, ok), back, execution(45, "Fix the coupons, quickly", failed, failed), gift), production: runs(gift)}, Done, "kill -9"},
	} {
		c.scene.me = mail("ana")
		if step, words := c.scene.step(); step != c.step || !strings.Contains(words, c.about) {
			t.Errorf("%s: %s (%s), want %s about %q", c.name, step, words, c.step, c.about)
		}
	}
}

func TestCaptions(t *testing.T) {
	ana := workflows.Principal{Name: "Ana"}
	x := execution(43, "Add coupons", workflows.StatusInProgress, workflows.StatusNotStarted)
	x.ID = "a"
	hand := workflows.Execution{ID: "b", Number: 44, Type: workflows.TypeRollback, Trigger: workflows.StartedBy{Type: workflows.TriggerRollback, By: ana}, Rollback: &workflows.Rollback{TargetNumber: 42}}
	auto := workflows.Execution{ID: "c", Number: 46, Type: workflows.TypeRollback, Trigger: workflows.StartedBy{Type: workflows.TriggerAutomated}, Rollback: &workflows.Rollback{TargetNumber: 42}}
	definition := workflows.Pipeline{Stages: []workflows.Stage{{Name: "Build"}, {Name: "Production", Environment: "production"}}}
	var told narrator
	told.add([]event.Frame{{Feed: 1, Events: []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Definition: definition}}}}})
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{event.Event{Kind: event.ExecutionStarted, Execution: "a", Started: &x}, "#43: “Add coupons”"},
		{event.Event{Kind: event.ActionStarted, Execution: "a", Stage: "Build", Action: "Deploy", Start: &event.ActionStart{Task: "t"}}, ""},
		{event.Event{Kind: event.GateOpened, Execution: "a", Gate: &workflows.Approval{Required: 2}}, "#43 asks for 2 approvals"},
		{event.Event{Kind: event.GateVoted, Execution: "a", Vote: &workflows.Vote{By: ana, Answer: "approve"}}, "Ana approved #43"},
		{event.Event{Kind: event.ActionStarted, Execution: "a", Stage: "Production", Action: "Deploy", Start: &event.ActionStart{Task: "t"}}, "#43 is being deployed"},
		{event.Event{Kind: event.ExecutionSucceeded, Execution: "a"}, "#43 is out"},
		{event.Event{Kind: event.ExecutionStarted, Execution: "b", Started: &hand}, "Ana rolls back to #42"},
		{event.Event{Kind: event.TransitionDisabled, Stage: "Production", Transition: &workflows.Transition{Cause: "rollback"}}, "Production is locked after the rollback"},
		{event.Event{Kind: event.ExecutionSucceeded, Execution: "b"}, "#42 is back"},
		{event.Event{Kind: event.ExecutionWaiting, Execution: "a", Wait: &workflows.Wait{Stage: "Production", For: "transition"}}, "#43 is blocked: Production is locked"},
		{event.Event{Kind: event.ExecutionWaiting, Execution: "a", Wait: &workflows.Wait{Stage: "Production", For: "stage"}}, ""},
		{event.Event{Kind: event.TransitionEnabled, Execution: "a", Stage: "Production", Transition: &workflows.Transition{Only: "a"}}, "Only #43 may enter Production"},
		{event.Event{Kind: event.ExecutionFailed, Execution: "a", Reason: &workflows.Reason{Code: "ActionFailed"}}, "#43 failed"},
		{event.Event{Kind: event.ExecutionFailed, Execution: "a", Reason: &workflows.Reason{Code: "NotApproved"}}, "#43 was not approved"},
		{event.Event{Kind: event.ExecutionStarted, Execution: "c", Started: &auto}, "#46: automatic rollback to #42"},
		{event.Event{Kind: event.ExecutionNoted, Execution: "a", Note: &workflows.Note{Name: "ticket", State: "done", Text: "SHOP-1"}}, "Ticket SHOP-1 for #43"},
		{event.Event{Kind: event.TransitionEnabled, Stage: "Production", Transition: &workflows.Transition{Enabled: true}}, "Production is unlocked"},
		{event.Event{Kind: event.ExecutionFailed, Execution: "stranger"}, ""},
	} {
		if got := told.caption(&c.event); got != c.want {
			t.Errorf("%s: %q, want %q", c.event.Kind, got, c.want)
		}
	}
	at := time.Unix(100, 0)
	merged := withRestarts([]Caption{{at, "before"}, {at.Add(2 * time.Second), "after"}}, []time.Time{at.Add(time.Second)})
	if len(merged) != 3 || !strings.Contains(merged[1].Text, "Killed") {
		t.Errorf("%v", merged)
	}
}

// TestPeopleOfAFile (U18): whoever the demo knows by address is one person.
func TestPeopleOfAFile(t *testing.T) {
	d := &Demo{play: &pipelineFile{people: []string{"ana@tea.example", "ANA@tea.example", "zoe@tea.example"}}}
	var names []string
	for _, p := range d.demoUsers() {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "Ana Ben Dan Cleo zoe" {
		t.Errorf("one may act as %s", got)
	}
}

// TestCaptionsOfAWindow (U19): what waits for a window is not being deployed.
func TestCaptionsOfAWindow(t *testing.T) {
	x := workflows.Execution{Number: 7, Stages: []workflows.StageExecution{{Name: "Production", Status: workflows.StatusInProgress, Conditions: []workflows.ConditionExecution{{
		Kind: workflows.BeforeEntry, Status: workflows.StatusInProgress, Rules: []workflows.ActionExecution{{Name: "beforeEntry:Hours", Provider: "DeploymentWindow", Status: workflows.StatusInProgress, Summary: "opens Mon 2 Mar 09:00 CET"}}}}}}}
	if _, next := (&scene{newest: []workflows.Execution{x}}).ownStep(); next != "#7 waits for its deployment window: it opens Mon 2 Mar 09:00 CET" {
		t.Error(next)
	}
	told := &narrator{names: map[string]*named{"e7": {number: 7}}, stages: map[string]bool{"Production": true}}
	if got := told.caption(&event.Event{Kind: event.ActionTracked, Execution: "e7", Stage: "Production", Action: "beforeEntry:Hours", Outcome: &event.Outcome{Summary: "opens Mon 2 Mar 09:00 CET"}}); !strings.Contains(got, "#7 waits for its deployment window") {
		t.Error(got)
	}
}
