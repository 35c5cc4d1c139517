// Package workspace is a Slack of your own: one workspace that speaks Slack's
// wire protocol to an app and shows people what the app says.
//
// An app (any Slack app: rollcall, one made with Bolt or slack-go) calls the
// Web API under /api/ and is called back with signed HTTP requests or over
// Socket Mode. People are methods: [Workspace.Command], [Workspace.Click],
// [Workspace.Submit]; what they see are values: [Workspace.Messages],
// [Workspace.Ephemerals], [Workspace.Views], [Workspace.Home]. Whoever shows the
// workspace, or tests an app against it, waits for changes with
// [Workspace.Wait] or [Workspace.Until].
//
// [Workspace.Page] is the same for a page in a browser: what one person sees,
// as JSON, and what they do.
//
// Blocks are checked against Block Kit's limits with [Check], and the faults of
// a real Slack (rate limits, errors, silence) can be switched on with
// [Workspace.Fault]. Everything is in memory; [Workspace.Snapshot] and
// [Workspace.Restore] carry it over a restart.
//
// A workspace may share a server with other things, below a path:
//
//	mux.Handle("/slack-api/", http.StripPrefix("/slack-api", w)) // for the app
//	mux.Handle(workspace.PagePath, w.Page())                     // for people
//
// The app is then told that Slack's API is at http://HOST/slack-api/api/, and
// response URLs and the Socket Mode address begin with http://HOST/slack-api too.
// Only where something between the app and the workspace rewrites paths or
// hosts, Options.PublicURL must say what they begin with.
package workspace

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options describe the workspace and the one app that is installed in it.
type Options struct {
	Team          string // team ID; "T0LOCAL" when empty
	TeamName      string // "Local" when empty
	App           string // app ID; "A0LOCAL" when empty
	BotName       string // the app's bot user; "rollcall" when empty
	BotToken      string // "xoxb-local" when empty
	AppToken      string // "xapp-local" when empty
	SigningSecret string // "local-signing-secret" when empty
	Command       string // the app's slash command; "/rollcall" when empty
	UserToken     string // a user token of the app, which is no use to a bot; none when empty

	Scopes    []string // of the bot token; every scope there is when nil
	AppScopes []string // of the app token; connections:write when nil

	// BaseURL is where the app listens ("http://127.0.0.1:8484"); requests go
	// to BaseURL + /slack/commands, /slack/interactions, /slack/options and
	// /slack/events. It may be set later with Install. While the app has a Socket
	// Mode connection, requests go there instead.
	BaseURL string
	// PublicURL is where the app reaches this workspace, for response URLs and
	// the Socket Mode address: scheme, host, and the path below which it is
	// mounted ("http://127.0.0.1:8484/slack-api"). When empty it is taken from the
	// app's own requests, also what http.StripPrefix took off them; it is not
	// known then before the app's first call of the Web API.
	PublicURL string

	Transport http.RoundTripper // to the app; http.DefaultTransport when nil
	Log       *slog.Logger      // discards when nil
	Now       func() time.Time  // time.Now when nil
}

// The app's bot user and bot, in every workspace.
const (
	botUser = "U0BOT"
	botID   = "B0BOT"
)

// Workspace is a local Slack. It is safe for use by many goroutines.
type Workspace struct {
	o       Options
	methods map[string]method
	ctx     context.Context // of deliveries that are repeated; ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex
	version uint64
	changed chan struct{} // closed and replaced with every change
	// The versions of the last change that concerned everybody, and one user only.
	common   uint64
	personal map[string]uint64
	lastTS   int64
	public   string

	users    map[string]*User
	people   []string // user IDs in the order they came
	channels map[string]*room
	rooms    []string
	groups   map[string]*Group
	teams    []string // group IDs in order

	ephemeral map[string][]Message // by user
	views     map[string]*View     // open forms
	stacks    map[string][]string  // user -> IDs of open forms, top last
	homes     map[string]*View
	triggers  map[string]*trigger
	hooks     map[string]*hook
	tickets   map[string]bool
	links     []*link
	socketOff bool // Socket Mode is switched off

	faults     map[string]*Fault
	calls      map[string]int
	violations []Violation
}

