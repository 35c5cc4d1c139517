package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const secret = "the hook's secret"

// engine keeps receipts and starts like the real one: a start's token finds the first start.
type engine struct {
	mu       sync.Mutex
	receipts map[string]work.Receipt
	full     error               // why no receipt can be kept
	started  map[string]string   // token to execution
	asked    []workflows.Intent  // those that started something
	by       workflows.Principal // the last one
	fail     func(pipeline string) error
}

func (e *engine) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if prior, ok := e.receipts[r.Key]; ok || e.full != nil {
		return prior, false, e.full
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

func (e *engine) Submit(_ context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.by = by
	if e.fail != nil {
		if err := e.fail(in.Pipeline); err != nil {
			return event.Result{}, err
		}
	}
	id, known := e.started[in.Token]
	if !known {
		id = fmt.Sprintf("execution-%d", len(e.asked)+1)
		e.started[in.Token], e.asked = id, append(e.asked, in)
	}
	return event.Result{Execution: &workflows.Execution{ID: id}}, nil
}

// serve runs hooks over an engine until the returned function is called.
func serve(t *testing.T, e *engine, hooks ...Hook) (h http.Handler, stop func()) {
	t.Helper()
	r, err := New(Options{Hooks: hooks, Engine: e, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return r.Handler(), func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func newEngine() *engine {
	return &engine{receipts: map[string]work.Receipt{}, started: map[string]string{}}
}

// post sends a body with a signature; the header's name and value, if they are given.
func post(h http.Handler, name, body string, header ...string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/hooks/"+name, strings.NewReader(body))
	if len(header) == 0 {
		header = []string{DefaultHeader, wire.Sign([]byte(secret), []byte(body))}
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Body)
	return w.Code, strings.TrimSpace(string(text))
}

func nightly() Hook {
	return Hook{Name: "nightly", Secret: secret, Start: []string{"webshop", "docs"}, Variables: map[string]string{"VERSION": "$.release.version", "zone": "eu"}}
}

func TestASignedRequestStartsItsPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		h, stop := serve(t, e, nightly())
		defer stop()
		body := `{"release":{"version":"1.4.0"}}`
		code, answer := post(h, "nightly", body)
		if code != http.StatusAccepted || answer != `{"started":["execution-1","execution-2"],"ignored":[]}` {
			t.Errorf("%d %s", code, answer)
		}
		want := map[string]string{"VERSION": "1.4.0", "zone": "eu"}
		if len(e.asked) != 2 || e.asked[0].Verb != workflows.Start || e.asked[0].Pipeline != "webshop" || e.asked[1].Pipeline != "docs" || !maps.Equal(e.asked[0].Variables, want) {
			t.Errorf("asked for %+v", e.asked)
		}
		if e.by.Called() != "hook nightly" || e.by.Email != "" {
			t.Errorf("by %+v", e.by)
		}
		// The same again, and again in a process that has just started, starts nothing.
		code, again := post(h, "nightly", body)
		if code != http.StatusOK || again != `{"duplicate":true,"started":["execution-1","execution-2"],"ignored":[]}` {
			t.Errorf("a repeat: %d %s", code, again)
		}
		if code, _ := post(h, "nightly", `{"release":{"version":"1.4.0"},"id":2}`); code != http.StatusAccepted || len(e.asked) != 4 {
			t.Errorf("another body: %d, %d starts", code, len(e.asked))
		}
	})
}

func TestWhatIsTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		other := Hook{Name: "other", Secret: "another secret", Header: "X-Signature", Start: []string{"webshop"}, Only: map[string]string{"$.action": "published", "$.prerelease": "false"}}
		h, stop := serve(t, e, nightly(), other)
		defer stop()
		signed := func(body string) []string {
			return []string{"X-Signature", wire.Sign([]byte("another secret"), []byte(body))}
		}
		good := `{"release":{"version":"1"}}`
		for _, c := range []struct {
			what, hook, body string
			header           []string
			code             int
			says             string
		}{
			{"no such hook", "weekly", good, nil, 404, "there is no hook weekly"},
			{"not signed", "nightly", good, []string{"X-Other", "1"}, 401, "not signed"},
			{"another hook's secret", "nightly", good, []string{DefaultHeader, wire.Sign([]byte("another secret"), []byte(good))}, 401, "not signed with"},
			{"another hook's header", "nightly", good, signed(good), 401, "not signed"},
			{"no JSON", "nightly", `release=1`, nil, 400, "not JSON"},
			{"nothing", "nightly", ``, nil, 400, "not JSON"},
			{"two documents", "nightly", good + good, nil, 400, "more than one"},
			{"no version", "nightly", `{"release":{}}`, nil, 400, "the variable VERSION: the body has nothing at $.release.version"},
			{"no text", "nightly", `{"release":{"version":[1]}}`, nil, 400, "has no text, number or truth value at $.release.version"},
			{"too large", "nightly", strings.Repeat("x", bodyLimit+1), nil, 413, "larger than"},
			{"not meant", "other", `{"action":"created"}`, signed(`{"action":"created"}`), 200, `{"started":[],"ignored":["$.action is not published"]}`},
			{"half meant", "other", `{"action":"published","prerelease":true}`, signed(`{"action":"published","prerelease":true}`), 200, `"$.prerelease is not false"`},
		} {
			code, answer := post(h, c.hook, c.body, c.header...)
			if code != c.code || !strings.Contains(answer, c.says) {
				t.Errorf("%s: %d %s", c.what, code, answer)
			}
		}
		if len(e.asked) != 0 || len(e.receipts) != 0 {
			t.Errorf("started %+v, receipts %v", e.asked, e.receipts)
		}
		meant := `{"action":"published","prerelease":false}`
		if code, answer := post(h, "other", meant, signed(meant)...); code != 202 || len(e.asked) != 1 {
			t.Errorf("meant: %d %s", code, answer)
		}
		if got, err := http.NewRequest(http.MethodGet, "/hooks/nightly", nil); err == nil {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, got); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("GET: %d", w.Code)
			}
		}
	})
}

