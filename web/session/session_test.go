package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// memory is memos that outlive the Sessions on top of them.
type memory struct {
	mu   sync.Mutex
	rows map[string][]byte
	fail error
}

func (m *memory) Memo(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.rows[key]
	return v, ok, m.fail
}

func (m *memory) List(_ context.Context, prefix string) (all []record.Memo, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.rows)) {
		if strings.HasPrefix(key, prefix) {
			all = append(all, record.Memo{Key: key, Value: m.rows[key]})
		}
	}
	return all, m.fail
}

func (m *memory) NoteAll(_ context.Context, values map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for key, v := range values {
		if m.rows[key] = v; len(v) == 0 {
			delete(m.rows, key)
		}
	}
	return nil
}

// workspace is who people are now.
type workspace struct {
	team   string
	people map[string]workflows.Principal
	fail   error
}

func (w *workspace) Person(_ context.Context, user string) (workflows.Principal, error) {
	return w.people[user], w.fail
}
func (w *workspace) Team(context.Context) (string, error) { return w.team, w.fail }

type fixture struct {
	t      *testing.T
	memory *memory
	slack  *workspace
	now    time.Time
	log    bytes.Buffer
	o      Options
	*Sessions
}

var ana = workflows.Principal{ID: "slack:U0ANA", Name: "Ana <b>", Email: "ana@acme.example", Via: "slack"}
var ben = workflows.Principal{ID: "slack:U0BEN", Name: "Ben", Email: "ben@acme.example", Via: "slack"}

func start(t *testing.T) *fixture {
	f := &fixture{t: t, memory: &memory{rows: map[string][]byte{}}, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		slack: &workspace{team: "T1", people: map[string]workflows.Principal{"U0ANA": ana, "U0BEN": ben}}}
	f.o = Options{Memos: f.memory, People: f.slack, URL: "https://rollcall.acme.example/", Console: true, Now: func() time.Time { return f.now },
		Log: slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	f.Sessions = New(f.o)
	return f
}

// restart is the service after a crash: what was not durable is gone.
func (f *fixture) restart() { f.Sessions = New(f.o) }

func (f *fixture) invite(by workflows.Principal, to string) *url.URL {
	f.t.Helper()
	link, err := f.Invite(f.t.Context(), by, to)
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

// ask sends a request as a browser does from a page of ours, with a cookie.
func (f *fixture) ask(method, to string, form url.Values, cookie *http.Cookie, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, to, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	mux := http.NewServeMux()
	mux.Handle("/", f.Handler())
	mux.Handle("/{$}", f.Home(http.NotFoundHandler()))
	mux.ServeHTTP(w, r)
	return w
}

func cookieOf(w *httptest.ResponseRecorder) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		return c
	}
	return nil
}

// signIn is a browser in which somebody is signed in.
func (f *fixture) signIn(by workflows.Principal) *http.Cookie {
	f.t.Helper()
	w := f.ask("POST", "/login", url.Values{"link": {f.invite(by, "/").Query().Get("link")}}, nil)
	c := cookieOf(w)
	if w.Code != http.StatusSeeOther || c == nil {
		f.t.Fatalf("not signed in: %d %s", w.Code, w.Body)
	}
	return c
}

