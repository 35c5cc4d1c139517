package demo

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// consoleText is the console in short: a line for each pipeline.
func consoleText(t *testing.T, c *cloud) string {
	t.Helper()
	shown, err := c.shown()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range shown.Pipelines {
		fmt.Fprintf(&b, "%s:", p.As)
		for _, st := range p.Stages {
			fmt.Fprintf(&b, " %s %s", st.Name, st.Status)
			for _, a := range st.Actions {
				if a.Waits {
					fmt.Fprintf(&b, " (%s waits)", a.Name)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

const (
	opening   = "webshop: Source Succeeded Build Succeeded Production InProgress (SignOff waits)\npayments: Source Succeeded Build Succeeded Production Succeeded\n"
	allIsWell = "webshop: Source Succeeded Build Succeeded Production Succeeded\npayments: Source Succeeded Build Succeeded Production Succeeded\n"
)

// The visitor finds one pipeline waiting; what colleagues did before is history, at its own time.
func TestLocalAWSBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openCloud(time.Second)
		if err := c.begin(); err != nil {
			t.Fatal(err)
		}
		if got := consoleText(t, c); got != opening {
			t.Errorf("it begins with\n%s", got)
		}
		for name, want := range map[string]string{webPipeline: "26h0m0s 4m0s", payPipeline: "26h0m0s 3h0m0s"} {
			var out struct {
				All []struct{ StartTime float64 } `json:"pipelineExecutionSummaries"`
			}
			if err := c.console().Do("ListPipelineExecutions", map[string]any{"pipelineName": name}, &out); err != nil {
				t.Fatal(err)
			}
			var ages []string
			for i := len(out.All) - 1; i >= 0; i-- {
				ages = append(ages, time.Since(time.UnixMilli(int64(out.All[i].StartTime*1000))).String())
			}
			if got := strings.Join(ages, " "); got != want {
				t.Errorf("%s was started %s ago, want %s", name, got, want)
			}
		}
	})
}

// The deployment fails and what follows succeeds, also after the process was killed in between.
func TestLocalAWSOutlivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openCloud(time.Second)
		if err := c.begin(); err != nil {
			t.Fatal(err)
		}
		if err := c.answer(webPipeline, "Production", "SignOff", "Approved", "Ana, Ben via rollcall"); err != nil {
			t.Fatal(err)
		}
		if err := c.start(payPipeline); err != nil {
			t.Fatal(err)
		}
		snapshot, err := c.aws.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		again := openCloud(time.Second)
		if err := again.aws.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		again.failure()
		time.Sleep(10 * time.Second)
		for _, x := range []*cloud{c, again} {
			if got := consoleText(t, x); !strings.HasSuffix(got, "payments: Source Succeeded Build Succeeded Production Failed\n") {
				t.Errorf("then\n%s", got)
			}
		}
		all, err := again.executions(payPipeline)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.console().Do("RollbackStage", map[string]any{"pipelineName": payPipeline, "stageName": "Production", "targetPipelineExecutionId": all[1].ID}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := consoleText(t, again); got != allIsWell {
			t.Errorf("after the rollback\n%s", got)
		}
		if err := again.answer(webPipeline, "Production", "SignOff", "Approved", ""); err == nil {
			t.Error("an approval that does not wait was answered")
		}
	})
}

func TestStepsWithAWS(t *testing.T) {
	run := func(pipeline string, number int, status workflows.Status) workflows.Execution {
		return workflows.Execution{Pipeline: pipeline, Number: number, Status: status}
	}
	back := func(status workflows.Status) workflows.Execution {
		x := run("payments", 4, status)
		x.Type, x.Rollback = workflows.TypeRollback, &workflows.Rollback{TargetNumber: 2}
		return x
	}
	gate := func(number int, by ...string) []say.OpenApproval {
		g := say.OpenApproval{Pipeline: "webshop", Number: number, Approval: workflows.Approval{Required: 2}}
		for _, name := range by {
			g.Approval.Votes = append(g.Approval.Votes, workflows.Vote{By: workflows.Principal{Email: mail(name)}})
		}
		return []say.OpenApproval{g}
	}
	done, going, bad := workflows.StatusSucceeded, workflows.StatusInProgress, workflows.StatusFailed
	web := func(number int, s workflows.Status) []workflows.Execution {
		return []workflows.Execution{run("webshop", number, s)}
	}
	pay := func(all ...workflows.Execution) []workflows.Execution { return all }
	for name, c := range map[string]struct {
		s    sky
		step Step
		next string
	}{
		"nothing seen yet":    {sky{}, Watch, "rollcall looks at two pipelines in AWS: a few seconds"},
		"one waits":           {sky{web: web(2, going), pay: pay(run("payments", 2, done)), gates: gate(2, "ben")}, Approve, "Click Approve on the card for webshop#2: AWS waits for it"},
		"the visitor has":     {sky{web: web(2, going), pay: pay(run("payments", 2, done)), gates: gate(2, "ana")}, Watch, "Ben looks at webshop#2"},
		"it is deployed":      {sky{web: web(2, going), pay: pay(run("payments", 2, done))}, Watch, "AWS runs webshop#2: watch its card and the console"},
		"the next one comes":  {sky{web: web(2, done), pay: pay(run("payments", 3, going))}, Watch, "AWS runs payments#3: watch its card and the console"},
		"it failed":           {sky{web: web(2, done), pay: pay(run("payments", 3, bad))}, RollBack, "payments#3 failed in AWS: click Roll back Production on its card"},
		"it is rolled back":   {sky{web: web(2, done), pay: pay(back(going), run("payments", 3, bad))}, Watch, "AWS rolls payments back to #2"},
		"the rollback failed": {sky{web: web(2, done), pay: pay(back(bad), run("payments", 3, bad))}, RollBack, "payments#3 failed in AWS: click Roll back Production on its card"},
		"it is back":          {sky{web: web(2, done), pay: pay(back(done), run("payments", 3, bad))}, Watch, "Dan pushes the next change"},
		"for the console":     {sky{web: web(3, going), pay: pay(back(done), run("payments", 3, bad)), gates: gate(3)}, InConsole, "Approve webshop#3 in the AWS console, as somebody without rollcall would"},
		"the end":             {sky{web: web(3, done), pay: pay(back(done), run("payments", 3, bad))}, Done, "That was the story."},
		"one more":            {sky{web: web(4, going), pay: pay(back(done), run("payments", 3, bad)), gates: gate(4)}, Approve, "Click Approve on the card for webshop#4: AWS waits for it"},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.me = mail("ana")
			if step, next := c.s.step(); step != c.step || !strings.HasPrefix(next, c.next) {
				t.Errorf("%s: %s\nwant %s: %s", step, next, c.step, c.next)
			}
		})
	}
}
