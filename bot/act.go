package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
)

// do submits an intent and tells the person what it changed.
func (b *Bot) do(ctx context.Context, r Request, in workflows.Intent) error {
	in.Token = r.Key
	got, err := b.engine.Submit(ctx, in, r.By)
	if err != nil {
		return b.explained(ctx, r.By, in, err)
	}
	return b.say(ctx, r.Reply, card.Done(outcome(in, got), got.Execution, b.url))
}

// explained adds to a refusal what the person wants to know next: who has the
// right that they lack, or who decided before them.
func (b *Bot) explained(ctx context.Context, by workflows.Principal, in workflows.Intent, err error) error {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		return err
	}
	var who []string
	switch p.Code {
	case workflows.CodeApprovalCompleted:
		return &refused{Problem: p, gates: []workflows.Approval{b.asked(ctx, in)}}
	case workflows.CodeNotAnApprover:
		who = b.asked(ctx, in).From
	case workflows.CodeAccessDenied:
	default:
		return err
	}
	if len(who) == 0 {
		if _, _, who, err = b.engine.Verdict(ctx, by, in.Verb, in.Pipeline, in.Stage); err != nil {
			return p
		}
	}
	holders := b.called(ctx, who)
	// What the refusal says in the same words already is not said twice.
	holders = slices.DeleteFunc(slices.Clone(holders), func(name string) bool { return strings.Contains(p.Error(), name) })
	return &refused{Problem: p, holders: holders}
}

// asked is the gate that an answer was meant for, empty when it cannot be read.
func (b *Bot) asked(ctx context.Context, in workflows.Intent) workflows.Approval {
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), in.Execution)
	if err != nil {
		return workflows.Approval{}
	}
	if _, a := gate(&e, in.Stage, in.Action, in.Gate); a != nil {
		return *a.Approval
	}
	return workflows.Approval{}
}

// called is how people are called in chat. When Slack cannot be asked, the
// expressions themselves are readable enough.
func (b *Bot) called(ctx context.Context, who []string) []string {
	names, err := b.chat.People(ctx, b.expand(who))
	if err != nil || len(names) == 0 {
		return who
	}
	return names
}

// expand puts the members of the configuration's groups in their place, each once.
func (b *Bot) expand(who []string) []string {
	var all []string
	seen := map[string]bool{}
	var add func(who []string)
	add = func(who []string) {
		for _, w := range who {
			if seen[w] {
				continue
			}
			seen[w] = true
			if name, ok := strings.CutPrefix(w, "group:"); ok && len(b.groups[name]) > 0 {
				add(b.groups[name])
				continue
			}
			all = append(all, w)
		}
	}
	add(who)
	return all
}

// outcome is how things stand after an intent, in one sentence: the same when
// a repeated request changes nothing any more.
func outcome(in workflows.Intent, got workflows.Result) string {
	ref := in.Pipeline
	if got.Execution != nil {
		ref = got.Execution.Ref()
	}
	switch in.Verb {
	case workflows.Start:
		return ref + " has started."
	case workflows.Approve:
		return answered(in, got.Execution, "Your approval counts")
	case workflows.Reject:
		return answered(in, got.Execution, "Rejected")
	case workflows.RollBack:
		if got.Planned != nil {
			return fmt.Sprintf("%s goes back as soon as the stage is free.", in.Stage)
		}
		if got.Execution != nil && got.Execution.Rollback != nil {
			return fmt.Sprintf("%s rolls %s back to #%d.", ref, in.Stage, got.Execution.Rollback.TargetNumber)
		}
		return ref + " rolls " + in.Stage + " back."
	case workflows.Retry:
		return "Retried: " + ref + "."
	case workflows.StopIt:
		if in.Abandon {
			return "Stopping " + ref + ", abandoning what runs."
		}
		return "Stopping " + ref + " when its running actions have ended."
	case workflows.Disable:
		return in.Stage + " of " + in.Pipeline + " is disabled; nothing more enters."
	case workflows.Enable:
		if in.Execution != "" {
			return in.Stage + " of " + in.Pipeline + " lets this one execution in."
		}
		return in.Stage + " of " + in.Pipeline + " is enabled."
	case workflows.Resolve:
		return in.Action + " counts as: " + in.As + "."
	case workflows.Override:
		return setAside(in, got.Execution)
	}
	return "Done: " + string(in.Verb) + " " + ref + "."
}

// answered says how a gate stands after somebody's answer.
func answered(in workflows.Intent, e *workflows.Execution, begin string) string {
	if e == nil {
		return begin + "."
	}
	_, a := gate(e, in.Stage, in.Action, in.Gate)
	if a == nil {
		return begin + ": " + e.Ref() + "."
	}
	g := a.Approval
	text := fmt.Sprintf("%s: %s, %d of %d", begin, e.Ref(), g.Approvals(), g.Required)
	switch {
	case g.Closed == "approved":
		return text + ". It goes on."
	case g.Closed == "" && len(g.Missing) > 0:
		return text + ", missing " + strings.Join(g.Missing, ", ") + "."
	}
	return text + "."
}

// gate finds a gate: by its token, else the open one of that stage and action
// (empty: any). nil when there is none.
func gate(e *workflows.Execution, stage, action, token string) (string, *workflows.ActionExecution) {
	for i := range e.Stages {
		s := &e.Stages[i]
		for j := range s.Actions {
			a := &s.Actions[j]
			if a.Approval == nil {
				continue
			}
			if token != "" && a.Approval.Token == token {
				return s.Name, a
			}
			if token == "" && a.Approval.Closed == "" && (stage == "" || s.Name == stage) && (action == "" || strings.EqualFold(a.Name, action)) {
				return s.Name, a
			}
		}
	}
	return "", nil
}

