package bridge

import (
	"context"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/events"
)

// Handler hears events of CodePipeline and of ECS's hooks: the pipeline that one
// concerns is looked at soon.
func (b *Bridges) Handler() events.Handler {
	return events.Handler{
		DetailTypes: []string{"CodePipeline Pipeline Execution State Change", "CodePipeline Stage Execution State Change", "CodePipeline Action Execution State Change", hookEvent},
		Handle: func(_ context.Context, e events.Event, done func()) bool {
			w := b.named(&e)
			if w != nil {
				w.look(done)
			}
			return w != nil
		},
	}
}

// named finds the pipeline of an event; nil: it is none of ours.
func (b *Bridges) named(e *events.Event) *watched {
	var detail struct {
		Pipeline string `json:"pipeline"`
		Service  string `json:"serviceArn"`
	}
	if !e.Read(&detail) || e.Source != "aws.codepipeline" && e.Source != "aws.ecs" {
		return nil
	}
	for _, w := range b.rows {
		account := accounts.AccountOf(w.bridge.Role)
		mine := w.pauses == nil && e.Source == "aws.codepipeline" && w.row.External == detail.Pipeline || w.pauses != nil && e.Source == "aws.ecs" && w.pauses.names(detail.Service)
		if mine && w.bridge.Region == e.Region && (account == "" || account == e.Account) {
			return w
		}
	}
	return nil
}

// hookEvent is the kind of event by which ECS says that a hook waits, or has ended.
const hookEvent = "ECS Hook State Change"

// names says whether a service is of the row, by its ARN.
func (p *pauses) names(arn string) bool {
	parts := strings.Split(arn, "/")
	return len(parts) == 3 && p.has(parts[1], parts[2])
}
