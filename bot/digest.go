package bot

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-bot/rollcall/bot/digest"
	"github.com/rollcall-bot/rollcall/bot/hours"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// metaDigest is the metadata event type of digests: kind and nominal time.
const metaDigest = "rollcall_digest"

const (
	missedAfter  = 6 * time.Hour // a digest that is later than that is left out
	digestPages  = 3             // of a pipeline's executions, 100 each: more is not looked at
	digestBefore = 7 * 24 * time.Hour
	oldLock      = 24 * time.Hour
)

// Digest is what a channel reads once a day.
type Digest struct {
	Channel string
	Daily   hours.Daily
	Weekly  bool               // on Mondays also how the week was
	Freezes []workflows.Freeze // those of the configuration
}

// postDigests posts the digests that are due, each once, also across restarts: the
// time at which it should be posted is its key.
func (b *Bot) postDigests(ctx context.Context) error {
	if b.digest == nil {
		return nil
	}
	now := b.now()
	nominal, ok := b.digest.Daily.Last(now)
	due := nominal
	if end, quiet := b.quiet.Until(nominal); quiet {
		due = end
	}
	if !ok || now.Before(due) || now.Sub(due) > missedAfter || b.beforeRestore(due) {
		return nil
	}
	err := b.postDigest(ctx, "daily", nominal)
	if b.digest.Weekly && nominal.Weekday() == time.Monday {
		err = errors.Join(err, b.postDigest(ctx, "weekly", nominal))
	}
	return err
}

// nothingHappened stands in the place of the timestamp of a digest that had nothing to say.
const nothingHappened = "nothing"

func (b *Bot) postDigest(ctx context.Context, kind string, nominal time.Time) error {
	mem := &memory{key: "digest/" + kind}
	if _, err := b.read(ctx, mem); err != nil {
		return err
	}
	key := nominal.UTC().Format(time.RFC3339)
	s := mem.Said[key]
	if s.TS != "" || s.Digest != "" { // with a digest alone: Slack will never take it
		return nil
	}
	mem.Said = map[string]spot{key: s}
	from, _ := b.digest.Daily.Last(nominal.Add(-time.Minute))
	facts, err := b.gather(ctx, kind, from, nominal)
	if err != nil {
		return err
	}
	if facts.Empty() {
		mem.Said[key] = spot{Place: Place{TS: nothingHappened}}
		return b.saveMemory(ctx, mem)
	}
	m := Message{Channel: b.digest.Channel, EventType: metaDigest, Payload: map[string]any{"digest": kind, "at": key}}
	m.Text, m.Blocks = facts.Draw()
	return b.sync(ctx, &message{mem: mem, Message: m, spot: s, keep: func(s spot) { mem.Said[key] = s }})
}

// gather collects what a digest says of the time from until at.
func (b *Bot) gather(ctx context.Context, kind string, from, at time.Time) (*digest.Facts, error) {
	f := &digest.Facts{From: from, At: at}
	if kind == "weekly" {
		f.From = at.Add(-digestBefore)
		y, m, d := at.Date()
		for back := 7; back > 0; back-- {
			f.Week = append(f.Week, digest.Day{Day: time.Date(y, m, d-back, 0, 0, 0, 0, at.Location())})
		}
	}
	all, err := b.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return nil, err
	}
	for i := range all {
		executions, complete, err := b.executionsSince(ctx, all[i].Name, f.From.Add(-digestBefore))
		if err != nil {
			return nil, err
		}
		f.Partial = f.Partial || !complete
		for k := range executions {
			if kind == "weekly" {
				countInWeek(f, &all[i], &executions[k])
			} else {
				happenedIn(f, &all[i], &executions[k])
			}
		}
	}
	if kind == "weekly" {
		return f, nil
	}
	return f, b.standing(ctx, f, all)
}