func (f *fixture) who(method string, cookie *http.Cookie, header ...string) (workflows.Principal, bool, error) {
	r := httptest.NewRequest(method, "/api/v1/whoami", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return f.Principal(r)
}

// A link signs in once, by a POST, within two minutes; looking at it, as often as
// previews and browsers like, uses nothing up. A restart in between changes nothing.
func TestALinkSignsInOnce(t *testing.T) {
	f := start(t)
	u := f.invite(ana, "/executions/x")
	f.restart()
	before := maps.Clone(f.memory.rows)
	for _, method := range []string{"GET", "HEAD", "GET"} {
		w := f.ask(method, u.RequestURI(), nil, nil)
		if w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" {
			t.Fatalf("%s: %d %v", method, w.Code, w.Header())
		}
		if body := w.Body.String(); method == "GET" && (!strings.Contains(body, "Sign in as Ana &lt;b&gt;") || strings.Contains(body, "<script") || strings.Contains(body, "Ana <b>")) {
			t.Errorf("the page: %s", body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("its policy: %s", csp)
		}
	}
	if !maps.EqualFunc(before, f.memory.rows, bytes.Equal) {
		t.Error("looking changed something")
	}
	form := url.Values{"link": {u.Query().Get("link")}}
	w := f.ask("POST", "/login", form, nil, "Sec-Fetch-Site", "cross-site")
	if w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	w = f.ask("POST", "/login", form, nil)
	c := cookieOf(w)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/executions/x" || c == nil {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if c.Name != "__Host-rollcall" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie: %+v", c)
	}
	f.restart()
	if by, ok, err := f.who("GET", c); err != nil || !ok || by.ID != ana.ID || by.Via != "console" || by.Email != ana.Email {
		t.Errorf("signed in as %+v %v %v", by, ok, err)
	}
	if w := f.ask("POST", "/login", form, nil); w.Code != http.StatusGone || cookieOf(w) != nil || !strings.Contains(w.Body.String(), "/rollcall console") {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
	if w := f.ask("GET", u.RequestURI(), nil, nil); w.Code != http.StatusGone {
		t.Errorf("looked at again: %d", w.Code)
	}

	late := f.invite(ana, "/")
	f.now = f.now.Add(linkFor)
	if w := f.ask("POST", "/login", url.Values{"link": {late.Query().Get("link")}}, nil); w.Code != http.StatusGone {
		t.Errorf("two minutes later: %d", w.Code)
	}
}

// Of many who redeem a link in the same moment one is signed in.
func TestALinkIsRedeemedByOne(t *testing.T) {
	f := start(t)
	form := url.Values{"link": {f.invite(ana, "/").Query().Get("link")}}
	var in, out sync.Map
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			if w := f.ask("POST", "/login", form, nil); w.Code == http.StatusSeeOther {
				in.Store(i, true)
			} else {
				out.Store(i, w.Code)
			}
		})
	}
	wait.Wait()
	n := 0
	in.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d were signed in", n)
	}
}

// Nothing that signs somebody in is kept or logged in the clear.
func TestOnlyHashesAreKept(t *testing.T) {
	f := start(t)
	link := f.invite(ana, "/").Query().Get("link")
	c := cookieOf(f.ask("POST", "/login", url.Values{"link": {link}}, nil))
	l, err := f.Begin(t.Context(), "laptop", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Claim(t.Context(), ana, l.Code)
	if err != nil {
		t.Fatal(err)
	}
	f.memory.fail = errors.New("disk full")
	_, failed := f.Grant(t.Context(), ana, p.ID, true)
	_, invited := f.Invite(t.Context(), ana, "/")
	if failed == nil || invited == nil {
		t.Fatal("no error")
	}
	f.memory.fail = nil
	if _, err := f.Grant(t.Context(), ana, p.ID, true); err != nil {
		t.Fatal(err)
	}
	kept := f.log.String() + failed.Error() + invited.Error()
	for key, v := range f.memory.rows {
		kept += key + string(v)
	}
	for name, secret := range map[string]string{"link": link, "cookie": c.Value, "token": l.Token, "code": plainCode(l.Code)} {
		if secret == "" || strings.Contains(kept, secret) {
			t.Errorf("the %s stands in %s", name, kept)
		}
	}
}

// A session ends 12 hours after its last use and 7 days after it began.
func TestASessionEnds(t *testing.T) {
	f := start(t)
	c := f.signIn(ana)
	began := f.now
	for f.now.Sub(began) < lastsFor-11*time.Hour {
		f.now = f.now.Add(11 * time.Hour)
		if _, ok, err := f.who("GET", c); !ok || err != nil {
			t.Fatalf("after %s: %v %v", f.now.Sub(began), ok, err)
		}
	}
	f.now = began.Add(lastsFor)
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("it is good after 7 days")
	}
	c = f.signIn(ana)
	f.now = f.now.Add(idleFor)
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("it is good after 12 idle hours")
	}
	f.sweep(t.Context())
	if len(f.memory.rows) != 0 {
		t.Errorf("what has ended is kept: %v", slices.Collect(maps.Keys(f.memory.rows)))
	}
}

