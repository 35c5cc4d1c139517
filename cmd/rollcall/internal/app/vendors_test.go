package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/simulation/seeds"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// The simulation of the vendors: the real bot, Slack client, Jira tickets and
// GitHub statuses beside the real engine, over the vendors' fakes, in a bubble
// of synthetic time. By a seed the vendors refuse for good, refuse until
// somebody has mended it, answer late or not at all, and the process is killed
// at its commits and between them, while people start, decide and go back.
//
//	go test ./cmd/rollcall/internal/app -run 'TestVendors$'                       for a moment
//	ROLLCALL_SEEDS=2000 go test ./cmd/rollcall/internal/app -run 'TestVendors$'
//	ROLLCALL_SEED=7 go test -v ./cmd/rollcall/internal/app -run 'TestVendors$' one of them, with every step

const (
	vendorMoves = 16
	mended      = 60 * time.Second // after that everything must be true
)

var team = []string{"ana", "ben", "cho"}

// shapes are the pipelines of a world.
var shapes = map[string]string{"shop": `
name: shop
owners: [ana@acme.example]
channel: "#shop"
` + rest, "site": `
name: site
channel: "#site"
` + rest}

const rest = `executionMode: SUPERSEDED
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/NAME, BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    announce: success
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [ana@acme.example, ben@acme.example, cho@acme.example], required: 1, remindAt: [50%]}, timeoutInMinutes: 20}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["true"], inputArtifacts: [app]}
`

// came is what a story came to.
type came struct {
	Story                                    string // hash of the moves and of what the vendors show in the end
	Executions, Boots, Messages, Tickets, On int
}

// TestVendors tells one story after another; package seeds says how many.
func TestVendors(t *testing.T) {
	total, began := came{}, time.Now()
	told, busy := seeds.Tell(t, seeds.Plan{Time: 6 * time.Second}, vendors, func(c came) {
		total.Executions, total.Boots, total.Messages, total.Tickets, total.On = total.Executions+c.Executions, total.Boots+c.Boots, total.Messages+c.Messages, total.Tickets+c.Tickets, total.On+c.On
	})
	if os.Getenv("ROLLCALL_SHARD") == "" {
		t.Logf("%d seeds in %s, %.1f for each second of a processor: %d executions, %d processes, %d messages, %d tickets, %d statuses",
			told, time.Since(began).Round(time.Second), float64(told)/max(busy.Seconds(), 0.001), total.Executions, total.Boots, total.Messages, total.Tickets, total.On)
	}
}

// TestVendorsTellTheSameStory is what makes a failing seed worth anything; a
// busy machine may turn a story now and then.
func TestVendorsTellTheSameStory(t *testing.T) {
	if seeds.Raced() {
		t.Skip("the race detector has goroutines run in any order, on purpose")
	}
	defer seeds.Alone()()
	for seed := uint64(1); seed <= 3; seed++ {
		told := map[came]bool{}
		for c := vendors(t, seed, nil); !told[c]; c = vendors(t, seed, nil) {
			if told[c] = true; len(told) > 10 {
				t.Fatalf("seed %d is told in more ways than one: %v", seed, told)
			}
		}
	}
}

// vendors tells the story of a seed.
func vendors(t *testing.T, seed uint64, echo func(string)) (c came) {
	t.Helper()
	runtime.GC() // none comes while it is told
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, echo)
		defer func() {
			if t.Failed() {
				t.Logf("seed %d; replay it with\n\n    ROLLCALL_SEED=%d go test -v ./cmd/rollcall/internal/app -run 'TestVendors$'\n\n%s", seed, seed, strings.Join(w.lines, "\n"))
			}
		}()
		defer func() {
			w.kill()
			w.chat.Close()
			w.must(w.db.Close())
		}()
		w.boot()
		w.define()
		for i := range vendorMoves {
			w.move()
			w.alive()
			if i == vendorMoves/2 {
				w.deafen()
				w.quiet(w.dice.IntN(2) == 0, w.dice.IntN(2) == 0, w.dice.IntN(2) == 0)
			}
		}
		w.quiet(true, true, true)
		w.decideAll()
		w.quiet(true, true, true)
		c = w.came()
	})
	return c
}