// New returns a workspace with the app's bot user in it, nobody else, and no channel.
func New(o Options) *Workspace {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Team, "T0LOCAL"}, {&o.TeamName, "Local"}, {&o.App, "A0LOCAL"}, {&o.BotName, "rollcall"}, {&o.BotToken, "xoxb-local"},
		{&o.AppToken, "xapp-local"}, {&o.SigningSecret, "local-signing-secret"}, {&o.Command, "/rollcall"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Scopes == nil {
		o.Scopes = everyScope()
	}
	if o.AppScopes == nil {
		o.AppScopes = []string{"connections:write"}
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Workspace{
		o: o, changed: make(chan struct{}), public: strings.TrimSuffix(o.PublicURL, "/"),
		personal: map[string]uint64{}, users: map[string]*User{}, channels: map[string]*room{}, groups: map[string]*Group{},
		ephemeral: map[string][]Message{}, views: map[string]*View{}, stacks: map[string][]string{}, homes: map[string]*View{},
		triggers: map[string]*trigger{}, hooks: map[string]*hook{}, tickets: map[string]bool{},
		faults: map[string]*Fault{}, calls: map[string]int{},
	}
	w.methods = w.table()
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.AddUser(User{ID: botUser, Name: o.BotName, Kind: Bot})
	return w
}

// Close ends Socket Mode connections and deliveries that would be repeated,
// and waits for them.
func (w *Workspace) Close() {
	w.cancel()
	w.mu.Lock()
	links := w.links
	w.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	w.work.Wait()
}

// Version counts every change that somebody could see.
func (w *Workspace) Version() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.version
}

// Wait returns the version as soon as it is newer than after.
func (w *Workspace) Wait(ctx context.Context, after uint64) (uint64, error) {
	for {
		w.mu.Lock()
		version, changed := w.version, w.changed
		w.mu.Unlock()
		if version > after {
			return version, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return version, ctx.Err()
		}
	}
}

// Until returns when the condition holds, looking again after every change.
func (w *Workspace) Until(ctx context.Context, holds func() bool) error {
	for {
		version := w.Version()
		if holds() {
			return nil
		}
		if _, err := w.Wait(ctx, version); err != nil {
			return fmt.Errorf("what was waited for did not happen in the workspace: %w", err)
		}
	}
}

// stir tells everybody who waits that something has changed, which no user
// sees. The caller holds mu, here and in the touch functions.
func (w *Workspace) stir() {
	w.version++
	close(w.changed)
	w.changed = make(chan struct{})
}

// touch notes a change that everybody could see.
func (w *Workspace) touch() {
	w.stir()
	w.common = w.version
}

// touchUser notes a change that only one user sees.
func (w *Workspace) touchUser(user string) {
	w.stir()
	w.personal[user] = w.version
}

// touchRoom notes a change in a channel.
func (w *Workspace) touchRoom(r *room) {
	w.stir()
	r.version = w.version
}

// seen is the version of the last change that the user could see. The caller holds mu.
func (w *Workspace) seen(user string) uint64 {
	last := max(w.common, w.personal[user])
	for _, r := range w.channels {
		if r.version > last && w.sees(user, r) {
			last = r.version
		}
	}
	return last
}

// stamp is a message timestamp, unique and rising. The caller holds mu.
func (w *Workspace) stamp() string {
	w.lastTS = max(w.o.Now().UnixMicro(), w.lastTS+1)
	return fmt.Sprintf("%d.%06d", w.lastTS/1e6, w.lastTS%1e6)
}

// newID makes an ID of Slack's shape that nobody can guess.
func newID(prefix string) string { return prefix + rand.Text()[:10] }
