package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/github/feedback"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/web"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What the vendors refuse for good: a message whose blocks hold the first word,
// a ticket whose texts hold the second, a status on a commit that begins so.
const (
	unprintable, unspeakable, unwelcome = "unprintable", "unspeakable", "dead"
	apiSecret                           = "the token of the API's client"
)

// vendorsFixture is one seed: a store, vendors and people, which outlive processes, and
// the process that runs the service now.
type vendorsFixture struct {
	t     *testing.T
	seed  uint64
	dice  *rand.Rand // drawn from by the scheduler alone
	began time.Time
	lines []string
	echo  func(string)

	db      *store.DB
	chat    *slackfake.Server
	hub     *githubfake.Server
	tracker *jirafake.Server
	// The twins are vendors to whom nothing ever happens, told of everything when
	// judgement comes: what they show is what the others must show by then.
	chatTwin *slackfake.Server
	hubTwin  *githubfake.Server

	slack, github, jira line

	mu     sync.Mutex
	heads  map[string]commit // by pipeline
	pushes int

	process *life
	boots   int
}

// commit is the head of a pipeline's branch.
type commit struct{ sha, summary string }

// life is one of the process.
type life struct {
	*runtime.Engine
	bot      *bot.Bot
	receiver http.Handler
	api      http.Handler
	cancel   context.CancelFunc
	running  sync.WaitGroup
	dead     atomic.Bool
	fuse     atomic.Int32 // commits until the power goes; 0: never
	after    bool         // that last commit is written
}

var (
	errPower = errors.New("the power went out")
	errCut   = errors.New("connection reset by peer")
)

// port is one process's way to the store.
type port struct {
	*store.DB
	s *life
}

// Commit is where the power may go.
func (p port) Commit(ctx context.Context, c *runtime.Commit) error {
	last := p.s.fuse.Load() > 0 && p.s.fuse.Add(-1) == 0
	if p.s.dead.Load() || last && !p.s.after {
		p.s.dead.Store(true)
		return errPower
	}
	err := p.DB.Commit(ctx, c)
	if last {
		p.s.dead.Store(true)
		return errPower
	}
	return err
}

// Reopen finds the store as it was left.
func (p port) Reopen(context.Context) error {
	if p.s.dead.Load() {
		return errPower
	}
	return nil
}

// Close does nothing: the store outlives processes.
func (p port) Close() error { return nil }

// chance is a number that depends on the seed and on what it is for alone, not
// on the order in which goroutines ask.
func (w *vendorsFixture) chance(parts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, parts)
	return h.Sum64() >> 7
}

// nap lets time pass unless ctx ends first.
func nap(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// line is the way to a vendor, and how the vendor treats what comes along it.
type line struct {
	w    *vendorsFixture
	name string
	to   http.RoundTripper
	// refuses answers a call that the vendor refuses: what it never takes, and
	// what it does not take until somebody has mended it.
	refuses func(l *line, call *http.Request, body string) *http.Response

	mu      sync.Mutex
	passing string // late, cut, lost, away, limited; empty: well
	mending string // what somebody must mend; empty: nothing
	broken  bool   // somebody had to mend something
	calls   map[string]int
	lost    time.Time // when the last answer of a change was lost
}

func (l *line) set(passing, mending string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passing, l.mending = passing, mending
	l.broken = l.broken || mending != ""
}

// wasWell says whether nothing ever had to be mended.
func (l *line) wasWell() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.broken
}

func (l *line) stands() (passing, mending string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passing, l.mending
}

// cable is one process's end of a line.
type cable struct {
	*line
	s *life
}

// RoundTrip carries a call out, as the vendor does at the moment.
func (c cable) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	c.mu.Lock()
	key := req.Method + " " + req.URL.Path
	c.calls[key]++
	n := c.calls[key]
	c.mu.Unlock()
	chance := c.w.chance(c.name, key, n)
	if err := nap(req.Context(), time.Duration(chance%180)*time.Millisecond); err != nil {
		return nil, err
	}
	defer func() {
		if (err != nil || c.s.dead.Load() || resp.StatusCode >= 500) && req.Method == http.MethodPost {
			c.mu.Lock()
			c.lost = time.Now()
			c.mu.Unlock()
		}
	}()
	passing, _ := c.stands()
	if chance/180%5 == 0 { // some calls work in spite of it
		passing = ""
	}
	switch {
	case c.s.dead.Load(), passing == "cut":
		return nil, errCut
	case passing == "late":
		if err := nap(req.Context(), 45*time.Second); err != nil {
			return nil, err
		}
		return nil, errCut
	case passing == "away":
		return answered(req, []int{502, 503, 504}[chance/997%3], `{}`), nil
	case passing == "limited":
		resp := answered(req, http.StatusTooManyRequests, `{"ok":false,"error":"ratelimited"}`)
		resp.Header.Set("Retry-After", fmt.Sprint(1+chance/997%15))
		return resp, nil
	}
	if resp := c.refuses(c.line, req, string(body)); resp != nil {
		return resp, nil
	}
	resp, err = c.to.RoundTrip(req)
	if again := nap(req.Context(), time.Duration(chance/31%180)*time.Millisecond); err == nil {
		err = again
	}
	if err == nil && (c.s.dead.Load() || passing == "lost") {
		err = errCut
	}
	return resp, err
}