// define puts the pipelines in force and releases something with each.
func (w *vendorsFixture) define() {
	for _, name := range []string{"shop", "site"} {
		p, faults := spec.Parse(name+".yaml", []byte(strings.ReplaceAll(shapes[name], "acme/NAME", "acme/"+name)))
		if p == nil {
			w.t.Fatal(faults)
		}
		_, err := w.process.Submit(w.t.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal())
		w.must(err)
		w.push(name)
		w.ask("dan", workflows.Intent{Verb: workflows.Start, Pipeline: name})
	}
	time.Sleep(10 * time.Second)
}

// push makes a new head.
func (w *vendorsFixture) push(pipeline string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pushes++
	sum := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, w.seed, w.pushes)))[:40]
	head := commit{sha: "a" + sum[1:], summary: fmt.Sprint("Change ", w.pushes)}
	if w.dice.IntN(6) == 0 {
		head.sha = unwelcome + sum[4:]
	}
	if w.dice.IntN(6) == 0 {
		head.summary += ", " + unprintable
	}
	w.heads[pipeline] = head
	w.logf("%s is pushed: %s %s", pipeline, head.sha[:7], head.summary)
}

// move is one thing that happens, and some time after it.
func (w *vendorsFixture) move() {
	name := []string{"shop", "site"}[w.dice.IntN(2)]
	who := team[w.dice.IntN(3)]
	all := w.executions(name)
	switch n := w.dice.IntN(24); {
	case n < 6:
		if w.dice.IntN(3) > 0 {
			w.push(name)
		}
		w.ask("dan", workflows.Intent{Verb: workflows.Start, Pipeline: name})
	case n < 12:
		w.decide(all, false)
	case n < 13:
		w.ask(who, workflows.Intent{Verb: workflows.Unlock, Pipeline: name, Stage: "Production"})
	case n < 15 && len(all) > 0:
		w.ask(who, workflows.Intent{Verb: workflows.RollBack, Pipeline: name, Stage: "Production", Target: all[w.dice.IntN(len(all))].ID, WhileRunning: "stop"})
	case n < 16 && len(all) > 0:
		w.ask(who, workflows.Intent{Verb: workflows.Retry, Pipeline: name, Execution: all[0].ID})
	case n < 17 && len(all) > 0:
		w.ask(who, workflows.Intent{Verb: workflows.StopExecution, Pipeline: name, Execution: all[0].ID})
	case n < 21:
		w.trouble()
	default:
		w.restart()
	}
	time.Sleep(time.Duration(w.dice.IntN(25_000)) * time.Millisecond)
}

// deafen has Slack refuse a channel, now and then, before something is started
// whose approval nobody can be asked for there.
func (w *vendorsFixture) deafen() {
	if w.dice.IntN(2) > 0 {
		return
	}
	why := slackMay[w.dice.IntN(len(slackMay))]
	w.logf("slack: to be mended: %q", why)
	w.slack.set("", why)
	w.push("shop")
	w.ask("dan", workflows.Intent{Verb: workflows.Start, Pipeline: "shop"})
}

// slackMay are what Slack refuses until somebody has mended it.
var slackMay = []string{"channel_not_found", "not_in_channel", "is_archived", "restricted_action", "missing_scope", "invalid_auth"}

// trouble has a vendor treat us otherwise from now on.
func (w *vendorsFixture) trouble() {
	l := []*line{&w.slack, &w.slack, &w.jira, &w.github}[w.dice.IntN(4)]
	passing := []string{"", "", "late", "cut", "lost", "away", "limited"}[w.dice.IntN(7)]
	may := map[string][]string{"slack": slackMay, "jira": {"401", "403", "project", "field"}, "github": {"401", "403", "404"}}[l.name]
	mending := ""
	if w.dice.IntN(2) == 0 {
		mending = may[w.dice.IntN(len(may))]
	}
	w.logf("%s: %q, to be mended: %q", l.name, passing, mending)
	l.set(passing, mending)
}

