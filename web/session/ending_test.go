package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// confirmed is the token of a terminal that was confirmed with these requests' session.
func (f *fixture) confirmed(cookie *http.Cookie, header ...string) string {
	f.t.Helper()
	l, err := f.Begin(f.t.Context(), "laptop", "192.0.2.1")
	if err != nil {
		f.t.Fatal(err)
	}
	f.ask("POST", "/login", url.Values{"code": {l.Code}}, cookie, header...)
	if w := f.ask("POST", "/login", url.Values{"terminal": {hash(l.Token)}}, cookie, header...); w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return l.Token
}

// A session that was confirmed in another one ends with it at the latest: none
// renews itself, through however many others, beyond 7 days.
func TestASessionDoesNotRenewItself(t *testing.T) {
	f := start(t)
	began, c := f.now, f.signIn(ana)
	until := func(at time.Time, used ...func() bool) {
		t.Helper()
		for f.now.Before(at) {
			f.now = f.now.Add(min(11*time.Hour, at.Sub(f.now)))
			for _, use := range used {
				use()
			}
		}
	}
	good := func(token string) func() bool {
		return func() bool {
			_, ok, err := f.who("GET", nil, "Authorization", "Bearer "+token)
			return ok && err == nil
		}
	}
	browser := func() bool { _, ok, _ := f.who("GET", c); return ok }
	until(began.Add(3*24*time.Hour), browser)
	first := f.confirmed(c)
	until(began.Add(6*24*time.Hour), good(first))
	second := f.confirmed(nil, "Authorization", "Bearer "+first)
	until(began.Add(lastsFor-time.Minute), good(first), good(second))
	if !good(first)() || !good(second)() {
		t.Fatal("a session ended before the one in which it was confirmed could have")
	}
	f.now = began.Add(lastsFor)
	if good(first)() || good(second)() {
		t.Error("a session outlives the one in which it was confirmed")
	}
}

// A session of somebody who was no member when it was used is not good again
// when they come back.
func TestASessionEndsWithTheMembership(t *testing.T) {
	f := start(t)
	c := f.signIn(ana)
	gone := ana
	gone.Stranger, gone.Email = "deactivated", ""
	f.slack.people["U0ANA"] = gone
	f.memory.fail = errors.New("disk full")
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("a deactivated member is signed in")
	}
	f.memory.fail = nil
	if _, ok, err := f.who("GET", c); ok || err != nil {
		t.Errorf("a deactivated member is signed in: %v %v", ok, err)
	}
	f.slack.people["U0ANA"] = ana
	if _, ok, err := f.who("GET", c); ok || err != nil {
		t.Errorf("it is good again: %v %v", ok, err)
	}
}

// People can sign out while Slack does not answer, but for nobody else.
func TestSigningOutNeedsNobody(t *testing.T) {
	f := start(t)
	c, bens := f.signIn(ana), f.signIn(ben)
	token := f.confirmed(c)
	f.slack.fail = errors.New("slack hangs")
	if w := f.ask("POST", "/logout", nil, c, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	w := f.ask("POST", "/logout", nil, c)
	if gone := cookieOf(w); w.Code != http.StatusSeeOther || gone == nil || gone.MaxAge >= 0 {
		t.Errorf("%d %v", w.Code, gone)
	}
	f.ask("POST", "/logout", nil, nil, "Authorization", "Bearer "+token, "Sec-Fetch-Site", "")
	f.slack.fail = nil
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("the browser is signed in")
	}
	if _, ok, _ := f.who("GET", nil, "Authorization", "Bearer "+token); ok {
		t.Error("the terminal is signed in")
	}
	if _, ok, _ := f.who("GET", bens); !ok {
		t.Error("Ben was signed out")
	}
}

// What was made while the clock was ahead is good no longer than anything else.
func TestTheClockIsSetBack(t *testing.T) {
	f := start(t)
	now := f.now
	f.now = now.Add(24 * time.Hour)
	c, u := f.signIn(ana), f.invite(ana, "/")
	f.now = now
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("a session of tomorrow is good")
	}
	if w := f.ask("GET", u.RequestURI(), nil, nil); w.Code != http.StatusGone {
		t.Errorf("a link of tomorrow: %d", w.Code)
	}
	c = f.signIn(ben)
	f.now = now.Add(-30 * time.Second)
	if _, ok, err := f.who("GET", c); !ok || err != nil {
		t.Errorf("half a minute: %v %v", ok, err)
	}
}

// Whoever has many addresses of one network has one share of the codes, and what
// is counted has an end.
func TestWhatIsCountedHasAnEnd(t *testing.T) {
	f := start(t)
	for i := range perAddress {
		if _, err := f.Begin(t.Context(), "laptop", fmt.Sprintf("2001:db8::%x", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Begin(t.Context(), "laptop", "2001:db8::ffff:1"); err == nil {
		t.Error("an address more is a share more")
	}
	if _, err := f.Begin(t.Context(), "laptop", "2001:db8:0:1::1"); err != nil {
		t.Errorf("another network: %v", err)
	}
	a := attempts{}
	for i := range 30_000 { // who only asks is not remembered
		a.tooMany(fmt.Sprint(i), 5, codeFor, f.now)
	}
	if len(a) != 0 {
		t.Errorf("%d are counted who did nothing", len(a))
	}
	for i := range 30_000 {
		a.add(fmt.Sprint(i), f.now)
	}
	if len(a) > 10_001 {
		t.Errorf("%d are counted", len(a))
	}
}

// The cookies of two services on one machine, which browsers do not tell apart by
// port, differ in their names.
func TestTwoServicesOfOneMachineHaveTheirOwnCookies(t *testing.T) {
	f := start(t)
	for to, want := range map[string]string{"http://127.0.0.1:8484": "rollcall-session-8484", "http://localhost": "rollcall-session", "https://r.example:8443": "__Host-rollcall"} {
		f.o.URL = to
		f.restart()
		if got := f.cookieName(); got != want {
			t.Errorf("%s: %s", to, got)
		}
	}
}

// The page of one's sessions has an address of its own, where signing in leads.
func TestTheAccountPage(t *testing.T) {
	f := start(t)
	if w := f.ask("GET", account, nil, nil); w.Code != http.StatusUnauthorized || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("of nobody: %d", w.Code)
	}
	u := f.invite(ana, "/")
	w := f.ask("POST", "/login", url.Values{"link": {u.Query().Get("link")}}, nil)
	if to := w.Header().Get("Location"); to != account {
		t.Errorf("signing in leads to %s", to)
	}
	if w := f.ask("GET", account, nil, cookieOf(w)); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

// Whoever presses twice, or comes back to the link's page, is shown that they are
// signed in, and not that they are not.
func TestALinkThatIsPressedTwice(t *testing.T) {
	f := start(t)
	u := f.invite(ana, "/")
	form := url.Values{"link": {u.Query().Get("link")}}
	c := cookieOf(f.ask("POST", "/login", form, nil))
	for _, w := range []*httptest.ResponseRecorder{f.ask("POST", "/login", form, c), f.ask("GET", u.RequestURI(), nil, c)} {
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != account || cookieOf(w) != nil {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
	if w := f.ask("GET", "/login", nil, c); !strings.Contains(w.Body.String(), "Your sessions") || !strings.Contains(w.Body.String(), `aria-label="End it: A browser at 192.0.2.1 (this one)"`) {
		t.Errorf("%s", w.Body)
	}
}
