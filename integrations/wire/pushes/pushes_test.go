package pushes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// engine keeps receipts as the real one does: by key, and by print.
type engine struct {
	mu       sync.Mutex
	receipts map[string]work.Receipt
	prints   map[string]string
	started  []work.Change
	needs    bool
	files    []string
	fail     error // of everything that writes
	failOf   int   // only the so manieth write; 0: all
	writes   int
	changed  error
}

func newEngine() *engine {
	return &engine{receipts: map[string]work.Receipt{}, prints: map[string]string{}}
}

func (e *engine) write(r work.Receipt) (work.Receipt, bool, error) {
	e.writes++
	if e.fail != nil && (e.failOf == 0 || e.failOf == e.writes) {
		return r, false, e.fail
	}
	if there, ok := e.receipts[r.Key]; ok && (there.Done || r.Payload != nil) {
		return there, false, nil
	}
	if first, ok := e.prints[r.Print]; ok && r.Print != "" && first != r.Key {
		return e.receipts[first], false, nil
	}
	e.prints[r.Print] = r.Key
	return r, true, nil
}

func (e *engine) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	got, fresh, err := e.write(r)
	if fresh {
		e.receipts[r.Key] = r
	}
	return got, fresh, err
}

func (e *engine) Receive(_ context.Context, r work.Receipt, changes []work.Change) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	got, fresh, err := e.write(r)
	if err != nil || !fresh {
		return got, false, err
	}
	var ids []string
	for _, c := range changes {
		e.started = append(e.started, c)
		ids = append(ids, fmt.Sprintf("%q", "shop#"+fmt.Sprint(len(e.started))))
	}
	r.Done, r.Result = true, []byte(`{"started":[`+strings.Join(ids, ",")+`],"ignored":[]}`)
	e.receipts[r.Key] = r
	return r, true, nil
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

func (e *engine) NeedsFiles(context.Context, work.Change) (bool, error) { return e.needs, nil }

func (e *engine) Changed(context.Context, work.Change) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.files, e.changed
}

func (e *engine) starts() []work.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.started)
}

// delivered reads a delivery whose body is what it says.
func delivered(h http.Header, body []byte, fingerprint string) (d Delivery, err error) {
	var said struct {
		Changes []work.Change
		At      time.Time
		Ignored string
	}
	if err := Object(body, &said); err != nil {
		return d, err
	}
	return Delivery{ID: h.Get("X-Id"), Print: fingerprint, Changes: said.Changes, At: said.At, Ignored: said.Ignored}, nil
}

func receiver(e *engine) *Receiver {
	s := wire.Signature{Header: "X-Sum", Secret: []byte("s3cret"), BodyLimit: BodyLimit}
	return New(Options{Vendor: "GitLab", Route: "POST /gitlab/webhook", Engine: e, Limit: s.Limit, Verify: s.Verify, Read: delivered, People: map[string]string{"Ana": "ana@acme.example"},
		Connections: []string{"arn:of:it"}, Ping: func(r *http.Request) bool { return r.Header.Get("X-Ping") != "" }, Log: slog.New(slog.DiscardHandler)})
}

func post(h http.Handler, id, body string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/gitlab/webhook", strings.NewReader(body))
	r.Header.Set("X-Id", id)
	r.Header.Set("X-Sum", wire.Sign([]byte("s3cret"), []byte(body)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func push(branch string) work.Change {
	return work.Change{Provider: "GitLab", Event: "push", Repository: "acme/shop", Branch: branch, Before: strings.Repeat("a", 40), Commit: strings.Repeat("b", 40), By: By("gitlab", "ana", "Ana"), Author: &workflows.Author{Login: "ANA"}}
}

func body(t *testing.T, changes ...work.Change) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"changes": changes})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestADeliveryOfSeveralChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		h := receiver(e).Handler()
		main := push("main")
		main.Author = &workflows.Author{}
		both := body(t, main, push("next"))
		if code, answer := post(h, "1", both); code != 202 || answer != `{"started":["shop#1","shop#2"],"ignored":[]}` {
			t.Errorf("%d %s", code, answer)
		}
		got := e.starts()
		if len(got) != 2 || got[0].Branch != "main" || got[1].Branch != "next" || got[0].By.Email != "ana@acme.example" || got[0].Author != nil || got[1].Author.Email != "ana@acme.example" || got[0].Connections[0] != "arn:of:it" {
			t.Errorf("%+v", got)
		}
		// The same delivery, and what was signed under another ID, start nothing.
		for _, id := range []string{"1", "2"} {
			if code, answer := post(h, id, both); code != 200 || answer != `{"duplicate":true,"started":["shop#1","shop#2"],"ignored":[]}` {
				t.Errorf("again as %s: %d %s", id, code, answer)
			}
		}
		if len(e.starts()) != 2 {
			t.Errorf("%d starts", len(e.starts()))
		}
	})
}

