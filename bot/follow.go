package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Metadata event types of our messages.
const (
	metaCard         = "rollcall_execution"
	metaGate         = "rollcall_gate"
	metaAnnouncement = "rollcall_announcement"
	metaFailure      = "rollcall_failure"
	metaReminder     = "rollcall_reminder"
	metaSkipped      = "rollcall_skipped" // a gate was opened by somebody's right, without those who were asked
	metaEdit         = "rollcall_edit"    // a definition under which gates ask for less: pipeline, version
	metaNotice       = "rollcall_notice"  // what else concerns a pipeline as such: pipeline, event, seq
)

// newest is how many of a pipeline's newest executions are looked at when
// something changes that more than one card shows: a stage's lock, what it runs.
const newest = 8

// Name is the follower's name, the owner of its memos.
func (b *Bot) Name() string { return "slack" }

// Follow brings the chat in step with what was committed about one pipeline.
// It renders how things stand now, not the events one by one, so being behind
// costs one edit. nil accepts the batch; after an error the same frames come
// again. What Slack refuses is logged once, noted and accepted, so that nothing
// waits behind it; [Bot.Run] tries it again until somebody has mended the cause.
func (b *Bot) Follow(ctx context.Context, batch event.Batch) error {
	done, err := b.lockPipeline(ctx, batch.Pipeline)
	if err != nil {
		return err
	}
	defer done()
	b.usual.forget(batch)
	f := &following{Bot: b, batch: batch, waits: b.waitingIn(batch.Pipeline)}
	if err := errors.Join(f.refresh(ctx), f.takeUp(ctx, f.waits)); err != nil {
		return err
	}
	f.waits.saw(batch.Frames)
	ids, err := f.concerned(ctx)
	ids = f.waits.withDue(ids, b.now())
	var all []workflows.Execution
	for _, id := range ids {
		e, one := b.engine.Execution(ctx, workflows.EnginePrincipal(), id)
		switch {
		case one == nil:
			all = append(all, e)
		case notFound(one):
			delete(f.waits.due, id)
		default:
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
	f.read = all
	asksFirst(all)
	f.noteOwners()
	err = errors.Join(err, f.noteBegun(ctx, all))
	for _, e := range all {
		if one := f.execution(ctx, e); one != nil {
			err = errors.Join(err, fmt.Errorf("execution %s in chat: %w", e.ID, one))
		}
	}
	if err = errors.Join(err, f.pipelineNews(ctx)); err != nil {
		return err
	}
	return f.rest(ctx, f.waits)
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
	read     []workflows.Execution // those that the batch concerns
	waits    *waiting
	again    bool // it is something that Slack refused
}

// concerned are the executions whose messages may have to change: those that
// the batch touches, and, when a stage's lock or content changed, those whose
// cards may show it.
func (f *following) concerned(ctx context.Context) ([]string, error) {
	ids := f.batch.Executions()
	answers, err := f.answersTo(ctx)
	if err != nil {
		return ids, err
	}
	for _, id := range append(f.keepingBusy(), answers...) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if !f.anyEvent(f.affectsOthers) {
		return ids, nil
	}
	more, err := f.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: f.batch.Pipeline, Limit: newest})
	if err != nil && !notFound(err) {
		return ids, err
	}
	if f.anyEvent(affectsBridge) {
		open, err := f.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: f.batch.Pipeline, Status: workflows.StatusInProgress, Limit: 100})
		if err != nil && !notFound(err) {
			return ids, err
		}
		more = append(more, open...)
	}
	before, err := f.supersededAnnouncements(ctx)
	if err != nil {
		return ids, err
	}
	var others []string
	for _, e := range append(more, before...) {
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

// supersededAnnouncements are those that succeeded last in stages in which something has
// succeeded now: their announcements offer what is not live any more.
func (f *following) supersededAnnouncements(ctx context.Context) (all []workflows.Execution, err error) {
	for _, s := range f.pipeline.Stages {
		succeeded := func(e event.Event) bool { return e.Kind == event.StageSucceeded && e.Stage == s.Name }
		if !f.announces(s.Name) || !f.anyEvent(succeeded) {
			continue
		}
		some, err := f.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: f.batch.Pipeline, SucceededInStage: s.Name, Limit: newest})
		if err != nil && !notFound(err) {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (f *following) anyEvent(is func(event.Event) bool) bool {
	for _, frame := range f.batch.Frames {
		if slices.ContainsFunc(frame.Events, is) {
			return true
		}
	}
	return false
}

// affectsOthers says whether an event changes what cards of other executions show.
func (f *following) affectsOthers(e event.Event) bool {
	if affectsBridge(e) {
		return true
	}
	switch e.Kind {
	case event.StageEntered, event.StageSucceeded, event.StageFailed, event.StageStopped, event.StageCancelled, event.ExecutionSteppedBack,
		event.TransitionDisabled, event.TransitionEnabled, event.ReturnPlanned, event.ReturnDropped,
		event.StageSkipped, event.FreezesSet,
		// Nobody knows what the stage runs: the card of what ran there must not say that it does.
		event.ActionInDoubt,
		// Who stands behind it moves up; a card that offered to admit it does no more.
		event.ExecutionStopped, event.ExecutionCancelled:
		return true
	}
	return false
}

// execution brings all messages of one execution in step.
func (f *following) execution(ctx context.Context, e workflows.Execution) error {
	mem, known, err := f.loadMemory(ctx, e.ID)
	if err != nil || !known && (f.channel == "" || !slices.Contains(f.batch.Executions(), e.ID) || !f.startsFollowing(&e)) {
		return err
	}
	if e.Rollback != nil {
		if err := f.markLeft(ctx, &e); err != nil {
			return err
		}
	}
	return f.inStep(ctx, mem, e)
}

// inStep is messages, and notes what of them waits for its turn.
func (f *following) inStep(ctx context.Context, mem *memory, e workflows.Execution) error {
	late, err := split(f.messages(ctx, mem, e))
	if late == nil {
		if err == nil {
			delete(f.waits.due, e.ID)
		}
		return err
	}
	// What the events said is not said again.
	return errors.Join(err, f.saveChanged(ctx, mem), f.wait(ctx, f.waits, &e, late))
}

// startsFollowing says whether an execution without messages gets them now: not one
// that had ended before anybody followed it.
func (f *following) startsFollowing(e *workflows.Execution) bool {
	return !e.Status.Final() || f.anyEvent(func(ev event.Event) bool {
		return ev.Execution == e.ID && (ev.Kind == event.ExecutionStarted || ev.Kind == event.ExecutionResumed)
	})
}

// markLeft tells the card of what a rollback left behind.
func (f *following) markLeft(ctx context.Context, rollback *workflows.Execution) error {
	for _, id := range []string{rollback.Rollback.LeftExecution, rollback.Rollback.FailedExecution} {
		if id == "" || id == rollback.Rollback.Target {
			continue
		}
		mem, known, err := f.loadMemory(ctx, id)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if mem.LeftBy < rollback.ID { // IDs are ordered by time: the newest one counts
			mem.LeftBy = rollback.ID
			if err := f.saveMemory(ctx, mem); err != nil {
				return err
			}
		}
		e, err := f.engine.Execution(ctx, workflows.EnginePrincipal(), id)
		if notFound(err) {
			continue
		}
		if err == nil {
			err = f.inStep(ctx, mem, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leftBy is the rollback by which an execution was left; nil: it was not.
func (b *Bot) leftBy(ctx context.Context, mem *memory) (*workflows.Execution, error) {
	if mem.LeftBy == "" {
		return nil, nil
	}
	by, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), mem.LeftBy)
	if notFound(err) {
		return nil, nil
	}
	return &by, err
}

// messages brings the card and what hangs below it in step. Nothing hangs
// below a card that could not be posted.
func (f *following) messages(ctx context.Context, mem *memory, e workflows.Execution) error {
	mem.ref = e.Ref()
	v := f.viewIn(ctx, e, f.pipeline)
	var err error
	if v.LeftBy, err = f.leftBy(ctx, mem); err != nil {
		return err
	}
	if v.Failed, err = f.failedBefore(ctx, &e, f.pipeline); err != nil {
		return err
	}
	f.tail(ctx, &v)
	if v.Failed != nil {
		f.tail(ctx, v.Failed)
	}
	err = f.syncAll(ctx, mem, v)
	if err == nil && len(mem.refusals) > 0 && mem.Card.TS != "" && f.hasMoved(mem) {
		if !f.hasUnread(mem, &v.Execution) {
			mem.refusals = nil // it is left as it is, where nobody looks any more
		} else {
			f.resetMessages(mem)
			err = f.syncAll(ctx, mem, v)
		}
	}
	if err != nil && len(mem.refusals) == 0 {
		return err // what it is like with the rest is not known
	}
	return errors.Join(err, f.recordRefusals(ctx, mem, &v.Execution))
}

// syncAll brings the card, and what hangs below it, in step where the card is.
func (f *following) syncAll(ctx context.Context, mem *memory, v card.View) error {
	mem.refusals = nil
	err := f.card(ctx, mem, v)
	if (err == nil || isPostponed(err)) && mem.Card.TS != "" {
		err = errors.Join(err, f.replies(ctx, mem, v))
	}
	return err
}

// replies brings what hangs below the card in step, stage by stage: that a
// stage has succeeded is told before a later one asks, so that the channel reads
// forwards also when both come with one commit.
func (f *following) replies(ctx context.Context, mem *memory, v card.View) error {
	var errs []error
	here := map[string]bool{}
	for i := range v.Execution.Stages {
		s := &v.Execution.Stages[i]
		errs = append(errs, f.gates(ctx, mem, v, s, here), f.announce(ctx, mem, v, s))
	}
	return errors.Join(append(errs, f.vanishedGates(ctx, mem, v, here), f.failure(ctx, mem, v))...)
}

func (f *following) card(ctx context.Context, mem *memory, v card.View) error {
	e := &v.Execution
	drawn := card.Execution(v)
	channel := f.cardChannel(mem, e)
	if mem.Card.Channel != "" {
		channel = mem.Card.Channel // where it is, also when the pipeline has moved
	}
	if mem.Card.TS == "" || mem.In == "" {
		mem.In = f.channel
	}
	if channel == "" {
		return f.saveChanged(ctx, mem) // it is followed, also where nothing of it is posted yet
	}
	return f.sync(ctx, &message{mem: mem, spot: mem.Card, anew: true, keep: func(s spot) { mem.Card = s }, Message: Message{
		Channel: channel, Thread: mem.Card.Root, Broadcast: mem.Card.Root != "", Text: drawn.Text, Blocks: drawn.Blocks, EventType: metaCard, Urgency: f.cardUrgency(mem, e),
		Payload: map[string]any{"execution": e.ID, "pipeline": e.Pipeline, "number": e.Number}, Anchor: f.anchor(e)}})
}

// anchor is the newest record that the card of an execution shows, where it has
// a stage with an environment: out of reach of whoever can write the database.
func (f *following) anchor(e *workflows.Execution) *record.Anchor {
	if f.pipeline.Definition == nil || f.waits.newest.Pipeline == "" {
		return nil
	}
	has := func(s workflows.StageExecution) bool {
		of, ok := f.pipeline.Definition.Stage(s.Name)
		return ok && of.Environment != ""
	}
	if !slices.ContainsFunc(e.Stages, has) {
		return nil
	}
	newest := f.waits.newest
	return &record.Anchor{Pipeline: newest.Pipeline, Record: newest.Seq, Hash: newest.Hash, At: f.waits.at}
}

// below is a reply in the card's thread.
func below(mem *memory, drawn card.Message, kind string, payload map[string]any, broadcast bool) Message {
	payload["execution"] = mem.id
	return Message{Channel: mem.Card.Channel, Thread: cmp.Or(mem.Card.Root, mem.Card.TS), Broadcast: broadcast, Text: drawn.Text, Blocks: drawn.Blocks, EventType: kind, Payload: payload, Urgency: News}
}

// once posts a message that is never edited.
func (f *following) once(ctx context.Context, mem *memory, key string, m Message) error {
	s := mem.Said[key]
	if s.TS != "" {
		return nil
	}
	return f.sync(ctx, &message{mem: mem, Message: m, spot: s, keep: func(s spot) { mem.Said[key] = s }})
}

// whom is who a gate asks, as mentions.
func (f *following) whom(ctx context.Context, e *workflows.Execution, stage string, g *workflows.Approval) ([]string, error) {
	ask, err := f.askedAt(ctx, e, stage, g)
	if err != nil || len(ask) == 0 {
		return nil, err
	}
	return f.chat.People(ctx, f.expand(ask))
}

// askedAt is who a gate asks. One that names nobody asks those who have the right,
// unless that is everybody.
func (f *following) askedAt(ctx context.Context, e *workflows.Execution, stage string, g *workflows.Approval) ([]string, error) {
	ask := g.Ask
	if len(ask) == 0 {
		ask = g.From
	}
	if len(ask) == 0 {
		_, holders, err := f.engine.Verdict(ctx, workflows.EnginePrincipal(), workflows.Approve, e.Pipeline, stage)
		if err != nil {
			return nil, err
		}
		ask = mentionable(holders)
	}
	return ask, nil
}
