package inbound

import (
	"encoding/json"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// startedByEvent is the kind of a start by an event of EventBridge, as CodePipeline calls it.
const startedByEvent = "CloudWatchEvent"

// ReceiveEvent says whether an event, a change with a Document, is one that pipelines wait
// for. If so it is made durable and starts them, and done is called once it has;
// should that fail, the event is to come again. The same key starts nothing twice: one
// older than receipts are kept starts nothing, because nobody knows whether it did.
func (r *Receipts) ReceiveEvent(one work.Receipt, c work.Change, done func()) bool {
	doc := documentOf(c)
	if !slices.ContainsFunc(r.starter.catalogue.Pipelines(), func(p *workflows.Pipeline) bool {
		_, fits, _ := trigger.ByEvent(p, doc)
		return fits
	}) {
		return false
	}
	if r.o.Now().Sub(c.At) >= receiptsKept && !c.At.IsZero() {
		r.o.Log.Warn("an event is older than events are on record, and starts nothing", "event", one.Key, "source", c.Repository, "detail_type", c.Branch, "at", c.At)
		return false
	}
	r.o.Go(func() {
		got, fresh, err := r.Receive(r.calls, one, []work.Change{c})
		if err != nil {
			if r.calls.Err() == nil {
				r.o.Log.Warn("an event could not be made durable; it comes again", "event", one.Key, "err", err)
			}
			return
		}
		var result record.Result
		if fresh && json.Unmarshal(got.Result, &result) == nil && len(result.Ignored) > 0 {
			r.o.Log.Warn("an event did not start everything that waits for it", "event", one.Key, "source", c.Repository, "detail_type", c.Branch, "problems", result.Ignored)
		}
		done()
	})
	return true
}

// documentOf is the event of a change as a document; nil: it has none.
func documentOf(c work.Change) any {
	if c.Document == nil {
		return nil
	}
	doc, err := document.Read(c.Document)
	if err != nil {
		return nil
	}
	return doc
}

// startByEvent is the start of a pipeline by an event that fits a trigger of it. why
// says why it does not start all the same.
func startByEvent(p *workflows.Pipeline, c work.Change, doc any, by work.Receipt) (r request, fits bool, why string) {
	variables, fits, why := trigger.ByEvent(p, doc)
	return request{pipeline: p.Name, at: by.At, intent: workflows.Intent{
		Verb: workflows.Start, Pipeline: p.Name, Token: by.Key + "/" + p.Name, Variables: variables,
		Trigger: &workflows.StartedBy{Type: startedByEvent, Detail: c.Repository + " " + c.Branch},
	}}, fits, why
}
