package runtime

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/runtime/contents"
	"github.com/rollcall-bot/rollcall/workflows/runtime/decider"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// withInbound makes what takes in news from outside.
func (e *Engine) withInbound() {
	o := &inbound.Options{
		Inbox: e.o.Inbox, Memos: e.o.Memos, Decider: pipelines{e}, Commits: e.decider, Timers: e.timers,
		Sources: e.o.Sources, Freezes: e.o.Freezes, PollInterval: e.o.PollInterval,
		Expire: map[string]time.Duration{tokenPrefix: tokenKept, acting.InvokedPrefix: tokenKept, contents.Prefix: contents.Kept},
		Now:    e.o.Now, Go: e.group.Go, Ended: e.decider.Ended(), Stopped: decider.Stopped(), Log: e.log,
	}
	e.catalogue = inbound.NewCatalogue(e.o.Memos)
	e.starter = inbound.NewStarter(o, e.catalogue)
	e.receipts = inbound.NewReceipts(o, e.starter)
	e.sources = inbound.NewSources(o, e.starter)
	e.ranges = inbound.NewRanges(o)
	e.contents = contents.New(&contents.Options{Pulls: e.o.Pulls, Issues: e.o.Issues, Memos: e.o.Memos, Commits: e.decider, Now: e.o.Now, Go: e.group.Go, Stopping: e.stopping, Log: e.log})
	if e.o.Issues != nil {
		e.AddFollower(mentioned{e})
	}
	e.freezes = inbound.NewFreezes(o, e.catalogue)
	for _, s := range e.o.Sources {
		if _, ok := s.(Comparer); ok {
			e.AddFollower(inbound.NewNotes(pipelines{e}, executions{e}, definitions{e}, e.catalogue, e.ranges)) // once, by its name
		}
	}
}

// Accept makes a receipt durable; the caller then acknowledges, carries it out
// and calls Finish. fresh is false for a key or a print seen before, and prior
// is then the earlier receipt: nothing is to be done.
func (e *Engine) Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error) {
	if err := e.wait(ctx); err != nil {
		return prior, false, err
	}
	prior, fresh, err = e.receipts.Accept(ctx, r)
	return prior, fresh, e.explained(err)
}

// Finish notes that an accepted receipt was carried out, and what a repeat is answered.
func (e *Engine) Finish(ctx context.Context, key string, result []byte) error {
	return e.explained(e.receipts.Finish(ctx, key, result))
}

// Pending returns the receipts of a source that were accepted and not finished, oldest first.
func (e *Engine) Pending(ctx context.Context, source string) ([]work.Receipt, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return e.o.Inbox.Pending(ctx, source)
}

// Receive makes a delivery durable and starts every pipeline that a change of
// it triggers. fresh is false for a delivery seen before: the receipt then
// holds what came of the first. The receipt's Result is
// {"started":[execution IDs],"ignored":["pipeline: reason"]}. Once the receipt
// is durable the starts follow, even when ctx ends or the process dies.
func (e *Engine) Receive(ctx context.Context, r work.Receipt, changes []work.Change) (prior work.Receipt, fresh bool, err error) {
	if err := e.wait(ctx); err != nil {
		return prior, false, err
	}
	prior, fresh, err = e.receipts.Receive(ctx, r, changes)
	return prior, fresh, e.explained(err)
}

// NeedsFiles says whether it depends on the changed files what a change
// starts: whoever knows the change may then ask for them ([Engine.Changed])
// before Receive.
func (e *Engine) NeedsFiles(ctx context.Context, c work.Change) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	return e.starter.NeedsFiles(c), nil
}

// Listens says whether a pipeline has a trigger by such an event of GitHub, of that
// repository. Who asks before Receive need not make durable what nobody waits for.
func (e *Engine) Listens(ctx context.Context, c work.Change) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	return e.starter.Listens(c), nil
}

// Tagged is the commit of the tag that a change names, as the source of a pipeline
// that waits for it shows it; empty: none can say. An error is worth another try.
func (e *Engine) Tagged(ctx context.Context, c work.Change) (string, error) {
	if err := e.wait(ctx); err != nil {
		return "", err
	}
	return e.starter.Tagged(ctx, c)
}

// ReceiveEvent says whether pipelines wait for an event, a change with a Document, does not
// wait, and calls done once what it starts is durable; without that it is to come again.
func (e *Engine) ReceiveEvent(r work.Receipt, c work.Change, done func()) bool {
	return e.receipts.ReceiveEvent(r, c, done)
}

// Look has the source actions that concerns names looked at now, because an event
// told of a change. It says whether there are any, does not wait, and calls done
// once what they start is durable; without that the event is to come again.
func (e *Engine) Look(concerns func(workflows.Action) bool, done func()) bool {
	return e.sources.Look(concerns, done)
}

// Recheck has the newest commits of branches looked at whose changes may have gone
// unnoticed, those of the source actions that concerns names and of which events
// tell. It does not wait; what is new to a pipeline starts it as a push would.
func (e *Engine) Recheck(concerns func(workflows.Action) bool) { e.sources.Recheck(concerns) }

// Changed lists the files in which a push differs from what the branch was before,
// however it got there; nil: that cannot be known here.
func (e *Engine) Changed(ctx context.Context, c work.Change) ([]string, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return e.starter.Changed(ctx, c)
}

// explained is an error of package inbound as people hear it.
func (e *Engine) explained(err error) error {
	var unread *inbound.ReadError
	if errors.As(err, &unread) {
		return e.unreadable(unread.Err, unread.What)
	}
	return err
}

// definitions finds definitions by their version.
type definitions struct{ e *Engine }

// Definition returns a version; nil: there is none.
func (d definitions) Definition(ctx context.Context, pipeline string, version int) (*workflows.Pipeline, error) {
	return d.e.definition(ctx, pipeline, version)
}

// InUse returns those that the state of a pipeline has.
func (d definitions) InUse(ctx context.Context, pipeline string) (all map[int]*workflows.Pipeline, err error) {
	err = d.e.read(ctx, pipeline, func(s *machine.State) error {
		all = maps.Clone(s.Definitions)
		return nil
	})
	return all, err
}