// standing adds how things stand: open gates, old locks, freezes that begin.
func (b *Bot) standing(ctx context.Context, f *digest.Facts, all []workflows.PipelineView) error {
	open, err := b.engine.Approvals(ctx, workflows.EnginePrincipal())
	if err != nil {
		return err
	}
	for _, g := range open {
		f.Waiting = append(f.Waiting, digest.Item{Pipeline: g.Pipeline, Number: g.Number, Stage: g.Stage, Since: g.Approval.OpenedAt})
	}
	for i := range all {
		for _, s := range all[i].Stages {
			t := s.Transition
			if t.Enabled || t.At == nil || f.At.Sub(*t.At) < oldLock {
				continue
			}
			by := t.Cause
			if t.By != nil && t.By.Name != "" {
				by = t.By.Name
			}
			f.Locks = append(f.Locks, digest.Item{Pipeline: all[i].Name, Stage: s.Name, Since: *t.At, By: by, Reason: t.Reason})
		}
	}
	for _, z := range b.digest.Freezes {
		if !z.From.Before(f.At) && z.From.Before(f.At.Add(24*time.Hour)) {
			f.Freezes = append(f.Freezes, digest.Freeze{Name: z.Name, From: z.From, To: z.To})
		}
	}
	return nil
}

// executionsSince are the executions of a pipeline that started since then, newest
// first; complete is false when there are more than are looked at.
func (b *Bot) executionsSince(ctx context.Context, pipeline string, since time.Time) (all []workflows.Execution, complete bool, err error) {
	before := 0
	for range digestPages {
		page, err := b.engine.Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: pipeline, Limit: 100, Before: before})
		if err != nil && !notFound(err) {
			return nil, false, err
		}
		for _, e := range page {
			if e.StartedAt.Before(since) {
				return all, true, nil
			}
			all = append(all, e)
		}
		if len(page) < 100 {
			return all, true, nil
		}
		before = page[len(page)-1].Number
	}
	return all, false, nil
}

// happenedIn adds what of an execution happened in the digest's time.
func happenedIn(f *digest.Facts, p *workflows.PipelineView, e *workflows.Execution) {
	within := func(at *time.Time) bool { return at != nil && !at.Before(f.From) && at.Before(f.At) }
	item := func(stage string, at time.Time) digest.Item {
		return digest.Item{Pipeline: e.Pipeline, Number: e.Number, Stage: stage, Since: at}
	}
	if e.Rollback != nil && within(&e.StartedAt) {
		i := item("", e.StartedAt)
		i.Reason = e.Rollback.Reason
		if len(e.Stages) > 0 {
			i.Stage = e.Stages[0].Name
		}
		f.RolledBack = append(f.RolledBack, i)
		return
	}
	for _, s := range e.Stages {
		if e.Rollback == nil && s.Status == workflows.StatusSucceeded && hasEnvironment(p, s.Name) && within(s.Since) {
			f.Live = append(f.Live, item(s.Name, *s.Since))
		}
	}
	if stage, failed := failedIn(e); failed && within(e.EndedAt) {
		f.Failed = append(f.Failed, item(stage, *e.EndedAt))
	}
}

func hasEnvironment(p *workflows.PipelineView, stage string) bool {
	if p.Definition == nil {
		return false
	}
	s, ok := p.Definition.Stage(stage)
	return ok && s.Environment != ""
}

// countInWeek counts an execution on the day it went live or failed.
func countInWeek(f *digest.Facts, p *workflows.PipelineView, e *workflows.Execution) {
	day := func(at time.Time) *digest.Day {
		for i := range f.Week {
			end := f.Week[i].Day.AddDate(0, 0, 1)
			if !at.Before(f.Week[i].Day) && at.Before(end) {
				return &f.Week[i]
			}
		}
		return &digest.Day{} // another week
	}
	if e.Rollback != nil {
		return
	}
	if _, failed := failedIn(e); failed && e.EndedAt != nil {
		day(*e.EndedAt).Failed++
	}
	var waited time.Duration
	for _, s := range e.Stages {
		var here time.Duration
		for _, a := range s.Actions {
			if a.Approval != nil && a.StartedAt != nil && a.EndedAt != nil {
				here += a.EndedAt.Sub(*a.StartedAt)
			}
		}
		waited += here
		if s.Status != workflows.StatusSucceeded || s.Since == nil || !hasEnvironment(p, s.Name) {
			continue
		}
		d, began := day(*s.Since), *s.Since
		for _, a := range s.Actions {
			if a.StartedAt != nil && a.StartedAt.Before(began) {
				began = *a.StartedAt
			}
		}
		deploy := max(0, s.Since.Sub(began)-here)
		d.Live, d.Deploy, d.Waiting = d.Live+1, d.Deploy+deploy, d.Waiting+waited
		d.Build += max(0, s.Since.Sub(e.StartedAt)-deploy-waited)
	}
}
