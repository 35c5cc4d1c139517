package github

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	secret = "the webhook's secret"
	token  = "ghp_a-token-that-nobody-may-read"
	sha    = "4b1c2d3e4f5061728394a5b6c7d8e9f001122334"
)

// engine keeps receipts like the real one: the first delivery starts, a repeat gets the first result.
type engine struct {
	mu       sync.Mutex
	receipts map[string]work.Receipt
	changes  []work.Change
	files    bool // pipelines look at changed files
	diff     func(c work.Change) ([]string, error)
	tags     map[string]string // the commits of tags, as git shows them
	deaf     bool              // no pipeline waits for events of GitHub
	err      error
}

func (e *engine) Listens(context.Context, work.Change) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.deaf, e.err
}

func (e *engine) Tagged(_ context.Context, c work.Change) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tags[c.Tag], nil
}

func (e *engine) Receive(_ context.Context, r work.Receipt, changes []work.Change) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return work.Receipt{}, false, e.err
	}
	prior, known := e.receipts[r.Key]
	if known && prior.Done {
		return prior, false, nil
	}
	r.Done, r.Result = true, []byte(`{"started":["id-1"],"ignored":["docs: branch main does not match"]}`)
	e.keep(r)
	e.changes = append(e.changes, changes...)
	return r, !known, nil
}

func (e *engine) keep(r work.Receipt) {
	if e.receipts == nil {
		e.receipts = map[string]work.Receipt{}
	}
	e.receipts[r.Key] = r
}

func (e *engine) Changed(_ context.Context, c work.Change) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.diff == nil {
		return nil, nil
	}
	return e.diff(c)
}

func (e *engine) NeedsFiles(context.Context, work.Change) (bool, error) { return e.files, nil }

func (e *engine) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if prior, ok := e.receipts[r.Key]; ok || e.err != nil {
		return prior, false, e.err
	}
	e.keep(r)
	return r, true, nil
}

func (e *engine) Pending(_ context.Context, source string) (open []work.Receipt, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.receipts {
		if !r.Done && r.Source == source {
			open = append(open, r)
		}
	}
	slices.SortFunc(open, func(a, b work.Receipt) int { return strings.Compare(a.Key, b.Key) })
	return open, e.err
}

// listen returns a webhook's address, what it recorded, and its log.
func listen(t *testing.T) (address string, e *engine, log *logged) {
	t.Helper()
	e, log = &engine{}, &logged{}
	h, err := NewWebhook(WebhookOptions{Secret: secret, Engine: e, People: map[string]string{"Ana-Dev": "ana@acme.example"},
		Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.Handler())
	t.Cleanup(srv.Close)
	return srv.URL + webhookPath, e, log
}

func push() githubfake.Push {
	return githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha, Message: "Fix the cart\n\nIt lost items.",
		Author: githubfake.Person{Name: "Ana", Email: "ana@home.example", Login: "ana-dev"}, Pusher: "ana-dev", Files: []string{"cart.go"}}
}

