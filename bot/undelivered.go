package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	undeliveredKey  = "undelivered" // of one memo: by execution
	againEvery      = 20 * time.Second
	againTries      = 3   // executions that one channel refuses for one cause before the rest of them waits for the next time
	undeliveredKept = 100 // executions of one pipeline; those that ask for nothing are given up first, the oldest before
)

// undelivered is an execution of which Slack refuses a message that people
// must see, for a cause that somebody can mend. It is noted as long as that.
type undelivered struct {
	Pipeline  string    `json:"pipeline"`
	Execution string    `json:"execution"`
	Ref       string    `json:"ref"`
	Channel   string    `json:"channel"`
	Code      string    `json:"code"`
	Fix       string    `json:"fix"`
	Asks      string    `json:"asks,omitempty"` // what somebody must act on: "waiting for approval in Production"
	Since     time.Time `json:"since"`
	Told      string    `json:"told,omitempty"` // the code of which people were told elsewhere
}

// why is what people read where the message does not reach them.
func (u *undelivered) why() string {
	return fmt.Sprintf("Slack does not take its messages in %s (%s): %s", u.Channel, u.Code, u.Fix)
}

// asks is what somebody has to do about an execution, empty for nothing.
func asks(e *workflows.Execution) string {
	for i := range e.Stages {
		for _, a := range e.Stages[i].Actions {
			if a.Approval != nil && a.Approval.Token != "" && a.Approval.Closed == "" {
				return "waiting for approval in " + e.Stages[i].Name
			}
			if a.Needs == workflows.NeedsResolve {
				return "needs an answer: the result of " + a.Name + " in " + e.Stages[i].Name + " is unknown"
			}
		}
	}
	if stage, failed := failedIn(e); failed {
		return strings.TrimSuffix("failed in "+stage, " in ")
	}
	return ""
}

// recordRefusals notes what Slack refuses of an execution, or that it took everything,
// and tells those who can mend it.
func (f *following) recordRefusals(ctx context.Context, mem *memory, e *workflows.Execution) error {
	all, err := f.undelivered(ctx)
	if err != nil {
		return err
	}
	was, known := all[e.ID]
	if len(mem.refusals) == 0 {
		if known {
			return f.setUndelivered(ctx, e.ID, nil)
		}
		return nil
	}
	u := mem.refusals[0]
	u.Pipeline, u.Execution, u.Ref, u.Asks, u.Since, u.Told = e.Pipeline, e.ID, e.Ref(), asks(e), was.Since, was.Told
	if u.Since.IsZero() {
		u.Since = f.now()
	}
	if u.Asks != "" && u.Told != u.Code {
		text := fmt.Sprintf("*%s* %s, but %s. It is posted there by itself within a minute of that; until then `%s status %s`.", u.Ref, u.Asks, u.why(), f.command, u.Ref)
		if f.direct(ctx, u.Channel, Message{Text: text}, u.Code != was.Code) {
			u.Told = u.Code
		}
	}
	if u == was {
		return nil
	}
	return f.setUndelivered(ctx, e.ID, &u)
}

// setUndelivered notes what is undelivered of an execution, nil for nothing.
func (b *Bot) setUndelivered(ctx context.Context, execution string, u *undelivered) error {
	done, err := b.lockPipeline(ctx, "") // no pipeline's name
	if err != nil {
		return err
	}
	defer done()
	all, err := b.undelivered(ctx)
	if err != nil {
		return err
	}
	if delete(all, execution); u != nil {
		all[execution] = *u
		forgetOldest(all, u.Pipeline)
	}
	var value []byte
	if len(all) > 0 {
		if value, err = json.Marshal(all); err != nil {
			return fmt.Errorf("note what slack refuses: %w", err)
		}
	}
	return b.memos.Note(ctx, undeliveredKey, value)
}

