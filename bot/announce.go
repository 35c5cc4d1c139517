package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// What the channel sees of news. A success is announced by a reply in the card's
// thread. Where people were asked before, the channel has their gate's message:
// that becomes the announcement, and the reply stays in the thread; else the
// channel sees the reply. A failure is seen there, unless an automatic rollback
// began with it: its card is the news then, as the card of any rollback is.

// announce says once that a stage has succeeded, where it announces that. What
// it offers is taken away when something else is live there, and the issues are
// added when they are known late; nothing else of it is ever edited.
func (f *following) announce(ctx context.Context, mem *memory, v card.View, at *workflows.StageExecution) error {
	if !f.announces(at.Name) || at.Status != workflows.StatusSucceeded {
		return nil
	}
	r := f.route(RouteSuccess, v.Execution.Pipeline, at.Name)
	if r.Channel == RouteOff {
		return nil
	}
	key, live := announcementKey(at.Name), v.Live(at.Name)
	posted, issues := mem.Said[key], v.NamesIssues(at.Name)
	if posted.TS != "" && copied(mem, key, r) && (live || !posted.Live) && (posted.Issues || !issues) {
		return nil
	}
	if err := f.afterQuietHours(at.Name); posted.TS == "" && err != nil {
		return err
	}
	seen := !r.threadOnly() && v.Execution.Rollback == nil && announcingGate(mem, &v.Execution, at.Name) == ""
	m := below(mem, card.Announcement(v, at.Name), metaAnnouncement, map[string]any{"stage": at.Name}, seen)
	return errors.Join(f.sync(ctx, &message{mem: mem, Message: m, spot: posted, keep: func(s spot) {
		s.Live = live || s.Refused != "" && posted.Live // what Slack refused stands as it was
		s.Issues = issues
		mem.Said[key] = s
	}}), f.copy(ctx, mem, key, m, r))
}

func (f *following) announces(stage string) bool {
	if f.pipeline.Definition == nil {
		return false
	}
	s, ok := f.pipeline.Definition.Stage(stage)
	return ok && s.Announce == "success"
}

// announcingGate is the gate whose message in the channel announces that an execution has
// come into a stage: the newest of those that it passed on its way there; empty: it
// passed none that is in the channel.
func announcingGate(mem *memory, e *workflows.Execution, stage string) (token string) {
	var newest gateSpot
	for i := range e.Stages {
		for j := range e.Stages[i].Actions {
			a := e.Stages[i].Actions[j].Approval
			if a == nil {
				continue
			}
			g, known := mem.Gates[a.Token]
			if known && g.TS != "" && (token == "" || cmp.Or(g.Gate.OpenedAt.Compare(newest.Gate.OpenedAt), cmp.Compare(g.TS, newest.TS)) > 0) {
				token, newest = a.Token, g
			}
		}
		if e.Stages[i].Name == stage {
			return token
		}
	}
	return ""
}

// announcedBy is the stage that the message of a gate announces; empty: none yet.
func (f *following) announcedBy(mem *memory, e *workflows.Execution, token string) (stage string) {
	for i := range e.Stages {
		s := &e.Stages[i]
		if e.Rollback == nil && s.Status == workflows.StatusSucceeded && f.announces(s.Name) && announcingGate(mem, e, s.Name) == token {
			stage = s.Name
		}
	}
	return stage
}

// gateMessage is how a gate stands in the channel: as a question, as what became
// of it, or as the announcement of what followed it.
func (f *following) gateMessage(mem *memory, a card.Asking) card.Message {
	if stage := f.announcedBy(mem, &a.Execution, a.Approval.Token); stage != "" {
		return card.Announced(a, stage)
	}
	return card.Gate(a)
}

// failure says once that an execution failed. What was overtaken while we were
// behind is not said any more.
func (f *following) failure(ctx context.Context, mem *memory, v card.View) error {
	stage, ok := failedIn(&v.Execution)
	if !ok {
		return nil
	}
	r, key := f.route(RouteFailure, v.Execution.Pipeline, stage), failureKey(&v.Execution)
	if r.Channel == RouteOff {
		return nil
	}
	if mem.Said[key].TS != "" && copied(mem, key, r) {
		return nil
	}
	drawn, err := f.drawFailure(ctx, v, stage)
	if err != nil {
		return err
	}
	m := below(mem, drawn, metaFailure, map[string]any{"stage": stage, "attempt": v.Execution.Attempt}, !r.threadOnly() && !f.answered(&v))
	err = f.once(ctx, mem, key, m)
	if copied(mem, key, r) {
		return err
	}
	return errors.Join(err, f.copy(ctx, mem, key, m, r))
}

// answered says whether an automatic rollback began with the failure of an execution.
func (f *following) answered(v *card.View) bool {
	answers := func(by *workflows.Execution) bool {
		return by != nil && by.Rollback != nil && by.Trigger.Type == workflows.TriggerAutomated && by.Rollback.FailedExecution == v.Execution.ID
	}
	return answers(v.LeftBy) || slices.ContainsFunc(f.read, func(e workflows.Execution) bool { return answers(&e) })
}

// announcementKey and failureKey are what is said once in an execution's memory.
func announcementKey(stage string) string      { return "announcement/" + stage }
func failureKey(e *workflows.Execution) string { return fmt.Sprintf("failure/%d", e.Attempt) }

// failedIn is the stage in which an execution failed. What was not approved has not failed.
func failedIn(e *workflows.Execution) (string, bool) {
	if e.Status != workflows.StatusFailed || e.StatusReason != nil && (e.StatusReason.Code == "NotApproved" || e.StatusReason.Code == "ApprovalExpired") {
		return "", false
	}
	for _, s := range e.Stages {
		if s.Status == workflows.StatusFailed {
			return s.Name, true
		}
	}
	return "", true
}
