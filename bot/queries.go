package bot

import (
	"context"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// query answers the commands that change nothing.
func (b *Bot) query(ctx context.Context, r Request, c command.Command) error {
	var m card.Message
	var err error
	switch c.Name {
	case command.Overview:
		var p home.Person
		if p, err = b.person(ctx, r.By, ""); err == nil {
			m = home.Overview(p)
		}
	case command.Pipelines:
		var all []workflows.PipelineView
		if all, err = b.engine.Pipelines(ctx, r.By); err == nil {
			m = home.Pipelines("Pipelines", all, b.now(), b.url)
		}
	case command.Status:
		m, err = b.status(ctx, r.By, c.Subject)
	case command.Executions:
		var all []workflows.Execution
		if all, err = b.engine.Executions(ctx, r.By, record.Query{Pipeline: c.Pipeline, Limit: 20}); err == nil {
			m = home.Executions(c.Pipeline, b.views(ctx, all), b.url)
		}
	case command.Logs:
		m, err = b.typedLogs(ctx, r.By, c)
	case command.Notes:
		m, err = b.notes(ctx, r.By, c)
	case command.Who:
		m, err = b.who(ctx, r.By, c)
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

// views are executions of one pipeline, each with what its headline rests on.
func (b *Bot) views(ctx context.Context, all []workflows.Execution) []card.View {
	var views []card.View
	for _, e := range all {
		var v card.View
		if len(views) > 0 {
			v = b.viewIn(ctx, e, views[0].Pipeline)
		} else {
			v = b.view(ctx, workflows.EnginePrincipal(), e)
		}
		views = append(views, v)
	}
	return views
}

// link says how rollcall knows somebody: identities join by e-mail.
func (b *Bot) link(p workflows.Principal) card.Message {
	if p.Email == "" {
		return card.Say("Slack gives no confirmed e-mail address for you, so rollcall knows you only as " + p.Name + " of this workspace. Rules that name addresses do not reach you.")
	}
	return card.Say("rollcall knows you as " + p.Email + ", the address that Slack confirms. The console joins by the same address; GitHub and Jira accounts join through `people` in the configuration.")
}

// status shows a pipeline, or an execution; without a name all pipelines.
func (b *Bot) status(ctx context.Context, by workflows.Principal, subject string) (card.Message, error) {
	if subject == "" {
		all, err := b.engine.Pipelines(ctx, by)
		if err == nil && len(all) == 1 {
			return b.pipelineStatus(ctx, by, all[0])
		}
		return home.Pipelines("Pipelines", all, b.now(), b.url), err
	}
	p, e, err := find(ctx, b.engine, by, subject)
	switch {
	case err != nil:
		return card.Message{}, err
	case e != nil:
		m := card.Execution(b.viewFor(ctx, by, *e))
		if why := b.Undelivered(ctx, e.ID); why != "" {
			m.Blocks = append(m.Blocks, card.Say("⚠️ Not shown in the channel. "+why).Blocks...)
		}
		return m, nil
	}
	return b.pipelineStatus(ctx, by, *p)
}

// pipelineStatus is a pipeline as it stands, with the executions that are on their way.
func (b *Bot) pipelineStatus(ctx context.Context, by workflows.Principal, p workflows.PipelineView) (card.Message, error) {
	moving, err := b.engine.Executions(ctx, by, record.Query{Pipeline: p.Name, Status: workflows.StatusInProgress, Limit: 100})
	if err != nil {
		return card.Message{}, err
	}
	return home.Status(p, moving, b.now(), b.url), nil
}

// find reads what a name means: an execution or a pipeline. Of the two refusals
// the pipeline's is given where the name could have been either.
func find(ctx context.Context, from Reader, by workflows.Principal, subject string) (*workflows.PipelineView, *workflows.Execution, error) {
	if strings.Contains(subject, "#") {
		e, err := from.Execution(ctx, by, subject)
		return nil, &e, err
	}
	p, err := from.Pipeline(ctx, by, subject, 0)
	if err == nil {
		return &p, nil, nil
	}
	if notFound(err) && command.IsExecution(subject) {
		e, err := from.Execution(ctx, by, subject)
		return nil, &e, err
	}
	return nil, nil, err
}

// details shows one person what a card leaves out, as far as the person may see it.
func (b *Bot) details(ctx context.Context, r Request, about card.Subject) error {
	e, err := b.engine.Execution(ctx, r.By, about.Execution)
	if err != nil {
		return err
	}
	return b.answerLong(ctx, r, card.Details(b.viewFor(ctx, r.By, e)), e.Ref(), card.Subject{Pipeline: e.Pipeline, Execution: e.ID})
}

// help lists the commands, those first that this person has the right for in
// some pipeline.
func (b *Bot) help(ctx context.Context, by workflows.Principal) (card.Message, error) {
	all, err := b.engine.Pipelines(ctx, by)
	if err != nil {
		return card.Message{}, err
	}
	known := map[workflows.Verb]bool{}
	var lines []home.HelpLine
	for _, u := range command.All() {
		if (u.Name == command.Console || u.Name == command.Login) && b.signIn == nil {
			continue // nobody can
		}
		possible, ok := known[u.Right]
		if !ok {
			possible = u.Right == "" || b.anywhere(ctx, by, u.Right, all)
			known[u.Right] = possible
		}
		lines = append(lines, home.HelpLine{Name: string(u.Name), Usage: u.Line(), Does: u.Does, Possible: possible})
	}
	return home.Help(b.command, lines), nil
}

// anywhere says whether somebody has a right in some pipeline or stage. What
// cannot be checked counts as no: help only hides, it never allows.
func (b *Bot) anywhere(ctx context.Context, by workflows.Principal, v workflows.Verb, all []workflows.PipelineView) bool {
	for _, p := range all {
		for _, s := range append([]string{""}, stageNames(p)...) {
			if refusal, _, err := b.engine.Verdict(ctx, by, v, p.Name, s); err == nil && refusal == nil {
				return true
			}
		}
	}
	return false
}