// forgetOldest keeps a channel that nobody mends from being remembered without a limit.
func forgetOldest(all map[string]undelivered, pipeline string) {
	var ids []string
	for id, u := range all {
		if u.Pipeline == pipeline {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { // IDs are ordered by time
		return cmp.Or(cmp.Compare(all[a].weight(), all[b].weight()), cmp.Compare(a, b))
	})
	for _, id := range ids[:max(0, len(ids)-undeliveredKept)] {
		delete(all, id)
	}
}

// weight is how much it matters that people hear of it: a question more than a
// failure, a failure more than how something goes.
func (u undelivered) weight() int {
	switch {
	case u.Asks == "":
		return 0
	case strings.HasPrefix(u.Asks, "failed"):
		return 1
	}
	return 2
}

// undelivered is all that Slack refuses at the moment, by execution.
func (b *Bot) undelivered(ctx context.Context) (map[string]undelivered, error) {
	all := map[string]undelivered{}
	value, known, err := b.memos.Memo(ctx, undeliveredKey)
	if err == nil && known {
		if err = json.Unmarshal(value, &all); err != nil {
			err = fmt.Errorf("what slack refuses was noted and cannot be read: %w", err)
		}
	}
	return all, err
}

var mention = regexp.MustCompile(`^<@([A-Z0-9]+)>$`)

// direct tells something past a channel that refuses it: to the pipeline's
// owners, each by themselves, or else in the service's own channel. It says
// whether anybody was reached; the first time, also why somebody was not.
func (f *following) direct(ctx context.Context, refusing string, m Message, first bool) bool {
	reached, level := false, slog.LevelDebug
	if first {
		level = slog.LevelWarn
	}
	if f.pipeline.Definition != nil && len(f.pipeline.Definition.Owners) > 0 {
		who, err := f.chat.People(ctx, f.expand(f.pipeline.Definition.Owners))
		for _, w := range who {
			if id := mention.FindStringSubmatch(w); err == nil && id != nil {
				if err := f.chat.PostEphemeral(ctx, Reply{User: id[1]}, m); err != nil {
					f.log.Log(ctx, level, "an owner could not be notified", "user", id[1], "pipeline", f.batch.Pipeline, "error", err)
					continue
				}
				reached = true
			}
		}
	}
	if channel := f.Bot.channel; !reached && channel != "" && channel != refusing {
		m.Channel = channel
		_, err := f.chat.Post(ctx, m)
		if reached = err == nil; !reached {
			f.log.Log(ctx, level, "nobody could be notified of what slack refuses", "pipeline", f.batch.Pipeline, "channel", channel, "error", err)
		}
	}
	return reached
}

// Broken tells people that the file of a pipeline has these faults: in its
// channel, or, when Slack refuses that, its owners directly or in the service's
// own channel. It says whether anybody was reached; if not, try again later.
func (b *Bot) Broken(ctx context.Context, p workflows.PipelineView, faults []string) bool {
	f := &following{Bot: b, batch: event.Batch{Pipeline: p.Name}, pipeline: p}
	var owners []string
	m := Message{Channel: b.channel}
	if p.Definition != nil {
		m.Channel = cmp.Or(p.Definition.Channel, b.channel)
		var err error
		if owners, err = f.chat.People(ctx, f.expand(p.Definition.Owners)); err != nil {
			owners = p.Definition.Owners
		}
	}
	drawn := card.Broken(p.Name, p.Version, faults, owners)
	m.Text, m.Blocks = drawn.Text, drawn.Blocks
	if m.Channel != "" {
		_, err := f.chat.Post(ctx, m)
		if err == nil || !permanent(err) { // anything else passes by itself
			return err == nil
		}
	}
	return f.direct(ctx, m.Channel, m, false)
}

// Run tries again what Slack refused and somebody can mend, until ctx ends: a
// refusal is no event, and what mends it is none either.
func (b *Bot) Run(ctx context.Context) error {
	tick := time.NewTicker(againEvery)
	defer tick.Stop()
	for asked := false; ; {
		if !asked {
			asked = b.postUnpostedGates(ctx) == nil
		}
		if err := b.retryAll(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("what slack refused could not be tried again; that is done later", "error", err)
		}
		if b.subscribed.Swap(false) {
			if err := b.postCopies(ctx); err != nil && ctx.Err() == nil {
				b.subscribed.Store(true)
				b.log.Debug("open approvals could not be sent to who has asked for them; that is done later", "error", err)
			}
		}
		if err := b.postDigests(ctx); err != nil && ctx.Err() == nil {
			b.log.Debug("the digest could not be posted; it is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// postUnpostedGates brings the executions in step whose open questions were never
// posted: an earlier version, or a service without Slack, left them behind.
func (b *Bot) postUnpostedGates(ctx context.Context) error {
	open, err := b.engine.Approvals(ctx, workflows.EnginePrincipal())
	for _, g := range open {
		if b.beforeRestore(g.Approval.OpenedAt) {
			continue // it may have been posted, and decided, since the backup
		}
		mem, _, one := b.loadMemory(ctx, g.Execution)
		if one == nil && mem.Gates[g.Approval.Token].TS == "" {
			one = b.retry(ctx, undelivered{Pipeline: g.Pipeline, Execution: g.Execution})
		}
		err = errors.Join(err, one)
	}
	return err
}

// beforeRestore says whether something is older than the backup that was restored, if one was.
func (b *Bot) beforeRestore(at time.Time) bool { return !b.restored.IsZero() && !at.After(b.restored) }

// retryAll brings every execution that has something undelivered in step, as an event would.
func (b *Bot) retryAll(ctx context.Context) error {
	all, err := b.undelivered(ctx)
	if err != nil {
		return err
	}
	refusals := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		u := all[id]
		cause := u.Channel + " " + u.Code
		if refusals[cause] >= againTries || b.beforeRestore(u.Since) {
			continue
		}
		if err := b.retry(ctx, u); err != nil && ctx.Err() == nil {
			b.log.With(words.LogAttrs(u.Ref)...).Debug("a message that slack refused could not be tried again just now", "error", err)
		}
		now, err := b.undelivered(ctx)
		if _, still := now[id]; err != nil || still {
			refusals[cause]++
		}
	}
	return ctx.Err()
}

// retry brings one execution in step, also when its turn is some seconds away.
func (b *Bot) retry(ctx context.Context, u undelivered) error {
	for try := 1; ; try++ {
		err := b.retryOnce(ctx, u)
		late, rest := split(err)
		if late == nil || rest != nil || try == againTries || late.After > againEvery/4 {
			return err
		}
		select {
		case <-time.After(late.After):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Bot) retryOnce(ctx context.Context, u undelivered) error {
	done, err := b.lockPipeline(ctx, u.Pipeline)
	if err != nil {
		return err
	}
	defer done()
	f := &following{Bot: b, batch: event.Batch{Pipeline: u.Pipeline}, waits: b.waitingIn(u.Pipeline), again: true}
	if err := f.refresh(ctx); err != nil {
		return err
	}
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), u.Execution)
	if notFound(err) {
		return b.setUndelivered(ctx, u.Execution, nil)
	}
	if err != nil {
		return err
	}
	mem, _, err := b.loadMemory(ctx, e.ID)
	if err != nil {
		return err
	}
	return f.messages(ctx, mem, e)
}

// lockPipeline waits until nobody else posts for the pipeline.
func (b *Bot) lockPipeline(ctx context.Context, pipeline string) (done func(), err error) {
	b.mu.Lock()
	t := b.turns[pipeline]
	if t == nil {
		t = make(chan struct{}, 1)
		b.turns[pipeline] = t
	}
	b.mu.Unlock()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Undelivered says why people were not shown in chat what an execution asks of
// them, and what to do about it; empty when nothing was refused.
func (b *Bot) Undelivered(ctx context.Context, execution string) string {
	all, err := b.undelivered(ctx)
	u, known := all[execution]
	if err != nil || !known {
		return ""
	}
	return u.why()
}

// undeliveredLines are sentences about what Slack refuses of some pipelines, for App Home.
func (b *Bot) undeliveredLines(ctx context.Context, of func(pipeline string) bool) []string {
	owed, err := b.undelivered(ctx)
	if err != nil {
		b.log.Warn("what slack refuses could not be listed", "error", err)
	}
	var all []string
	for _, id := range slices.Sorted(maps.Keys(owed)) {
		u := owed[id]
		if !of(u.Pipeline) {
			continue
		}
		all = append(all, strings.TrimSpace(u.Ref+" "+u.Asks)+": "+u.why())
	}
	return all
}
