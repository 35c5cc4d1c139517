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
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const secret = "the webhook's secret"

// engine keeps receipts like the real one.
type engine struct {
	receipts map[string]work.Receipt
	err      error
}

func (e *engine) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	if prior, ok := e.receipts[r.Key]; ok || e.err != nil {
		return prior, false, e.err
	}
	e.receipts[r.Key] = r
	return r, true, nil
}

func (e *engine) Finish(_ context.Context, key string, result []byte) error {
	r := e.receipts[key]
	r.Done, r.Result = true, result
	e.receipts[key] = r
	return nil
}

// listen connects the house's Jira with a webhook.
func listen(t *testing.T, h *house) (address string, e *engine, log *bytes.Buffer) {
	t.Helper()
	e, log = &engine{receipts: map[string]work.Receipt{}}, &bytes.Buffer{}
	hook, err := NewWebhook(WebhookOptions{Secret: secret, Engine: e, Notes: h, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(hook.Handler())
	t.Cleanup(srv.Close)
	h.jira.Connect(srv.URL+WebhookPath, secret)
	return srv.URL + WebhookPath, e, log
}

func TestAClosedTicketIsHeardOf(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.settle()
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
	h.settle()
	if got := h.jira.Calls()[calls:]; len(got) != 1 || h.note(46).Text != "OPS-2" {
		t.Errorf("calls %v, note %+v", got, h.note(46))
	}
}

func TestDeliveriesComeInAnyOrder(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.settle()
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
	h.settle()
	h.only()
}

func TestADeliveryThatBrokeOffIsCarriedOutAgain(t *testing.T) {
	h := newHouse(t, jirafake.Options{})
	listen(t, h)
	h.fail(h.start(45), "ActionFailed")
	h.settle()
	broken := errors.New("the store is away")
	h.noteErr = broken
	first, err := h.jira.Move(t.Context(), "OPS-1", "Done")
	if err != nil || first.Status != 503 {
		t.Fatalf("%d %s, %v", first.Status, first.Answer, err)
	}
	h.noteErr = nil
	again, err := h.jira.Deliver(t.Context(), first.ID, first.Payload)
	if err != nil || again.Status != 202 || h.memos[closedKey("OPS-1")] == nil {
		t.Errorf("%d %s, %v", again.Status, again.Answer, err)
	}
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
