package bot

import (
	"context"
	"errors"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
)

// logLines is how much of a log is whispered; the console has all of it.
const logLines = 30

// look answers the commands that change nothing.
func (b *Bot) look(ctx context.Context, r Request, c command.Command) error {
	var m card.Message
	var err error
	switch c.Name {
	case command.Overview:
		var waiting []workflows.OpenApproval
		var all []workflows.PipelineView
		if waiting, all, err = b.standing(ctx, r.By); err == nil {
			m = card.Overview(waiting, all, b.now(), b.url)
		}
	case command.Pipelines:
		var all []workflows.PipelineView
		if all, err = b.engine.Pipelines(ctx, r.By); err == nil {
			m = card.Pipelines("Pipelines", all, b.now(), b.url)
		}
	case command.Status:
		m, err = b.status(ctx, r.By, c.Subject)
	case command.Executions:
		var all []workflows.Execution
		if all, err = b.engine.Executions(ctx, r.By, workflows.ExecutionQuery{Pipeline: c.Pipeline, Limit: 20}); err == nil {
			m = card.Executions(c.Pipeline, all, b.url)
		}
	case command.Logs:
		m, err = b.logs(ctx, r.By, c)
	case command.Who:
		m, err = b.who(ctx, r.By, c)
	case command.Console:
		m = card.Say("There is no console in this version. Look with `status`, `executions` and `logs` here, or with the same words of `rollcall` in a terminal.")
		if b.url != "" {
			m = card.Say("The console is at " + b.url)
		}
	case command.Link:
		m = b.link(r.By)
	default:
		m, err = b.help(ctx, r.By)
	}
	if err != nil {
		return err
	}
	return b.say(ctx, r.Reply, m)
}

// link says how rollcall knows somebody: identities join by e-mail.
func (b *Bot) link(p workflows.Principal) card.Message {
	if p.Email == "" {
		return card.Say("Slack gives no confirmed e-mail address for you, so rollcall knows you only as " + p.Name + " of this workspace. Rules that name addresses do not reach you.")
	}
	return card.Say("rollcall knows you as " + p.Email + ", the address that Slack confirms. The console joins by the same address; GitHub and Jira accounts join through `people` in the configuration.")
}

// standing is what waits for somebody and how the pipelines stand.
func (b *Bot) standing(ctx context.Context, by workflows.Principal) ([]workflows.OpenApproval, []workflows.PipelineView, error) {
	all, err := b.engine.Pipelines(ctx, by)
	if err != nil {
		return nil, nil, err
	}
	gates, err := b.engine.Approvals(ctx, by)
	if err != nil {
		return nil, nil, err
	}
	var mine []workflows.OpenApproval
	for _, g := range gates {
		if b.waitsFor(ctx, by, g) {
			mine = append(mine, g)
		}
	}
	return mine, all, nil
}

// waitsFor says whether this person could answer a gate now, as the engine's offers say.
func (b *Bot) waitsFor(ctx context.Context, by workflows.Principal, g workflows.OpenApproval) bool {
	e, err := b.engine.Execution(ctx, by, g.Execution)
	if err != nil {
		return false
	}
	for _, o := range e.Offers {
		if o.Verb == workflows.Approve && o.Stage == g.Stage && (o.Action == "" || o.Action == g.Action) {
			return true
		}
	}
	return false
}

func (b *Bot) home(ctx context.Context, r Request) error {
	waiting, all, err := b.standing(ctx, r.By)
	if err != nil {
		b.log.Warn("an app home could not be drawn", "user", r.Home, "error", err)
		return b.publish(ctx, r, card.HomeRefused("rollcall cannot look right now. Open this page again in a moment."))
	}
	return b.publish(ctx, r, card.Home(waiting, all, b.open, b.now(), b.url))
}

// status shows a pipeline, or an execution; without a name all pipelines.
func (b *Bot) status(ctx context.Context, by workflows.Principal, subject string) (card.Message, error) {
	if subject == "" {
		all, err := b.engine.Pipelines(ctx, by)
		if err == nil && len(all) == 1 {
			return b.standingOf(ctx, by, all[0])
		}
		return card.Pipelines("Pipelines", all, b.now(), b.url), err
	}
	p, e, err := b.find(ctx, by, subject)
	switch {
	case err != nil:
		return card.Message{}, err
	case e != nil:
		return card.Execution(b.view(ctx, *e)), nil
	}
	return b.standingOf(ctx, by, *p)
}

// standingOf is a pipeline as it stands, with the executions that are on their way.
func (b *Bot) standingOf(ctx context.Context, by workflows.Principal, p workflows.PipelineView) (card.Message, error) {
	moving, err := b.engine.Executions(ctx, by, workflows.ExecutionQuery{Pipeline: p.Name, Status: workflows.StatusInProgress, Limit: 100})
	if err != nil {
		return card.Message{}, err
	}
	return card.Status(p, moving, b.now(), b.url), nil
}

// find reads what a name means: an execution or a pipeline. Of the two refusals
// the pipeline's is given where the name could have been either.
func (b *Bot) find(ctx context.Context, by workflows.Principal, subject string) (*workflows.PipelineView, *workflows.Execution, error) {
	if strings.Contains(subject, "#") {
		e, err := b.engine.Execution(ctx, by, subject)
		return nil, &e, err
	}
	p, err := b.engine.Pipeline(ctx, by, subject, 0)
	if err == nil {
		return &p, nil, nil
	}
	if notFound(err) && command.IsExecution(subject) {
		e, err := b.engine.Execution(ctx, by, subject)
		return nil, &e, err
	}
	return nil, nil, err
}

