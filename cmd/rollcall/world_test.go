package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// TestMain lets the test binary be rollcall: the service that the stories
// speak to, the supervisor of its commands, and the command of the scripts.
func TestMain(m *testing.M) {
	commands.Supervise()
	if os.Getenv("ROLLCALL_TEST_AS_DEMO") != "" { // stays set: the demo replaces itself
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if os.Getenv("ROLLCALL_TEST_AS_SERVICE") != "" {
		_ = os.Unsetenv("ROLLCALL_TEST_AS_SERVICE")
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	// Stories that run beside each other wait for other processes most of the time: unless -parallel says otherwise.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"rollcall": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }})
}

// testTimeout is how long a story waits for what must come. The longest that it
// may take is a ticket whose create a kill cut off: for a minute nobody can know
// whether Jira made it, and then it is tried again after a pause of up to half a
// minute. The rest is for a machine that is busy with something else.
const testTimeout = 5 * time.Minute

// fixture is a team with its tools: a repository, a GitHub, a Jira, a Slack, and
// a rollcall of its own, which is a real process.
type fixture struct {
	t                *testing.T
	dir, addr        string
	slack            *slackfake.Server
	github           *githubfake.Server
	jira             *jirafake.Server
	api              *client.Client
	ana, ben, dan    slackfake.User // ana and ben release, dan writes
	guest            slackfake.User
	secretsOfService []string
	pipeline         string   // whose executions the methods below speak of
	asks             string   // STAGE/ACTION of its gate; empty: Production/SignOff
	env              []string // of the service; nil: this process's

	mu      sync.Mutex // guards service
	service *exec.Cmd
	logs    *os.File
}

const signing, hook, token = "slack-signing-secret", "github-webhook-secret", "an-api-token-of-the-story"

func newWorld(t *testing.T) *fixture { return worldOver(t, "signingSecret: "+signing) }

// bySocket is how the service reaches a Slack that cannot reach it.
const bySocket = "appToken: xapp-story"

// worldOver is a world whose service hears Slack in that way.
func worldOver(t *testing.T, way string) *fixture {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := team(t)
	w.secretsOfService = []string{signing, hook, token, "xoxb-story", "gh-token-story", "jira-token-story"}
	w.github = githubfake.New(githubfake.Options{Token: "gh-token-story", WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.jira = jirafake.New(jirafake.Options{})
	w.repository()
	w.configure(way, serve(t, w.slack), serve(t, w.github), serve(t, w.jira))
	t.Cleanup(w.end)
	w.start()
	return w
}

// team is a fixture with people in a Slack. Its service is configured and started later, and ended by whoever starts it.
func team(t *testing.T) *fixture {
	t.Helper()
	w := &fixture{t: t, dir: folder(t), addr: freeAddr(t), pipeline: "webshop"}
	w.slack = slackfake.New(slackfake.Options{Team: "T1", App: "A1", BotToken: "xoxb-story", AppToken: "xapp-story", SigningSecret: signing, BaseURL: "http://" + w.addr})
	t.Cleanup(w.slack.Close)
	w.slack.Grant(scopesOfTheManifest()...) // they must be enough for the whole story
	w.ana = w.slack.AddUser(slackfake.User{ID: "UANA", Name: "ana", Real: "Ana", Email: "ana@acme.example"})
	w.ben = w.slack.AddUser(slackfake.User{ID: "UBEN", Name: "ben", Real: "Ben", Email: "ben@acme.example"})
	w.dan = w.slack.AddUser(slackfake.User{ID: "UDAN", Name: "dan", Real: "Dan", Email: "dan@acme.example"})
	w.guest = w.slack.AddUser(slackfake.User{ID: "UGUEST", Name: "gil", Real: "Gil", Email: "gil@other.example", Kind: slackfake.Guest})
	w.slack.AddChannel(slackfake.Channel{ID: "CDEPLOYS", Name: "deploys"})
	w.api = &client.Client{URL: "http://" + w.addr, Token: token, HTTP: &http.Client{Timeout: testTimeout}}
	logs, err := os.Create(filepath.Join(w.dir, "service.log"))
	if err != nil {
		t.Fatal(err)
	}
	w.logs = logs
	return w
}

// folder is a temporary one. A git that a killed service left behind may still
// write into it for a moment when the test has ended.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "rollcall-story-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deadline := time.After(testTimeout)
		for os.RemoveAll(dir) != nil {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-deadline:
				t.Errorf("%s cannot be removed", dir)
				return
			}
		}
	})
	return dir
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// freeAddr is an address that nobody else takes while a service is away: where
// the machine has all of 127/8, as Linux does, one of a host of its own, for the
// servers of other tests get random ports of 127.0.0.1.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *fixture) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *fixture) write(name, text string) {
	w.t.Helper()
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) configure(way, slackURL, githubURL, jiraURL string) {
	w.write("rollcall.yaml", fmt.Sprintf(`
listen: %s
slack: {apiURL: %q, botToken: xoxb-story, %s, channel: "#deploys"}
github: {apiURL: %q, cloneURL: "file://%s/", token: gh-token-story, webhookSecret: %s}
jira: {url: %q, user: bot@acme.example, token: jira-token-story, project: OPS, issueType: Bug}
sources: {allowFileURLs: true, pollInterval: 1h}
runners: {commands: {enabled: true}}
access:
  groups: {release-managers: [ana@acme.example, ben@acme.example]}
  rules:
    - {allow: [view, start, stop, retry, logs], to: [everyone]}
    - {allow: [approve, rollback, disable, enable, resolve], to: [group:release-managers]}
api:
  tokens:
    - {name: looker, token: a-token-that-looks, may: [view]}
    - {name: story, token: %s, may: [view, logs, start, stop, retry, rollback, enable, disable, approve, resolve, edit, override]}
`, w.addr, slackURL+"/api/", way, githubURL+"/", w.path("git"), hook, jiraURL, token)[1:]+narrowTokens())
	w.write("pipelines/webshop.yaml", fmt.Sprintf(`
name: webshop
variables: [{name: note, defaultValue: "-"}]
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, namespace: App, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions:
      - {name: Test, provider: Commands, commands: ["sh test.sh"], inputArtifacts: [app]}
      - name: Package
        provider: Commands
        runOrder: 2
        commands: ["mkdir dist", "cp page deploy.sh dist/", "echo build $ROLLCALL_EXECUTION >> $LEDGER"]
        environmentVariables: [{name: LEDGER, value: %[1]q}]
        inputArtifacts: [app]
        outputArtifacts: [{name: dist, files: ["dist/**"]}]
  - name: Production
    environment: production
    onFailure: {result: ROLLBACK}
    actions:
      - {name: SignOff, provider: Manual, approval: {from: [group:release-managers], required: 2}}
      - name: Deploy
        provider: Commands
        runOrder: 2
        commands: ["echo note: #{variables.note}", "sh dist/deploy.sh"]
        environmentVariables: [{name: LEDGER, value: %[1]q}, {name: SHOP, value: %[2]q}]
        inputArtifacts: [dist]
`, w.path("ledger"), w.path("shop"))[1:])
}

