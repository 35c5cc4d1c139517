package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Metadata event types of our messages.
const (
	metaCard         = "rollcall_execution"
	metaGate         = "rollcall_gate"
	metaAnnouncement = "rollcall_announcement"
	metaFailure      = "rollcall_failure"
	metaReminder     = "rollcall_reminder"
	metaEdit         = "rollcall_edit"   // a definition under which gates ask for less: pipeline, version
	metaNotice       = "rollcall_notice" // what else concerns a pipeline as such: pipeline, event, seq
)

// newest is how many of a pipeline's newest executions are looked at when
// something changes that more than one card shows: a stage's door, what it runs.
const newest = 8

// Name is the follower's name, the owner of its memos.
func (b *Bot) Name() string { return "slack" }

// Follow brings the chat in step with what was committed about one pipeline.
// It renders how things stand now, not the events one by one, so being behind
// costs one edit. nil accepts the batch; after an error the same frames come
// again. What Slack refuses for good is logged once, noted and accepted; it is
// tried again with the next event.
func (b *Bot) Follow(ctx context.Context, batch event.Batch) error {
	f := &following{Bot: b, batch: batch}
	if err := f.refresh(ctx); err != nil {
		return err
	}
	ids, err := f.concerned(ctx)
	var all []workflows.Execution
	for _, id := range ids {
		e, one := b.engine.Execution(ctx, workflows.EnginePrincipal(), id)
		switch {
		case one == nil:
			all = append(all, e)
		case !notFound(one):
			err = errors.Join(err, fmt.Errorf("execution %s in chat: %w", id, one))
		}
	}
	// The pipeline is never older than what is said of its executions: what is
	// told once must not call uncertain what is certain by now.
	if len(all) > 0 {
		if again := f.refresh(ctx); again != nil {
			return errors.Join(err, again)
		}
	}
	for _, e := range all {
		if one := f.execution(ctx, e); one != nil {
			err = errors.Join(err, fmt.Errorf("execution %s in chat: %w", e.ID, one))
		}
	}
	return errors.Join(err, f.pipelineNews(ctx))
}

// refresh reads the pipeline as it stands now.
func (f *following) refresh(ctx context.Context) error {
	p, err := f.engine.Pipeline(ctx, workflows.EnginePrincipal(), f.batch.Pipeline, 0)
	if err != nil && !notFound(err) {
		return fmt.Errorf("follow %s: %w", f.batch.Pipeline, err)
	}
	if err != nil {
		p = workflows.PipelineView{Name: f.batch.Pipeline}
	}
	f.pipeline, f.channel = p, f.Bot.channel
	if p.Definition != nil && p.Definition.Channel != "" {
		f.channel = p.Definition.Channel
	}
	return nil
}

// following is one batch being followed.
type following struct {
	*Bot
	batch    event.Batch
	pipeline workflows.PipelineView
	channel  string
}

