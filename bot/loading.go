package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	// loadingAfter is how long a form is waited for before a loading view takes its
	// place: what opens it lives three seconds, and calls of Slack's take time too.
	loadingAfter  = 700 * time.Millisecond
	loadingWithin = 3 * time.Second // no later does a trigger open anything
)

// loading is the view that stands for a request's answer while that is being read.
// Whoever comes first, the answer or the loading view, uses the request's trigger.
type loading struct {
	id    string // external_id of the view
	title string

	mu       sync.Mutex
	answered bool // the answer came in time: no loading view opens
	open     bool // a loading view was opened …
	sure     bool // … and Slack has said so
}

// awaited are requests whose answer is a form or a long answer, by what the view that
// it opens is called and what is read for it; empty: the request has no such answer.
func awaited(r *Request) (title, reading string) {
	if r.Reply.Trigger == "" {
		return "", ""
	}
	const standing = "Reading how things stand…"
	switch i := r.Interaction; {
	case r.Command != nil:
		return typedForm(r.Command.Text)
	case i == nil || i.View.Type == slack.VTModal:
		return "", "" // an open form is replaced, which needs no trigger
	case i.Type == slack.InteractionTypeBlockActions && len(i.ActionCallback.BlockActions) > 0 && i.ActionCallback.BlockActions[0] != nil:
		return pressedForm(i.ActionCallback.BlockActions[0])
	case i.Type == slack.InteractionTypeMessageAction && i.CallbackID == ShortcutRollback:
		return "Roll back", readingTargets
	case i.Type == slack.InteractionTypeShortcut && i.CallbackID == ShortcutStart:
		return "Start a pipeline", standing
	}
	return "", ""
}

const readingTargets = "Reading what ran there…"

// typedForm is awaited for a command that may leave a form to be filled in.
func typedForm(text string) (title, reading string) {
	c, problem := command.Parse(text)
	switch {
	case problem != nil:
	case c.Name == command.Rollback && c.Execution == "":
		return strings.TrimSpace("Roll back " + c.Stage), readingTargets
	case c.Name == command.Reject && c.Reason == "":
		return "Reject", "Reading how things stand…"
	case c.Name == command.Start && len(c.Set) == 0:
		return "Start " + c.Pipeline, "Reading its variables…"
	}
	return "", ""
}

// pressedForm is awaited for a button or a menu.
func pressedForm(a *slack.BlockAction) (title, reading string) {
	if c, problem := card.ParseChosen(a.SelectedOption.Value); a.ActionID == card.ActMore && problem == nil {
		if c.Verb == workflows.RollBack {
			return "Roll back", readingTargets
		}
		return "Stop", "Reading how things stand…"
	}
	about, problem := card.ParseSubject(a.Value)
	if problem != nil {
		return "", ""
	}
	kind, _, _ := strings.Cut(a.ActionID, ".")
	switch kind {
	case card.ActRollback:
		return strings.TrimSpace("Roll back " + about.Stage), readingTargets
	case card.ActReject:
		return "Reject", "Reading how things stand…"
	case card.ActOverride:
		return "Override", "Reading how things stand…"
	case card.ActStart:
		return strings.TrimSpace("Start " + about.Pipeline), "Reading its variables…"
	case card.ActDetails:
		return "Details", "Reading how things stand…"
	case card.ActLogs:
		return "Logs", "Reading the log…"
	}
	return "", ""
}

// inTime does handle, which answers r. An answer that is a view and does not come
// soon is preceded by a loading view, which becomes the answer: a form, or why there is none.
func (b *Bot) inTime(ctx context.Context, r Request, handle func(context.Context, Request) error) error {
	title, reading := awaited(&r)
	if title == "" {
		return handle(ctx, r)
	}
	l, to := &loading{id: "loading-" + rand.Text(), title: title}, r.Reply
	view := form.Loading(title, reading)
	view.ExternalID = l.id
	timer := time.AfterFunc(loadingAfter, func() {
		// Not the request's context: that would let the next request begin before this one has decided.
		opening, cancel := context.WithTimeout(context.Background(), loadingWithin)
		defer cancel()
		l.begin(func() error { return b.chat.Open(opening, to, view) }, b.log)
	})
	defer l.end() // waits for a view that is being opened
	defer timer.Stop()
	r.Reply.loading = l
	return handle(ctx, r)
}

// begin opens the loading view, unless the answer has come.
func (l *loading) begin(open func() error, log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered {
		return
	}
	var refused *Refusal
	switch err := open(); {
	case err == nil:
		l.open, l.sure = true, true
	case errors.As(err, &refused):
		log.Info("a loading view did not open", "code", refused.Code)
	default:
		l.open = true // it may be there
		log.Info("it is not known whether a loading view opened", "error", err)
	}
}

// end says that there is an answer, and whether it has a view to replace.
func (l *loading) end() (open, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = true
	return l.open, l.sure
}

// acts says that the request changes something and asks for no form: no loading view
// opens for its answer any more.
func (to *Reply) acts() {
	if to.loading != nil {
		to.loading.end()
	}
}

// replacing is a Chat in which answers take the place of the loading views that were
// opened for them.
type replacing struct{ Chat }

// Open opens a form, or puts it where its loading view is. What the person has
// closed by then stays closed, and is no error.
func (p replacing) Open(ctx context.Context, to Reply, form slack.ModalViewRequest) error {
	l := to.loading
	to.loading = nil
	if l == nil || form.Type == slack.VTHomeTab {
		return p.Chat.Open(ctx, to, form)
	}
	open, sure := l.end()
	if !open {
		return p.Chat.Open(ctx, to, form)
	}
	inPlace, drawn := to, form
	inPlace.External, drawn.ExternalID = l.id, l.id
	err := p.Chat.Open(ctx, inPlace, drawn)
	var refused *Refusal
	if !errors.As(err, &refused) || !refused.Gone {
		return err
	}
	if sure {
		return nil
	}
	return p.Chat.Open(ctx, to, form)
}

// PostEphemeral answers one person: in the loading view, while that is open.
func (p replacing) PostEphemeral(ctx context.Context, to Reply, m Message) error {
	l := to.loading
	to.loading = nil
	if l == nil {
		return p.Chat.PostEphemeral(ctx, to, m)
	}
	if open, _ := l.end(); open {
		inPlace := to
		inPlace.External = l.id
		view := card.Message{Text: m.Text, Blocks: m.Blocks}.Modal(l.title, card.Subject{})
		view.ExternalID = l.id
		if p.Chat.Open(ctx, inPlace, view) == nil {
			return nil
		}
	}
	return p.Chat.PostEphemeral(ctx, to, m)
}
