package client

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

var rewrite = flag.Bool("rewrite", false, "write what is printed now as what is wanted")

var (
	now    = time.Date(2026, 12, 22, 9, 30, 0, 0, time.UTC)
	berlin = time.FixedZone("CET", 3600)
	ana    = workflows.Principal{ID: "slack:UANA", Name: "ana", Email: "ana@acme.example", Via: "slack"}
	cho    = workflows.Principal{ID: "slack:UCHO", Name: "cho", Email: "cho@acme.example", Via: "slack"}
	freeze = workflows.Freeze{Name: "year-end", From: time.Date(2026, 12, 20, 0, 0, 0, 0, berlin), To: time.Date(2027, 1, 5, 0, 0, 0, 0, berlin), On: []string{"*/Production"}}
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func execution(n int) workflows.Execution {
	return workflows.Execution{ID: "0197f2c0-0000-7000-8000-00000000004" + string(rune('0'+n%10)), Number: n, Pipeline: "webshop", Version: 7, Type: workflows.TypeStandard, Status: workflows.StatusInProgress,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, By: ana},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "0123456789012345678901234567890123456789", RevisionSummary: "Mend the cart"}},
		StartedAt:       ago(10 * time.Minute), UpdatedAt: ago(time.Minute),
		Stages: []workflows.StageExecution{
			{Name: "Source", Status: workflows.StatusSucceeded, Actions: []workflows.ActionExecution{{Name: "App", Status: workflows.StatusSucceeded, Attempt: 1}}},
			{Name: "Production", Status: workflows.StatusNotStarted, Actions: []workflows.ActionExecution{
				{Name: "SignOff", Provider: "Manual", Status: workflows.StatusNotStarted}, {Name: "Deploy", Provider: "Commands", Status: workflows.StatusNotStarted}}},
		}}
}

// frozen waits behind a freeze, with a revision that people rolled back from.
func frozen() workflows.Execution {
	e := execution(43)
	e.WaitsFor = &workflows.Wait{Stage: "Production", For: workflows.WaitsForFreeze, Since: ago(8 * time.Minute), Freeze: "year-end",
		Warning: "includes 0123456, which ben rolled back"}
	return e
}

// overriddenOne went through its gate by somebody's right, after its entry condition was set aside, at the third try.
func overriddenOne() workflows.Execution {
	e := execution(42)
	st := &e.Stages[1]
	st.Status, st.Retries = workflows.StatusInProgress, &workflows.Retries{Manual: 1, Automatic: 2, Latest: "ManualStageRetry"}
	st.Conditions = []workflows.ConditionExecution{
		{Kind: workflows.OnSuccess, Result: "ROLLBACK", Status: workflows.StatusInProgress, Rules: []workflows.ActionExecution{
			{Name: "onSuccess:Smoke", Provider: "Commands", Status: workflows.StatusInProgress, Attempt: 1}}},
		{Kind: workflows.BeforeEntry, Result: "FAIL", Status: workflows.StatusOverridden, Override: &workflows.Overridden{By: cho, Reason: "the shop is down", At: ago(5 * time.Minute)},
			Rules: []workflows.ActionExecution{
				{Name: "beforeEntry:Hours", Provider: "DeploymentWindow", Status: workflows.StatusFailed, Attempt: 2, Error: &workflows.Reason{Code: "ActionFailed", Message: "outside the window; it opens 23 Dec 2026 08:00"}},
				{Name: "beforeEntry:Canary", Provider: "VariableCheck", Status: workflows.StatusSucceeded, Attempt: 1}}},
	}
	st.Actions[0].Status, st.Actions[0].Attempt = workflows.StatusSucceeded, 1
	st.Actions[0].Approval = &workflows.Approval{Token: "g", Required: 2, Comment: "optional", Votes: []workflows.Vote{{By: ana, Answer: "approve"}}, Closed: "overridden",
		Override: &workflows.Overridden{By: cho, Reason: "the shop is down", At: ago(4 * time.Minute), Without: "1 of 2 approvals"}}
	st.Actions[1].Status, st.Actions[1].Attempt = workflows.StatusSucceeded, 3
	return e
}

// asked waits for approval of what people rolled back from.
func asked() workflows.Execution {
	e := execution(44)
	st := &e.Stages[1]
	st.Status = workflows.StatusInProgress
	st.Actions[0].Status, st.Actions[0].Attempt, st.Actions[0].Needs = workflows.StatusInProgress, 1, workflows.NeedsApproval
	st.Actions[0].Approval = &workflows.Approval{Token: "g", Required: 2, Comment: "optional", Votes: []workflows.Vote{{By: ana, Answer: "approve"}},
		Warning: "includes 0123456, which ben rolled back"}
	return e
}

