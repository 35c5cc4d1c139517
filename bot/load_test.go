package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	slackside "github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	busyEach   = 20 // executions of each pipeline at once
	gatesAsked = 12 // one each half minute
)

// busyPipelines is how many there are: a thousand executions together, and 200
// where that takes too long.
func busyPipelines() int {
	if testing.Short() || raced {
		return 10
	}
	return 50
}

// busy has one pipeline of many, and one that asks somebody.
const (
	busy = `
name: busy%d
executionMode: PARALLEL
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Make, provider: Commands, commands: ["true"], inputArtifacts: [app]}]
`
	asking = `
name: asking
executionMode: PARALLEL
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Release
    actions: [{name: SignOff, provider: Manual, approval: {from: [ana@acme.example], requesterMayApprove: true}}]
`
)

// slow is a runner whose builds take so long that many of their cards are posted before they end.
type slow struct{ *failing }

const buildTakes = 8 * time.Minute

func (s slow) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	o, err := s.failing.Start(ctx, t, w)
	if t.Action.Name == "Make" {
		o = work.Outcome{State: work.Running, Handle: "1", PollAfter: buildTakes}
	}
	return o, err
}

// crowd is a service whose Slack keeps its budgets.
type crowd struct {
	*testing.T
	*slackfake.Server
	engine *runtime.Engine
	log    *logged
}

// A thousand executions at once in one channel of a Slack that keeps its budgets:
// nothing is turned away for good, gates are there at once, and every card is true
// as soon as the budgets allow it.
func TestAThousandExecutionsAtOnceInOneChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openCrowd(t)
		start := time.Now()
		for i := range busyPipelines() {
			c.define(fmt.Sprintf(busy, i))
			for range busyEach {
				c.submit(workflows.Intent{Verb: workflows.Start, Pipeline: fmt.Sprintf("busy%d", i)})
			}
		}
		c.define(asking)
		for range gatesAsked {
			pass(30 * time.Second)
			c.asked()
		}
		for !c.allTrue() {
			if pass(5 * time.Second); time.Since(start) > time.Hour {
				t.Fatal("the cards are not true after an hour")
			}
		}
		posts, edits := c.needed()
		floor := max(time.Duration(posts)*time.Second, buildTakes+time.Duration(edits)*time.Minute/50)
		took := time.Since(start)
		t.Logf("%d messages, %d cards to be edited, %d edits: %s, at least %s; turned away: %d", posts, edits, c.Calls("chat.update"), took, floor, c.Limited(""))
		if want := busyPipelines()*busyEach + 2*gatesAsked; posts != want {
			t.Errorf("%d messages, want %d", posts, want)
		}
		if took > floor*12/10 {
			t.Errorf("all was true after %s, the budgets allow %s", took, floor)
		}
		if log := c.log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
			t.Errorf("the log:\n%.2000s", log)
		}
	})
}

func openCrowd(t *testing.T) *crowd {
	c := &crowd{T: t, log: &logged{}}
	c.Server = slackfake.New(slackfake.Options{BaseURL: "http://rollcall.test", PublicURL: "http://slack.test", Transport: wirefake.Direct(http.NotFoundHandler())})
	c.AddUser(slackfake.User{ID: "U0ANA", Name: "ana", Email: "ana@acme.example"})
	c.AddChannel(slackfake.Channel{Name: "#deploys"})
	c.Enforce(slackfake.SlackBudgets())
	log := slog.New(slog.NewTextHandler(c.log, nil))
	client := slackside.New(slackside.Options{APIURL: "http://slack.test/api/", BotToken: "xoxb-local", Transport: wirefake.Direct(c.Server), Log: log})
	c.engine = engineOn(t, store.Options{NoSync: true}, slow{&failing{}}, client, nil, c.log)
	b := bot.New(bot.Options{Engine: c.engine, Chat: client, Memos: c.engine.MemosOf("slack"), Channel: "#deploys", Log: log})
	c.engine.AddFollower(b)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.engine.Run(ctx) })
	<-c.engine.Ready()
	running.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); c.Close() })
	return c
}

func (c *crowd) define(file string) {
	c.Helper()
	p, faults := spec.Parse("a.yaml", []byte(file))
	if p == nil {
		c.Fatal(faults)
	}
	c.submit(workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"})
}

func (c *crowd) submit(in workflows.Intent) {
	c.Helper()
	if _, err := c.engine.Submit(c.Context(), in, workflows.EnginePrincipal()); err != nil {
		c.Fatal(err)
	}
}

// asked starts an execution that asks: its question is there within 5 s, and gone within 5 s of the answer.
func (c *crowd) asked() {
	c.Helper()
	c.submit(workflows.Intent{Verb: workflows.Start, Pipeline: "asking"})
	pass(5 * time.Second)
	synctest.Wait()
	open, err := c.engine.Approvals(c.Context(), workflows.EnginePrincipal())
	if err != nil || len(open) != 1 {
		c.Fatalf("%d open gates, %v", len(open), err)
	}
	gate := func() (text string) {
		for _, m := range c.Messages("#deploys") {
			if m.Metadata != nil && m.Metadata.Type == "rollcall_gate" && strings.Contains(string(m.Metadata.Payload), open[0].Execution) {
				text = c.Rendered(m)
			}
		}
		return text
	}
	if !strings.Contains(gate(), "Approve") {
		c.Errorf("the question is not in the channel after 5 s")
	}
	ana := workflows.Principal{ID: "slack:U0ANA", Name: "ana", Email: "ana@acme.example", Via: "slack"}
	if _, err := c.engine.Submit(c.Context(), workflows.Intent{Verb: workflows.Approve, Gate: open[0].Approval.Token}, ana); err != nil {
		c.Fatal(err)
	}
	pass(5 * time.Second)
	synctest.Wait()
	if strings.Contains(gate(), "[Approve]") {
		c.Errorf("the question can still be answered 5 s after its answer: %s", gate())
	}
}

// allTrue says whether every execution has a card that says how it ended.
func (c *crowd) allTrue() bool {
	cards := 0
	for _, m := range c.Messages("#deploys") {
		if m.Metadata == nil || m.Metadata.Type != "rollcall_execution" {
			continue
		}
		if !strings.Contains(m.Text, "succeeded") {
			return false
		}
		cards++
	}
	return cards == busyPipelines()*busyEach+gatesAsked
}

// needed are the messages that are there, and how many of the cards were posted before their execution ended.
func (c *crowd) needed() (posts, edits int) {
	for _, m := range c.Messages("#deploys") {
		posts++
		if m.Metadata.Type != "rollcall_execution" {
			continue
		}
		var of struct{ Execution string }
		if err := json.Unmarshal(m.Metadata.Payload, &of); err != nil {
			c.Fatal(err)
		}
		e, err := c.engine.Execution(c.Context(), workflows.EnginePrincipal(), of.Execution)
		if err != nil || e.EndedAt == nil {
			c.Fatal(e.Status, err)
		}
		seconds, err := strconv.ParseFloat(m.TS, 64)
		if err != nil {
			c.Fatal(err)
		}
		if time.UnixMicro(int64(seconds * 1e6)).Before(*e.EndedAt) {
			edits++
		}
	}
	return posts, edits
}