// approve decides at the click, unless the gate requires a comment.
func (b *Bot) approve(ctx context.Context, r Request, about card.Subject) error {
	in := workflows.Intent{Verb: workflows.Approve, Pipeline: about.Pipeline, Execution: about.Execution, Stage: about.Stage, Action: about.Action, Gate: about.Gate}
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), about.Execution)
	if err == nil {
		if _, a := gate(&e, about.Stage, about.Action, about.Gate); a != nil && a.Approval.Closed == "" && a.Approval.Comment == "required" {
			return b.show(ctx, r.Reply, card.ApproveForm(b.view(ctx, e), origin(about, r.Reply)))
		}
	}
	return b.do(ctx, r, in)
}

// typedAnswer is approve or reject as a command.
func (b *Bot) typedAnswer(ctx context.Context, r Request, c command.Command) error {
	e, err := b.engine.Execution(ctx, r.By, c.Execution)
	if err != nil {
		return err
	}
	if c.Action != "" {
		if a := actionOf(&e, c.Action, func(a *workflows.ActionExecution) bool { return a.Approval != nil }); a.name != "" {
			c.Action = a.name
		} else {
			c.Reason, c.Action = c.Loose(c.Action), ""
		}
	}
	about := card.Subject{Pipeline: e.Pipeline, Execution: e.ID, Action: c.Action}
	stage, a := gate(&e, "", c.Action, "")
	if a != nil && open(&e) == 1 || a != nil && c.Action != "" {
		about.Stage, about.Action, about.Gate = stage, a.Name, a.Approval.Token
	}
	switch {
	case c.Name == command.Reject && c.Reason == "":
		return b.openReject(ctx, r, about)
	case c.Name == command.Approve && c.Reason == "":
		return b.approve(ctx, r, about)
	}
	return b.do(ctx, r, workflows.Intent{Verb: workflows.Verb(c.Name), Pipeline: e.Pipeline, Execution: e.ID, Stage: about.Stage, Action: about.Action, Gate: about.Gate, Reason: c.Reason})
}

// open counts an execution's open gates.
func open(e *workflows.Execution) int {
	n := 0
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil && a.Approval.Closed == "" {
				n++
			}
		}
	}
	return n
}

// place is an action and its stage.
type place struct{ stage, name string }

// everyAction is every action of a stage, and the rules of its conditions:
// "beforeEntry:window".
func everyAction(s *workflows.StageExecution) []workflows.ActionExecution {
	all := slices.Clone(s.Actions)
	for i := range s.Conditions {
		all = append(all, s.Conditions[i].Rules...)
	}
	return all
}

// actionOf finds the first action of that name that fits, whatever its case;
// zero when there is none.
func actionOf(e *workflows.Execution, name string, fits func(*workflows.ActionExecution) bool) place {
	for i := range e.Stages {
		for _, a := range everyAction(&e.Stages[i]) {
			if strings.EqualFold(a.Name, name) && fits(&a) {
				return place{e.Stages[i].Name, a.Name}
			}
		}
	}
	return place{}
}

// typedIntent is a command that needs nothing but names to be looked up.
func (b *Bot) typedIntent(ctx context.Context, r Request, c command.Command) error {
	in := workflows.Intent{Verb: workflows.Verb(c.Name), Pipeline: c.Pipeline, Stage: c.Stage, Reason: c.Reason, All: c.All, Abandon: c.Abandon, As: c.As}
	if c.Pipeline != "" {
		p, err := b.engine.Pipeline(ctx, r.By, c.Pipeline, 0)
		if err != nil {
			return err
		}
		in.Pipeline, in.Stage = p.Name, stageName(p, c.Stage)
	}
	if c.Execution == "" {
		return b.do(ctx, r, in)
	}
	e, err := b.engine.Execution(ctx, r.By, c.Execution)
	if err != nil {
		return err
	}
	in.Execution = e.ID
	if c.Pipeline == "" {
		in.Pipeline = e.Pipeline
	}
	switch c.Name {
	case command.Retry:
		in.Stage = retryStage(&e)
	case command.Override:
		in.Stage = executionStage(&e, c.Stage)
	case command.Resolve:
		inDoubt := func(a *workflows.ActionExecution) bool { return a.Needs == workflows.NeedsResolve }
		at := actionOf(&e, c.Action, inDoubt)
		if at.name == "" {
			at = actionOf(&e, c.Action, func(*workflows.ActionExecution) bool { return true })
		}
		in.Stage, in.Action = at.stage, at.name
		if at.name == "" {
			return &workflows.Problem{Code: workflows.CodeActionNotFound, Message: e.Ref() + " has no action " + c.Action, Hint: "it has " + strings.Join(actionNames(&e), ", ")}
		}
	}
	return b.do(ctx, r, in)
}

func actionNames(e *workflows.Execution) []string {
	var all []string
	for i := range e.Stages {
		for _, a := range everyAction(&e.Stages[i]) {
			all = append(all, a.Name)
		}
	}
	return all
}

// stageName is the stage as the pipeline writes it, whatever the case it was
// typed in; what is unknown stays, for the engine to refuse.
func stageName(p workflows.PipelineView, typed string) string {
	for _, s := range p.Stages {
		if strings.EqualFold(s.Name, typed) {
			return s.Name
		}
	}
	return typed
}

// retryStage is what a retry takes up: what is offered, else where it ended.
func retryStage(e *workflows.Execution) string {
	for _, o := range e.Offers {
		if o.Verb == workflows.Retry {
			return o.Stage
		}
	}
	for _, s := range slices.Backward(e.Stages) {
		if s.Status == workflows.StatusFailed || s.Status == workflows.StatusStopped {
			return s.Name
		}
	}
	return ""
}
