package bot

import (
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

// told is one announcement about a pipeline, not about an execution. Its key
// and its payload come from the frame that decided it, so that it is the same
// whenever the frame comes again.
type told struct {
	key     string
	kind    string // metadata event type
	payload map[string]any
	drawn   card.Message
	also    string // a second channel: where the pipeline was, before an edit moved it
}

// pipelineNews tells the channel once what concerns a pipeline as such: an edit
// that weakens a gate, a start that did not come, branches nobody looks at.
func (f *following) pipelineNews(ctx context.Context) error {
	if !f.any(concernsPipeline) {
		return nil
	}
	mem, err := f.recallPipeline(ctx, f.batch.Pipeline)
	if err != nil {
		return err
	}
	for _, frame := range f.batch.Frames {
		news, err := f.newsOf(ctx, mem, frame)
		if err != nil {
			return err
		}
		for _, n := range news {
			if err := f.tell(ctx, mem, n); err != nil {
				return fmt.Errorf("%s of %s in chat: %w", n.kind, f.batch.Pipeline, err)
			}
		}
		if err := f.remember(ctx, mem, frame); err != nil {
			return err
		}
	}
	return nil
}

func concernsPipeline(e event.Event) bool {
	switch e.Kind {
	case event.PipelineDefined, event.ScheduleFired, event.PollingDisabled:
		return true
	}
	return turnedAway(e)
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

// newsOf is what one frame has to tell.
func (f *following) newsOf(ctx context.Context, mem *memory, frame event.Frame) ([]told, error) {
	var news []told
	add := func(kind, what string, drawn card.Message, payload map[string]any) *told {
		payload["pipeline"] = frame.Pipeline
		news = append(news, told{key: fmt.Sprintf("%012d/%s", frame.Seq, what), kind: kind, payload: payload, drawn: drawn})
		return &news[len(news)-1]
	}
	for i, e := range frame.Events {
		seq := map[string]any{"seq": frame.Seq, "event": fmt.Sprintf("%s.%d", e.Kind, i)}
		switch {
		case e.Kind == event.PipelineDefined && e.Defined != nil && len(e.Defined.Weakened) > 0:
			m, err := f.weakened(ctx, mem, frame.Pipeline, e)
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
		case turnedAway(e):
			add(metaNotice, fmt.Sprintf("refused.%d", i), card.Notice(frame.Pipeline, e, f.command), seq)
		}
	}
	return news, nil
}

// weakened draws an edit for the owners before it and after it: whoever takes
// an owner out does not keep them from hearing of it.
func (f *following) weakened(ctx context.Context, mem *memory, pipeline string, e event.Event) (card.Message, error) {
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
	return card.Weakened(pipeline, e, owners), nil
}

// tell posts one announcement, once in each of its channels, and forgets the
// oldest ones; their keys begin with the number of their frame.
func (f *following) tell(ctx context.Context, mem *memory, n told) error {
	keys := slices.Sorted(maps.Keys(mem.Said))
	for _, old := range keys[:max(0, len(keys)-newsKept)] {
		delete(mem.Said, old)
	}
	for i, channel := range []string{f.channel, n.also} {
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
	}
	return nil
}

// known is a pipeline before its next edit.
type known struct {
	Channel string   `json:"channel,omitempty"`
	Owners  []string `json:"owners,omitempty"`
}

// remember notes whom the next edit must not keep in the dark. A frame that
// comes again changes nothing: what was told of it is told.
func (f *following) remember(ctx context.Context, mem *memory, frame event.Frame) error {
	for _, e := range frame.Events {
		if e.Kind != event.PipelineDefined || e.Defined == nil {
			continue
		}
		mem.Before = &known{Channel: e.Defined.Definition.Channel, Owners: e.Defined.Definition.Owners}
		if mem.Before.Channel == "" {
			mem.Before.Channel = f.Bot.channel
		}
		if err := f.note(ctx, mem); err != nil {
			return err
		}
	}
	return nil
}
