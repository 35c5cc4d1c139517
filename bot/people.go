package bot

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
)

const (
	// namesWithin is how long a message waits for the names of the people in it.
	namesWithin = time.Second
	// namesAgain is how long nobody is asked for names after that failed.
	namesAgain = time.Minute
)

// people is a chat in which everybody has the name that they have there. Whom
// it knows is mentioned where that notifies nobody (an edit, a private answer, a
// form), and named where it would: whoever wrote, started or approved something
// is not called by it. A gate calls whom it asks; see [Chat.People].
type people struct {
	Chat
	members   Members
	addresses map[string]string // by lower-case ID
	now       func() time.Time
	log       *slog.Logger

	mu    sync.Mutex
	quiet time.Time // until then nobody is asked
}

func naming(c Chat, o Options, now func() time.Time, log *slog.Logger) *people {
	p := &people{Chat: c, members: o.Members, addresses: map[string]string{}, now: now, log: log}
	for id, address := range o.Addresses {
		p.addresses[strings.ToLower(id)] = address
	}
	return p
}

// Post names people.
func (p *people) Post(ctx context.Context, m Message) (Place, error) {
	return p.Chat.Post(ctx, p.message(ctx, m, false))
}

// Edit mentions people.
func (p *people) Edit(ctx context.Context, at Place, m Message) error {
	return p.Chat.Edit(ctx, at, p.message(ctx, m, true))
}

// PostEphemeral mentions people.
func (p *people) PostEphemeral(ctx context.Context, to Reply, m Message) error {
	return p.Chat.PostEphemeral(ctx, to, p.message(ctx, m, true))
}

// Open mentions people.
func (p *people) Open(ctx context.Context, to Reply, form slack.ModalViewRequest) error {
	asking, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	form.Blocks.BlockSet = p.calls(asking, true).Blocks(form.Blocks.BlockSet)
	return p.Chat.Open(ctx, to, form)
}

// message is a message in which people are named; in its text, which
// notifications show, nobody is ever mentioned for what they did.
func (p *people) message(ctx context.Context, m Message, mention bool) Message {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	m.Text = p.calls(ctx, false).Text(m.Text)
	m.Blocks = p.calls(ctx, mention).Blocks(m.Blocks)
	return m
}

// calls finds people until ctx ends. Whom it does not find, or cannot ask for,
// keeps the name as given.
func (p *people) calls(ctx context.Context, mention bool) card.Calls {
	return func(who []string) (user, shown string) {
		for _, id := range who {
			user, slack := strings.CutPrefix(id, "slack:")
			if slack && mention {
				return user, ""
			}
			address := p.addresses[strings.ToLower(id)]
			if kind, mail, ok := strings.Cut(id, ":"); address == "" && ok && (kind == "mail" || kind == "git") && strings.Contains(mail, "@") {
				address = mail
			}
			if address == "" {
				continue
			}
			user, shown = p.member(ctx, address)
			switch {
			case user == "":
			case mention:
				return user, ""
			default:
				return "", shown
			}
		}
		return "", ""
	}
}

// member is who of the chat has an address. After a failure nobody is asked
// for a while, so that a chat that hangs holds up no message for long.
func (p *people) member(ctx context.Context, address string) (user, shown string) {
	p.mu.Lock()
	quiet := p.members == nil || p.now().Before(p.quiet)
	p.mu.Unlock()
	if quiet {
		return "", ""
	}
	found, err := p.members.ByEmail(ctx, address)
	if err != nil {
		p.log.Info("people keep the names that they were given for now: Slack could not be asked who they are", "error", err)
		p.mu.Lock()
		p.quiet = p.now().Add(namesAgain)
		p.mu.Unlock()
		return "", ""
	}
	user, _ = strings.CutPrefix(found.ID, "slack:")
	return user, found.Name
}
