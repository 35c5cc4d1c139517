package bot_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
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
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/web/session"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// shop needs two people to go to production, Ana or Cho among them.
const shop = `
name: webshop
executionMode: SUPERSEDED
channel: "#webshop"
variables: [{name: canaryPercent, defaultValue: "10", description: share of traffic, pattern: "[0-9]+"}]
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Staging
    actions: [{name: Ship, provider: Commands, commands: ["true"], inputArtifacts: [app]}]
  - name: Production
    environment: production
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [ana@acme.example, cho@acme.example], required: 2}, timeoutInMinutes: 600}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["true"], inputArtifacts: [app]}
`

// fixture is the bot in a whole service: the real engine on a real file, the real
// Slack client, and a local Slack with people in it. Time is synthetic.
type fixture struct {
	t *testing.T
	*slackfake.Server
	engine                  *runtime.Engine
	bot                     *bot.Bot
	client                  *slackside.Client
	ana, ben, cho, eve, gil slackfake.User
	fails                   *failing
	sessions                *session.Sessions
	slow                    *delayed
}

// story runs a conversation. Its clock begins at 2000-01-01.
func story(t *testing.T, file string, story func(t *testing.T, h *fixture)) {
	t.Helper()
	frozenStory(t, file, nil, story)
}

// frozenStory is story with freezes in the service's configuration.
func frozenStory(t *testing.T, file string, freezes []workflows.Freeze, story func(t *testing.T, h *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &fixture{t: t, fails: &failing{}}
		var receiver http.Handler
		h.Server = slackfake.New(slackfake.Options{BaseURL: "http://rollcall.test", PublicURL: "http://slack.test", UnfurlDomains: []string{"rollcall.acme.example"},
			Transport: wirefake.Direct(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { receiver.ServeHTTP(w, r) }))})
		defer h.Close()
		h.ana = h.AddUser(slackfake.User{ID: "U0ANA", Name: "ana", Email: "ana@acme.example"})
		h.ben = h.AddUser(slackfake.User{ID: "U0BEN", Name: "ben", Email: "ben@acme.example"})
		h.cho = h.AddUser(slackfake.User{ID: "U0CHO", Name: "cho", Email: "cho@acme.example"})
		h.eve = h.AddUser(slackfake.User{ID: "U0EVE", Name: "eve", Email: "eve@acme.example"})
		h.gil = h.AddUser(slackfake.User{ID: "U0GIL", Name: "gil", Email: "gil@acme.example", Kind: slackfake.Guest})
		h.AddChannel(slackfake.Channel{Name: "#webshop"})
		log := &logged{}
		client := slackside.New(slackside.Options{APIURL: "http://slack.test/api/", BotToken: "xoxb-local", SigningSecret: "local-signing-secret",
			Transport: wirefake.Direct(h.Server), Log: slog.New(slog.NewTextHandler(log, nil))})
		h.engine = newEngine(t, h.fails, client, freezes, log)
		h.sessions = session.New(session.Options{Memos: h.engine.MemosOf("session"), People: workspaceOf{client}, URL: "https://rollcall.acme.example", Console: true})
		h.slow = &delayed{Engine: h.engine}
		b := bot.New(bot.Options{Unfurler: client, Address: "https://rollcall.acme.example", SignIn: signIn{h.sessions}, Engine: h.slow, Chat: client, Memos: h.engine.MemosOf("slack"), Channel: "#webshop", PublicURL: "https://rollcall.acme.example",
			Open: []string{"access.allowAll is on"}, Groups: map[string][]string{"team": {"cho@acme.example"}}, Members: client, Link: client.Permalink, Log: slog.New(slog.NewTextHandler(log, nil))})
		h.engine.AddFollower(b)
		h.bot, h.client = b, client
		r := client.Receive(h.engine, b)
		receiver = r.Handler()

		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := h.engine.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		<-h.engine.Ready()
		running.Go(func() { _ = r.Run(ctx) })
		running.Go(func() { _ = b.Run(ctx) })
		defer func() {
			cancel()
			running.Wait()
			if t.Failed() {
				t.Log("the channel:\n" + h.channel() + "\nthe log:\n" + log.String())
			}
		}()
		synctest.Wait() // the receiver has learnt which workspace it is in
		h.define(file)
		story(t, h)
		for _, v := range h.Violations() {
			t.Errorf("Slack would refuse: %+v", v)
		}
	})
}