// A pipeline that refuses does not keep the others from starting, and is not asked again.
func TestARefusalIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.fail = func(pipeline string) error {
			if pipeline == "webshop" {
				return &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: "there is no pipeline webshop"}
			}
			return nil
		}
		h, stop := serve(t, e, nightly())
		defer stop()
		code, answer := post(h, "nightly", `{"release":{"version":"1"}}`)
		if code != 202 || answer != `{"started":["execution-1"],"ignored":["webshop: there is no pipeline webshop"]}` {
			t.Errorf("%d %s", code, answer)
		}
	})
}

// What is durable starts later, once, when the store cannot write now; and after a restart.
func TestWhatWasAcceptedStartsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		away := true
		e.fail = func(string) error {
			if away {
				return &workflows.Problem{Code: workflows.CodeCommitUnknown, Message: "it is not known whether it was written"}
			}
			return nil
		}
		h, stop := serve(t, e, nightly())
		if code, _ := post(h, "nightly", `{"release":{"version":"1"}}`); code != http.StatusServiceUnavailable || len(e.receipts) != 1 {
			t.Errorf("while it cannot write: %d, %d receipts", code, len(e.receipts))
		}
		if code, answer := post(h, "nightly", `{"release":{"version":"1"}}`); code != http.StatusServiceUnavailable {
			t.Errorf("a repeat of what has not started yet: %d %s", code, answer)
		}
		stop()
		away = false
		h, stop = serve(t, e, nightly())
		defer stop()
		time.Sleep(time.Minute)
		if len(e.asked) != 2 {
			t.Errorf("started %+v", e.asked)
		}
		if code, answer := post(h, "nightly", `{"release":{"version":"1"}}`); code != 200 || !strings.Contains(answer, `"duplicate":true,"started":["execution-1","execution-2"]`) {
			t.Errorf("the sender's repeat: %d %s", code, answer)
		}
	})
}

func TestWhatCannotBeKeptIsSaidToTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.full = errors.New("the disk /var/lib is full")
		h, stop := serve(t, e, nightly())
		defer stop()
		code, answer := post(h, "nightly", `{"release":{"version":"1"}}`)
		if code != http.StatusServiceUnavailable || strings.Contains(answer, "disk") || len(e.asked) != 0 {
			t.Errorf("%d %s", code, answer)
		}
	})
}

func TestHooksThatCannotWorkAreRefused(t *testing.T) {
	for says, h := range map[string]Hook{
		"the secret of the hook open is empty":       {Name: "open", Start: []string{"webshop"}},
		`hook odd, variables.V: "$.a..b" is no path`: {Name: "odd", Secret: secret, Variables: map[string]string{"V": "$.a..b"}},
		`hook odd, only: "action" is no path`:        {Name: "odd", Secret: secret, Only: map[string]string{"action": "x"}},
	} {
		if _, err := New(Options{Hooks: []Hook{h}, Engine: newEngine()}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

// Whatever is sent, what starts has every variable, as text.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"release":{"version":"1.4.0"}}`))
	f.Add([]byte(`{"release":{"version":1e400}}`))
	f.Add([]byte(`[[[[`))
	f.Add([]byte("{\"release\":{\"version\":\"\\ud800\x00\"}} "))
	h := nightly()
	reads, err := reading(&h)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		variables, ignored, err := reads.read(body)
		if err != nil {
			if variables != nil {
				t.Errorf("a body that is refused has variables: %q", variables)
			}
			return
		}
		if _, ok := variables["VERSION"]; !ok || variables["zone"] != "eu" || ignored != "" || !json.Valid(body) {
			t.Errorf("variables %q, ignored %q", variables, ignored)
		}
	})
}