func (w *fixture) read(name string) string {
	b, _ := os.ReadFile(w.path(name))
	return string(b)
}

// repository makes acme/webshop, empty.
func (w *fixture) repository() {
	w.git("", "init", "-q", "--bare", "-b", "main", w.path("git/acme/webshop.git"))
	w.git("", "init", "-q", "-b", "main", w.path("work"))
	w.write("work/test.sh", "test -s page\n")
	w.write("work/deploy.sh", `
echo "deploy $ROLLCALL_EXECUTION $ROLLCALL_ATTEMPT begins" >> "$LEDGER"
sleep 0.3 # long enough to be killed in
cp dist/page "$SHOP"
if grep -q broken dist/page; then echo "the shop answers 500"; exit 1; fi
echo "deploy $ROLLCALL_EXECUTION $ROLLCALL_ATTEMPT ends" >> "$LEDGER"
echo "the shop is up"
`)
}

func (w *fixture) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.path(dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Dan", "GIT_AUTHOR_EMAIL=dan@acme.example",
		"GIT_COMMITTER_NAME=Dan", "GIT_COMMITTER_EMAIL=dan@acme.example")
	if dir == "" {
		cmd.Dir = w.dir
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes the shop's page and returns the pushed commit; nobody has heard of it yet.
func (w *fixture) commit(page, message string) string {
	w.t.Helper()
	w.write("work/page", page+"\n")
	w.git("work", "add", ".")
	w.git("work", "commit", "-qm", message)
	w.git("work", "push", "-q", w.path("git/acme/webshop.git"), "HEAD:main")
	return w.git("work", "rev-parse", "HEAD")
}

// push is a commit that GitHub tells rollcall of, until it was taken.
func (w *fixture) push(page, message string) string {
	w.t.Helper()
	sha := w.commit(page, message)
	send := func() (wirefake.Delivery, error) {
		return w.github.Push(w.t.Context(), githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha, Message: message,
			Author: githubfake.Person{Name: "Dan", Email: "dan@acme.example", Login: "dan-dev"}, Pusher: "dan-dev", Files: []string{"page"}})
	}
	d, err := send()
	for tries := 0; err != nil || d.Status >= 500; tries++ {
		if tries > 200 {
			w.t.Fatalf("the push was never taken: %d %v", d.Status, err)
		}
		w.ready()
		d, err = send() // under a new delivery ID: the same push still counts once
	}
	if d.Status != http.StatusAccepted && d.Status != http.StatusOK {
		w.t.Fatalf("push: %d %s", d.Status, d.Answer)
	}
	return sha
}

