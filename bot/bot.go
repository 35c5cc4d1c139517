// Package bot is what people read and press in chat.
//
// A [Request] is something a verified person did: a slash command, a click, a
// form, the App Home they opened. [Bot.Answer] gives what Slack must hear at
// once; [Bot.Handle] does the rest after the acknowledgement, as an Intent
// through the engine's one door, and whispers to that person what came of it.
//
// [Bot.Follow] is the other direction, a mirror of what was committed: one
// *card* per execution, edited in place; a *gate message* in its thread when
// people are asked; an *announcement* or a failure, once. *News* of a pipeline as
// such (a gate that asks for less, a start that did not come) are taken from the
// events and told once as well. What it posted it
// notes in a durable memo, with a marker before each create, so a crash in
// between is looked up and not repeated.
//
// The bot holds no state and re-derives no rule: what can be done comes from
// the engine's offers, what is refused comes back in the engine's words.
package bot

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Doer carries out what people ask for and says whether they may.
// *runtime.Engine is one.
type Doer interface {
	Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (workflows.Result, error)
	Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (allowed bool, why string, holders []string, err error)
}

// Reader answers what was committed, as far as the viewer may see it.
// *runtime.Engine is one.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	Executions(ctx context.Context, viewer workflows.Principal, q workflows.ExecutionQuery) ([]workflows.Execution, error)
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
	Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error)
}

// Desk answers what people need to know before they decide. *runtime.Engine is
// one. Tail asks for no right; the bot checks workflows.Logs first.
type Desk interface {
	Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]workflows.Target, error)
	Approvals(ctx context.Context, viewer workflows.Principal) ([]workflows.OpenApproval, error)
	Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error)
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
	Engine    Engine
	Chat      Chat
	Memos     Memos
	Channel   string   // where pipelines without a channel post; empty: they have no cards
	Command   string   // the slash command; default "/rollcall"
	PublicURL string   // of the console, for links; empty: no links
	Open      []string // sentences about settings that are open, for App Home
	// Groups of the configuration by name, so that who asks "group:NAME" can
	// have its members mentioned.
	Groups map[string][]string
	Now    func() time.Time
	Log    *slog.Logger
}

// Bot answers people in chat and mirrors executions there. It is safe for use
// by several goroutines; Follow must not run twice at once for one pipeline.
type Bot struct {
	engine  Engine
	chat    Chat
	memos   Memos
	channel string
	command string
	url     string
	open    []string
	groups  map[string][]string
	now     func() time.Time
	log     *slog.Logger
}

// New makes a Bot. Options that are absent take their defaults.
func New(o Options) *Bot {
	b := &Bot{engine: o.Engine, chat: o.Chat, memos: o.Memos, channel: o.Channel, command: o.Command, url: o.PublicURL, open: o.Open, groups: o.Groups, now: o.Now, log: o.Log}
	if b.command == "" {
		b.command = "/rollcall"
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b
}
