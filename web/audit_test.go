package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// auditor has n records, and then fails with err.
type auditor struct {
	n    int
	err  error
	last record.Selection
}

func (a *auditor) Records(_ context.Context, _ workflows.Principal, sel record.Selection, visit func(*record.Stored) error) error {
	a.last = sel
	for i := range a.n {
		r := record.Stored{Pipeline: "webshop", Number: uint64(i + 1), At: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Hash: "0f", Events: []byte("[]"), Bytes: []byte{1}}
		if err := visit(&r); err != nil {
			return err
		}
	}
	return a.err
}

func (a *auditor) Show(_ context.Context, _ workflows.Principal, of string) (audit.Answer, error) {
	return audit.Answer{Trail: audit.Trail{Execution: of}}, a.err
}

func (a *auditor) get(query string) *httptest.ResponseRecorder {
	e := &engine{}
	h := Handler(Options{Doer: e, Reader: e, Watcher: e, History: e, Tokens: map[string]string{"ci": "secret"}, Log: slog.New(slog.DiscardHandler), Heartbeat: time.Minute, Auditor: a})
	r := httptest.NewRequest(http.MethodGet, "/api/v1/audit"+query, nil)
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTheRecordIsSentAsLines(t *testing.T) {
	a := &auditor{n: 2}
	w := a.get("")
	want := `{"at":"2026-03-02T12:00:00Z","pipeline":"webshop","record":1,"hash":"0f","events":[],"stored":"AQ=="}` + "\n"
	if got := w.Body.String(); w.Code != http.StatusOK || got != want+strings.Replace(want, `"record":1`, `"record":2`, 1) || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d %s %s", w.Code, w.Header(), got)
	}
	if w = (&auditor{}).get(""); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("an empty record: %d %s", w.Code, w.Body)
	}
	refused := &auditor{err: workflows.Refuse(workflows.CodeAccessDenied, "", "you may not audit")}
	if w = refused.get(""); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "AccessDenied") {
		t.Errorf("a refusal: %d %s", w.Code, w.Body)
	}
}

// What cannot be ended breaks the connection, so that a part does not pass for the whole.
func TestARecordThatBreaksOff(t *testing.T) {
	defer func() {
		if fault := recover(); fault != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Errorf("the handler ended with %v", fault)
		}
	}()
	(&auditor{n: 1, err: errors.New("the disk is gone")}).get("")
}

func TestATrailIsNamedInThePath(t *testing.T) {
	for path, name := range map[string]string{"/webshop%2342": "webshop#42", "/release%2Fv1": "release/v1", "/webshop@2026-03-02T12:00:00+01:00": "webshop@2026-03-02T12:00:00+01:00", "/OPS-7": "OPS-7"} {
		if w := (&auditor{}).get(path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"execution":"`+name+`"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := (&auditor{err: workflows.Refuse(workflows.CodeExecutionNotFound, "", "nothing is called that")}).get("/x"); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWhereTheRecordBegins(t *testing.T) {
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for query, want := range map[string]record.Selection{
		"":                                       {},
		"?pipeline=webshop":                      {Pipeline: "webshop"},
		"?execution=webshop%2342":                {Execution: "webshop#42"},
		"?after=2026-03-02":                      {Since: day},
		"?after=2026-03-02T01:00:00.5%2B01:00":   {Since: day.Add(time.Second / 2)},
		"?after=web%40shop@7":                    {Behind: "web@shop@7"},
		"?after=" + cursor{40, 2}.String():       {After: 40},
		"?after=" + cursor{frame: 3}.String():    {After: 3},
		"?pipeline=a&execution=b&after=web@1":    {Pipeline: "a", Execution: "b", Behind: "web@1"},
		"?after=2026-03-02T00:00:00Z&pipeline=a": {Pipeline: "a", Since: day},
	} {
		a := &auditor{}
		if w := a.get(query); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		if !a.last.Since.Equal(want.Since) {
			t.Errorf("%s: since %s", query, a.last.Since)
		}
		if a.last.Since = want.Since; a.last != want {
			t.Errorf("%s: %+v, want %+v", query, a.last, want)
		}
	}
	if w := (&auditor{}).get("?after=yesterday!"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"after"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
