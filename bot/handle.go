package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Handle does what the request asks for, after it was acknowledged. An error
// means that it may be tried again with the same request: the request's key is
// the intent's token, so nothing happens twice. Refusals are no errors: they
// go to the person alone.
func (b *Bot) Handle(ctx context.Context, r Request) error {
	if r.Links != nil {
		return b.unfurl(ctx, r)
	}
	return b.inTime(ctx, r, b.handle)
}

func (b *Bot) handle(ctx context.Context, r Request) error {
	if r.By.Stranger != "" {
		return b.finish(ctx, r, b.turnAway(ctx, r))
	}
	switch {
	case r.Home != "":
		return b.finish(ctx, r, b.openHome(ctx, r, ""))
	case r.Command != nil:
		return b.finish(ctx, r, b.commanded(ctx, r))
	case r.Interaction != nil:
		err := b.finish(ctx, r, b.interacted(ctx, &r))
		if err == nil && fromHome(&r) {
			r.Home = r.Reply.User
			return b.openHome(ctx, r, foundBefore(&r))
		}
		return err
	}
	return nil
}

// unanswered is an answer that did not reach the person.
type unanswered struct{ err error }

func (u *unanswered) Error() string { return "the answer did not reach the person: " + u.err.Error() }
func (u *unanswered) Unwrap() error { return u.err }

// refusedIntent is a problem with who could have done it, or how it was decided before.
type refusedIntent struct {
	*workflows.Problem
	holders []string
	gates   []workflows.Approval
	said    string // what the person had written, so that it is not lost
}

func (r *refusedIntent) Unwrap() error { return r.Problem }

// finish ends a request: a problem is answered privately, what Slack refuses for good is
// logged, what may work later is given back as an error.
func (b *Bot) finish(ctx context.Context, r Request, err error) error {
	var no *refusedIntent
	var problem *workflows.Problem
	var lost *unanswered
	var slackSays *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no):
		err = b.say(ctx, r.Reply, card.Refusal(typed(no.Problem, b.command), no.holders, no.said, no.gates...))
	case errors.As(err, &problem):
		err = b.say(ctx, r.Reply, card.Refusal(typed(problem, b.command), nil, ""))
	case errors.As(err, &lost), ctx.Err() != nil:
	default:
		id := strings.ToLower(rand.Text()[:10])
		b.log.Error("a request from chat failed", "id", id, "key", r.Key, "by", r.By.ID, "error", err)
		err = b.say(ctx, r.Reply, card.Refusal(&workflows.Problem{Message: "something went wrong inside rollcall", Hint: "try again; if it stays, give the operators the reference below", ID: id}, nil, ""))
	}
	if errors.As(err, &slackSays) {
		b.log.Warn("an answer could not be given", "user", r.Reply.User, "code", slackSays.Code, "hint", slackSays.Hint)
		return nil
	}
	return err
}

// typed is a problem whose hint names a command as it is typed where it is read.
func typed(p *workflows.Problem, program string) *workflows.Problem {
	advised := *p
	advised.Hint = words.Advice(p.Hint, program)
	return &advised
}

// say answers the person who asked, in an ephemeral message.
func (b *Bot) say(ctx context.Context, to Reply, m card.Message) error {
	if err := b.chat.PostEphemeral(ctx, to, Message{Channel: to.Channel, Thread: to.Thread, Text: m.Text, Blocks: m.Blocks}); err != nil {
		return &unanswered{err}
	}
	return nil
}

// show opens a form. A trigger lives three seconds: a form that did not open
// cannot be opened later, so the person is asked to press again.
func (b *Bot) show(ctx context.Context, to Reply, form slack.ModalViewRequest) error {
	if err := b.chat.Open(ctx, to, form); err != nil {
		b.log.Warn("a form did not open", "form", form.CallbackID, "user", to.User, "error", err)
		return b.say(ctx, to, card.Say("The form did not open in time. Nothing was changed; please press or type it again."))
	}
	return nil
}

