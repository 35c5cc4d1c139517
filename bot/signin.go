package bot

import (
	"context"
	"net/url"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/identity"
	"github.com/rollcall-bot/rollcall/workflows"
)

// SignIn signs people in elsewhere, in browsers and terminals, whom Slack has
// verified. web/session implements it. Refusals are *workflows.Problem.
type SignIn interface {
	// Invite returns a link that signs the person in to the console, once and within
	// two minutes; to is the path that they see then.
	Invite(ctx context.Context, by workflows.Principal, to string) (url string, err error)
	// Claim is the terminal that shows a code; from then on only this person can confirm it.
	Claim(ctx context.Context, by workflows.Principal, code string) (Terminal, error)
	// Grant signs a claimed terminal in as the person, or refuses it.
	Grant(ctx context.Context, by workflows.Principal, id string, yes bool) (Terminal, error)
}

// Terminal is one that wants to sign in.
type Terminal struct {
	ID      string    // names it, and gives no right
	Host    string    // as it calls itself
	Address string    // that it asked from
	At      time.Time // when it asked
}

// noSignIn is the answer where nobody can sign in elsewhere.
var noSignIn = workflows.Problem{Code: workflows.CodeConflict, Message: "nobody can sign in elsewhere in this service", Hint: "look with `status`, `executions` and `logs` here"}

// console answers with a link to the console, or to what was asked for there.
func (b *Bot) console(ctx context.Context, r Request, c command.Command) error {
	if b.signIn == nil {
		no := noSignIn
		return &no
	}
	to := "/"
	if c.Subject != "" {
		p, e, err := find(ctx, b.engine, r.By, c.Subject)
		switch {
		case err != nil:
			return err
		case e != nil:
			to = "/executions/" + url.PathEscape(e.ID)
		default:
			to = "/pipelines/" + url.PathEscape(p.Name)
		}
	}
	link, err := b.signIn.Invite(ctx, r.By, to)
	if err != nil {
		return err
	}
	return b.say(ctx, r.Reply, identity.Invitation(link, r.By.Called(), c.Subject))
}

// login asks somebody who typed a terminal's code whether the terminal is theirs.
func (b *Bot) login(ctx context.Context, r Request, code string) error {
	if b.signIn == nil {
		no := noSignIn
		return &no
	}
	t, err := b.signIn.Claim(ctx, r.By, code)
	if err != nil {
		return err
	}
	return b.say(ctx, r.Reply, identity.Question(t.ID, t.Host, t.Address, r.By.Called(), t.At))
}

// pressedIdentity carries out a button of package identity; ok is false for others.
func (b *Bot) pressedIdentity(ctx context.Context, r Request, a *slack.BlockAction) (ok bool, err error) {
	switch a.ActionID {
	case identity.ActOpen: // a link: the browser has followed it
		return true, nil
	case identity.ActSignIn, identity.ActRefuse:
	default:
		return false, nil
	}
	if b.signIn == nil {
		no := noSignIn
		return true, &no
	}
	yes := a.ActionID == identity.ActSignIn
	about, problem := card.ParseSubject(a.Value)
	if problem != nil {
		return true, problem
	}
	t, err := b.signIn.Grant(ctx, r.By, about.Gate, yes)
	if err != nil {
		return true, err
	}
	return true, b.say(ctx, r.Reply, identity.Answered(yes, t.Host, r.By.Called(), b.command))
}
