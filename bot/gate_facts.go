package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// answerableWithin is how long a gate waits to be told whether enough people can
// answer it: nobody is asked later than that because of it.
const answerableWithin = 2 * time.Second

// question is an open gate as its message asks it.
func (f *following) question(ctx context.Context, g *gateSpot, v card.View, stage string, a *workflows.ActionExecution) (card.Asking, error) {
	asking := card.Asking{View: v, Stage: stage, Action: a.Name, Approval: *a.Approval, From: a.Approval.From, Command: f.command}
	var err error
	if asking.Ask, err = f.whom(ctx, &v.Execution, stage, a.Approval); err != nil {
		return asking, err
	}
	asking.Answerable = f.answerable(ctx, g, &v.Execution, a.Approval)
	asking.Behind, asking.Next = f.waitingBehind(ctx, &v.Execution, stage)
	return asking, nil
}

// answerable says whether enough people can answer a gate. It is found when the
// gate opens and again when its votes or its policy change; in between it is
// noted with the gate. Where it cannot be found out now, the gate says nothing of it.
func (f *following) answerable(ctx context.Context, g *gateSpot, e *workflows.Execution, a *workflows.Approval) say.Answerable {
	of := fmt.Sprint(a.Required, a.From, len(a.Votes), len(a.Dropped), a.Missing)
	if g.AnswerableOf == of {
		return g.Answerable
	}
	ctx, cancel := context.WithTimeout(ctx, answerableWithin)
	defer cancel()
	found, err := f.engine.Answerable(ctx, e.ID, a.Token)
	if err != nil {
		f.log.With(words.LogAttrs(e.Ref())...).Info("whether enough people can answer a gate could not be looked up; it is looked up again", "error", err)
		return say.Answerable{}
	}
	g.Answerable, g.AnswerableOf = found, of
	return found
}

// waitingBehind are those who wait for the stage that an execution keeps busy, the next
// one first, and the ID of that one where it could be asked for instead.
func (f *following) waitingBehind(ctx context.Context, e *workflows.Execution, stage string) (names []string, next string) {
	s, ok := f.pipeline.Stage(stage)
	if !ok {
		return nil, ""
	}
	for _, id := range s.Inbound {
		x, err := f.engine.Execution(ctx, workflows.EnginePrincipal(), id)
		if err != nil || x.WaitsFor == nil || x.WaitsFor.Stage != stage || x.WaitsFor.For != workflows.WaitsForStage {
			continue
		}
		if len(names) == 0 {
			next = id
		}
		names = append(names, "#"+strconv.Itoa(x.Number))
	}
	if st, ok := e.Stage(stage); !ok || f.pipeline.Bridge != nil || slices.ContainsFunc(st.Open(), func(a *workflows.ActionExecution) bool { return !a.IsGate() }) {
		next = ""
	}
	return names, next
}

// keepingBusy are the executions inside the stages before which the line has
// changed: their gates say who waits behind.
func (f *following) keepingBusy() (ids []string) {
	for i := range f.pipeline.Stages {
		s := &f.pipeline.Stages[i]
		if l := s.LatestExecution; l != nil && !l.Status.Final() && f.anyEvent(func(e event.Event) bool {
			switch e.Kind {
			case event.ExecutionWaiting:
				return e.Stage == s.Name
			case event.ExecutionSuperseded, event.ExecutionStopped, event.ExecutionCancelled, event.ExecutionSteppedBack:
				return true
			}
			return false
		}) {
			ids = append(ids, l.Execution)
		}
	}
	return ids
}

// insteadOf is to stop an execution that only waits for people, so that the next one is
// asked for; about is what the button showed.
func (b *Bot) insteadOf(ctx context.Context, about card.Subject) workflows.Intent {
	next := "the next execution"
	if e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), about.Target); err == nil {
		next = e.Ref()
	}
	return workflows.Intent{Verb: workflows.StopExecution, Pipeline: about.Pipeline, Execution: about.Execution, Stage: about.Stage, IfCurrent: about.Target,
		Reason: next + " is asked for instead"}
}

// notAnswered are the mentions of whom a gate asks and who has not answered.
func (f *following) notAnswered(ctx context.Context, e *workflows.Execution, stage string, g *workflows.Approval) ([]string, error) {
	who, err := f.askedAt(ctx, e, stage, g)
	if err != nil || len(who) == 0 {
		return nil, err
	}
	if who = withoutVoters(f.expand(who), g); len(who) == 0 {
		return nil, nil
	}
	return f.chat.People(ctx, who)
}

// skipped says to the approvers of a gate that somebody's right has opened, once, in
// the thread: those who were asked, without who had approved and who opened it;
// and to subscribers directly.
func (f *following) skipped(ctx context.Context, mem *memory, v card.View, stage string, a *workflows.ActionExecution) error {
	g := a.Approval
	if g.Override == nil {
		return nil
	}
	asking := card.Asking{View: v, Stage: stage, Action: a.Name, Approval: *g}
	return errors.Join(f.skippedInThread(ctx, mem, asking), f.skippedDirectly(ctx, mem, asking))
}

func (f *following) skippedInThread(ctx context.Context, mem *memory, a card.Asking) error {
	g, key := &a.Approval, "skipped/"+a.Approval.Token
	if mem.Said[key].TS != "" {
		return nil
	}
	without := *g
	without.Votes = append(slices.Clip(g.Votes), workflows.Vote{By: g.Override.By})
	who, err := f.notAnswered(ctx, &a.Execution, a.Stage, &without)
	if err != nil || len(who) == 0 {
		return err
	}
	return f.once(ctx, mem, key, below(mem, a.Skipped(who), metaSkipped, map[string]any{"stage": a.Stage, "action": a.Action, "gate": g.Token}, false))
}
