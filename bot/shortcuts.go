package bot

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
)

// The callback_ids of the app's shortcuts: on a message, and anywhere.
const (
	ShortcutRollback = "rollback"
	ShortcutStart    = "start"
)

// shortcut carries out a shortcut of the app.
func (b *Bot) shortcut(ctx context.Context, r Request) error {
	i := r.Interaction
	if r.Reply.Thread == "" && i.Message.ThreadTimestamp != i.Message.Timestamp {
		r.Reply.Thread = i.Message.ThreadTimestamp
	}
	switch i.CallbackID {
	case ShortcutStart:
		return b.start(ctx, r, "")
	case ShortcutRollback:
		return b.rollBackDeploy(ctx, r)
	}
	return &workflows.Problem{Code: workflows.CodeValidation, Message: "this shortcut is of another version of rollcall", Hint: "install the app again from the manifest of this version"}
}

// rollBackDeploy opens the rollback form for what a message of ours is about: the
// stage of an announcement, else the last stage with an environment.
func (b *Bot) rollBackDeploy(ctx context.Context, r Request) error {
	about := messageSubject(&r.Interaction.Message)
	if about.Execution == "" {
		return &workflows.Problem{Code: workflows.CodeValidation, Message: "this message is about no deploy",
			Hint: "use the shortcut on a card, an approval or an announcement of rollcall, or write `" + b.command + " rollback`"}
	}
	e, err := b.engine.Execution(ctx, r.By, about.Execution)
	if err != nil {
		return err
	}
	p, err := b.engine.Pipeline(ctx, r.By, e.Pipeline, 0)
	if err != nil {
		return err
	}
	stage := about.Stage
	for i := range p.Stages {
		if s := &p.Stages[i]; about.Stage == "" && (s.Environment != "" || stage == "" && i == len(p.Stages)-1) {
			stage = s.Name
		}
	}
	return b.openRollback(ctx, r, form.Return{About: card.Subject{Pipeline: p.Name, Stage: stage}})
}

// messageSubject is what a message is about: as its metadata says, else as its buttons
// do. It gives no right: whatever it names is checked as if somebody had typed it.
func messageSubject(m *slack.Message) card.Subject {
	var s card.Subject
	s.Execution, _ = m.Metadata.EventPayload["execution"].(string)
	switch m.Metadata.EventType {
	case metaAnnouncement, metaFailure:
		s.Stage, _ = m.Metadata.EventPayload["stage"].(string)
	}
	for _, block := range m.Blocks.BlockSet {
		row, ok := block.(*slack.ActionBlock)
		if !ok || row.Elements == nil || s.Execution != "" {
			continue
		}
		for _, e := range row.Elements.ElementSet {
			if button, ok := e.(*slack.ButtonBlockElement); ok && s.Execution == "" {
				if about, problem := card.ParseSubject(button.Value); problem == nil {
					s.Execution = about.Execution
				}
			}
		}
	}
	return s
}

// pipelineChosen shows the variables of the pipeline that was chosen in an open form.
func (b *Bot) pipelineChosen(ctx context.Context, r Request, pipeline string) error {
	about, problem := card.ParseSubject(r.Interaction.View.PrivateMetadata)
	if problem != nil {
		return problem
	}
	r.Reply.View, r.Reply.Channel, r.Reply.Thread = r.Interaction.View.ID, about.Channel, about.Thread
	p, err := b.engine.Pipeline(ctx, r.By, pipeline, 0)
	if err != nil {
		return err
	}
	return b.openStart(ctx, r, p, nil)
}