func queued() workflows.PipelineView {
	at := ago(40 * 24 * time.Hour)
	disabled := workflows.Transition{Enabled: false, Cause: "rollback", Reason: "rolled back to webshop#41: the cart was empty", By: &ana, Only: execution(44).ID}
	return workflows.PipelineView{Name: "webshop", Version: 7, ManagedBy: "file", ExecutionMode: workflows.ModeQueued, PollingDisabledAt: &at,
		Freezes: []workflows.Freeze{freeze, {Name: "easter", From: time.Date(2027, 3, 25, 18, 0, 0, 0, berlin), To: time.Date(2027, 3, 29, 12, 0, 0, 0, berlin), On: []string{"webshop"}}},
		Stages: []workflows.StageView{
			{Name: "Source", Status: workflows.StatusSucceeded, LatestExecution: &workflows.LatestIn{Number: 45}, Transition: workflows.Transition{Enabled: true}},
			{Name: "Staging", Status: workflows.StatusSucceeded, LatestExecution: &workflows.LatestIn{Number: 44}, Transition: disabled, Inbound: []string{execution(45).ID}},
			{Name: "Production", Status: workflows.StatusSucceeded, LatestExecution: &workflows.LatestIn{Number: 42}, Transition: workflows.Transition{Enabled: true},
				Running: &workflows.Running{Number: 42, Since: ago(30 * time.Minute), Certain: true}, Inbound: []string{execution(43).ID, execution(44).ID, "0197f2c0-0000-7000-8000-0000000abcde"}},
		}}
}

// What people read, whole: to be read aloud when it changes.
func TestWhatPeopleRead(t *testing.T) {
	numbers := map[string]int{}
	for n := 43; n <= 45; n++ {
		numbers[execution(n).ID] = n
	}
	held, set, gate := frozen(), overriddenOne(), asked()
	for name, print := range map[string]func(Printer){
		"frozen":     func(p Printer) { p.Execution(&held) },
		"overridden": func(p Printer) { p.Execution(&set) },
		"asked":      func(p Printer) { p.Execution(&gate) },
		"executions": func(p Printer) { p.Executions([]workflows.Execution{gate, held, set}) },
		"queued":     func(p Printer) { p.Pipeline(queued()) },
		"feed": func(p Printer) {
			for _, e := range []event.Event{
				{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 8, Weakened: []event.Weakened{{Stage: "Production", Action: "SignOff", Old: "2 of group:sre", New: "1 of group:sre"},
					{Stage: "Production", Action: "Legal", Old: "1 of group:legal", New: "removed"}}}},
				{Kind: event.ExecutionWaiting, Execution: held.ID, Wait: held.WaitsFor},
				{Kind: event.GateOverridden, Execution: set.ID, Stage: "Production", Action: "SignOff", Override: set.Stages[1].Actions[0].Approval.Override},
				{Kind: event.ConditionFailed, Execution: set.ID, Stage: "Production", Text: "beforeEntry", Reason: &workflows.Reason{Message: "the entry condition of Production does not hold: Hours"}},
				{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: "0 6 * * 1-5", Timezone: "Europe/Berlin", Nominal: time.Date(2026, 12, 22, 6, 0, 0, 0, berlin), Missed: true}},
				{Kind: event.FreezesSet, Freezes: []workflows.Freeze{freeze}},
				{Kind: event.PollingDisabled},
			} {
				e.At, e.By = now, cho
				p.Event(FeedEvent{Pipeline: "webshop", Event: e})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			print(Printer{W: &out, Now: now, Freezes: []workflows.Freeze{freeze}, Numbers: numbers})
			golden := filepath.Join("testdata", name+".txt")
			if *rewrite {
				if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if out.String() != string(want) {
				t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// Text of several lines keeps them, and nothing in it steers the terminal.
func TestTextOfSeveralLines(t *testing.T) {
	var out bytes.Buffer
	Printer{W: &out}.Text("# Notes\n\n- a\x1b[2J\u202eb (\x1b]0;x\x07Ana)\n")
	if got := out.String(); got != "# Notes\n\n- ab (Ana)\n" {
		t.Errorf("%q", got)
	}
}