// Who is no full member any more, or of another workspace, is nobody at once; when
// Slack does not answer the request is refused, and nobody is signed out.
func TestWhoSomebodyIsIsAskedAnew(t *testing.T) {
	f := start(t)
	c := f.signIn(ana)
	for _, stranger := range []string{"guest", "deactivated", "connect", "bot", "unknown"} {
		f.slack.people["U0ANA"], f.now = ana, f.now.Add(linksIn)
		was := f.signIn(ana)
		f.slack.people["U0ANA"] = workflows.Principal{ID: ana.ID, Name: "Ana", Stranger: stranger}
		if _, ok, err := f.who("GET", was); ok || err != nil {
			t.Errorf("%s: %v %v", stranger, ok, err)
		}
	}
	if _, err := f.Invite(t.Context(), f.slack.people["U0ANA"], "/"); err == nil {
		t.Error("a stranger has got a link")
	}
	f.slack.people["U0ANA"] = ana
	f.slack.team = "T2"
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("a session of another workspace is good")
	}
	f.slack.team = "T1"
	f.slack.fail = errors.New("slack hangs")
	var p *workflows.Problem
	if _, ok, err := f.who("GET", c); ok || !errors.As(err, &p) || p.Code != workflows.CodeUnavailable {
		t.Errorf("slack hangs: %v %v", ok, err)
	}
	f.slack.fail = nil
	if _, ok, _ := f.who("GET", c); !ok {
		t.Error("signed out")
	}
	link := f.invite(ana, "/")
	f.slack.people["U0ANA"] = workflows.Principal{ID: ana.ID, Stranger: "deactivated"}
	if w := f.ask("POST", "/login", url.Values{"link": {link.Query().Get("link")}}, nil); w.Code != http.StatusForbidden || cookieOf(w) != nil {
		t.Errorf("deactivated between link and click: %d", w.Code)
	}
}

