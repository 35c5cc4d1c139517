package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// do submits an intent and tells the person what it changed.
func (b *Bot) do(ctx context.Context, r Request, in workflows.Intent) error {
	in.Token = r.Key
	r.Reply.acts()
	got, err := b.engine.Submit(ctx, in, r.By)
	if err != nil && got.Request != nil {
		return err // AWS's words, not ours: who has a right here helps nobody
	}
	if err != nil {
		return b.explained(ctx, r.By, in, err)
	}
	if e := got.Execution; e != nil && (in.Verb == workflows.Start || in.Verb == workflows.RollBack) {
		if err := b.noteOwn(ctx, e); err != nil { // Follow notes it too, a moment later
			b.log.Warn("an execution is not on app home yet", append(words.LogAttrs(e.Ref()), "error", err)...)
		}
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
	var who, can []string
	switch p.Code {
	case workflows.CodeApprovalCompleted:
		return &refusedIntent{Problem: p, gates: []workflows.Approval{b.asked(ctx, in)}}
	case workflows.CodeNotAnApprover:
		g := b.asked(ctx, in)
		who, can = g.From, b.canStill(&g)
	case workflows.CodeAccessDenied:
	default:
		return err
	}
	if len(who) == 0 {
		if _, who, err = b.engine.Verdict(ctx, by, in.Verb, in.Pipeline, in.Stage); err != nil {
			return p
		}
	}
	if p.Code == workflows.CodeNotAnApprover && len(can) > 0 {
		return &refusedIntent{Problem: p, holders: []string{ofGroups(b.called(ctx, can), who)}}
	}
	holders := b.called(ctx, who)
	if len(holders) > 0 && strings.HasPrefix(p.Hint, "ask ") {
		named := *p
		named.Hint = "" // the same people, as access.rules writes them
		p = &named
	}
	// What the refusal says in the same words already is not said twice.
	holders = slices.DeleteFunc(slices.Clone(holders), func(name string) bool { return strings.Contains(p.Error(), name) })
	return &refusedIntent{Problem: p, holders: holders}
}

// ofGroups names people of whom one will do, and the groups that they are of:
// "@Ana or @Ben (release-managers)".
func ofGroups(names, who []string) string {
	var groups []string
	for _, w := range who {
		if group := say.Approver(w); group != w && !strings.HasPrefix(w, "token:") && !slices.Contains(names, w) {
			groups = append(groups, group)
		}
	}
	text := words.List(names, "or")
	if len(groups) > 0 {
		text += " (" + strings.Join(groups, ", ") + ")"
	}
	return text
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
func outcome(in workflows.Intent, got event.Result) string {
	if asked := askedOf(in, got); asked != "" {
		return asked
	}
	ref := in.Pipeline
	if got.Execution != nil {
		ref = got.Execution.Ref()
	}
	switch in.Verb {
	case workflows.Start:
		return ref + " has started."
	case workflows.Approve:
		return answered(in, got.Execution, "Approved")
	case workflows.Reject:
		return answered(in, got.Execution, "Rejected")
	case workflows.RollBack:
		if got.Planned != nil {
			return in.Stage + " will be rolled back when it is free."
		}
		if got.Execution != nil && got.Execution.Rollback != nil {
			return fmt.Sprintf("%s is rolling %s back to #%d.", ref, in.Stage, got.Execution.Rollback.TargetNumber)
		}
		return ref + " is rolling " + in.Stage + " back."
	case workflows.Retry:
		return retried(in, ref)
	case workflows.StopExecution:
		if in.IfCurrent != "" {
			return "Stopped " + ref + ": " + in.Reason + "."
		}
		if in.Abandon {
			return "Stopping " + ref + ", abandoning what runs."
		}
		return "Stopping " + ref + " when its running actions have ended."
	case workflows.Lock:
		return in.Stage + " of " + in.Pipeline + " is locked: no execution enters it until someone unlocks it."
	case workflows.Unlock:
		if in.Execution != "" {
			who := "This execution"
			if got.Execution != nil && got.Execution.Number > 0 {
				who = fmt.Sprintf("#%d", got.Execution.Number)
			}
			return who + " may enter " + in.Stage + "; it stays locked for others."
		}
		return in.Stage + " of " + in.Pipeline + " is unlocked: executions may enter it again."
	case workflows.Resolve:
		return in.Action + " is marked as " + in.As + "."
	case workflows.Override:
		return setAside(in, got.Execution)
	}
	return "Done: " + string(in.Verb) + " " + ref + "."
}

// retried says what runs again.
func retried(in workflows.Intent, ref string) string {
	switch {
	case in.Stage == "":
		return ref + " is retried."
	case in.All:
		return ref + " runs all of " + in.Stage + " again."
	}
	return ref + " runs what failed in " + in.Stage + " again."
}

// answered says how a gate stands after somebody's answer.
func answered(in workflows.Intent, e *workflows.Execution, begin string) string {
	if e == nil {
		return begin + "."
	}
	stage, a := gate(e, in.Stage, in.Action, in.Gate)
	if a == nil {
		return begin + ". " + e.Ref() + "."
	}
	g := a.Approval
	if g.Closed == "rejected" {
		name := ofSeveral(e, stage, a.Name)
		if name != "" {
			name = " (" + strings.TrimSpace(name) + ")"
		}
		return begin + ". " + e.Ref() + " does not go into " + stage + name + "."
	}
	f := &say.Format{}
	text := fmt.Sprintf("%s. %s%s has %s", begin, e.Ref(), ofSeveral(e, stage, a.Name), f.Quorum(g))
	if g.Closed == "approved" && !e.Status.Final() {
		if _, now := f.Execution(e); now != "" {
			text += " and is " + now
		}
	}
	return text + "."
}

// ofSeveral names the gate that was answered where its stage has more than one.
func ofSeveral(e *workflows.Execution, stage, action string) string {
	n := 0
	if s, ok := e.Stage(stage); ok {
		for i := range s.Actions {
			if s.Actions[i].Approval != nil {
				n++
			}
		}
	}
	if n < 2 {
		return ""
	}
	return " " + action
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
	in := answerOf(workflows.Approve, about)
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), about.Execution)
	if err == nil {
		if _, a := gate(&e, about.Stage, about.Action, about.Gate); a != nil && a.Approval.Closed == "" && a.Approval.Comment == "required" {
			if err := b.possible(ctx, r, in); err != nil {
				return err
			}
			return b.show(ctx, r.Reply, form.Reason(b.view(ctx, workflows.EnginePrincipal(), e), workflows.Approve, origin(about, r.Reply)))
		}
	}
	return b.do(ctx, r, in)
}

