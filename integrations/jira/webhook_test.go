package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const secret = "the webhook's secret"

// engine keeps receipts like the real one.
type engine struct {
	mu       sync.Mutex
	receipts map[string]work.Receipt
	err      error
}

func (e *engine) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if prior, ok := e.receipts[r.Key]; ok || e.err != nil {
		return prior, false, e.err
	}
	e.receipts[r.Key] = r
	return r, true, nil
}

func (e *engine) Finish(_ context.Context, key string, result []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.receipts[key]
	r.Done, r.Payload, r.Result = true, nil, result
	e.receipts[key] = r
	return nil
}

func (e *engine) Pending(context.Context, string) (open []work.Receipt, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.receipts {
		if !r.Done {
			open = append(open, r)
		}
	}
	return open, nil
}

// listen connects the fixture's Jira with a webhook.
func listen(t *testing.T, h *house) (address string, e *engine, log *bytes.Buffer) {
	t.Helper()
	e, log = &engine{receipts: map[string]work.Receipt{}}, &bytes.Buffer{}
	hook, err := NewWebhook(WebhookOptions{Secret: secret, Engine: e, Notes: h, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	run(t, hook)
	srv := httptest.NewServer(hook.Handler())
	t.Cleanup(srv.Close)
	h.jira.Connect(srv.URL+WebhookPath, secret)
	return srv.URL + WebhookPath, e, log
}

// run has a webhook process deliveries until stop or the test's end.
func run(t *testing.T, hook *Webhook) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- hook.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestAClosedTicketIsHeardOf(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	first, err := h.jira.Move(t.Context(), "OPS-1", "Done")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.jira.Deliver(t.Context(), first.ID, first.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if first.Status != 202 || !strings.Contains(string(first.Answer), `"started":[],"noted":["OPS-1: closed"],"ignored":[]`) {
		t.Errorf("first: %d %s", first.Status, first.Answer)
	}
	if again.Status != 200 || !strings.Contains(string(again.Answer), `"duplicate":true`) {
		t.Errorf("again: %d %s", again.Status, again.Answer)
	}
	// What was heard is enough: Jira need not be asked.
	calls := len(h.jira.Calls())
	h.fail(h.start(46), "ActionFailed")
	h.catchUp()
	if got := h.jira.Calls()[calls:]; slices.Contains(got, "GET /rest/api/2/issue/OPS-1") || h.note(46).Text != "OPS-2" {
		t.Errorf("calls %v, note %+v", got, h.note(46))
	}
}

func TestDeliveriesComeInAnyOrder(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	closed, _ := h.jira.Move(t.Context(), "OPS-1", "Done")
	h.pass(time.Second)
	if _, err := h.jira.Move(t.Context(), "OPS-1", "To Do"); err != nil {
		t.Fatal(err)
	}
	late, err := h.jira.Deliver(t.Context(), "another", closed.Payload)
	if err != nil || !strings.Contains(string(late.Answer), "something newer is known") {
		t.Errorf("%s, %v", late.Answer, err)
	}
	h.fail(h.start(46), "ActionFailed")
	h.catchUp()
	h.only()
}

func TestADeliveryThatBrokeOffIsCarriedOutAgain(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.catchUp()
	broken := errors.New("the store is away")
	h.breakNotes(broken)
	first, err := h.jira.Move(t.Context(), "OPS-1", "Done")
	if err != nil || first.Status != 503 {
		t.Fatalf("%d %s, %v", first.Status, first.Answer, err)
	}
	h.breakNotes(nil)
	again, err := h.jira.Deliver(t.Context(), first.ID, first.Payload)
	if err != nil || again.Status != 202 || !strings.Contains(string(again.Answer), "OPS-1: closed") {
		t.Errorf("%d %s, %v", again.Status, again.Answer, err)
	}
}

// hear has a webhook answer a delivery that OPS-1 is closed, and returns what it says.
func hear(t *testing.T, hook *Webhook, id string) (status int, says string) {
	t.Helper()
	body := `{"timestamp":7,"webhookEvent":"jira:issue_updated","issue":{"id":"1","key":"OPS-1","fields":{"status":{"statusCategory":{"key":"done"}}}},"changelog":{"items":[{"field":"status"}]}}`
	r := httptest.NewRequest("POST", WebhookPath, strings.NewReader(body))
	r.Header.Set("X-Atlassian-Webhook-Identifier", id)
	r.Header.Set("X-Hub-Signature", wire.Sign([]byte(secret), []byte(body)))
	w := httptest.NewRecorder()
	hook.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// What was accepted when the process died is noted after the next start,
// without Jira delivering it again; a failing store is tried for ten minutes.
func TestAnAcceptedDeliveryOutlivesTheProcess(t *testing.T) {
	for name, c := range map[string]struct {
		first func(t *testing.T, h *house, hook *Webhook) // what the process that dies gets to do
		away  time.Duration                               // how long the store is away in the second one
		noted bool
		again string // the answer to a repeat
	}{
		"before it was processed": {func(*testing.T, *house, *Webhook) {}, 0, true, `"noted":["OPS-1: closed"]`},
		"the store was away": {func(t *testing.T, h *house, hook *Webhook) {
			h.breakNotes(errors.New("the store is away"))
			stop := run(t, hook)
			time.Sleep(time.Minute)
			stop()
		}, time.Minute, true, `"noted":["OPS-1: closed"]`},
		"the store stays away": {func(*testing.T, *house, *Webhook) {}, time.Hour, false, `"ignored":["OPS-1: it could not be noted"]`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			h.memos[issueKey("OPS-1")] = []byte("ticket/x")
			synctest.Test(t, func(t *testing.T) {
				e := &engine{receipts: map[string]work.Receipt{}}
				boot := func() *Webhook {
					hook, err := NewWebhook(WebhookOptions{Secret: secret, Engine: e, Notes: h, Log: slog.New(slog.DiscardHandler)})
					if err != nil {
						t.Fatal(err)
					}
					return hook
				}
				hook := boot()
				if status, says := hear(t, hook, "d-1"); status != 202 || !strings.Contains(says, `"started":[],"ignored":[]`) {
					t.Errorf("accepted, not processed: %d %s", status, says)
				}
				c.first(t, h, hook)
				if h.memos[closedKey("OPS-1")] != nil {
					t.Fatal("the first process noted it")
				}
				if c.away > 0 {
					h.breakNotes(errors.New("the store is away"))
				}
				hook = boot()
				run(t, hook)
				time.Sleep(c.away)
				h.breakNotes(nil)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if noted := string(h.memos[closedKey("OPS-1")]); noted != `{"at":7,"done":true}` == c.noted {
					t.Errorf("noted %q", noted)
				}
				if status, says := hear(t, hook, "d-1"); status != 200 || !strings.Contains(says, `"duplicate":true`) || !strings.Contains(says, c.again) {
					t.Errorf("again: %d %s", status, says)
				}
			})
		})
	}
}

// A receipt of an earlier version, which kept no payload, waits for the repeat.
func TestAnOldReceiptWaitsForItsRepeat(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	h.memos[issueKey("OPS-1")] = []byte("ticket/x")
	synctest.Test(t, func(t *testing.T) {
		key := "jira/" + hash("d-1")
		e := &engine{receipts: map[string]work.Receipt{key: {Key: key, Source: source}}}
		hook, err := NewWebhook(WebhookOptions{Secret: secret, Engine: e, Notes: h, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		run(t, hook)
		time.Sleep(time.Hour)
		synctest.Wait()
		if e.receipts[key].Done {
			t.Error("it was finished without its payload")
		}
		if status, says := hear(t, hook, "d-1"); status != 202 || !strings.Contains(says, "OPS-1: closed") || !e.receipts[key].Done {
			t.Errorf("%d %s", status, says)
		}
	})
}

func TestDeliveriesThatChangeNothing(t *testing.T) {
	moved := func(key string) string {
		return `{"timestamp":1,"webhookEvent":"jira:issue_updated","issue":{"id":"1","key":"` + key + `","fields":{"status":{"statusCategory":{"key":"done"}}}},"changelog":{"id":7,"items":[{"field":"status"}]}}`
	}
	for _, c := range []struct {
		name, body string
		spoil      func(*http.Request)
		status     int
		says       string
		receipts   int
	}{
		{"no signature", moved("OPS-1"), func(r *http.Request) { r.Header.Del("X-Hub-Signature") }, 401, "not signed", 0},
		{"a wrong signature", moved("OPS-1"), func(r *http.Request) { r.Header.Set("X-Hub-Signature", wire.Sign([]byte("guess"), nil)) }, 401, "not signed", 0},
		{"a sha1 signature, as the header's name suggests", moved("OPS-1"), func(r *http.Request) { r.Header.Set("X-Hub-Signature", "sha1=00") }, 401, "not signed", 0},
		{"10 MiB", strings.Repeat("x", 10<<20), nil, 413, "larger than", 0},
		{"signed, but not JSON", "hello", nil, 400, "not a JSON object", 0},
		{"signed, but of another shape", `{"timestamp":"soon"}`, nil, 400, "cannot be read", 0},
		{"no issue", `{"webhookEvent":"comment_created"}`, nil, 200, "names no issue", 0},
		{"a key that is a path", moved("../admin-1"), nil, 200, "names no issue", 0},
		{"a comment", `{"webhookEvent":"comment_created","issue":{"key":"OPS-1"}}`, nil, 200, "changes no status", 0},
		{"another field", `{"webhookEvent":"jira:issue_updated","issue":{"key":"OPS-1"},"changelog":{"items":[{"field":"summary"}]}}`, nil, 200, "the status did not change", 0},
		{"somebody else's ticket", moved("OPS-99"), nil, 202, "not one of our tickets", 1},
		{"without an identifier", moved("OPS-99"), func(r *http.Request) { r.Header.Del("X-Atlassian-Webhook-Identifier") }, 202, "not one of our tickets", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			address, e, log := listen(t, h)
			r, _ := http.NewRequest("POST", address, strings.NewReader(c.body))
			r.Header.Set("X-Atlassian-Webhook-Identifier", "d-1")
			r.Header.Set("X-Hub-Signature", wire.Sign([]byte(secret), []byte(c.body)))
			if c.spoil != nil {
				c.spoil(r)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var answer bytes.Buffer
			// A refused body may be cut off after the answer.
			_, _ = answer.ReadFrom(resp.Body)
			if resp.StatusCode != c.status || !strings.Contains(answer.String(), c.says) {
				t.Errorf("answer %d %s, want %d with %q", resp.StatusCode, answer.String(), c.status, c.says)
			}
			if len(h.memos) > 0 || len(e.receipts) != c.receipts {
				t.Errorf("memos %v, receipts %v", h.memos, e.receipts)
			}
			if strings.Contains(log.String(), secret) {
				t.Error("the secret is in the log")
			}
		})
	}
}

func TestEmptySecretIsRefused(t *testing.T) {
	if _, err := NewWebhook(WebhookOptions{}); err == nil {
		t.Error("a webhook without a secret takes deliveries from anybody")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"timestamp":1,"webhookEvent":"jira:issue_updated","issue":{"id":"1","key":"OPS-1"},"changelog":{"id":"1","items":[{"field":"status"}]}}`))
	f.Add([]byte(`{"webhookEvent":"comment_created","comment":{"id":"1","body":{"type":"doc"}}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, err := parse(payload)
		if err != nil {
			return
		}
		if d.ignored() == "" && (d.Issue == nil || !isKey(d.Issue.Key)) {
			t.Errorf("a delivery without a usable issue is carried out: %+v", d)
		}
		if key := d.key(http.Header{}); !strings.HasPrefix(key, "jira/") || len(key) > 64 {
			t.Errorf("receipt key %q", key)
		}
	})
}

func TestRecordedSamples(t *testing.T) {
	root := os.Getenv("ROLLCALL_SAMPLES")
	if root == "" {
		t.Skip("ROLLCALL_SAMPLES is not set: no recorded deliveries to read")
	}
	files, err := filepath.Glob(filepath.Join(root, "jira", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s/jira: %v", root, err)
	}
	keys := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := parse(payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if other, ok := keys[d.key(http.Header{})]; ok {
			t.Errorf("%s and %s would be one delivery", name, other)
		}
		keys[d.key(http.Header{})] = name
		done := d.Issue != nil && d.Issue.Fields.Status.done()
		closes := strings.Contains(name, "closed") || strings.Contains(name, "resolved")
		if d.ignored() == "" && done != closes && !strings.Contains(name, "deleted") {
			t.Errorf("%s: done is %v", name, done)
		}
		t.Logf("%s: ignored %q, done %v", name, d.ignored(), done)
	}
}

// TestFakeRefusesWhatJiraRefuses keeps the fake as strict as the product.
func TestFakeRefusesWhatJiraRefuses(t *testing.T) {
	fake := jirafake.New(jirafake.Options{})
	srv := httptest.NewServer(fake)
	defer srv.Close()
	post := func(path, body string) (int, string) {
		resp, err := http.Post(srv.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b.String()
	}
	issue := func(more string) string {
		return `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"s"` + more + `}}`
	}
	for _, c := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"well formed", "/rest/api/2/issue", issue(""), 201, `"key":"OPS-1"`},
		{"a label with a space", "/rest/api/2/issue", issue(`,"labels":["a b"]`), 400, "contains spaces"},
		{"an unknown field", "/rest/api/2/issue", issue(`,"priority":{"name":"High"}`), 400, "priority"},
		{"two lines of summary", "/rest/api/2/issue", strings.Replace(issue(""), `"s"`, `"a\nb"`, 1), 400, "newline"},
		{"another project", "/rest/api/2/issue", strings.Replace(issue(""), "OPS", "NO", 1), 400, "valid project"},
		{"a comment", "/rest/api/2/issue/OPS-1/comment", `{"body":"x"}`, 201, ""},
		{"a comment with an empty author", "/rest/api/2/issue/OPS-1/comment", `{"body":"x","author":{}}`, 400, "Invalid request"},
		{"a comment on nothing", "/rest/api/2/issue/OPS-9/comment", `{"body":"x"}`, 404, "does not exist"},
		{"an unknown transition", "/rest/api/2/issue/OPS-1/transitions", `{"transition":{"id":"99"}}`, 400, "not valid"},
	} {
		if status, answer := post(c.path, c.body); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, status, answer, c.status, c.says)
		}
	}
	resp, err := http.Get(srv.URL + "/browse/OPS-1")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("the page: %v, %v", resp, err)
	}
	resp.Body.Close()
	var meta struct {
		Fields []struct{ Key string }
	}
	fake.Refuse("labels")
	resp, err = http.Get(srv.URL + "/rest/api/2/issue/createmeta/OPS/issuetypes/1")
	if err != nil || json.NewDecoder(resp.Body).Decode(&meta) != nil || len(meta.Fields) != 4 {
		t.Errorf("the create screen without labels: %+v, %v", meta, err)
	}
	resp.Body.Close()
}