func answered(req *http.Request, status int, body string) *http.Response {
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}
}

// slackRefuses says no as Slack does: about the token, about a scope, about the
// channel of the pipeline shop, or about blocks.
func slackRefuses(l *line, req *http.Request, body string) *http.Response {
	_, why := l.stands()
	form, _ := url.ParseQuery(body)
	method := strings.TrimPrefix(req.URL.Path, "/api/")
	speaks := method == "chat.postMessage" || method == "chat.update"
	switch {
	case why == "invalid_auth", why == "account_inactive", why == "missing_scope" && speaks, why != "" && (form.Get("channel") == "CSHOP"):
		return answered(req, 200, fmt.Sprintf(`{"ok":false,"error":%q,"needed":"chat:write","provided":"none"}`, why))
	case speaks && strings.Contains(form.Get("blocks"), unprintable):
		return answered(req, 200, `{"ok":false,"error":"invalid_blocks"}`)
	}
	return nil
}

// jiraRefuses says no as Jira does: about the credentials, a right, the
// project, a field that the project demands, or a text.
func jiraRefuses(l *line, req *http.Request, body string) *http.Response {
	_, why := l.stands()
	creates := req.Method == http.MethodPost && (strings.HasSuffix(req.URL.Path, "/rest/api/2/issue") || strings.HasSuffix(req.URL.Path, "/rest/api/3/issue"))
	switch {
	case why == "401":
		return answered(req, 401, `{"errorMessages":["You are not authenticated."]}`)
	case why == "403" && req.Method == http.MethodPost:
		return answered(req, 403, `{"errorMessages":["You do not have the permission to do that."]}`)
	case why == "project" && creates:
		return answered(req, 400, `{"errors":{"project":"valid project is required"}}`)
	case why == "field" && creates:
		return answered(req, 400, `{"errors":{"customfield_10042":"Team is required."}}`)
	case strings.Contains(body, unspeakable) && creates:
		return answered(req, 400, `{"errors":{"description":"It holds the word `+unspeakable+`."}}`)
	case strings.Contains(body, unspeakable) && req.Method == http.MethodPost:
		return answered(req, 400, `{"errors":{"comment":"It holds the word `+unspeakable+`."}}`)
	}
	return nil
}

// githubRefuses says no as GitHub does: about the credentials, a right, the
// repository, or a commit.
func githubRefuses(l *line, req *http.Request, _ string) *http.Response {
	_, why := l.stands()
	switch {
	case why != "":
		status := map[string]int{"401": 401, "403": 403, "404": 404}[why]
		return answered(req, status, `{"message":"no"}`)
	case strings.Contains(req.URL.Path, "/statuses/"+unwelcome):
		return answered(req, 422, `{"message":"Validation Failed"}`)
	}
	return nil
}

