package bot

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// gates brings the gate messages of one execution in a stage in step: an open
// gate is asked about once, and every message shows its gate until it is decided.
// The gates that it meets are noted in here.
func (f *following) gates(ctx context.Context, mem *memory, v card.View, s *workflows.StageExecution, here map[string]bool) error {
	var errs []error
	for j := range s.Actions {
		a := &s.Actions[j]
		if a.Approval == nil || a.Approval.Token == "" {
			continue
		}
		here[a.Approval.Token] = true
		errs = append(errs, f.gate(ctx, mem, v, s.Name, a), f.skipped(ctx, mem, v, s.Name, a))
	}
	return errors.Join(errs...)
}

// vanishedGates closes the messages of gates that are no longer there.
func (f *following) vanishedGates(ctx context.Context, mem *memory, v card.View, here map[string]bool) error {
	var errs []error
	for _, token := range slices.Sorted(maps.Keys(mem.Gates)) {
		if g := mem.Gates[token]; !here[token] && !g.Done {
			errs = append(errs, f.vanished(ctx, mem, v, token, g))
		}
	}
	return errors.Join(errs...)
}

// gate brings one gate's message in step. A gate that closed before anybody
// was asked is not asked about any more; a create that was begun is looked up.
func (f *following) gate(ctx context.Context, mem *memory, v card.View, stage string, a *workflows.ActionExecution) error {
	g, known := mem.Gates[a.Approval.Token]
	if a.Approval.Closed != "" && (!known || g.TS == "" && !g.Tried) {
		return nil
	}
	g.Stage, g.Action, g.Attempt, g.Gate = stage, a.Name, a.Attempt, *a.Approval
	asking := card.Asking{View: v, Stage: stage, Action: a.Name, Approval: *a.Approval, Again: true}
	if a.Approval.Closed == "" {
		var err error
		if asking, err = f.question(ctx, &g, v, stage, a); err != nil {
			return err
		}
	} else {
		f.closing(mem.id, &g)
		if g.ClosedAt.IsZero() && a.EndedAt != nil {
			g.ClosedAt = *a.EndedAt
		}
		g.Gate, asking.ClosedAt = *a.Approval, g.ClosedAt
	}
	err := f.syncGate(ctx, mem, asking, g)
	if err != nil && !isPostponed(err) {
		return err
	}
	if err = errors.Join(err, f.copies(ctx, mem, asking)); err != nil {
		return err
	}
	return f.reminders(ctx, mem, asking)
}

// vanished closes the message of a gate that a newer attempt has replaced.
// What closed it stands in the events.
func (f *following) vanished(ctx context.Context, mem *memory, v card.View, token string, g gateSpot) error {
	if g.TS == "" && !g.Tried {
		return nil
	}
	f.closing(mem.id, &g)
	if g.Gate.Closed == "" {
		g.Gate.Closed = "withdrawn"
	}
	g.Done = true
	asking := card.Asking{View: v, Stage: g.Stage, Action: g.Action, Approval: g.Gate, ClosedAt: g.ClosedAt}
	err := f.syncGate(ctx, mem, asking, g)
	if err != nil && !isPostponed(err) {
		return err
	}
	return errors.Join(err, f.copies(ctx, mem, asking))
}

// closing takes from the events what closed a gate, when, and the votes that
// came before. It is noted with the gate: the events do not come again.
func (f *following) closing(execution string, g *gateSpot) {
	for _, frame := range f.batch.Frames {
		for _, ev := range frame.Events {
			if ev.Execution != execution || ev.Stage != g.Stage || ev.Action != g.Action || ev.Attempt != g.Attempt {
				continue
			}
			switch {
			case ev.Kind == event.GateVoted && ev.Vote != nil && !hasVoted(g.Gate.Votes, *ev.Vote):
				g.Gate.Votes = append(g.Gate.Votes, *ev.Vote)
			case ev.Kind == event.GateVoteDropped && ev.Vote != nil && ev.Reason != nil && hasVoted(g.Gate.Votes, *ev.Vote):
				g.Gate.Votes = slices.DeleteFunc(slices.Clone(g.Gate.Votes), func(v workflows.Vote) bool { return v.By.Key() == ev.Vote.By.Key() })
				g.Gate.Dropped = append(slices.Clip(g.Gate.Dropped), ev.Reason.Message)
			case ev.Kind == event.GateClosed:
				g.Gate.Closed, g.ClosedAt = ev.Text, ev.At
			case ev.Kind == event.GateOverridden && ev.Override != nil:
				g.Gate.Override, g.ClosedAt = ev.Override, ev.At
			}
		}
	}
}

func hasVoted(all []workflows.Vote, v workflows.Vote) bool {
	return slices.ContainsFunc(all, func(w workflows.Vote) bool { return w.By.Key() == v.By.Key() })
}

func (f *following) syncGate(ctx context.Context, mem *memory, a card.Asking, g gateSpot) error {
	token := a.Approval.Token
	m := below(mem, f.gateMessage(mem, a), metaGate, map[string]any{"stage": a.Stage, "action": a.Action, "gate": token}, true)
	m.Urgency = Question
	err := f.sync(ctx, &message{mem: mem, Message: m, spot: g.spot, anew: a.Approval.Closed == "", keep: func(s spot) {
		g.spot = s
		mem.Gates[token] = g
	}})
	if isPostponed(err) { // what closed it is not said again
		g.Done = false
		mem.Gates[token] = g
	}
	return err
}

// reminders asks those again who have not answered, once for each reminder that was
// due while the gate is open. Nothing else reminds anybody.
func (f *following) reminders(ctx context.Context, mem *memory, a card.Asking) error {
	due := a.Approval.Reminded
	if a.Approval.Closed != "" || len(due) == 0 {
		return nil
	}
	// Several that are due at once are one reminder.
	last := due[len(due)-1]
	key := "reminder/" + a.Approval.Token + "/" + last
	if mem.Said[key].TS != "" {
		return nil
	}
	err := f.afterQuietHours(a.Stage)
	if err != nil {
		return err
	}
	if a.Ask, err = f.notAnswered(ctx, &a.Execution, a.Stage, &a.Approval); err != nil {
		return err
	}
	m := below(mem, a.Reminder(), metaReminder, map[string]any{"stage": a.Stage, "action": a.Action, "gate": a.Approval.Token, "reminder": last}, false)
	return f.once(ctx, mem, key, m)
}
