// Package bot is what people read and press in chat.
//
// A [Request] is something a verified person did: a slash command, a click, a
// form, the App Home they opened, a link they posted. [Bot.Answer] gives what Slack must hear at
// once; [Bot.Handle] does the rest after the acknowledgement, as an Intent
// through the engine, and answers that person in a message that only they see.
//
// [Bot.Follow] is the other direction, a mirror of what was committed: one
// *card* per execution, edited in place; a *gate message* in its thread when
// people are asked; an *announcement* or a failure, once. *News* of a pipeline as
// such (a gate that asks for less, a start that did not come) are taken from the
// events and told once as well. What it posted it
// notes in a durable memo, with a marker before each create, so a crash in
// between is looked up and not repeated.
//
// What Slack refuses and somebody can mend is noted as *undelivered*: its owners
// are told elsewhere, and [Bot.Run] tries again by the clock.
//
// The bot holds no state and re-derives no rule: what can be done comes from
// the engine's offers, what is refused comes back in the engine's words.
package bot

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/bot/hours"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Doer carries out what people ask for and says whether they may.
// *runtime.Engine is one.
type Doer interface {
	// Try says what Submit would answer now; nothing follows from it.
	Try(ctx context.Context, in workflows.Intent, by workflows.Principal) error
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (event.Result, error)
	// Verdict says whether somebody has a right (then the refusal is nil), and who has.
	Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (refusal *workflows.Problem, holders []string, err error)
	// Asks says whether an open gate, by its token, asks somebody whose approval would count now, and who they are now.
	Asks(ctx context.Context, execution, gate string, p workflows.Principal) (who workflows.Principal, asks bool, err error)
}

// Reader answers what was committed, as far as the viewer may see it.
// *runtime.Engine is one.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	Executions(ctx context.Context, viewer workflows.Principal, q record.Query) ([]workflows.Execution, error)
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error)
	Names(ctx context.Context, viewer workflows.Principal) ([]string, error)
}

// Desk answers what people need to know before they decide. *runtime.Engine is
// one. Tail asks for no right; the bot checks workflows.Logs first.
type Desk interface {
	Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]ledger.Target, error)
	Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error)
	Notes(ctx context.Context, viewer workflows.Principal, pipeline, stage, since string) (changes.Notes, error)
	Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error)
	// Answerable says whether enough people can still approve an open gate, by its token.
	Answerable(ctx context.Context, execution, gate string) (say.Answerable, error)
}

// Engine is all that the bot asks of the engine.
type Engine interface {
	Doer
	Reader
	Desk
}

// Memos is the bot's durable memory of what it posted. Note is durable when it
// returns; an empty value deletes.
type Memos interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error
}

// Options is what a Bot is made of. Engine, Chat and Memos must be set.
type Options struct {
	Engine  Engine
	Chat    Chat
	Memos   Memos
	Channel string  // where pipelines without a channel post; empty: they have no cards
	Routes  []Route // where some messages go instead; the first that fits counts
	// Quiet is when reminders and announcements wait that are not about production.
	Quiet     hours.Quiet
	Digest    *Digest  // nil: none
	Command   string   // the slash command; default "/rollcall"
	PublicURL string   // of the console, for links; empty: no links
	Open      []string // sentences about settings that are open, for App Home
	// Expiring are sentences about credentials that end soon, for the App Home of
	// those who may hear them; nil: there are none.
	Expiring func(by workflows.Principal) []string
	// Groups of the configuration by name, so that who asks "group:NAME" can
	// have its members mentioned.
	Groups map[string][]string
	// Deputies are the e-mail addresses of those who stand in for others, by the
	// others' addresses: a refusal names them too.
	Deputies map[string]string
	// Members knows who of the chat has an address; nil: people keep the names
	// that sources gave them. Addresses holds, by principals' IDs ("github:dan"),
	// the e-mail addresses of those whom the configuration joins to one. Both are
	// for names alone: they give nobody a right.
	Members   Members
	Addresses map[string]string
	// Link gives the address of a message in Slack; nil, or empty: it is not known.
	Link func(at Place) string
	// Restored is when a backup was restored last: what was open or undelivered
	// before is not posted by itself. Zero: never.
	Restored time.Time
	// Unfurler shows what links to executions lead to, those that begin with
	// Address, where this service is reached. Without either nothing is shown.
	Unfurler Unfurler
	Address  string
	// SignIn signs people in elsewhere; nil: nobody can.
	SignIn SignIn
	Now    func() time.Time
	Log    *slog.Logger
}

// Bot answers people in chat and mirrors executions there. It is safe for use
// by several goroutines; Follow must not run twice at once for one pipeline.
type Bot struct {
	engine    Engine
	chat      Chat
	memos     Memos
	channel   string
	command   string
	url       string
	open      []string
	expiring  func(by workflows.Principal) []string
	groups    map[string][]string
	deputies  map[string]string
	known     map[string]string // addresses by lower-case ID of a principal
	permalink func(at Place) string
	restored  time.Time
	now       func() time.Time
	log       *slog.Logger
	usual     usual

	signIn SignIn

	unfurler Unfurler
	address  *url.URL // nil: not known

	mu    sync.Mutex
	turns map[string]chan struct{} // by pipeline: holds one while somebody posts for it
	waits map[string]*waiting      // by pipeline: what waits for its turn

	routes []Route
	quiet  hours.Quiet
	digest *Digest

	owners owners

	subscribed atomic.Bool // somebody has, and open gates may ask them
}

// New makes a Bot. Options that are absent take their defaults.
func New(o Options) *Bot {
	b := &Bot{engine: o.Engine, chat: o.Chat, memos: o.Memos, channel: o.Channel, command: o.Command, url: o.PublicURL, open: o.Open, expiring: o.Expiring, groups: o.Groups, deputies: o.Deputies, known: map[string]string{}, permalink: o.Link, restored: o.Restored, now: o.Now, log: o.Log, turns: map[string]chan struct{}{}, waits: map[string]*waiting{}}
	b.signIn, b.routes, b.quiet, b.digest = o.SignIn, o.Routes, o.Quiet, o.Digest
	b.unfurler = o.Unfurler
	if u, err := url.Parse(o.Address); err == nil && u.Host != "" {
		b.address = u
	}
	b.usual.known = map[stageKey]time.Duration{}
	if b.command == "" {
		b.command = "/rollcall"
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.permalink == nil {
		b.permalink = func(Place) string { return "" }
	}
	for id, address := range o.Addresses {
		b.known[strings.ToLower(id)] = strings.ToLower(address)
	}
	if b.expiring == nil {
		b.expiring = func(workflows.Principal) []string { return nil }
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.chat = naming(replacing{b.chat}, o, b.now, b.log)
	return b
}