// answerOf is what a button or a form asks for of the gate that it is about.
func answerOf(verb workflows.Verb, about card.Subject) workflows.Intent {
	return workflows.Intent{Verb: verb, Pipeline: about.Pipeline, Execution: about.Execution, Stage: about.Stage, Action: about.Action, Gate: about.Gate}
}

// toBeSaid stands for what a form is going to ask for.
const toBeSaid = "…"

// possible is nil when the engine would carry an intent out, once a form has
// asked for what is missing: nobody fills one in in vain. Else it is the refusal.
func (b *Bot) possible(ctx context.Context, r Request, in workflows.Intent) error {
	in.Reason = toBeSaid
	if err := b.engine.Try(ctx, in, r.By); err != nil {
		return b.explained(ctx, r.By, in, err)
	}
	return nil
}

// typedAnswer is approve or reject as a command.
func (b *Bot) typedAnswer(ctx context.Context, r Request, c command.Command) error {
	e, err := b.engine.Execution(ctx, r.By, c.Execution)
	if err != nil {
		return err
	}
	about, c := subjectOf(&e, c)
	switch {
	case c.Name == command.Reject && c.Reason == "":
		return b.openReject(ctx, r, about)
	case c.Name == command.Approve && c.Reason == "":
		return b.approve(ctx, r, about)
	}
	in := answerOf(workflows.Verb(c.Name), about)
	in.Reason = c.Reason
	return b.do(ctx, r, in)
}

// subjectOf is the gate that somebody typed an answer for. The command comes back
// with what was no action's name as the beginning of the comment.
func subjectOf(e *workflows.Execution, c command.Command) (card.Subject, command.Command) {
	if c.Action != "" {
		if a := actionOf(e, c.Action, func(a *workflows.ActionExecution) bool { return a.Approval != nil }); a.name != "" {
			c.Action = a.name
		} else {
			c.Reason, c.Action = c.Loose(c.Action), ""
		}
	}
	if first, rest, _ := strings.Cut(c.Reason, " "); c.Name == command.Reject && open(e) > 1 {
		// Of several gates the first word names the one; of one it belongs to the reason.
		if _, a := gate(e, "", first, ""); a != nil && first != "" {
			c.Action, c.Reason = a.Name, strings.TrimSpace(rest)
		}
	}
	about := card.Subject{Pipeline: e.Pipeline, Execution: e.ID, Action: c.Action}
	stage, a := gate(e, "", c.Action, "")
	if a != nil && open(e) == 1 || a != nil && c.Action != "" {
		about.Stage, about.Action, about.Gate = stage, a.Name, a.Approval.Token
	}
	return about, c
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

// actionRef is an action and its stage.
type actionRef struct{ stage, name string }

// actionOf finds the first action of that name that fits, whatever its case;
// zero when there is none.
func actionOf(e *workflows.Execution, name string, fits func(*workflows.ActionExecution) bool) actionRef {
	for i := range e.Stages {
		for _, a := range e.Stages[i].AllActions() {
			if strings.EqualFold(a.Name, name) && fits(&a) {
				return actionRef{e.Stages[i].Name, a.Name}
			}
		}
	}
	return actionRef{}
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
		for _, a := range e.Stages[i].AllActions() {
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