// details whispers what a card leaves out, as far as the person may see it.
func (b *Bot) details(ctx context.Context, r Request, about card.Subject) error {
	e, err := b.engine.Execution(ctx, r.By, about.Execution)
	if err != nil {
		return err
	}
	return b.say(ctx, r.Reply, card.Details(b.view(ctx, e)))
}

// logs shows the end of an action's log: of the one that was named, else of
// what failed, runs, or ran last.
func (b *Bot) logs(ctx context.Context, by workflows.Principal, c command.Command) (card.Message, error) {
	e, err := b.engine.Execution(ctx, by, c.Execution)
	if err != nil {
		return card.Message{}, err
	}
	at := telling(&e)
	if c.Action != "" {
		at = actionOf(&e, c.Action, func(*workflows.ActionExecution) bool { return true })
	}
	if at.name == "" {
		p := &workflows.Problem{Code: workflows.CodeActionNotFound, Message: e.Ref() + " has no action " + c.Action, Hint: "it has " + strings.Join(actionNames(&e), ", ")}
		if c.Action == "" {
			p.Message, p.Hint = "nothing of "+e.Ref()+" has run yet, so there is no log", ""
		}
		return card.Message{}, p
	}
	if err := b.may(ctx, by, workflows.Logs, e.Pipeline, at.stage); err != nil {
		return card.Message{}, err
	}
	lines, err := b.engine.Tail(ctx, e.ID, at.stage, at.name, 0, logLines)
	if err != nil {
		return card.Message{}, err
	}
	return card.Log(&e, at.stage, at.name, lines), nil
}

// telling is the action whose log says most: what failed, else what ran last. Gates have no log.
func telling(e *workflows.Execution) place {
	var last place
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range everyAction(s) {
			if a.StartedAt == nil || a.Approval != nil {
				continue
			}
			last = place{s.Name, a.Name}
			if a.Status == workflows.StatusFailed {
				return last
			}
		}
	}
	return last
}

// who says who may do what: at a gate of an execution, or in a pipeline's stages.
func (b *Bot) who(ctx context.Context, by workflows.Principal, c command.Command) (card.Message, error) {
	p, e, err := b.find(ctx, by, c.Subject)
	if err != nil {
		return card.Message{}, err
	}
	var about, pipeline string
	stages := []string{}
	if e != nil {
		about, pipeline = e.Ref(), e.Pipeline
		for _, s := range e.Stages {
			stages = append(stages, s.Name)
		}
	} else {
		about, pipeline = p.Name, p.Name
		stages = stageNames(*p)
		if c.Stage != "" {
			stages = []string{stageName(*p, c.Stage)}
		}
	}
	var rights []card.Right
	add := func(v workflows.Verb, stage, what string) error {
		ok, _, holders, err := b.engine.Verdict(ctx, by, v, pipeline, stage)
		if err == nil {
			rights = append(rights, card.Right{What: what, You: ok, Holders: b.called(ctx, holders)})
		}
		return err
	}
	err = add(workflows.Start, "", "start")
	for _, s := range stages {
		for _, v := range []workflows.Verb{workflows.Approve, workflows.RollBack, workflows.Retry, workflows.StopIt, workflows.Disable, workflows.Enable, workflows.Override, workflows.Resolve, workflows.Logs} {
			if c.Stage == "" && v != workflows.Approve && v != workflows.RollBack {
				continue
			}
			err = errors.Join(err, add(v, s, string(v)+" in "+s))
		}
	}
	if e != nil {
		rights = append(rights, b.gateRights(ctx, e, by)...)
	}
	return card.Who(about, rights), err
}

// gateRights are the open gates of an execution that name their people.
func (b *Bot) gateRights(ctx context.Context, e *workflows.Execution, by workflows.Principal) []card.Right {
	var rights []card.Right
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			if a.Approval == nil || a.Approval.Closed != "" || len(a.Approval.From) == 0 {
				continue
			}
			you := b.waitsFor(ctx, by, workflows.OpenApproval{Execution: e.ID, Stage: s.Name, Action: a.Name})
			rights = append(rights, card.Right{What: "answer " + a.Name + " in " + s.Name, You: you, Holders: b.called(ctx, a.Approval.From)})
		}
	}
	return rights
}

// help lists the commands, those first that this person has the right for in
// some pipeline.
func (b *Bot) help(ctx context.Context, by workflows.Principal) (card.Message, error) {
	all, err := b.engine.Pipelines(ctx, by)
	if err != nil {
		return card.Message{}, err
	}
	known := map[workflows.Verb]bool{}
	var lines []card.HelpLine
	for _, u := range command.All() {
		possible, ok := known[u.Right]
		if !ok {
			possible = u.Right == "" || b.anywhere(ctx, by, u.Right, all)
			known[u.Right] = possible
		}
		lines = append(lines, card.HelpLine{Name: string(u.Name), Usage: u.Line(), Does: u.Does, Possible: possible})
	}
	return card.Help(b.command, lines), nil
}

// anywhere says whether somebody has a right in some pipeline or stage. What
// cannot be checked counts as no: help only hides, it never allows.
func (b *Bot) anywhere(ctx context.Context, by workflows.Principal, v workflows.Verb, all []workflows.PipelineView) bool {
	for _, p := range all {
		for _, s := range append([]string{""}, stageNames(p)...) {
			if ok, _, _, err := b.engine.Verdict(ctx, by, v, p.Name, s); err == nil && ok {
				return true
			}
		}
	}
	return false
}