// turnAway answers somebody who has no rights at all, privately.
func (b *Bot) turnAway(ctx context.Context, r Request) error {
	why := map[string]string{
		"guest": "guests of the workspace", "bot": "bots", "connect": "people of other workspaces", "deactivated": "deactivated people",
	}[r.By.Stranger]
	text := "rollcall could not find out who you are, so it does nothing for you."
	if why != "" {
		text = "rollcall answers only full members of this workspace, not " + why + "."
	}
	if r.Home != "" {
		return b.publish(ctx, r, card.Say(text).Home())
	}
	return b.say(ctx, r.Reply, card.Refusal(&workflows.Problem{Message: text, Hint: "ask a member of the team to do it"}, nil, ""))
}

// publish replaces somebody's App Home. It is drawn afresh whenever they open
// it, so a failure is only logged.
func (b *Bot) publish(ctx context.Context, r Request, home slack.ModalViewRequest) error {
	if err := b.chat.Open(ctx, Reply{User: r.Home}, home); err != nil {
		b.log.Warn("an app home was not published", "user", r.Home, "error", err)
	}
	return nil
}

func (b *Bot) commanded(ctx context.Context, r Request) error {
	c, problem := command.Parse(r.Command.Text)
	if problem != nil {
		return problem
	}
	if err := b.asSpelled(ctx, r.By, &c); err != nil {
		return err
	}
	switch c.Name {
	case command.Approve, command.Reject:
		return b.typedAnswer(ctx, r, c)
	case command.Rollback:
		return b.typedRollback(ctx, r, c)
	case command.Start:
		return b.typedStart(ctx, r, c)
	case command.Console:
		return b.console(ctx, r, c)
	case command.Login:
		return b.login(ctx, r, c.Subject)
	case command.Notify:
		return b.notify(ctx, r, c)
	case command.Retry, command.Stop, command.Override, command.Resolve, command.Lock, command.Unlock:
		return b.typedIntent(ctx, r, c)
	}
	return b.query(ctx, r, c)
}

// interacted carries out a click or a submitted form.
func (b *Bot) interacted(ctx context.Context, r *Request) error {
	i := r.Interaction
	switch i.Type {
	case slack.InteractionTypeBlockActions:
		for _, a := range i.ActionCallback.BlockActions {
			if a != nil {
				return b.clicked(ctx, *r, a)
			}
		}
		_, problem := card.ParseSubject("")
		return problem
	case slack.InteractionTypeViewSubmission:
		about, problem := card.ParseSubject(i.View.PrivateMetadata)
		if problem != nil {
			return problem
		}
		if r.Reply.Channel == "" {
			r.Reply.Channel, r.Reply.Thread = about.Channel, about.Thread
		}
		return b.submitted(ctx, *r, about, inputs(i.View))
	case slack.InteractionTypeShortcut, slack.InteractionTypeMessageAction:
		return b.shortcut(ctx, *r)
	}
	return nil
}

func (b *Bot) clicked(ctx context.Context, r Request, a *slack.BlockAction) error {
	if ours, err := b.pressedIdentity(ctx, r, a); ours {
		return err
	}
	if a.ActionID == form.InPlace {
		return b.placeChosen(ctx, r, a.SelectedOption.Value)
	}
	if a.ActionID == form.InTarget {
		return b.targetChosen(ctx, r, a.SelectedOption.Value)
	}
	if a.ActionID == form.InPipeline {
		return b.pipelineChosen(ctx, r, a.SelectedOption.Value)
	}
	if a.ActionID == home.ActFind {
		return nil // App Home is drawn again, with what was found
	}
	if a.ActionID == card.ActMore {
		return b.chosen(ctx, r, a.SelectedOption.Value)
	}
	kind, _, _ := strings.Cut(a.ActionID, ".")
	if a.Value == "" && a.Type != "" && a.Type != "button" {
		return nil // a choice inside a form: it is sent with the form
	}
	about, problem := card.ParseSubject(a.Value)
	if problem != nil {
		return problem
	}
	switch kind {
	case card.ActApprove:
		return b.approve(ctx, r, about)
	case card.ActReject:
		return b.openReject(ctx, r, about)
	case card.ActRollback:
		return b.openRollback(ctx, r, form.Return{About: about})
	case card.ActOverride:
		return b.openOverride(ctx, r, about)
	case card.ActStart:
		return b.start(ctx, r, about.Pipeline)
	case card.ActDetails:
		return b.details(ctx, r, about)
	case card.ActLogs:
		return b.pressedLogs(ctx, r, about)
	case card.ActRetry, card.ActStop, card.ActUnlock, card.ActResolve:
		if kind == card.ActStop && about.Target != "" {
			return b.do(ctx, r, b.insteadOf(ctx, about))
		}
		return b.do(ctx, r, intentOf(kind, about))
	}
	return &workflows.Problem{Code: workflows.CodeValidation, Message: "this button is of another version of rollcall", Hint: "ask for a fresh one with `" + b.command + " status`"}
}