// start starts the service and waits until it can take requests.
func (w *fixture) start() {
	w.t.Helper()
	w.mu.Lock()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", "--config", w.path("rollcall.yaml"))
	if w.env == nil {
		w.env = os.Environ()
	}
	cmd.Env = append(slices.Clone(w.env), "ROLLCALL_TEST_AS_SERVICE=1", "SECRET_OF_THE_SERVICE=must-not-leak")
	cmd.Stdout, cmd.Stderr = w.logs, w.logs
	if err := cmd.Start(); err != nil {
		w.mu.Unlock()
		w.t.Fatal(err)
	}
	w.service = cmd
	w.mu.Unlock()
	w.ready()
}

// ready waits until the service can take requests.
func (w *fixture) ready() {
	w.t.Helper()
	w.until("the service is ready", func() bool {
		res, err := http.Get("http://" + w.addr + "/readyz") //nolint:noctx // a probe on loopback
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// kill is kill -9, at whatever it is doing.
func (w *fixture) kill() {
	w.mu.Lock()
	cmd := w.service
	w.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (w *fixture) end() {
	w.kill()
	if w.t.Failed() {
		out := w.read("service.log")
		w.t.Logf("the service said:\n%s\nledger:\n%s", out[max(0, len(out)-12000):], w.read("ledger"))
		if w.github != nil {
			for _, s := range w.github.Statuses("") {
				w.t.Logf("GitHub was told at %s: %s is %s, %s", s.CreatedAt.Format(time.RFC3339Nano), s.SHA, s.State, s.Description)
			}
		}
		for _, m := range w.slack.Messages("#deploys") {
			w.t.Logf("#deploys:\n%s", w.slack.Rendered(m))
		}
		for _, u := range []slackfake.User{w.ana, w.ben, w.dan, w.guest} {
			for _, m := range w.slack.Ephemerals(u.ID) {
				w.t.Logf("only %s sees: %s", u.Name, w.slack.Rendered(m))
			}
		}
	}
	w.logs.Close()
}

// until looks again and again, because the other side is another process.
func (w *fixture) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(testTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited %s in vain: %s", testTimeout, what)
		}
	}
}

// answered asks until the service answers, and be it with a refusal: that
// nobody answers, because it was just killed or is slow, says nothing of what there is.
func (w *fixture) answered(ask func() error) (err error) {
	w.t.Helper()
	w.until("the service answers", func() bool {
		var refused *workflows.Problem
		err = ask()
		return err == nil || errors.As(err, &refused) && !slices.Contains([]string{client.Unreachable, workflows.CodeUnavailable, workflows.CodeCommitUnknown}, refused.Code)
	})
	return err
}

// executions are all of them, oldest first.
func (w *fixture) executions() (all []workflows.Execution) {
	w.t.Helper()
	if err := w.answered(func() (err error) {
		all, err = w.api.Executions(w.t.Context(), record.Query{Pipeline: w.pipeline, Limit: 100})
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

// execution returns webshop#n, or an empty one while it does not exist.
func (w *fixture) execution(n int) (e workflows.Execution) {
	w.t.Helper()
	if err := w.answered(func() (err error) {
		e, err = w.api.Execution(w.t.Context(), fmt.Sprintf("%s#%d", w.pipeline, n))
		return err
	}); err != nil {
		return workflows.Execution{}
	}
	return e
}

func (w *fixture) stage(name string) workflows.StageView {
	w.t.Helper()
	var v workflows.PipelineView
	if err := w.answered(func() (err error) { v, err = w.api.Pipeline(w.t.Context(), w.pipeline); return err }); err != nil {
		return workflows.StageView{}
	}
	s, ok := v.Stage(name)
	if !ok {
		return workflows.StageView{}
	}
	return *s
}

// gate returns the open gate of webshop#n.
func (w *fixture) gate(n int) *workflows.Approval {
	e := w.execution(n)
	stage, action := w.asksAt()
	if s, ok := e.Stage(stage); ok {
		if a, ok := s.Action(action); ok && a.Approval != nil && a.Approval.Closed == "" && a.Needs == workflows.NeedsApproval {
			return a.Approval
		}
	}
	return nil
}

// asksAt is where the pipeline asks people.
func (w *fixture) asksAt() (stage, action string) {
	if w.asks == "" {
		return "Production", "SignOff"
	}
	stage, action, _ = strings.Cut(w.asks, "/")
	return stage, action
}

// posts are the channel's messages (threads too) of a metadata type about an execution.
func (w *fixture) posts(kind, execution string) []slackfake.Message {
	var found []slackfake.Message
	seen := map[string]bool{}
	for _, top := range w.slack.Messages("#deploys") {
		for _, m := range append([]slackfake.Message{top}, w.slack.Thread("CDEPLOYS", top.TS)...) {
			if m.Metadata == nil || m.Metadata.Type != kind || seen[m.TS] {
				continue
			}
			var p struct{ Execution string }
			if json.Unmarshal(m.Metadata.Payload, &p) == nil && p.Execution == execution {
				seen[m.TS] = true
				found = append(found, m)
			}
		}
	}
	return found
}

// press clicks a button of the newest message of a kind about webshop#n, as soon as it is there.
func (w *fixture) press(user slackfake.User, kind string, n int, action string) {
	w.t.Helper()
	w.pressUnless(func() bool { return false }, user, kind, n, action)
}

// pressUnless is press for what may have come about already: the button is gone then.
func (w *fixture) pressUnless(done func() bool, user slackfake.User, kind string, n int, action string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s can press %s on the %s of #%d", user.Name, action, kind, n), func() bool {
		if done() {
			return true
		}
		id := w.execution(n).ID
		if id == "" {
			return false
		}
		all := w.posts(kind, id)
		for _, m := range slices.Backward(all) {
			for _, b := range m.Buttons() {
				if b.ActionID == action || strings.HasPrefix(b.ActionID, action+".") {
					_, err := w.slack.Click(w.t.Context(), user.ID, m.At(), b.ActionID)
					return err == nil
				}
			}
		}
		return false
	})
}

// approve lets somebody approve webshop#n and waits until their vote counts or the gate is decided.
func (w *fixture) approve(user slackfake.User, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("the gate of #%d opens", n), func() bool { return w.gate(n) != nil })
	token := w.gate(n)
	voted := func() bool { return w.voted(n, user) }
	for range 20 {
		w.pressUnless(voted, user, "rollcall_gate", n, "approve")
		if w.soon(voted) {
			return
		}
	}
	w.t.Fatalf("the vote of %s at #%d never counted (%v)", user.Name, n, token)
}

func (w *fixture) voted(n int, user slackfake.User) bool {
	e := w.execution(n)
	stage, action := w.asksAt()
	s, ok := e.Stage(stage)
	if !ok {
		return false
	}
	a, ok := s.Action(action)
	return ok && a.Approval != nil && slices.ContainsFunc(a.Approval.Votes, func(v workflows.Vote) bool { return v.By.Email == user.Email })
}

// acknowledged does something in Slack until the service takes it in the three
// seconds that Slack gives it. As people do, it does again what seemed to fail.
func (w *fixture) acknowledged(what string, do func() (slackfake.Ack, error)) {
	w.t.Helper()
	w.until(what+" is acknowledged", func() bool { _, err := do(); return err == nil })
}

// types types something after /rollcall in #deploys.
func (w *fixture) types(user slackfake.User, text string) {
	w.t.Helper()
	w.acknowledged("/rollcall "+text, func() (slackfake.Ack, error) { return w.slack.Command(w.t.Context(), user.ID, "#deploys", text) })
}

// soon is until for what may have been lost because it was never acknowledged.
func (w *fixture) soon(holds func() bool) bool {
	deadline := time.After(8 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
}

func (w *fixture) ended(n int, status workflows.Status) {
	w.t.Helper()
	var e workflows.Execution
	w.until(fmt.Sprintf("%s#%d ends", w.pipeline, n), func() bool { e = w.execution(n); return e.Status.Final() })
	if e.Status != status {
		w.t.Fatalf("%s#%d ended %s, want %s: %+v", w.pipeline, n, e.Status, status, e.StatusReason)
	}
}