// restart kills the process, now or at one of its next commits.
func (w *vendorsFixture) restart() {
	if w.dice.IntN(2) == 0 {
		w.process.fuse.Store(int32(1 + w.dice.IntN(4)))
		w.logf("the power goes at a commit")
		return
	}
	w.kill()
	time.Sleep(time.Duration(w.dice.IntN(20)) * time.Second)
	w.boot()
}

// alive starts a process where there is none.
func (w *vendorsFixture) alive() {
	synctest.Wait()
	if w.process.dead.Load() {
		w.kill()
		w.boot()
	}
}

// ask has somebody ask for something; what comes of it is none of their business.
func (w *vendorsFixture) ask(who string, in workflows.Intent) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 12*time.Second)
	defer cancel()
	by := workflows.Principal{ID: "console:" + who + "@acme.example", Name: who, Email: who + "@acme.example", Via: "console"}
	if w.dice.IntN(3) == 0 { // then Slack is asked who that is now
		by.ID, by.Via = "slack:U"+strings.ToUpper(who), "slack"
	}
	r, err := w.process.Submit(ctx, in, by)
	ref := ""
	if err == nil && r.Execution != nil {
		ref = r.Execution.Ref()
	}
	w.logf("%s: %s %s %s%s: %v", who, in.Verb, in.Pipeline, in.As, ref, err)
}

// decide answers what waits for a person, in chat or past it.
func (w *vendorsFixture) decide(all []workflows.Execution, surely bool) {
	for _, e := range all {
		for _, o := range waitsFor(&e) {
			who, yes := team[w.dice.IntN(3)], w.dice.IntN(6) > 0
			if !surely && w.dice.IntN(3) == 0 {
				continue
			}
			if o.needs == workflows.NeedsResolve {
				w.ask(who, workflows.Intent{Verb: workflows.Resolve, Pipeline: e.Pipeline, Execution: e.ID, Stage: o.stage, Action: o.action, As: []string{"succeeded", "failed", "again"}[w.dice.IntN(3)]})
				continue
			}
			verb := workflows.Reject
			if yes {
				verb = workflows.Approve
			}
			if m, ok := w.message(w.chat, "rollcall_gate", o.gate); ok && w.dice.IntN(2) == 0 && pressable(m, string(verb)) {
				w.click(who, m, string(verb))
				continue
			}
			w.ask(who, workflows.Intent{Verb: verb, Pipeline: e.Pipeline, Execution: e.ID, Gate: o.gate, Reason: "looks so"})
		}
	}
}

func (w *vendorsFixture) click(who string, m slackfake.Message, button string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 12*time.Second)
	defer cancel()
	_, err := w.chat.Click(ctx, "U"+strings.ToUpper(who), m.At(), button)
	w.logf("%s presses %s: %v", who, button, err)
}

// decideAll decides until nothing waits for a person.
func (w *vendorsFixture) decideAll() {
	for range 6 {
		for _, name := range []string{"shop", "site"} {
			w.decide(w.executions(name), true)
		}
		time.Sleep(15 * time.Second)
	}
}

// executions are a pipeline's, newest first.
func (w *vendorsFixture) executions(pipeline string) []workflows.Execution {
	all, err := w.process.Executions(w.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: pipeline, Limit: 100})
	if err != nil && !w.process.dead.Load() {
		w.t.Fatal(err)
	}
	return all
}

// open is what waits for a person.
type open struct{ stage, action, needs, gate string }

func waitsFor(e *workflows.Execution) (all []open) {
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			switch {
			case a.Needs == workflows.NeedsApproval && a.Approval != nil && a.Approval.Closed == "":
				all = append(all, open{s.Name, a.Name, a.Needs, a.Approval.Token})
			case a.Needs == workflows.NeedsResolve:
				all = append(all, open{s.Name, a.Name, a.Needs, ""})
			}
		}
	}
	return all
}

func pressable(m slackfake.Message, id string) bool {
	return slices.ContainsFunc(m.Buttons(), func(b slackfake.Button) bool { return b.ActionID == id })
}
