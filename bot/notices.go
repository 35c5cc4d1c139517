package bot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// newsKept is how many of a pipeline's own announcements are remembered: a
// batch that comes again is never further back.
const newsKept = 50

// notice is one announcement about a pipeline, not about an execution. Its key
// and its payload come from the frame that decided it, so that it is the same
// whenever the frame comes again.
type notice struct {
	key     string
	kind    string // metadata event type
	payload map[string]any
	drawn   card.Message
	also    string // a second channel: where the pipeline was, before an edit moved it
}

// pipelineNews tells the channel once what concerns a pipeline as such: an edit
// that weakens a gate, a start that did not come, branches nobody looks at.
func (f *following) pipelineNews(ctx context.Context) error {
	if !f.anyEvent(concernsPipeline) {
		return nil
	}
	mem, err := f.loadPipelineMemory(ctx, f.batch.Pipeline)
	if err != nil {
		return err
	}
	for _, frame := range f.batch.Frames {
		news, err := f.noticesOf(ctx, mem, frame)
		if err != nil {
			return err
		}
		for _, n := range news {
			if err := f.announceOnce(ctx, mem, n); err != nil {
				return fmt.Errorf("%s of %s in chat: %w", n.kind, f.batch.Pipeline, err)
			}
		}
		if err := f.noteDefinition(ctx, mem, frame); err != nil {
			return err
		}
		if err := f.lateRefusals(ctx, mem, frame); err != nil {
			return err
		}
	}
	return nil
}

func concernsPipeline(e event.Event) bool {
	switch e.Kind {
	case event.PipelineDefined, event.ScheduleFired, event.PollingDisabled, event.AlarmRang:
		return true
	}
	return turnedAway(e) || refusedLate(e)
}

// startsForAlarm says whether an event is the start of a rollback because an alarm rang.
func startsForAlarm(e event.Event) bool {
	return e.Kind == event.ExecutionStarted && e.Started.Rollback != nil && e.Started.Rollback.Alarm != ""
}

// turnedAway says whether an event is a change that wanted to start the
// pipeline and could not: nobody pressed anything, so nobody was told.
func turnedAway(e event.Event) bool {
	if e.Kind != event.IntentRefused || e.Refused == nil || e.Refused.Intent.Verb != workflows.Start || e.Refused.Problem.Code != workflows.CodeConcurrencyLimit {
		return false
	}
	if t := e.Refused.Intent.Trigger; t != nil {
		return t.Type != workflows.TriggerSchedule // that stands in scheduleFired
	}
	return slices.Contains([]string{"github", "git"}, e.By.Via)
}

// noticesOf is what one frame has to tell.
func (f *following) noticesOf(ctx context.Context, mem *memory, frame event.Frame) ([]notice, error) {
	var news []notice
	add := func(kind, what string, drawn card.Message, payload map[string]any) *notice {
		payload["pipeline"] = frame.Pipeline
		news = append(news, notice{key: fmt.Sprintf("%012d/%s", frame.Seq, what), kind: kind, payload: payload, drawn: drawn})
		return &news[len(news)-1]
	}
	for i, e := range frame.Events {
		seq := map[string]any{"seq": frame.Seq, "event": fmt.Sprintf("%s.%d", e.Kind, i)}
		switch {
		case e.Kind == event.PipelineDefined && e.Defined != nil && len(e.Defined.Weakened)+len(e.Defined.Cancels) > 0:
			m, err := f.edited(ctx, mem, frame.Pipeline, e)
			if err != nil {
				return nil, err
			}
			n := add(metaEdit, "edit", m, map[string]any{"version": e.Defined.Version})
			if was := mem.Before; was != nil && was.Channel != f.channel {
				n.also = was.Channel
			}
		case e.Kind == event.PollingDisabled && f.pipeline.PollingDisabledAt != nil:
			add(metaNotice, "polling", card.Notice(frame.Pipeline, e, f.command), seq)
		case e.Kind == event.ScheduleFired && e.Schedule != nil && (e.Schedule.Missed || e.Reason != nil):
			add(metaNotice, fmt.Sprintf("schedule.%d", i), card.Notice(frame.Pipeline, e, f.command), seq)
		case e.Kind == event.AlarmRang && !slices.ContainsFunc(frame.Events, startsForAlarm): // else the card of the rollback says it
			add(metaNotice, fmt.Sprintf("alarm.%d", i), card.Notice(frame.Pipeline, e, f.command), seq)
		case turnedAway(e):
			add(metaNotice, fmt.Sprintf("refused.%d", i), card.Notice(frame.Pipeline, e, f.command), seq)
		}
	}
	return news, nil
}

// edited draws an edit for the owners before it and after it: whoever takes
// an owner out does not keep them from hearing of it.
func (f *following) edited(ctx context.Context, mem *memory, pipeline string, e event.Event) (card.Message, error) {
	who := slices.Clone(e.Defined.Definition.Owners)
	if mem.Before != nil {
		for _, w := range mem.Before.Owners {
			if !slices.Contains(who, w) {
				who = append(who, w)
			}
		}
	}
	var owners []string
	if len(who) > 0 {
		var err error
		if owners, err = f.chat.People(ctx, f.expand(who)); err != nil {
			return card.Message{}, err
		}
	}
	return card.Edited(pipeline, e, owners), nil
}

// announceOnce posts one announcement, once in each of its channels, and forgets the
// oldest ones; their keys begin with the number of their frame.
func (f *following) announceOnce(ctx context.Context, mem *memory, n notice) error {
	keys := slices.Sorted(maps.Keys(mem.Said))
	for _, old := range keys[:max(0, len(keys)-newsKept)] {
		delete(mem.Said, old)
	}
	at := cmp.Or(f.route(RouteEdit, f.batch.Pipeline, "").Channel, f.channel)
	if at == RouteOff {
		at = ""
	}
	for i, channel := range []string{at, n.also} {
		key := n.key
		if i > 0 {
			key += "/before"
		}
		if channel == "" || mem.Said[key].TS != "" {
			continue
		}
		m := Message{Channel: channel, Text: n.drawn.Text, Blocks: n.drawn.Blocks, EventType: n.kind, Payload: maps.Clone(n.payload)}
		if err := f.once(ctx, mem, key, m); err != nil {
			return err
		}
		// It is told once, and not again by the clock: whoever must know hears it elsewhere now.
		if s := mem.Said[key]; s.Refused != "" && f.direct(ctx, channel, m, true) {
			s.TS, s.Refused = deliveredElsewhere, ""
			mem.Said[key] = s
			if err := f.saveMemory(ctx, mem); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliveredElsewhere stands in the place of the timestamp of an announcement that
// its channel refused and that others were told.
const deliveredElsewhere = "elsewhere"

// definedBefore is a pipeline before its next edit.
type definedBefore struct {
	Channel string   `json:"channel,omitempty"`
	Owners  []string `json:"owners,omitempty"`
}

// noteDefinition notes whom the next edit must not keep in the dark. A frame that
// comes again changes nothing: what was told of it is told.
func (f *following) noteDefinition(ctx context.Context, mem *memory, frame event.Frame) error {
	for _, e := range frame.Events {
		if e.Kind != event.PipelineDefined || e.Defined == nil {
			continue
		}
		mem.Before = &definedBefore{Channel: e.Defined.Definition.Channel, Owners: e.Defined.Definition.Owners}
		if mem.Before.Channel == "" {
			mem.Before.Channel = f.Bot.channel
		}
		if err := f.saveMemory(ctx, mem); err != nil {
			return err
		}
	}
	return nil
}