// concerned are the executions whose messages may have to change: those that
// the batch touches, and, when a stage's door or content changed, those whose
// cards may show it.
func (f *following) concerned(ctx context.Context) ([]string, error) {
	ids := f.batch.Executions()
	if !f.any(f.widens) {
		return ids, nil
	}
	more, err := f.engine.Executions(ctx, workflows.EnginePrincipal(), workflows.ExecutionQuery{Pipeline: f.batch.Pipeline, Limit: newest})
	if err != nil && !notFound(err) {
		return ids, err
	}
	var others []string
	for _, e := range more {
		others = append(others, e.ID)
	}
	for _, s := range f.pipeline.Stages {
		others = append(others, s.Inbound...)
	}
	for _, id := range others {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (f *following) any(is func(event.Event) bool) bool {
	for _, frame := range f.batch.Frames {
		if slices.ContainsFunc(frame.Events, is) {
			return true
		}
	}
	return false
}

// widens says whether an event changes what cards of other executions show.
func (f *following) widens(e event.Event) bool {
	switch e.Kind {
	case event.StageEntered, event.StageSucceeded, event.StageFailed, event.StageStopped, event.StageCancelled, event.ExecutionSteppedBack,
		event.TransitionDisabled, event.TransitionEnabled, event.ReturnPlanned, event.ReturnDropped,
		event.StageSkipped, event.FreezesSet:
		return true
	case event.ExecutionStopped, event.ExecutionCancelled:
		// Who stands behind it in a queue moves up.
		return f.pipeline.ExecutionMode == workflows.ModeQueued
	}
	return false
}

// execution brings all messages of one execution in step.
func (f *following) execution(ctx context.Context, e workflows.Execution) error {
	mem, known, err := f.recall(ctx, e.ID)
	if err != nil || !known && (f.channel == "" || !slices.Contains(f.batch.Executions(), e.ID) || !f.begins(&e)) {
		return err
	}
	if e.Rollback != nil {
		if err := f.leave(ctx, &e); err != nil {
			return err
		}
	}
	return f.messages(ctx, mem, e)
}

// begins says whether an execution without messages gets them now: not one
// that had ended before anybody followed it.
func (f *following) begins(e *workflows.Execution) bool {
	return !e.Status.Final() || f.any(func(ev event.Event) bool {
		return ev.Execution == e.ID && (ev.Kind == event.ExecutionStarted || ev.Kind == event.ExecutionResumed)
	})
}

// leave tells the card of what a rollback left behind.
func (f *following) leave(ctx context.Context, rollback *workflows.Execution) error {
	for _, id := range []string{rollback.Rollback.LeftExecution, rollback.Rollback.FailedExecution} {
		if id == "" || id == rollback.Rollback.Target {
			continue
		}
		mem, known, err := f.recall(ctx, id)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if mem.LeftBy < rollback.ID { // IDs are ordered by time: the newest one counts
			mem.LeftBy = rollback.ID
			if err := f.note(ctx, mem); err != nil {
				return err
			}
		}
		e, err := f.engine.Execution(ctx, workflows.EnginePrincipal(), id)
		if notFound(err) {
			continue
		}
		if err == nil {
			err = f.messages(ctx, mem, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// messages brings the card and what hangs below it in step. Nothing hangs
// below a card that could not be posted.
func (f *following) messages(ctx context.Context, mem *memory, e workflows.Execution) error {
	v := f.viewIn(ctx, e, f.pipeline)
	if mem.LeftBy != "" {
		by, err := f.engine.Execution(ctx, workflows.EnginePrincipal(), mem.LeftBy)
		if err != nil && !notFound(err) {
			return err
		}
		if err == nil {
			v.LeftBy = &by
		}
	}
	if err := f.card(ctx, mem, v); err != nil || mem.Card.TS == "" {
		return err
	}
	return errors.Join(f.gates(ctx, mem, v), f.news(ctx, mem, v))
}

func (f *following) card(ctx context.Context, mem *memory, v card.View) error {
	e := &v.Execution
	drawn := card.Execution(v)
	channel := f.channel
	if mem.Card.Channel != "" {
		channel = mem.Card.Channel // where it is, also when the pipeline has moved
	}
	if channel == "" {
		return nil
	}
	return f.bring(ctx, &message{mem: mem, spot: mem.Card, keep: func(s spot) { mem.Card = s }, Message: Message{
		Channel: channel, Text: drawn.Text, Blocks: drawn.Blocks, EventType: metaCard,
		Payload: map[string]any{"execution": e.ID, "pipeline": e.Pipeline, "number": e.Number}}})
}

// below is a reply in the card's thread.
func below(mem *memory, drawn card.Message, kind string, payload map[string]any, broadcast bool) Message {
	payload["execution"] = mem.id
	return Message{Channel: mem.Card.Channel, Thread: mem.Card.TS, Broadcast: broadcast, Text: drawn.Text, Blocks: drawn.Blocks, EventType: kind, Payload: payload}
}

// news tells what is told once: a success where the stage announces it, and a
// failure. What was overtaken while we were behind is not told any more.
func (f *following) news(ctx context.Context, mem *memory, v card.View) error {
	e := &v.Execution
	var errs []error
	if f.pipeline.Definition != nil {
		for _, s := range f.pipeline.Definition.Stages {
			if at, ok := e.Stage(s.Name); ok && at.Status == workflows.StatusSucceeded && s.Announce == "success" {
				m := below(mem, card.Announcement(v, s.Name), metaAnnouncement, map[string]any{"stage": s.Name}, true)
				errs = append(errs, f.once(ctx, mem, "announcement/"+s.Name, m))
			}
		}
	}
	if stage, ok := failedIn(e); ok {
		m := below(mem, card.Failure(v), metaFailure, map[string]any{"stage": stage, "attempt": e.Attempt}, true)
		errs = append(errs, f.once(ctx, mem, fmt.Sprintf("failure/%d", e.Attempt), m))
	}
	return errors.Join(errs...)
}

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

// once posts a message that is never edited.
func (f *following) once(ctx context.Context, mem *memory, key string, m Message) error {
	s := mem.Said[key]
	if s.TS != "" {
		return nil
	}
	return f.bring(ctx, &message{mem: mem, Message: m, spot: s, keep: func(s spot) { mem.Said[key] = s }})
}

// whom is who a gate asks, as mentions. A gate that names nobody asks those
// who have the right, unless that is everybody.
func (f *following) whom(ctx context.Context, e *workflows.Execution, stage string, g *workflows.Approval) ([]string, error) {
	ask := g.Ask
	if len(ask) == 0 {
		ask = g.From
	}
	if len(ask) == 0 {
		_, _, holders, err := f.engine.Verdict(ctx, workflows.EnginePrincipal(), workflows.Approve, e.Pipeline, stage)
		if err != nil {
			return nil, err
		}
		ask = slices.DeleteFunc(slices.Clone(holders), func(who string) bool { return who == "everyone" || strings.HasPrefix(who, "token:") })
	}
	if len(ask) == 0 {
		return nil, nil
	}
	return f.chat.People(ctx, f.expand(ask))
}
