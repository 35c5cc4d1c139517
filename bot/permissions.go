package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// who says who may do what: at a gate of an execution, or in a pipeline's
// stages. Of the rights it names those that can be used there, and all of them.
func (b *Bot) who(ctx context.Context, by workflows.Principal, c command.Command) (card.Message, error) {
	p, e, err := find(ctx, b.engine, by, c.Subject)
	if err != nil {
		return card.Message{}, err
	}
	about := c.Subject
	if e != nil {
		about = e.Ref()
		view, err := b.engine.Pipeline(ctx, by, e.Pipeline, e.Version)
		if err != nil {
			return card.Message{}, err
		}
		p = &view
	}
	rights, err := b.rights(ctx, by, p, func(stage string) bool {
		if e != nil {
			_, has := e.Stage(stage)
			return has
		}
		return c.Stage == "" || stage == stageName(*p, c.Stage)
	})
	if e != nil {
		rights = append(rights, b.gateRights(ctx, e, by)...)
	} else {
		about = p.Name
	}
	return home.Who(about, rights), err
}

// usable are the rights in the order in which they are told, under their names
// in sentences, and where each can be used.
func usable() []struct {
	verb workflows.Verb
	word string
	in   func(p *workflows.Pipeline, st *workflows.Stage) bool
} {
	gate := func(named bool) func(a workflows.Action) bool {
		return func(a workflows.Action) bool {
			return a.IsApproval() && (a.Approval != nil && len(a.Approval.From) > 0) == named
		}
	}
	works := func(a workflows.Action) bool { return !a.IsApproval() }
	later := func(p *workflows.Pipeline, st *workflows.Stage) bool { return !p.IsSource(st.Name) }
	everywhere := func(*workflows.Pipeline, *workflows.Stage) bool { return true }
	has := func(fits func(workflows.Action) bool) func(*workflows.Pipeline, *workflows.Stage) bool {
		return func(_ *workflows.Pipeline, st *workflows.Stage) bool { return slices.ContainsFunc(st.Actions, fits) }
	}
	return []struct {
		verb workflows.Verb
		word string
		in   func(p *workflows.Pipeline, st *workflows.Stage) bool
	}{
		{workflows.Approve, "approve", has(gate(false))},
		{workflows.RollBack, "roll back", later},
		{workflows.Retry, "retry", everywhere},
		{workflows.StopExecution, "stop", everywhere},
		{workflows.Lock, "lock", later},
		{workflows.Unlock, "unlock", later},
		{workflows.Override, "override", func(_ *workflows.Pipeline, st *workflows.Stage) bool {
			return st.BeforeEntry != nil || st.OnSuccess != nil || slices.ContainsFunc(st.Actions, func(a workflows.Action) bool { return !works(a) })
		}},
		{workflows.Resolve, "resolve", has(works)},
		{workflows.Logs, "logs", has(works)},
	}
}

// rights lists each right once for all the stages in which it is the same people's.
func (b *Bot) rights(ctx context.Context, by workflows.Principal, p *workflows.PipelineView, about func(stage string) bool) ([]home.Right, error) {
	var all []home.Right
	refusal, holders, err := b.engine.Verdict(ctx, by, workflows.Start, p.Name, "")
	if err != nil || p.Definition == nil {
		return nil, err
	}
	all = append(all, home.Right{What: "start", You: refusal == nil, Holders: b.called(ctx, holders)})
	for _, u := range usable() {
		from := len(all)
		for i := range p.Definition.Stages {
			st := &p.Definition.Stages[i]
			if !about(st.Name) {
				continue
			}
			if u.verb == workflows.Approve {
				all = append(all, b.named(ctx, st)...)
			}
			if !u.in(p.Definition, st) {
				continue
			}
			refusal, holders, err := b.engine.Verdict(ctx, by, u.verb, p.Name, st.Name)
			if err != nil {
				return all, err
			}
			who := b.called(ctx, holders)
			same := slices.IndexFunc(all[from:], func(r home.Right) bool {
				return strings.HasPrefix(r.What, u.word+" in ") && !r.AtGate && r.You == (refusal == nil) && slices.Equal(r.Holders, who)
			})
			if same >= 0 {
				all[from+same].What += ", " + st.Name
			} else {
				all = append(all, home.Right{What: u.word + " in " + st.Name, You: refusal == nil, Holders: who})
			}
		}
	}
	return all, nil
}

// named are the gates of a stage that name their people: no right is asked for there.
func (b *Bot) named(ctx context.Context, st *workflows.Stage) []home.Right {
	var all []home.Right
	for _, a := range st.Actions {
		if a.IsApproval() && a.Approval != nil && len(a.Approval.From) > 0 {
			all = append(all, home.Right{What: fmt.Sprintf("approve in %s (%s)", st.Name, a.Name), AtGate: true, Holders: b.called(ctx, a.Approval.From)})
		}
	}
	return all
}

// gateRights are the open gates of an execution that name their people.
func (b *Bot) gateRights(ctx context.Context, e *workflows.Execution, by workflows.Principal) []home.Right {
	var rights []home.Right
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			if a.Approval == nil || a.Approval.Closed != "" || len(a.Approval.From) == 0 {
				continue
			}
			you := false
			if own, err := b.engine.Execution(ctx, by, e.ID); err == nil {
				you = answerable(&own, &say.OpenApproval{Stage: s.Name, Action: a.Name})
			}
			rights = append(rights, home.Right{What: "answer " + a.Name + " in " + s.Name, You: you, Holders: b.called(ctx, a.Approval.From)})
		}
	}
	return rights
}
