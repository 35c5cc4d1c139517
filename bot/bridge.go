package bot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// toldWithin is how long the engine waits for AWS before it answers: who asked
// for something has heard by then what AWS said, or that it has not yet.
const toldWithin = 5 * time.Second

// affectsBridge says whether an event changes what can be done with all open
// executions of a pipeline in AWS: it is not seen any more, or again, or its
// definition says otherwise whether rollcall may act.
func affectsBridge(e event.Event) bool {
	switch e.Kind {
	case event.BridgeLost, event.BridgeSeen:
		return true
	case event.PipelineDefined:
		return e.Defined != nil && e.Defined.Definition.Bridge != nil
	}
	return false
}

// askedOf is how things stand after something was asked of AWS that it has not
// answered yet, or has done without anybody having seen it; empty otherwise.
func askedOf(in workflows.Intent, got event.Result) string {
	r := got.Request
	if r == nil {
		return ""
	}
	verb := (&say.Format{}).RequestVerb(r)
	switch made := in.Verb == workflows.Start || in.Verb == workflows.RollBack; {
	case r.State == workflows.RequestOpen && (in.Verb == workflows.Approve || in.Verb == workflows.Reject):
		begin := map[workflows.Verb]string{workflows.Approve: "Approved", workflows.Reject: "Rejected"}[in.Verb]
		return answered(in, got.Execution, begin) + " AWS was asked, and has not answered yet."
	case r.State == workflows.RequestOpen:
		return "AWS is asked to " + verb + "; it has not answered yet."
	case made && got.Execution == nil:
		return "AWS was asked to " + verb + " and does it. A card appears when it is seen there."
	}
	return ""
}

// lateRefusals tells those who asked for something in chat that AWS refused it
// after they had been answered.
func (f *following) lateRefusals(ctx context.Context, mem *memory, frame event.Frame) error {
	for i, e := range frame.Events {
		if !refusedLate(e) {
			continue
		}
		key := fmt.Sprintf("%012d/late.%d", frame.Seq, i)
		user, fromSlack := strings.CutPrefix(e.Request.By.ID, "slack:")
		if !fromSlack || f.channel == "" || mem.Said[key].TS != "" {
			continue
		}
		problem := &workflows.Problem{Message: frame.Pipeline + ": " + (&say.Format{}).Request(&e.Request.Request), Hint: "look how it stands in AWS, and ask again"}
		m := card.Refusal(problem, nil, "")
		if err := f.chat.PostEphemeral(ctx, Reply{User: user, Channel: f.channel}, Message{Channel: f.channel, Text: m.Text, Blocks: m.Blocks}); err != nil {
			f.log.Warn("nobody could be notified that AWS refused their request", "pipeline", frame.Pipeline, "user", user, "error", err)
			continue // the card says it too, and nobody waits behind it
		}
		mem.Said[key] = spot{Place: Place{TS: deliveredElsewhere}}
		if err := f.saveMemory(ctx, mem); err != nil {
			return err
		}
	}
	return nil
}

// refusedLate says whether an event is a refusal of AWS's that came after the answer.
func refusedLate(e event.Event) bool {
	r := e.Request
	return e.Kind == event.RequestClosed && r != nil && r.State == workflows.RequestRefused && r.EndedAt != nil && r.EndedAt.Sub(r.At) >= toldWithin
}