func TestPushStartsPipelinesOnce(t *testing.T) {
	address, e, _ := listen(t)
	hub := githubfake.New(githubfake.Options{WebhookURL: address, Secret: secret})
	first, err := hub.Push(t.Context(), push())
	if err != nil {
		t.Fatal(err)
	}
	again, err := hub.Redeliver(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	const result = `"started":["id-1"],"ignored":["docs: branch main does not match"]}`
	if first.Status != 202 || strings.TrimSpace(string(first.Answer)) != "{"+result {
		t.Errorf("first: %d %s", first.Status, first.Answer)
	}
	if again.Status != 200 || strings.TrimSpace(string(again.Answer)) != `{"duplicate":true,`+result {
		t.Errorf("again: %d %s", again.Status, again.Answer)
	}
	want := []work.Change{{
		Provider: "GitHub", Event: "push", Repository: "acme/webshop", Branch: "main", Commit: sha, Files: []string{"cart.go"}, Commits: []string{sha},
		Summary: "Fix the cart", URL: "https://github.com/acme/webshop/commit/" + sha,
		Author: &workflows.Author{Name: "Ana", Email: "ana@acme.example", Login: "ana-dev"},
		By:     workflows.Principal{ID: "github:ana-dev", Name: "ana-dev", Email: "ana@acme.example", Via: "github"},
		At:     e.changes[0].At,
	}}
	if diff := cmp.Diff(want, e.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if r := e.receipts["github/"+first.ID]; r.Source != "github" || r.At.IsZero() {
		t.Errorf("receipt %+v", r)
	}
}

// request is a delivery that a test can spoil.
func request(body, event string) *http.Request {
	r, _ := http.NewRequest("POST", "", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", "d-1")
	r.Header.Set("X-Hub-Signature-256", wire.Sign([]byte(secret), []byte(body)))
	return r
}

func TestDeliveriesThatStartNothing(t *testing.T) {
	body := string(push().Payload())
	gone := push()
	gone.Commit = ""
	form := url.Values{"payload": {body}}.Encode()
	for _, c := range []struct {
		name    string
		request *http.Request
		spoil   func(*http.Request)
		status  int
		says    string
	}{
		{"no signature", request(body, "push"), func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }, 401, "not signed"},
		{"a wrong signature", request(body, "push"), func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", wire.Sign([]byte("guess"), []byte(body))) }, 401, "not signed"},
		{"only the old sha1 signature", request(body, "push"), func(r *http.Request) {
			r.Header.Del("X-Hub-Signature-256")
			r.Header.Set("X-Hub-Signature", "sha1=0123456789012345678901234567890123456789")
		}, 401, "not signed"},
		{"no delivery ID", request(body, "push"), func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, 400, "X-GitHub-Delivery"},
		{"a delivery ID that is a path", request(body, "push"), func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", "a/../b") }, 400, "X-GitHub-Delivery"},
		{"no event", request(body, ""), nil, 400, "X-GitHub-Event"},
		{"signed, but not JSON", request("hello", "push"), nil, 400, "not a JSON object"},
		{"signed, but a list", request("[]", "push"), nil, 400, "not a JSON object"},
		{"signed, but of another shape", request(`{"ref":7}`, "push"), nil, 400, "cannot be read"},
		{"a form without payload", request("x=1", "push"), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 400, "without the field payload"},
		{"a repository that leaves its place", request(strings.Replace(body, `"full_name":"acme/webshop"`, `"full_name":"acme/.."`, 1), "push"), nil, 400, "not a repository"},
		{"10 MiB", request(strings.Repeat("x", 10<<20), "push"), nil, 413, "larger than"},
		{"a deleted branch", request(string(gone.Payload()), "push"), nil, 200, "refs/heads/main was deleted"},
		{"ping", request(`{"zen":"x"}`, "ping"), nil, 200, "ping"},
		{"an event of the future", request(`{}`, "teleport"), nil, 200, "teleport: nobody listens"},
		{"a form", request(form, "ping"), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 200, "ping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, e, log := listen(t)
			if c.spoil != nil {
				c.spoil(c.request)
			}
			status, answer := send(t, address, c.request)
			if status != c.status || !strings.Contains(answer, c.says) {
				t.Errorf("answer %d %s, want %d with %q", status, answer, c.status, c.says)
			}
			if len(e.receipts) > 0 {
				t.Error("something was recorded")
			}
			if strings.Contains(log.String(), secret) {
				t.Error("the secret is in the log")
			}
		})
	}
}

func send(t *testing.T, address string, r *http.Request) (int, string) {
	t.Helper()
	var err error
	if r.URL, err = url.Parse(address); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	// A refused body may be cut off after the answer.
	_, _ = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

func TestFormDelivery(t *testing.T) {
	address, e, _ := listen(t)
	r := request(url.Values{"payload": {string(push().Payload())}}.Encode(), "push")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if status, answer := send(t, address, r); status != 202 || len(e.changes) != 1 {
		t.Errorf("answer %d %s, %d changes", status, answer, len(e.changes))
	}
}

func TestEngineTroubleAsksForAnotherDelivery(t *testing.T) {
	address, e, _ := listen(t)
	e.err = &workflows.Problem{Code: workflows.CodeCommitUnknown, Message: "the commit's outcome is not known"}
	status, answer := send(t, address, request(string(push().Payload()), "push"))
	if status != 503 || !strings.Contains(answer, workflows.CodeCommitUnknown) {
		t.Errorf("answer %d %s", status, answer)
	}
	e.err = errors.New("open /var/lib/rollcall.db: no space left")
	if status, answer = send(t, address, request(string(push().Payload()), "push")); status != 503 || strings.Contains(answer, "/var/lib") {
		t.Errorf("answer %d %s shows what is inside", status, answer)
	}
}

func TestEmptySecretIsRefused(t *testing.T) {
	if _, err := NewWebhook(WebhookOptions{Engine: &engine{}}); err == nil {
		t.Error("a webhook without a secret takes deliveries from anybody")
	}
}

func TestParse(t *testing.T) {
	pull := func(action, head string) string {
		return `{"action":"` + action + `","number":7,"repository":{"full_name":"acme/webshop"},"sender":{"login":"cho"},
			"pull_request":{"title":"Cart","html_url":"https://github.com/acme/webshop/pull/7","user":{"login":"ana-dev"},
			"head":{"ref":"cart","sha":"` + sha + `","repo":` + head + `},"base":{"ref":"main","sha":"` + sha + `"}}}`
	}
	const own = `{"full_name":"acme/webshop"}`
	opened := work.Change{Provider: "GitHub", Event: "pull_request", PullEvent: "OPEN", Repository: "acme/webshop", Number: 7, Branch: "main", HeadBranch: "cart", Commit: sha, ID: "7",
		Summary: "Cart", URL: "https://github.com/acme/webshop/pull/7", Author: &workflows.Author{Login: "ana-dev"},
		By: workflows.Principal{ID: "github:cho", Name: "cho", Via: "github"}}
	forked := opened
	forked.Fork = true
	updated, ended := opened, opened
	updated.PullEvent, ended.PullEvent = "UPDATED", "CLOSED"
	tag := work.Change{Provider: "GitHub", Event: "push", Repository: "acme/webshop", Tag: "v1", Commit: sha, Summary: "Release",
		Author: &workflows.Author{Name: "Ana"}, By: workflows.Principal{ID: "github:ana-dev", Name: "ana-dev", Via: "github"}}
	branch := tag
	branch.Tag, branch.Branch, branch.Created, branch.Files = "", "feature/a", true, []string{"a", "b", "c"}
	branch.Commits = []string{strings.Repeat("b", 40), sha}
	bare := work.Change{Provider: "GitHub", Event: "push", Repository: "acme/webshop", Branch: "main", Commit: sha,
		By: workflows.Principal{ID: "github:unknown", Name: "unknown", Via: "github"}}
	many := strings.Repeat(`{"modified":["x"]},`, maxCommits-1) + `{"modified":["x"]}`
	cut := bare
	cut.Commits = []string{sha}
	forced := bare
	forced.Before, forced.Commits = strings.Repeat("b", 40), []string{sha}
	for _, c := range []struct {
		name, event, payload string
		want                 work.Change
		ignored              string
	}{
		{"an annotated tag runs the commit behind it", "push", `{"ref":"refs/tags/v1","after":"` + strings.Repeat("a", 40) + `","commits":[],
			"head_commit":{"id":"` + sha + `","message":"Release","author":{"name":"Ana"}},"repository":{"full_name":"acme/webshop"},"sender":{"login":"ana-dev"}}`, tag, ""},
		{"a new branch lists every changed path once", "push", `{"ref":"refs/heads/feature/a","after":"` + sha + `","created":true,"pusher":{"name":"ana-dev"},
			"commits":[{"id":"` + strings.Repeat("b", 40) + `","added":["a"],"modified":["b"]},{"removed":["c"],"modified":["b"]}],
			"head_commit":{"id":"` + sha + `","message":"Release","author":{"name":"Ana"}},"repository":{"full_name":"acme/webshop"}}`, branch, ""},
		{"a push that says little", "push", `{"ref":"refs/heads/main","after":"` + sha + `","repository":{"full_name":"acme/webshop"}}`, bare, ""},
		{"a list that was cut leaves the files unknown", "push", `{"ref":"refs/heads/main","after":"` + sha + `","commits":[` + many + `],"repository":{"full_name":"acme/webshop"}}`, cut, ""},
		{"C8 a forced push lists what it brought, not what it took away", "push", `{"ref":"refs/heads/main","before":"` + forced.Before + `","after":"` + sha + `","forced":true,
			"commits":[{"id":"` + sha + `","modified":["x"]}],"repository":{"full_name":"acme/webshop"}}`, forced, ""},
		{"a ref of another kind", "push", `{"ref":"refs/notes/x","after":"` + sha + `","repository":{"full_name":"acme/webshop"}}`, work.Change{}, "neither a branch nor a tag"},
		{"pull request opened", "pull_request", pull("opened", own), opened, ""},
		{"reopened", "pull_request", pull("reopened", own), opened, ""},
		{"synchronize", "pull_request", pull("synchronize", own), updated, ""},
		{"closed", "pull_request", pull("closed", own), ended, ""},
		{"labeled", "pull_request", pull("labeled", own), work.Change{}, "labeled starts nothing"},
		{"from a fork", "pull_request", pull("opened", `{"full_name":"mallory/webshop"}`), forked, ""},
		{"from a fork that is gone", "pull_request", pull("opened", "null"), forked, ""},
		{"no draft any more", "pull_request", pull("ready_for_review", own), work.Change{}, "ready_for_review starts nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.event, []byte(c.payload))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.change); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
			if (got.ignored == "") != (c.ignored == "") || !strings.Contains(got.ignored, c.ignored) {
				t.Errorf("ignored %q, want %q", got.ignored, c.ignored)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("push", push().Payload())
	f.Add("pull_request", []byte(`{"action":"opened","repository":{"full_name":"a/b"},"pull_request":{"head":{"sha":"x","repo":{"full_name":"a/b"}},"base":{"ref":"main"}}}`))
	f.Add("ping", []byte(`{}`))
	f.Add("release", []byte(`{"action":"published","repository":{"full_name":"a/b"},"release":{"id":1,"tag_name":"v1"}}`))
	f.Add("deployment", []byte(`{"action":"created","repository":{"full_name":"a/b"},"deployment":{"id":1,"sha":"`+sha+`","payload":"{}"}}`))
	f.Add("push", []byte(`{"ref":"refs/heads/\n","after":"0","repository":{"full_name":"../.."}}`))
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		n, err := parse(event, payload)
		if err != nil || n.ignored != "" {
			if n.change.Commit != "" {
				t.Errorf("a delivery that starts nothing carries a change: %+v", n)
			}
			return
		}
		c := n.change
		if _, _, err := api.SplitRepository(c.Repository); err != nil || !api.IsSHA(c.Commit) || c.Branch+c.Tag == "" || c.By.ID == "" {
			if hasTrigger(event) && err == nil && (c.Commit == "" && c.Tag != "" || api.IsSHA(c.Commit)) && c.By.ID != "" {
				return
			}
			t.Errorf("a change that nobody can carry out: %+v", c)
		}
	})
}

func TestRecordedSamples(t *testing.T) {
	root := os.Getenv("ROLLCALL_SAMPLES")
	if root == "" {
		t.Skip("ROLLCALL_SAMPLES is not set: no recorded deliveries to read")
	}
	files, err := filepath.Glob(filepath.Join(root, "github", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s/github: %v", root, err)
	}
	want := map[string]string{ // of samples that are known; of others only that they make sense
		"create-payload.json":                   "create: nobody listens to this event",
		"issue_comment-created.payload.json":    "issue_comment: nobody listens to this event",
		"ping-payload.json":                     "ping: nothing to do",
		"pull_request-closed.payload.json":      "pull_request CLOSED master ec26c3e57ca3a959ca5aad62de7213c562f8c821 changes",
		"pull_request-opened.payload.json":      "pull_request OPEN master ec26c3e57ca3a959ca5aad62de7213c562f8c821 changes",
		"pull_request-synchronize.payload.json": "pull_request UPDATED master ec26c3e57ca3a959ca5aad62de7213c562f8c821 changes",
		"push-payload.json":                     "refs/tags/simple-tag was deleted",
		"push-with-new-branch.payload.json":     "push master 6113728f27ae82c7b1a177c8d03f9e96e0adf246",
		"push-with-organization.payload.json":   "refs/tags/simple-tag was deleted",
		"release-published.payload.json":        "release 0.0.1",
		"workflow_run-completed.payload.json":   "workflow_run master 3484a3fb816e0859fd6e1cea078d76385ff50625 test .github/workflows/test.yml success by repository_dispatch",
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		event, _, _ := strings.Cut(name, "-")
		n, err := parse(strings.TrimSuffix(event, ".payload.json"), payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := n.ignored
		if got == "" {
			got = strings.Replace(summed(n.change), n.change.Event, strings.TrimSpace(n.change.Event+" "+n.change.PullEvent), 1)
		}
		if known := want[name]; known != "" && got != known {
			t.Errorf("%s: %s, want %s", name, got, known)
		}
	}
}
