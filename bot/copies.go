package bot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// copySpot is the copy of a gate message that one person gets as a direct message.
type copySpot struct {
	spot
	Person string    `json:"person,omitempty"` // Principal.Key; empty: the gate does not ask them
	Wanted time.Time `json:"wanted,omitzero"`  // since when they wanted direct messages when that was found
}

// directTo is the channel of a direct message to a Slack user, for Message.Channel.
func directTo(user string) string { return "@" + user }

// copies brings the direct messages about a gate in step: every subscriber whom the
// open gate asks gets one, and each shows the gate until it is decided. The
// gate's own message comes first and waits for none of them.
func (f *following) copies(ctx context.Context, mem *memory, a card.Asking) error {
	token := a.Approval.Token
	if _, known := mem.Gates[token]; !known {
		return nil
	}
	var errs []error
	if a.Approval.Closed == "" {
		errs = append(errs, f.findAsked(ctx, mem, &a))
	}
	for _, user := range slices.Sorted(maps.Keys(mem.Gates[token].Copies)) {
		errs = append(errs, f.syncCopy(ctx, mem, a, user))
	}
	return errors.Join(errs...)
}

// findAsked notes which subscribers an open gate asks, once for each time that
// somebody subscribes. Who cannot be looked up now is looked up again.
func (f *following) findAsked(ctx context.Context, mem *memory, a *card.Asking) error {
	all, err := f.subscribers(ctx)
	if err != nil {
		return err
	}
	g, within := mem.Gates[a.Approval.Token], ctx
	var failed error
	for _, user := range slices.Sorted(maps.Keys(all)) {
		c, looked := g.Copies[user]
		if looked && (c.Person != "" || c.Wanted.Equal(all[user])) {
			continue
		}
		if within == ctx { // nobody waits longer than that for all of them
			var cancel context.CancelFunc
			within, cancel = context.WithTimeout(ctx, answerableWithin)
			defer cancel()
		}
		who, asks, err := f.engine.Asks(within, a.Execution.ID, a.Approval.Token, workflows.Principal{ID: "slack:" + user, Via: "slack"})
		if err != nil {
			failed = err
			continue
		}
		if c = (copySpot{Wanted: all[user]}); asks {
			c.Person = who.Key()
		}
		if g.Copies == nil {
			g.Copies = map[string]copySpot{}
		}
		g.Copies[user] = c
	}
	mem.Gates[a.Approval.Token] = g
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed != nil {
		f.log.With(words.LogAttrs(a.Execution.Ref())...).Info("whether a gate asks somebody could not be looked up; it is looked up again", "error", failed)
		return &Postponed{After: againEvery}
	}
	return f.saveChanged(ctx, mem)
}

// syncCopy brings one direct message in step. Who cannot be reached is left out,
// unless everything that Slack refused is tried again.
func (f *following) syncCopy(ctx context.Context, mem *memory, a card.Asking, user string) error {
	token := a.Approval.Token
	c := mem.Gates[token].Copies[user]
	if c.Person == "" || c.TS == "" && (c.Refused != "" && !f.again || a.Approval.Closed != "" && !c.Tried) {
		return nil
	}
	drawn := card.Gate(a)
	m := Message{Channel: directTo(user), Text: drawn.Text, Blocks: drawn.Blocks, EventType: metaGate, Urgency: Question,
		Payload: map[string]any{"execution": mem.id, "stage": a.Stage, "action": a.Action, "gate": token, "to": user}}
	err := f.sync(ctx, &message{mem: mem, Message: m, spot: c.spot, direct: true, keep: func(s spot) {
		c.spot = s
		mem.Gates[token].Copies[user] = c
	}})
	if isPostponed(err) { // what closed it is not said again
		g := mem.Gates[token]
		g.Done = false
		mem.Gates[token] = g
	}
	return err
}

// skippedDirectly says to the subscribers whose answer an override did without that
// it did, each once: that their copy changed notifies nobody.
func (f *following) skippedDirectly(ctx context.Context, mem *memory, a card.Asking) error {
	g := mem.Gates[a.Approval.Token]
	if len(g.Copies) == 0 {
		return nil
	}
	all, err := f.subscribers(ctx)
	if err != nil {
		return err
	}
	answered := []string{a.Approval.Override.By.Key()}
	for i := range a.Approval.Votes {
		answered = append(answered, a.Approval.Votes[i].By.Key())
	}
	var errs []error
	for _, user := range slices.Sorted(maps.Keys(g.Copies)) {
		c, key := g.Copies[user], "skipped/"+a.Approval.Token+"/"+user
		_, wants := all[user]
		if s := mem.Said[key]; !wants || c.TS == "" || slices.Contains(answered, c.Person) || s.TS != "" || s.Refused != "" && !f.again {
			continue
		}
		drawn := a.Skipped([]string{"<@" + user + ">"})
		m := Message{Channel: directTo(user), Text: drawn.Text, Blocks: drawn.Blocks, EventType: metaSkipped, Urgency: News,
			Payload: map[string]any{"execution": mem.id, "stage": a.Stage, "action": a.Action, "gate": a.Approval.Token, "to": user}}
		errs = append(errs, f.sync(ctx, &message{mem: mem, Message: m, spot: mem.Said[key], direct: true, keep: func(s spot) { mem.Said[key] = s }}))
	}
	return errors.Join(errs...)
}

// postCopies brings the executions in step whose gates are open: somebody has
// subscribed since they opened.
func (b *Bot) postCopies(ctx context.Context) error {
	open, err := b.engine.Approvals(ctx, workflows.EnginePrincipal())
	for _, g := range open {
		if !b.beforeRestore(g.Approval.OpenedAt) {
			err = errors.Join(err, b.retry(ctx, undelivered{Pipeline: g.Pipeline, Execution: g.Execution}))
		}
	}
	return err
}
