package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	"github.com/rollcall-bot/rollcall/integrations/slack/workspace"
	"github.com/rollcall-bot/rollcall/workflows"
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
	testscript.Main(m, map[string]func(){"rollcall": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }})
}

// patience is how long a story waits for what must come; nothing waits that long when it is well.
const patience = 60 * time.Second

// world is a team with its tools: a repository, a GitHub, a Jira, a Slack, and
// a rollcall of its own, which is a real process.
type world struct {
	t                *testing.T
	dir, addr        string
	slack            *workspace.Workspace
	github           *githubfake.Server
	jira             *jirafake.Server
	api              *client.Client
	ana, ben, dan    workspace.User // ana and ben release, dan writes
	guest            workspace.User
	secretsOfService []string

	mu      sync.Mutex // guards service
	service *exec.Cmd
	logs    *os.File
}

const signing, hook, token = "slack-signing-secret", "github-webhook-secret", "an-api-token-of-the-story"

func newWorld(t *testing.T) *world { return worldOver(t, "signingSecret: "+signing) }

// bySocket is how the service reaches a Slack that cannot reach it.
const bySocket = "appToken: xapp-story"

// worldOver is a world whose service hears Slack in that way.
func worldOver(t *testing.T, way string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := &world{t: t, dir: folder(t), addr: freeAddr(t), secretsOfService: []string{signing, hook, token, "xoxb-story", "gh-token-story", "jira-token-story"}}
	w.slack = workspace.New(workspace.Options{Team: "T1", App: "A1", BotToken: "xoxb-story", AppToken: "xapp-story", SigningSecret: signing, BaseURL: "http://" + w.addr})
	t.Cleanup(w.slack.Close)
	w.slack.Grant(scopesOfTheManifest()...) // they must be enough for the whole story
	w.ana = w.slack.AddUser(workspace.User{ID: "UANA", Name: "ana", Real: "Ana", Email: "ana@acme.example"})
	w.ben = w.slack.AddUser(workspace.User{ID: "UBEN", Name: "ben", Real: "Ben", Email: "ben@acme.example"})
	w.dan = w.slack.AddUser(workspace.User{ID: "UDAN", Name: "dan", Real: "Dan", Email: "dan@acme.example"})
	w.guest = w.slack.AddUser(workspace.User{ID: "UGUEST", Name: "gil", Real: "Gil", Email: "gil@other.example", Kind: workspace.Guest})
	w.slack.AddChannel(workspace.Channel{ID: "CDEPLOYS", Name: "deploys"})
	w.github = githubfake.New(githubfake.Options{Token: "gh-token-story", WebhookURL: "http://" + w.addr + "/github/webhook", Secret: hook})
	w.jira = jirafake.New(jirafake.Options{})
	w.api = &client.Client{URL: "http://" + w.addr, Token: token, HTTP: &http.Client{Timeout: 10 * time.Second}}
	w.repository()
	w.configure(way, serve(t, w.slack), serve(t, w.github), serve(t, w.jira))
	logs, err := os.Create(filepath.Join(w.dir, "service.log"))
	if err != nil {
		t.Fatal(err)
	}
	w.logs = logs
	t.Cleanup(w.end)
	w.start()
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
		deadline := time.After(10 * time.Second)
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

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configure(way, slackURL, githubURL, jiraURL string) {
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
`, w.addr, slackURL+"/api/", way, githubURL+"/", w.path("git"), hook, jiraURL, token)[1:])
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

func (w *world) read(name string) string {
	b, _ := os.ReadFile(w.path(name))
	return string(b)
}

// repository makes acme/webshop, empty.
func (w *world) repository() {
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

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.path(dir)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Dan", "GIT_AUTHOR_EMAIL=dan@acme.example",
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
func (w *world) commit(page, message string) string {
	w.t.Helper()
	w.write("work/page", page+"\n")
	w.git("work", "add", ".")
	w.git("work", "commit", "-qm", message)
	w.git("work", "push", "-q", w.path("git/acme/webshop.git"), "HEAD:main")
	return w.git("work", "rev-parse", "HEAD")
}

// push is a commit that GitHub tells rollcall of, until it was taken.
func (w *world) push(page, message string) string {
	w.t.Helper()
	sha := w.commit(page, message)
	send := func() (githubfake.Delivery, error) {
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
func (w *world) start() {
	w.t.Helper()
	w.mu.Lock()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", "--config", w.path("rollcall.yaml"))
	cmd.Env = append(os.Environ(), "ROLLCALL_TEST_AS_SERVICE=1", "SECRET_OF_THE_SERVICE=must-not-leak")
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
func (w *world) ready() {
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
func (w *world) kill() {
	w.mu.Lock()
	cmd := w.service
	w.mu.Unlock()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (w *world) end() {
	w.kill()
	if w.t.Failed() {
		out := w.read("service.log")
		w.t.Logf("the service said:\n%s\nledger:\n%s", out[max(0, len(out)-12000):], w.read("ledger"))
		for _, m := range w.slack.Messages("#deploys") {
			w.t.Logf("#deploys:\n%s", w.slack.Rendered(m))
		}
		for _, u := range []workspace.User{w.ana, w.ben, w.dan, w.guest} {
			for _, m := range w.slack.Ephemerals(u.ID) {
				w.t.Logf("only %s sees: %s", u.Name, w.slack.Rendered(m))
			}
		}
	}
	w.logs.Close()
}

// until looks again and again, because the other side is another process.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// executions are all of them, oldest first.
func (w *world) executions() []workflows.Execution {
	all, err := w.api.Executions(w.t.Context(), workflows.ExecutionQuery{Pipeline: "webshop", Limit: 100})
	if err != nil {
		return nil
	}
	slices.Reverse(all)
	return all
}

// execution returns webshop#n, or an empty one while it does not exist or nobody answers.
func (w *world) execution(n int) workflows.Execution {
	e, err := w.api.Execution(w.t.Context(), fmt.Sprintf("webshop#%d", n))
	if err != nil {
		return workflows.Execution{}
	}
	return e
}

func (w *world) stage(name string) workflows.StageView {
	v, err := w.api.Pipeline(w.t.Context(), "webshop")
	if err != nil {
		return workflows.StageView{}
	}
	s, ok := v.Stage(name)
	if !ok {
		return workflows.StageView{}
	}
	return *s
}

// gate returns the open gate of webshop#n.
func (w *world) gate(n int) *workflows.Approval {
	e := w.execution(n)
	if s, ok := e.Stage("Production"); ok {
		if a, ok := s.Action("SignOff"); ok && a.Approval != nil && a.Approval.Closed == "" && a.Needs == workflows.NeedsApproval {
			return a.Approval
		}
	}
	return nil
}

// posts are the channel's messages (threads too) of a metadata type about an execution.
func (w *world) posts(kind, execution string) []workspace.Message {
	var found []workspace.Message
	seen := map[string]bool{}
	for _, top := range w.slack.Messages("#deploys") {
		for _, m := range append([]workspace.Message{top}, w.slack.Thread("CDEPLOYS", top.TS)...) {
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
func (w *world) press(user workspace.User, kind string, n int, action string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s can press %s on the %s of #%d", user.Name, action, kind, n), func() bool {
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
func (w *world) approve(user workspace.User, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("the gate of #%d opens", n), func() bool { return w.gate(n) != nil })
	token := w.gate(n)
	for range 20 {
		w.press(user, "rollcall_gate", n, "approve")
		if w.soon(func() bool { return w.voted(n, user) }) {
			return
		}
	}
	w.t.Fatalf("the vote of %s at #%d never counted (%v)", user.Name, n, token)
}

func (w *world) voted(n int, user workspace.User) bool {
	e := w.execution(n)
	s, ok := e.Stage("Production")
	if !ok {
		return false
	}
	a, ok := s.Action("SignOff")
	return ok && a.Approval != nil && slices.ContainsFunc(a.Approval.Votes, func(v workflows.Vote) bool { return v.By.Email == user.Email })
}

// soon is until for what may have been lost because it was never acknowledged.
func (w *world) soon(holds func() bool) bool {
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

func (w *world) ended(n int, status workflows.Status) {
	w.t.Helper()
	var e workflows.Execution
	w.until(fmt.Sprintf("webshop#%d ends", n), func() bool { e = w.execution(n); return e.Status.Final() })
	if e.Status != status {
		w.t.Fatalf("webshop#%d ended %s, want %s: %+v", n, e.Status, status, e.StatusReason)
	}
}

// post sends a request as the API does and returns status and body.
func (w *world) post(path string, body any) (int, map[string]any) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.request(http.MethodPost, path, b)
}

// as does something with another token than the story's.
func (w *world) as(other string, do func()) {
	own := w.api.Token
	w.api.Token = other
	defer func() { w.api.Token = own }()
	do()
}

// request sends a body with header lines, each a name and a value.
func (w *world) request(method, path string, body []byte, header ...string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+w.addr+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.api.Token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var out map[string]any
	_ = json.Unmarshal(text, &out)
	return res.StatusCode, out
}