// intentOf is what a button that acts at once asks for, with what the person saw.
func intentOf(kind string, s card.Subject) workflows.Intent {
	in := workflows.Intent{Pipeline: s.Pipeline, Stage: s.Stage, Execution: s.Execution, Action: s.Action}
	switch kind {
	case card.ActRetry:
		in.Verb = workflows.Retry
	case card.ActStop:
		in.Verb, in.Stage = workflows.StopExecution, ""
	case card.ActUnlock:
		in.Verb, in.Execution, in.IfCurrent = workflows.Unlock, s.Target, s.Seen
	case card.ActResolve:
		in.Verb, in.As = workflows.Resolve, s.As
	}
	return in
}

// submitted carries out a form.
func (b *Bot) submitted(ctx context.Context, r Request, about card.Subject, in map[string]string) error {
	// Answer has said so already; but what acts must not rest on what was shown.
	for _, fault := range check(r.Interaction.View) {
		return &workflows.Problem{Code: workflows.CodeValidation, Message: fault, Hint: "nothing was changed; fill the form in again"}
	}
	intent := workflows.Intent{Pipeline: about.Pipeline, Stage: about.Stage, Execution: about.Execution, Action: about.Action, Gate: about.Gate}
	switch r.Interaction.View.CallbackID {
	case form.FormReject:
		intent.Verb, intent.Reason = workflows.Reject, in[form.InReason]
	case form.FormApprove:
		intent.Verb, intent.Reason = workflows.Approve, in[form.InComment]
	case form.FormOverride:
		intent.Verb, intent.Condition, intent.Reason = workflows.Override, about.As, in[form.InReason]
	case form.FormRollback:
		intent = workflows.Intent{Verb: workflows.RollBack, Pipeline: about.Pipeline, Stage: about.Stage, Target: in[form.InTarget], IfCurrent: about.Seen,
			Definition: in[form.InDefinition], WhileRunning: in[form.InRunning], Reason: in[form.InReason]}
		if lock, asked := in[form.InLock]; asked {
			locks := lock != ""
			intent.LockAfter = &locks
		}
	case form.FormStop:
		intent.Verb, intent.Stage, intent.Reason = workflows.StopExecution, "", in[form.InReason]
	case form.FormStart:
		intent = workflows.Intent{Verb: workflows.Start, Pipeline: about.Pipeline, Variables: map[string]string{}}
		for name, value := range in {
			if value != "" {
				intent.Variables[name] = value
			}
		}
	default:
		return nil
	}
	return saidBack(b.do(ctx, r, intent), r.Interaction.View, in)
}

// saidBack adds to a refusal what the person had written in the form: that is
// closed, and nobody likes to write twice.
func saidBack(err error, view slack.View, in map[string]string) error {
	var no *refusedIntent
	var problem *workflows.Problem
	switch {
	case errors.As(err, &no):
	case errors.As(err, &problem):
		no = &refusedIntent{Problem: problem}
	default:
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch {
		case in[name] == "":
		case name == form.InReason || name == form.InComment:
			no.said += in[name] + "\n"
		case view.CallbackID == form.FormStart:
			no.said += name + "=" + in[name] + "\n"
		}
	}
	return no
}