// What a browser sends along by itself changes nothing unless one of our pages asked.
func TestAnotherSiteChangesNothing(t *testing.T) {
	f := start(t)
	c := f.signIn(ana)
	for name, header := range map[string][]string{
		"another site":         {"Sec-Fetch-Site", "cross-site"},
		"a sibling":            {"Sec-Fetch-Site", "same-site"},
		"typed":                {"Sec-Fetch-Site", "none"},
		"an old browser":       {"Origin", "https://evil.example"},
		"one without a page":   {"Origin", "null"},
		"one that says little": {},
	} {
		var p *workflows.Problem
		if _, ok, err := f.who("POST", c, header...); ok || !errors.As(err, &p) || p.Code != workflows.CodeAccessDenied {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://rollcall.acme.example"}} {
		if _, ok, err := f.who("POST", c, header...); !ok || err != nil {
			t.Errorf("%v: %v %v", header, ok, err)
		}
	}
	if w := f.ask("POST", "/logout", nil, c, "Sec-Fetch-Site", "", "Origin", ""); w.Code != http.StatusForbidden {
		t.Errorf("signed out by a request that says little: %d", w.Code)
	}
}

// People see their sessions, and end them; nobody ends another person's.
func TestSessionsAreListedAndEnded(t *testing.T) {
	f := start(t)
	mine, other, bens := f.signIn(ana), f.signIn(ana), f.signIn(ben)
	w := f.ask("GET", "/", nil, mine)
	ends := regexp.MustCompile(`/sessions/([0-9a-f]{16})`).FindAllStringSubmatch(w.Body.String(), -1)
	if w.Code != http.StatusOK || len(ends) != 2 || !strings.Contains(w.Body.String(), "(this one)") || strings.Contains(w.Body.String(), mine.Value) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	f.ask("POST", "/sessions/"+nameOf(ofSessions+hash(bens.Value)), nil, mine)
	if _, ok, _ := f.who("GET", bens); !ok {
		t.Error("Ana has ended Ben's session")
	}
	f.ask("POST", "/sessions/"+nameOf(ofSessions+hash(other.Value)), nil, mine)
	if _, ok, _ := f.who("GET", other); ok {
		t.Error("the other one has not ended")
	}
	w = f.ask("POST", "/logout", nil, mine)
	if c := cookieOf(w); w.Code != http.StatusSeeOther || c == nil || c.MaxAge >= 0 {
		t.Errorf("%d %+v", w.Code, c)
	}
	if _, ok, _ := f.who("GET", mine); ok {
		t.Error("it is good after signing out")
	}
	if w := f.ask("GET", "/", nil, mine); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<code>/rollcall console</code>") || strings.Contains(w.Body.String(), "Your sessions") {
		t.Errorf("home of nobody: %d %s", w.Code, w.Body)
	}
	for range perPerson + 3 {
		f.now = f.now.Add(linksIn)
		f.signIn(ana)
	}
	if all, err := f.ofUser(t.Context(), "U0ANA"); err != nil || len(all) != perPerson {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

// A terminal is signed in by who typed its code and confirmed it, and only by them;
// a restart between any two steps changes nothing.
func TestATerminalSignsInByItsCode(t *testing.T) {
	f := start(t)
	l, err := f.Begin(t.Context(), "ana's laptop\x1b[31m", "192.0.2.1")
	if err != nil || l.Code == "" || l.URL != "https://rollcall.acme.example/login?code="+l.Code {
		t.Fatalf("%+v %v", l, err)
	}
	state := func(want string) {
		t.Helper()
		f.restart()
		if got, err := f.Poll(t.Context(), l.Token); err != nil || got != want {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	state(Waiting)
	bearer := []string{"Authorization", "Bearer " + l.Token}
	if _, ok, _ := f.who("GET", nil, bearer...); ok {
		t.Error("the token is somebody's before it was confirmed")
	}
	p, err := f.Claim(t.Context(), ana, strings.ToLower(l.Code))
	if err != nil || p.Host != "ana's laptop" || p.Address != "192.0.2.1" {
		t.Fatalf("%+v %v", p, err)
	}
	state(Waiting)
	if _, err := f.Claim(t.Context(), ben, l.Code); err == nil {
		t.Error("Ben has claimed Ana's terminal")
	}
	if _, err := f.Grant(t.Context(), ben, p.ID, true); err == nil {
		t.Error("Ben has confirmed Ana's terminal")
	}
	state(Waiting)
	for range 2 { // pressed twice
		if _, err := f.Grant(t.Context(), ana, p.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	state(Granted)
	if by, ok, err := f.who("POST", nil, bearer...); err != nil || !ok || by.ID != ana.ID || by.Via != "console" {
		t.Errorf("%+v %v %v", by, ok, err)
	}
	if _, err := f.Claim(t.Context(), ana, l.Code); err == nil {
		t.Error("the code is good again")
	}
	r := httptest.NewRequest("POST", "/api/v1/logout", nil)
	r.Header.Set("Authorization", "Bearer "+l.Token)
	if n, err := f.End(r, ana, ""); n != 1 || err != nil {
		t.Errorf("%d ended, %v", n, err)
	}
	state(Expired)
	if _, ok, _ := f.who("GET", nil, bearer...); ok {
		t.Error("signed in after signing out")
	}
}

// A code is good for five minutes; refused, it is good no more; after five wrong
// ones nobody may guess on; and what an address may ask for has an end.
func TestCodesCannotBeGuessed(t *testing.T) {
	f := start(t)
	l, _ := f.Begin(t.Context(), "laptop", "192.0.2.1")
	p, err := f.Claim(t.Context(), ana, l.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Grant(t.Context(), ana, p.ID, false); err != nil {
		t.Fatal(err)
	}
	if state, _ := f.Poll(t.Context(), l.Token); state != Refused {
		t.Errorf("refused: %s", state)
	}
	if _, err := f.Grant(t.Context(), ana, p.ID, true); err == nil {
		t.Error("confirmed after it was refused")
	}
	l, _ = f.Begin(t.Context(), "laptop", "192.0.2.1")
	for range wrongPer {
		if _, err := f.Claim(t.Context(), ben, "BCDF-GHJK"); err == nil {
			t.Fatal("guessed")
		}
	}
	var problem *workflows.Problem
	if _, err := f.Claim(t.Context(), ben, l.Code); !errors.As(err, &problem) || problem.Code != codeTooMany {
		t.Errorf("the right one after five wrong ones: %v", err)
	}
	if _, err := f.Claim(t.Context(), ana, l.Code); err != nil {
		t.Errorf("Ana cannot type because Ben guessed: %v", err)
	}
	f.now = f.now.Add(codeFor)
	if _, err := f.Claim(t.Context(), ana, l.Code); err == nil {
		t.Error("good after five minutes")
	}
	if state, _ := f.Poll(t.Context(), l.Token); state != Expired {
		t.Errorf("after five minutes: %s", state)
	}
	for range perAddress {
		if _, err := f.Begin(t.Context(), "x", "192.0.2.9"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Begin(t.Context(), "x", "192.0.2.9"); !errors.As(err, &problem) || problem.Code != codeTooMany {
		t.Errorf("one more: %v", err)
	}
	for range linksPer {
		f.invite(ana, "/")
	}
	if _, err := f.Invite(t.Context(), ana, "/"); !errors.As(err, &problem) || problem.Code != codeTooMany {
		t.Errorf("one more link: %v", err)
	}
}

// In a browser that is signed in a terminal is confirmed with two buttons; who is
// not signed in learns nothing of the code and grants nothing.
func TestATerminalIsConfirmedInABrowser(t *testing.T) {
	f := start(t)
	l, _ := f.Begin(t.Context(), "laptop<i>", "192.0.2.1")
	code := url.Values{"code": {l.Code}}
	w := f.ask("GET", "/login?code="+l.Code, nil, nil)
	if body := w.Body.String(); !strings.Contains(body, "/rollcall login "+l.Code) || strings.Contains(body, "laptop") || strings.Contains(body, "<form") {
		t.Errorf("for nobody: %s", body)
	}
	if w := f.ask("POST", "/login", code, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("by nobody: %d", w.Code)
	}
	c := f.signIn(ana)
	if w := f.ask("POST", "/login", code, c, "Sec-Fetch-Site", "", "Origin", ""); w.Code != http.StatusForbidden {
		t.Errorf("not from our page: %d", w.Code)
	}
	w = f.ask("POST", "/login", code, c)
	id := regexp.MustCompile(`name="terminal" value="([0-9a-f]{64})"`).FindStringSubmatch(w.Body.String())
	if id == nil || !strings.Contains(w.Body.String(), "laptop&lt;i&gt;") || !strings.Contains(w.Body.String(), "192.0.2.1") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if state, _ := f.Poll(t.Context(), l.Token); state != Waiting {
		t.Errorf("granted by the first button: %s", state)
	}
	if w := f.ask("POST", "/login", url.Values{"terminal": {id[1]}}, f.signIn(ben)); w.Code != http.StatusForbidden {
		t.Errorf("by Ben: %d", w.Code)
	}
	if w := f.ask("POST", "/login", url.Values{"terminal": {id[1]}}, c); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if state, _ := f.Poll(t.Context(), l.Token); state != Granted {
		t.Errorf("after both: %s", state)
	}
}

// What was made before a backup was restored is good no more.
func TestARestoredBackupSignsNobodyIn(t *testing.T) {
	f := start(t)
	c := f.signIn(ana)
	link := f.invite(ana, "/")
	f.now = f.now.Add(time.Second)
	f.o.Restored = f.now
	f.restart()
	if _, ok, _ := f.who("GET", c); ok {
		t.Error("the session is good")
	}
	if w := f.ask("POST", "/login", url.Values{"link": {link.Query().Get("link")}}, nil); w.Code != http.StatusGone {
		t.Errorf("the link: %d", w.Code)
	}
}

// Without a console there is no link, and the page says how to have one.
func TestWithoutAConsole(t *testing.T) {
	f := start(t)
	link := f.invite(ana, "/")
	f.o.Console, f.o.Off = false, workflows.Problem{Code: workflows.CodeConflict, Message: "the console is off", Hint: "write console: {enabled: true} in rollcall.yaml"}
	f.restart()
	if _, err := f.Invite(t.Context(), ana, "/"); err == nil || !strings.Contains(err.Error(), "console: {enabled: true}") {
		t.Errorf("%v", err)
	}
	if w := f.ask("POST", "/login", url.Values{"link": {link.Query().Get("link")}}, nil); w.Code != http.StatusGone {
		t.Errorf("an earlier link: %d", w.Code)
	}
	if w := f.ask("GET", "/login", nil, nil); !strings.Contains(w.Body.String(), "The console is off") {
		t.Errorf("%s", w.Body)
	}
}

// Wherever a link was asked for, it leads to a page of ours.
func TestALinkLeadsNowhereElse(t *testing.T) {
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, ""} {
		f := start(t)
		w := f.ask("POST", "/login", url.Values{"link": {f.invite(ana, to).Query().Get("link")}}, nil)
		if got := w.Header().Get("Location"); got != account {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}
