package bot

import (
	"context"

	"github.com/rollcall-bot/rollcall/bot/card"
)

// answerLong gives somebody who pressed a button a long answer: as a modal, which they
// see wherever they are in the channel. A trigger lives three seconds: without one,
// or too late for it, the answer is an ephemeral message.
func (b *Bot) answerLong(ctx context.Context, r Request, m card.Message, title string, about card.Subject) error {
	if r.Reply.Trigger != "" {
		to := r.Reply
		to.View = ""
		if r.Interaction != nil && r.Interaction.View.ID != "" && r.Interaction.View.Type == "modal" {
			to.View = r.Interaction.View.ID // pressed in a modal: the answer takes its place
		}
		err := b.chat.Open(ctx, to, m.Modal(title, origin(about, r.Reply)))
		if err == nil {
			return nil
		}
		b.log.Info("a long answer goes to an ephemeral message, because its modal did not open", "user", to.User, "error", err)
	}
	return b.say(ctx, r.Reply, m)
}

// inModal is the request of a button that stands in a modal of ours: it is answered
// where that was asked for, and a form takes the modal's place.
func inModal(r Request) Request {
	if r.Interaction == nil || r.Interaction.View.ID == "" || r.Interaction.View.Type != "modal" {
		return r
	}
	about, problem := card.ParseSubject(r.Interaction.View.PrivateMetadata)
	if problem == nil && r.Reply.Channel == "" {
		r.Reply.Channel, r.Reply.Thread = about.Channel, about.Thread
	}
	r.Reply.View = r.Interaction.View.ID
	return r
}
