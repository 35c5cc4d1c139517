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
// Blocks are checked against Block Kit's limits with [Check], and faults
// of a real Slack (rate limits, errors, silence) can be switched on with [Workspace.Fault].
// Everything is in memory.
package workspace

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
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

	// BaseURL is where the app listens ("http://127.0.0.1:8484"); requests go
	// to BaseURL + /slack/commands, /slack/interactions, /slack/options and
	// /slack/events. It may be set later with Install. While the app has a Socket
	// Mode connection, requests go there instead.
	BaseURL string
	// PublicURL is where this workspace is reached by the app, for response URLs and
	// the Socket Mode address; taken from the app's own requests when empty.
	PublicURL string

	Transport http.RoundTripper // to the app; http.DefaultTransport when nil
	Log       *slog.Logger      // discards when nil
	Now       func() time.Time  // time.Now when nil
}

// Workspace is a local Slack. It is safe for use by many goroutines.
type Workspace struct{ o Options }

// New returns a workspace with the app's bot user in it, nobody else, and no channel.
func New(o Options) *Workspace { return &Workspace{o: o} }

// Install points the workspace at the app's request URLs and does what Slack
// does when they are entered: the url_verification handshake. An error says
// why the app is not there.
func (w *Workspace) Install(ctx context.Context, baseURL string) error { return nil }

// ServeHTTP serves the Web API under /api/, response URLs under /response/ and
// Socket Mode under /link.
func (w *Workspace) ServeHTTP(rw http.ResponseWriter, r *http.Request) { http.NotFound(rw, r) }

// Direct returns a transport that carries requests to h without a socket, for
// an app and a workspace in one process. Errors and hangs behave as over a socket.
func Direct(h http.Handler) http.RoundTripper { return http.DefaultTransport }

// Kind tells people apart as Slack does.
type Kind string

// The kinds of users.
const (
	Member      Kind = "member"
	Guest       Kind = "guest"
	Bot         Kind = "bot"
	Deactivated Kind = "deactivated"
	Connect     Kind = "connect" // of another workspace, through Slack Connect
)

// User is somebody in the workspace.
type User struct {
	ID    string // made up when empty
	Name  string // "ana"
	Real  string // "Ana Ruiz"; Name when empty
	Email string
	Kind  Kind   // Member when empty
	Team  string // the workspace's own when empty; another for Connect
}

// Channel is a place to talk.
type Channel struct {
	ID       string   // made up when empty
	Name     string   // without "#"; empty for direct messages
	Private  bool     //
	Archived bool     //
	Direct   string   // the user, for a direct message with the app
	Members  []string // user IDs; the app's bot user too when the app is in it
}

// Group is a user group: "@sre".
type Group struct {
	ID      string // S…; made up when empty
	Handle  string // without "@"
	Name    string
	Members []string
}

// AddUser adds somebody, or replaces the one of that ID, and returns them with everything filled in.
func (w *Workspace) AddUser(u User) User { return u }

// AddChannel adds a channel or replaces the one of that ID. Without Members everybody of the workspace and the app are in it.
func (w *Workspace) AddChannel(c Channel) Channel { return c }

// AddGroup adds a user group or replaces the one of that ID.
func (w *Workspace) AddGroup(g Group) Group { return g }

// Place names a message (Channel and TS) or a form or home tab (View).
type Place struct{ Channel, TS, View string }

// Metadata is what an app hid in a message.
type Metadata struct {
	Type    string          `json:"event_type"`
	Payload json.RawMessage `json:"event_payload"`
}

// Message is what somebody said.
type Message struct {
	Channel   string
	TS        string
	Thread    string // of the message it answers; empty for others
	Broadcast bool   // an answer that the channel sees too
	User      string // who said it
	Only      string // ephemeral: the user who sees it
	Text      string
	Blocks    json.RawMessage // Block Kit, as the app sent it, with block_id filled in
	Metadata  *Metadata
	Edits     int // how often it was edited
}

// Button is something to press in a message or view.
type Button struct {
	ActionID, BlockID, Text, Value, Style, URL string
	Confirm                                    string // the question asked first
}

// Rendered is the message as people read it: blocks as lines of text, buttons in brackets, mentions by name.
func (w *Workspace) Rendered(m Message) string { return "" }

// Buttons lists what can be pressed in the message.
func (m Message) Buttons() []Button { return nil }

// At is the message's place, for Click.
func (m Message) At() Place { return Place{Channel: m.Channel, TS: m.TS} }