// boot starts a process on what is durable.
func (w *vendorsFixture) boot() {
	w.boots++
	s := &life{after: w.chance("after", w.boots)%2 == 0}
	p := port{w.db, s}
	log := slog.New(&listener{w})
	client := slack.New(slack.Options{APIURL: "http://slack.test/api/", BotToken: "xoxb-local", SigningSecret: "local-signing-secret", Channel: "#ops",
		Transport: cable{&w.slack, s}, Log: log})
	h := hands{w}
	e, err := runtime.New(runtime.Options{Store: p, History: p, Inbox: p, Memos: p, Runs: desk{}, Objects: desk{}, Log: log, People: client,
		Runners: map[string]runtime.Runner{"GitHub": h, "Commands": h}, Policy: policy(),
		Rand: rand.NewChaCha8([32]byte{byte(w.seed), byte(w.seed >> 8), byte(w.boots)})})
	w.must(err)
	s.Engine = e
	s.bot = bot.New(bot.Options{Engine: e, Chat: client, Memos: e.MemosOf("slack"), Channel: "#ops", Log: log})
	tickets, err := jira.New(jira.Options{URL: "http://jira.test", User: "bot", Token: "t", Project: "OPS", Reader: e, Submitter: e,
		Notes: e.MemosOf(jira.FollowerName), Log: log, Transport: cable{&w.jira, s}})
	w.must(err)
	statuses, err := feedback.NewStatuses(feedback.Options{APIURL: "http://github.test/", Token: "t", Reader: e, Submitter: e,
		Notes: e.MemosOf("github-status"), Log: log, Transport: cable{&w.github, s}})
	w.must(err)
	deployments, err := feedback.NewDeployments(feedback.Options{APIURL: "http://github.test/", Token: "t", Reader: e, Submitter: e,
		Notes: e.MemosOf("github-deployments"), Log: log, Transport: cable{&w.github, s}})
	w.must(err)
	for _, f := range []runtime.Follower{s.bot, tickets, statuses, deployments} {
		e.AddFollower(f)
	}
	r := client.Receive(e, s.bot)
	s.receiver = r.Handler()
	s.api = web.Handler(web.Options{Doer: e, Reader: shown{e, s.bot}, Watcher: shown{e, s.bot}, History: e, Declare: declare,
		Tokens: map[string]string{"ci": apiSecret}, Ready: func(context.Context) error { return nil }, Log: log, Heartbeat: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.running.Go(func() { _ = e.Run(ctx) })
	for _, run := range []func(context.Context) error{r.Run, s.bot.Run} {
		s.running.Go(func() {
			select {
			case <-e.Ready():
				_ = run(ctx)
			case <-ctx.Done():
			}
		})
	}
	w.process = s
	<-e.Ready()
	w.logf("boot %d", w.boots)
}

// kill ends the process as kill -9 would: nothing that it does counts any more.
func (w *vendorsFixture) kill() {
	w.logf("kill")
	w.process.dead.Store(true)
	w.jira.mu.Lock()
	w.jira.lost = time.Now() // a marker may be durable whose create was never made
	w.jira.mu.Unlock()
	w.process.cancel()
	w.process.running.Wait()
}

func (w *vendorsFixture) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *vendorsFixture) logf(format string, args ...any) {
	line := fmt.Sprintf("%10s  ", time.Since(w.began).Round(time.Second)) + fmt.Sprintf(format, args...)
	w.lines = append(w.lines, line)
	if w.echo != nil {
		w.echo(line)
	}
}

// listener shows the log of a story that is told with every step.
type listener struct{ w *vendorsFixture }

func (l *listener) Enabled(context.Context, slog.Level) bool { return l.w.echo != nil }
func (l *listener) Handle(_ context.Context, r slog.Record) error {
	var text strings.Builder
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&text, " %s=%v", a.Key, a.Value); return true })
	l.w.echo(fmt.Sprintf("%10s      [%s] %s%s", time.Since(l.w.began).Round(time.Second), r.Level, r.Message, text.String()))
	return nil
}
func (l *listener) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *listener) WithGroup(string) slog.Handler      { return l }

// policy lets the three of the team do everything.
func policy() *access.Policy {
	return &access.Policy{Admins: []string{"ana@acme.example"}, Tokens: map[string][]workflows.Verb{"ci": {workflows.View}}, Rules: []access.Rule{
		{Allow: []workflows.Verb{workflows.View, workflows.Logs, workflows.Start}, To: []string{"everyone"}},
		{Allow: []workflows.Verb{workflows.Approve, workflows.RollBack, workflows.Retry, workflows.StopExecution, workflows.Resolve, workflows.Unlock}, To: []string{"ben@acme.example", "cho@acme.example"}}}}
}

// hands carry out actions. A start that a crash interrupts is in doubt: nobody can look it up.
type hands struct{ w *vendorsFixture }

// Start takes a moment, and fails now and then.
func (h hands) Start(ctx context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded}
	for _, a := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: a.Name, Digest: strings.Repeat("ab", 32), Size: 1})
	}
	if t.Action.IsSource() {
		h.w.mu.Lock()
		head := h.w.heads[t.Pipeline]
		h.w.mu.Unlock()
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: head.sha, RevisionSummary: head.summary, Author: &workflows.Author{Name: "Dan"}}
		return o, nil
	}
	n := h.w.chance(t.Pipeline, t.Number, t.Stage, t.Action.Name, t.Attempt)
	if err := nap(ctx, time.Duration(1+n%9)*time.Second); err != nil {
		return o, err
	}
	if n/9%3 == 0 {
		o.State, o.Error = work.Failed, &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
		if n/27%4 == 0 {
			o.Error.Message += ", " + unspeakable
		}
	}
	return o, nil
}

