// Package identity draws what people read and press about who they are: the link
// with which they sign in, the terminal that wants to act in their name, and the
// accounts elsewhere that are theirs. Pure.
package identity

import (
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
)

// The action_ids of buttons.
const (
	ActOpen   = "signin.open"
	ActSignIn = "signin"
	ActRefuse = "signin.refuse"
)

// maxURL is the most characters that Slack takes in a button's address.
const maxURL = 3000

// Invitation is the link with which somebody signs in to the console; about is what
// they asked for, empty: the console itself.
func Invitation(url, name, about string) card.Message {
	text := "Sign in to the console as " + layout.Name(name)
	l := layout.Message()
	l.Lines("*" + text + "*")
	if len(url) <= maxURL {
		open := slack.NewButtonBlockElement(ActOpen, card.Subject{}.String(), layout.PlainText("Sign in")).WithStyle(slack.StylePrimary)
		open.URL = url
		l.Buttons(open)
	}
	more := "The link works once, for two minutes, and only you can see it. Give it to nobody: it acts in your name."
	if about != "" {
		more = "It leads to " + layout.Text(about, 100) + ". " + more
	}
	l.Context(more)
	return card.Message{Text: text, Blocks: l.Done("")}
}

// Question asks somebody whether a terminal is theirs: what it calls itself, where
// and when it asked to act as them.
func Question(id, host, address, name string, at time.Time) card.Message {
	text := "Is this terminal yours?"
	where := layout.Text(host, 100)
	if where == "" {
		where = "a machine that does not say its name"
	}
	l := layout.Message()
	l.Lines("*"+text+"*", "It calls itself *"+layout.Name(where)+"*, asked from "+layout.Text(address, 100)+" ("+layout.Moment(at)+"), and will act as you, "+layout.Name(name)+".")
	confirm := slack.NewConfirmationBlockObject(layout.PlainText("Sign this terminal in?"), layout.PlainText(layout.Line("Everything that is typed on "+where+" is then done in your name.", 300)),
		layout.PlainText("Sign it in"), layout.PlainText("Cancel"))
	confirm.Style = slack.StylePrimary
	about := card.Subject{Gate: id}.String()
	l.Buttons(slack.NewButtonBlockElement(ActSignIn, about, layout.PlainText("Sign it in")).WithStyle(slack.StylePrimary).WithConfirm(confirm),
		slack.NewButtonBlockElement(ActRefuse, about, layout.PlainText("Refuse")).WithStyle(slack.StyleDanger))
	l.Context("Go on only if you have just typed `rollcall login` there yourself. Whoever gave you the code otherwise wants to act in your name.")
	return card.Message{Text: text, Blocks: l.Done("")}
}

// Answered says what became of a terminal that asked.
func Answered(yes bool, host, name, command string) card.Message {
	if !yes {
		return card.Say("Refused. The terminal on " + host + " is not signed in. If you did not type the code by mistake, tell your administrators who gave it to you.")
	}
	return card.Say("The terminal on " + host + " acts as " + name + " now. rollcall logout there ends that; " + command + " console lists your sessions.")
}