// View is an open form, or a home tab.
type View struct {
	ID, Type, CallbackID, PrivateMetadata string
	Title, Submit, Close                  string
	Blocks                                json.RawMessage
	Errors                                map[string]string // by block_id: what the app found wrong at the last Submit
	User                                  string
	Hash                                  string
}

// Option is one choice of a menu.
type Option struct{ Text, Value, Description string }

// Ack is how the app answered one request.
type Ack struct {
	Status int // HTTP status; 200 for a Socket Mode acknowledgement; 0 for none within 3 s
	Body   []byte
	Took   time.Duration
}

// Command is a user's slash command in a channel (name with "#", or ID). The
// error says what Slack would tell the user: that the app did not answer.
func (w *Workspace) Command(ctx context.Context, user, channel, text string) (Ack, error) {
	return Ack{}, nil
}

// Click presses the button of that action_id, in a message that the user can see, in a form, or on their home tab.
func (w *Workspace) Click(ctx context.Context, user string, at Place, actionID string) (Ack, error) {
	return Ack{}, nil
}

// Choose picks an option by its value in a menu, or enters a value in a picker that dispatches.
func (w *Workspace) Choose(ctx context.Context, user string, at Place, actionID, value string) (Ack, error) {
	return Ack{}, nil
}

// Submit fills a form in (by block_id: text, or an option's value) and sends it. Inputs that are not named
// keep their initial value. A required input without a value is refused as Slack's client does.
func (w *Workspace) Submit(ctx context.Context, user, view string, values map[string]string) (Ack, error) {
	return Ack{}, nil
}

// Dismiss closes a form without sending it.
func (w *Workspace) Dismiss(ctx context.Context, user, view string) (Ack, error) { return Ack{}, nil }

// Suggest asks the app for the options of a menu that loads them, for what was typed so far.
func (w *Workspace) Suggest(ctx context.Context, user string, at Place, actionID, typed string) ([]Option, error) {
	return nil, nil
}

// OpenHome opens the app's home tab: the app hears app_home_opened.
func (w *Workspace) OpenHome(ctx context.Context, user string) (Ack, error) { return Ack{}, nil }

// Messages returns what a channel (name with "#", or ID) shows: messages and broadcast answers, oldest first, without ephemeral ones.
func (w *Workspace) Messages(channel string) []Message { return nil }

// Thread returns a message and its answers, oldest first.
func (w *Workspace) Thread(channel, ts string) []Message { return nil }

// Ephemerals returns what only that user sees, oldest first, also notices of Slack itself.
func (w *Workspace) Ephemerals(user string) []Message { return nil }

// Views returns the user's open forms, the one on top last.
func (w *Workspace) Views(user string) []View { return nil }

// Home returns the user's home tab.
func (w *Workspace) Home(user string) (View, bool) { return View{}, false }

// Version counts every change that somebody could see.
func (w *Workspace) Version() uint64 { return 0 }

// Wait returns the version as soon as it is newer than after.
func (w *Workspace) Wait(ctx context.Context, after uint64) (uint64, error) { return 0, nil }

// Until returns when the condition holds, looking again after every change.
func (w *Workspace) Until(ctx context.Context, holds func() bool) error { return nil }

// Fault is how a call goes wrong. The first field that is set decides; Delay comes before.
type Fault struct {
	Delay       time.Duration // answer late (and well, when nothing else is set)
	RateLimited time.Duration // 429 with this Retry-After
	Status      int           // an HTTP status: 500
	Error       string        // ok:false with this error
	Down        bool          // the connection is closed without an answer
	Lost        bool          // the call is carried out, then the connection is closed
	Garbage     bool          // something that is not JSON
	Times       int           // how many calls; 0: until mended
}

// Fault makes calls of a method go wrong ("chat.postMessage"; "" for all, "response_url" for response URLs).
func (w *Workspace) Fault(method string, f Fault) {}

// Mend takes all faults away.
func (w *Workspace) Mend() {}

// Calls says how often a method was called, also when it went wrong; "" for all together.
func (w *Workspace) Calls(method string) int { return 0 }

// Violation is something in blocks that Slack would not take.
type Violation struct {
	Path    string // JSON pointer: "/blocks/2/text"
	Message string
}

// Violations lists what was refused because of its blocks since the start.
func (w *Workspace) Violations() []Violation { return nil }

// Check checks blocks (a JSON array) against Block Kit's limits.
func Check(blocks []byte) []Violation { return nil }