// A delivery that was cut off between two changes goes on with the second.
func TestADeliveryThatWasCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		h := receiver(e).Handler()
		e.fail, e.failOf = errors.New("the disk is full"), 2
		main := push("main")
		main.Author = &workflows.Author{}
		both := body(t, main, push("next"))
		if code, answer := post(h, "1", both); code != 503 || strings.Contains(answer, "disk") {
			t.Errorf("%d %s", code, answer)
		}
		if code, answer := post(h, "1", both); code != 202 || answer != `{"started":["shop#1","shop#2"],"ignored":[]}` {
			t.Errorf("%d %s", code, answer)
		}
		if got := e.starts(); len(got) != 2 || got[1].Branch != "next" {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhatIsRefusedOrIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		h := receiver(e).Handler()
		old, err := json.Marshal(map[string]any{"changes": []work.Change{push("main")}, "at": time.Now().Add(-7 * 24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			id, body string
			code     int
			says     string
		}{
			{"", body(t, push("main")), 400, "no ID"},
			{"a/b", body(t, push("main")), 400, "no ID"},
			{strings.Repeat("a", 161), body(t, push("main")), 400, "no ID"},
			{"1", `[]`, 400, "not a JSON object"},
			{"1", `{"changes":1}`, 400, "unexpected type"},
			{"1", `{"ignored":"nothing here"}`, 200, "nothing here"},
			{"1", `{}`, 200, "there is nothing in it"},
			{"1", string(old), 200, "older than six days"},
		} {
			if code, answer := post(h, c.id, c.body); code != c.code || !strings.Contains(answer, c.says) {
				t.Errorf("%s %.40s: %d %s", c.id, c.body, code, answer)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/gitlab/webhook", strings.NewReader("{}"))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("without a signature: %d", w.Code)
		}
		if len(e.starts()) != 0 || len(e.receipts) != 0 {
			t.Errorf("%+v", e.receipts)
		}
	})
}

// Where the files matter they are asked for after the delivery is durable, until they
// are known or ten minutes have passed.
func TestAChangeWaitsForItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.needs, e.changed = true, errors.New("the host is away")
		ctx, cancel := context.WithCancel(t.Context())
		run := func(r *Receiver) chan error {
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			return ended
		}
		r := receiver(e)
		ended := run(r)
		if code, answer := post(r.Handler(), "1", body(t, push("main"))); code != 202 || answer != `{"started":[],"ignored":[]}` {
			t.Errorf("%d %s", code, answer)
		}
		time.Sleep(5 * time.Minute)
		if n := len(e.starts()); n != 0 {
			t.Errorf("started without its files: %d", n)
		}
		cancel() // a restart
		<-ended
		ctx, cancel = context.WithCancel(t.Context())
		e.mu.Lock()
		e.changed, e.files = nil, []string{"a"}
		e.mu.Unlock()
		r = receiver(e)
		ended = run(r)
		time.Sleep(time.Minute)
		if got := e.starts(); len(got) != 1 || !slices.Equal(got[0].Files, []string{"a"}) {
			t.Errorf("%+v", got)
		}
		e.mu.Lock()
		e.changed = errors.New("the host is away")
		e.mu.Unlock()
		if code, _ := post(r.Handler(), "2", body(t, push("next"))); code != 202 {
			t.Errorf("%d", code)
		}
		time.Sleep(12 * time.Minute)
		if got := e.starts(); len(got) != 2 || got[1].Files != nil {
			t.Errorf("%+v", got)
		}
		cancel()
		<-ended
	})
}
