package wirefake

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// app is what a hook delivers to: it checks signatures and answers a status.
type app struct {
	*httptest.Server
	status  int
	heard   []string // IDs
	refused int
}

func newApp(t *testing.T, secret string) *app {
	a := &app{status: http.StatusAccepted}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !wire.Verify([]byte(secret), body, r.Header.Get("X-Sig")) {
			a.refused++
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		a.heard = append(a.heard, r.Header.Get("X-ID"))
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, "heard "+r.Header.Get("X-ID"))
	}))
	t.Cleanup(a.Close)
	return a
}

func newHook(notified *int) *Hook {
	return NewHook(func(h http.Header, d Delivery, secret string) {
		h.Set("X-ID", d.ID)
		if secret != "" {
			h.Set("X-Sig", wire.Sign([]byte(secret), d.Payload))
		}
	}, func() { *notified++ })
}

func TestAHookSignsRecordsAndDeliversAgain(t *testing.T) {
	a, notified := newApp(t, "s"), 0
	k := newHook(&notified)
	if _, err := k.Deliver(t.Context(), Delivery{ID: "d0"}); err == nil || k.Connected() {
		t.Error("it delivered to nobody")
	}
	k.Connect(a.URL, "s")
	first, err := k.Deliver(t.Context(), Delivery{ID: "d1", Event: "push", Payload: []byte("{}")})
	if err != nil || first.Status != 202 || string(first.Answer) != "heard d1" {
		t.Errorf("%+v, %v", first, err)
	}
	a.status = http.StatusServiceUnavailable // an answer all the same
	if again, err := k.Redeliver(t.Context(), "d1"); err != nil || again.Status != 503 || again.Event != "push" {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := k.Redeliver(t.Context(), "d9"); err == nil {
		t.Error("what was never delivered was delivered again")
	}
	k.Connect(a.URL, "guess")
	if wrong, err := k.Deliver(t.Context(), Delivery{ID: "d2"}); err != nil || wrong.Status != 401 || a.refused != 1 {
		t.Errorf("%+v, %v", wrong, err)
	}
	if !slices.Equal(a.heard, []string{"d1", "d1"}) || len(k.Deliveries()) != 3 || notified != 3 {
		t.Errorf("heard %v, %d recorded, %d notified", a.heard, len(k.Deliveries()), notified)
	}
	a.Close()
	if _, err := k.Deliver(t.Context(), Delivery{ID: "d3"}); err == nil || len(k.Deliveries()) != 3 {
		t.Errorf("nobody answered: %v, %d recorded", err, len(k.Deliveries()))
	}
	other := newHook(&notified)
	other.Restore(k.Deliveries())
	if got := other.Deliveries(); len(got) != 3 || got[0].ID != "d1" {
		t.Errorf("restored %+v", got)
	}
}

// The form of a recorded delivery is that of snapshots, which are read for good.
func TestTheFormOfADelivery(t *testing.T) {
	b, err := json.Marshal(Delivery{ID: "d1", Event: "push", Payload: []byte("{}"), Status: 202, Answer: []byte("{}")})
	if want := `{"id":"d1","event":"push","payload":"e30=","status":202,"answer":"e30="}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAgainStopsWhenDone(t *testing.T) {
	pauses := []time.Duration{0, time.Minute, 5 * time.Minute}
	for name, c := range map[string]struct {
		doneAt int
		end    time.Duration // of the context
		tries  int
		took   time.Duration
	}{
		"at once":   {1, time.Hour, 1, 0},
		"the last":  {3, time.Hour, 3, 6 * time.Minute},
		"never":     {9, time.Hour, 3, 6 * time.Minute},
		"cut short": {9, 2 * time.Minute, 2, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.end)
				defer cancel()
				began, tries := time.Now(), 0
				Again(ctx, pauses, func(try int) bool {
					tries++
					return try == c.doneAt
				})
				if took := time.Since(began); tries != c.tries || took != c.took {
					t.Errorf("%d tries in %s", tries, took)
				}
			})
		})
	}
}

func TestSnapshotsAreReadStrictly(t *testing.T) {
	type form struct {
		Snapshot int      `json:"snapshot"`
		Things   []string `json:"things"`
	}
	b, err := WriteSnapshot("Vendor", form{2, []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, data, says string }{
		{"as written", string(b), ""},
		{"another form", `{"snapshot":1}`, "Vendor's snapshot has form 1, this program reads form 2"},
		{"no form", `{"things":[]}`, "has form 0"},
		{"an unknown field", `{"snapshot":2,"mood":1}`, `unknown field "mood"`},
		{"another type", `{"snapshot":2,"things":"a"}`, "cannot unmarshal"},
		{"something after it", string(b) + "{}", "reading Vendor's snapshot"},
		{"cut off", string(b[:len(b)-1]), "unexpected end"},
		{"empty", "", "unexpected end"},
		{"no object", "[2]", "cannot unmarshal array"},
	} {
		var got form
		err := ReadSnapshot("Vendor", 2, []byte(c.data), &got)
		switch {
		case c.says == "" && (err != nil || len(got.Things) != 1):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

func TestDirectBehavesAsASocketDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: Direct(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/cut":
				panic(http.ErrAbortHandler)
			case "/hang":
				<-r.Context().Done()
			default:
				body, _ := io.ReadAll(r.Body)
				w.WriteHeader(http.StatusTeapot)
				_, _ = w.Write(append([]byte(r.Host+" "), body...))
			}
		}))}
		resp, err := client.Post("http://vendor.test/x", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusTeapot || string(body) != "vendor.test hello" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if _, err := client.Get("http://vendor.test/cut"); err == nil || !strings.Contains(err.Error(), "closed without an answer") {
			t.Error(err)
		}
		client.Timeout = time.Second
		began := time.Now()
		if _, err := client.Get("http://vendor.test/hang"); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