func newEngine(t *testing.T, f *failing, directory runtime.Directory, freezes []workflows.Freeze, log io.Writer) *runtime.Engine {
	t.Helper()
	return engineOn(t, store.Options{}, f, directory, freezes, log)
}

func engineOn(t *testing.T, o store.Options, f runtime.Runner, directory runtime.Directory, freezes []workflows.Freeze, log io.Writer) *runtime.Engine {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	disk, err := files.Open(dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	people, _ := directory.(runtime.People)
	e, err := runtime.New(runtime.Options{People: people, Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Directories: map[string]runtime.Directory{"slack-group": directory}, Freezes: freezes, Log: slog.New(slog.NewTextHandler(log, nil)),
		Runners: map[string]runtime.Runner{"Git": f, "Commands": f},
		Policy: &access.Policy{Admins: []string{"ana@acme.example"}, Groups: map[string][]string{"team": {"cho@acme.example"}}, Rules: []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{"everyone"}},
			{Allow: []workflows.Verb{workflows.Logs, workflows.RollBack, workflows.Retry, workflows.StopExecution, workflows.Unlock, workflows.Lock, workflows.Approve}, To: []string{"cho@acme.example"}},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// failing is a runner whose deploys can be made to fail: all of them, or those of one execution.
type failing struct {
	mu     sync.Mutex
	fail   bool
	number string
}

func (f *failing) set(fail bool)      { f.mu.Lock(); f.fail = fail; f.mu.Unlock() }
func (f *failing) only(number string) { f.mu.Lock(); f.number = number; f.mu.Unlock() }

func (f *failing) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if log, err := w.Log(); err == nil {
		_, _ = io.WriteString(log, "+ dist/deploy production\nweb-3 answers\n")
		_ = log.Close()
	}
	o := work.Outcome{State: work.Succeeded}
	for _, a := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: a.Name, Digest: strings.Repeat("ab", 32), Size: 1})
	}
	if t.Action.IsSource() {
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: strings.Repeat("4f2a9c1e5b", 4), RevisionSummary: "Show the total <!channel>", Author: &workflows.Author{Name: "Dee"}}
	}
	if t.Action.Name == "Deploy" && (f.fail || f.number == strconv.Itoa(t.Number)) {
		o = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}}
	}
	return o, nil
}

func (f *failing) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

func (f *failing) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// logged is a log that several goroutines write and the test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *logged) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func (h *fixture) define(file string) {
	h.t.Helper()
	p, faults := spec.Parse("webshop.yaml", []byte(file))
	if p == nil {
		h.t.Fatal(faults)
	}
	if _, err := h.engine.Submit(h.t.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: "api"}, workflows.EnginePrincipal()); err != nil {
		h.t.Fatal(err)
	}
}

// says is a slash command.
func (h *fixture) says(u slackfake.User, text string) {
	h.t.Helper()
	if _, err := h.Command(h.t.Context(), u.ID, "#webshop", text); err != nil {
		h.t.Fatalf("%s says %q: %v", u.Name, text, err)
	}
}

// later lets synthetic time go by.
func (h *fixture) later(d time.Duration) { pass(d) }

// pass lets the time of a bubble go by.
func pass(d time.Duration) { <-time.After(d) }

// clicks presses a button of a message.
func (h *fixture) clicks(u slackfake.User, m slackfake.Message, action string) {
	h.t.Helper()
	if _, err := h.Click(h.t.Context(), u.ID, m.At(), action); err != nil {
		h.t.Fatalf("%s presses %s: %v", u.Name, action, err)
	}
}