// Poll is never needed.
func (h hands) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Succeeded}, nil
}

// Cancel always works.
func (h hands) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}

// desk is Runs and Objects without files.
type desk struct{}

func (desk) Workspace(work.Task) (work.Workspace, error) { return room{}, nil }
func (desk) Release(work.Task) error                     { return nil }
func (desk) Left(context.Context) ([]string, error)      { return nil, nil }
func (desk) OpenLog(string, string, string, int) (io.ReadSeekCloser, error) {
	return nil, errors.New("there are no logs here")
}

// room is a workspace that nobody works in.
type room struct{}

func (room) Dir() string                             { return "" }
func (room) LogFile() string                         { return "" }
func (room) Unpack(workflows.Artifact, string) error { return nil }
func (room) Log() (io.WriteCloser, error)            { return nil, errors.New("no log here") }
func (room) Pack(name, _ string, _ []string) (workflows.Artifact, error) {
	return workflows.Artifact{Name: name}, nil
}

func newWorld(t *testing.T, seed uint64, echo func(string)) *vendorsFixture {
	db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	w := &vendorsFixture{t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 8)), began: time.Now(), echo: echo, db: db, heads: map[string]commit{},
		hub: githubfake.New(githubfake.Options{}), tracker: jirafake.New(jirafake.Options{SearchLag: 2 * time.Second})}
	w.chat = slackfake.New(slackfake.Options{BaseURL: "http://rollcall.test", PublicURL: "http://slack.test",
		Transport: wirefake.Direct(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.process.receiver.ServeHTTP(rw, r) }))})
	furnish(w.chat)
	w.slack = line{w: w, name: "slack", to: wirefake.Direct(w.chat), refuses: slackRefuses, calls: map[string]int{}}
	w.jira = line{w: w, name: "jira", to: wirefake.Direct(w.tracker), refuses: jiraRefuses, calls: map[string]int{}}
	w.github = line{w: w, name: "github", to: wirefake.Direct(w.hub), refuses: githubRefuses, calls: map[string]int{}}
	return w
}

// furnish puts people and channels into a workspace.
func furnish(chat *slackfake.Server) {
	for _, name := range append(team, "dan") {
		chat.AddUser(slackfake.User{ID: "U" + strings.ToUpper(name), Name: name, Email: name + "@acme.example"})
	}
	for _, name := range []string{"shop", "site", "ops"} {
		chat.AddChannel(slackfake.Channel{ID: "C" + strings.ToUpper(name), Name: name, Members: []string{"UANA", "UBEN", "UCHO"}})
	}
}

// twins tells vendors to whom nothing happens of everything at once.
func (w *vendorsFixture) twins() (end func()) {
	w.chatTwin, w.hubTwin = slackfake.New(slackfake.Options{PublicURL: "http://slack.test"}), githubfake.New(githubfake.Options{})
	furnish(w.chatTwin)
	e, quiet := w.process.Engine, slog.New(slog.DiscardHandler)
	client := slack.New(slack.Options{APIURL: "http://slack.test/api/", BotToken: "xoxb-local", Transport: wirefake.Direct(w.chatTwin), Unpaced: true})
	statuses, err := feedback.NewStatuses(feedback.Options{APIURL: "http://github.test/", Token: "t", Reader: e, Notes: notes{}, Log: quiet, Transport: wirefake.Direct(w.hubTwin)})
	w.must(err)
	for _, f := range []runtime.Follower{bot.New(bot.Options{Engine: e, Chat: client, Memos: notes{}, Channel: "#ops"}), statuses} {
		for _, name := range []string{"shop", "site"} {
			frames, err := w.db.Frames(w.t.Context(), name, 0, 1_000_000)
			w.must(err)
			w.must(f.Follow(w.t.Context(), event.Batch{Pipeline: name, Frames: frames}))
		}
	}
	return w.chatTwin.Close
}

// notes is a memory that lasts as long as the test.
type notes map[string][]byte

func (n notes) Memo(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := n[key]
	return value, ok, nil
}

func (n notes) Note(_ context.Context, key string, value []byte) error {
	n[key] = value
	return nil
}