// until waits, a minute at most, for what must become true.
func (h *fixture) until(what string, holds func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	if err := h.Until(ctx, holds); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// posted are all messages of a channel, those in threads that it does not see too, oldest first.
func (h *fixture) posted(channel string) (all []slackfake.Message) {
	seen := map[string]bool{}
	for _, m := range h.Messages(channel) { // of a thread whose first message was deleted the broadcast answers are left
		root := cmp.Or(m.Thread, m.TS)
		if !seen[root] {
			all = append(all, h.Thread(channel, root)...)
		}
		seen[root] = true
	}
	slices.SortStableFunc(all, func(a, b slackfake.Message) int { return strings.Compare(a.TS, b.TS) })
	return all
}

// reads waits until the newest message of a kind for an execution, "rollcall_execution" 43, holds all words.
func (h *fixture) reads(kind string, number string, words ...string) slackfake.Message {
	h.t.Helper()
	var found slackfake.Message
	h.until(kind+" of "+number+" with "+strings.Join(words, ", "), func() bool {
		for _, m := range slices.Backward(h.posted("#webshop")) {
			if m.Metadata != nil && m.Metadata.Type == kind && (strings.Contains(m.Text, "#"+number)) {
				found = m
				text := m.Text + h.Rendered(m)
				return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
			}
		}
		return false
	})
	return found
}

// hears waits for an answer that only this person sees and that holds all words.
func (h *fixture) hears(u slackfake.User, words ...string) slackfake.Message {
	h.t.Helper()
	var found slackfake.Message
	h.until(u.Name+" hears "+strings.Join(words, ", "), func() bool {
		all := h.Ephemerals(u.ID)
		for _, m := range slices.Backward(all) {
			text := m.Text + h.Rendered(m)
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// sees waits for a long answer, a modal of this person that holds all words.
func (h *fixture) sees(u slackfake.User, words ...string) slackfake.View {
	h.t.Helper()
	var found slackfake.View
	h.until(u.Name+" sees "+strings.Join(words, ", "), func() bool {
		for _, v := range slices.Backward(h.Views(u.ID)) {
			if text := h.RenderedView(v); v.CallbackID == "answer" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				found = v
				return true
			}
		}
		return false
	})
	return found
}

// form waits for an open form of that callback_id.
func (h *fixture) form(u slackfake.User, callback string) slackfake.View {
	h.t.Helper()
	var found slackfake.View
	h.until(u.Name+" sees the form "+callback, func() bool {
		views := h.Views(u.ID)
		if n := len(views); n > 0 && views[n-1].CallbackID == callback {
			found = views[n-1]
			return true
		}
		return false
	})
	return found
}

func (h *fixture) submits(u slackfake.User, v slackfake.View, values map[string]string) {
	h.t.Helper()
	if _, err := h.Submit(h.t.Context(), u.ID, v.ID, values); err != nil {
		h.t.Fatalf("%s submits %s: %v", u.Name, v.CallbackID, err)
	}
}

// count is how many messages of a kind the channel and its threads hold.
func (h *fixture) count(kind string) int {
	n := 0
	for _, m := range h.posted("#webshop") {
		if m.Metadata != nil && m.Metadata.Type == kind {
			n++
		}
	}
	return n
}

func (h *fixture) channel() string {
	var b strings.Builder
	for _, m := range h.Messages("#webshop") {
		b.WriteString("----\n" + h.Rendered(m) + "\n")
	}
	return b.String()
}

// released brings a new execution of that number into production.
func (h *fixture) released(number string) {
	h.t.Helper()
	h.says(h.ben, "start webshop")
	gate := h.reads("rollcall_gate", number, "0 of 2")
	h.clicks(h.ana, gate, "approve")
	h.clicks(h.cho, gate, "approve")
	h.reads("rollcall_execution", number, "#"+number+" · in Production")
}

func buttons(m slackfake.Message) []string {
	var ids []string
	for _, b := range m.Buttons() {
		ids = append(ids, b.ActionID)
	}
	return ids
}

func workspacePlace(view string) slackfake.Target { return slackfake.Target{View: view} }
