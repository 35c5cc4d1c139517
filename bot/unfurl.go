package bot

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// mostUnfurled is how many links of one message are shown.
const mostUnfurled = 5

// everyone is who-expressions' name for all members of the workspace.
const everyone = "everyone"

// Unfurler shows what links lead to, under the message that has them.
// integrations/slack implements it. Errors are those of [Chat].
type Unfurler interface {
	// Shared says whether people of other workspaces or organisations read a
	// channel, or are invited to. An error means that nobody could find out.
	Shared(ctx context.Context, channel string) (bool, error)
	// Unfurl shows messages under the one at that place, by the link of it that each
	// stands for. Done again it replaces what is shown.
	Unfurl(ctx context.Context, at Place, shown map[string]Message) error
}

// Links are addresses in a message that somebody posted.
type Links struct {
	At   Place    // of the message
	URLs []string // as they were posted
}

// unfurl shows how the executions stand that a message links to: in a channel
// of this workspace alone, and only what every member of it may view. Nobody
// asked for it, so nobody hears that it was not done.
func (b *Bot) unfurl(ctx context.Context, r Request) error {
	if b.unfurler == nil || b.address == nil || r.By.Stranger != "" {
		return nil
	}
	shown, err := b.unfurled(ctx, r.Links.URLs)
	if err != nil || len(shown) == 0 {
		return err
	}
	shared, err := b.unfurler.Shared(ctx, r.Links.At.Channel)
	if err == nil && !shared {
		err = b.unfurler.Unfurl(ctx, r.Links.At, shown)
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		b.log.Info("links to executions are not unfurled there", "channel", r.Links.At.Channel, "code", refused.Code, "hint", refused.Hint)
		return nil
	}
	return err
}

// unfurled draws the first executions among the links, by link.
func (b *Bot) unfurled(ctx context.Context, links []string) (map[string]Message, error) {
	shown := map[string]Message{}
	for i, link := range links {
		id := b.executionAt(link)
		if id == "" || slices.Contains(links[:i], link) {
			continue
		}
		if len(shown) == mostUnfurled {
			break
		}
		v, err := b.publicView(ctx, id)
		if err != nil {
			return nil, err
		}
		if v != nil {
			m := v.Unfurled()
			shown[link] = Message{Text: m.Text, Blocks: m.Blocks}
		}
	}
	return shown, nil
}

// publicView is an execution that every member of the workspace may view; nil:
// there is none with that ID, or it is not for everybody.
func (b *Bot) publicView(ctx context.Context, id string) (*card.View, error) {
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), id)
	var unknown *workflows.Problem
	switch {
	case errors.As(err, &unknown):
		return nil, nil
	case err != nil:
		return nil, err
	case e.ID != id: // a number, or a name and a number, is no link of ours
		return nil, nil
	}
	_, holders, err := b.engine.Verdict(ctx, workflows.EnginePrincipal(), workflows.View, e.Pipeline, "")
	if err != nil || !slices.Contains(holders, everyone) {
		return nil, err
	}
	v := b.view(ctx, workflows.EnginePrincipal(), e)
	return &v, nil
}

// executionAt is the ID of the execution whose page of this service an address
// is; empty: it is something else.
func (b *Bot) executionAt(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || !strings.EqualFold(u.Scheme, b.address.Scheme) || !strings.EqualFold(u.Host, b.address.Host) {
		return ""
	}
	id, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(b.address.Path, "/")+"/executions/")
	id = strings.TrimSuffix(id, "/")
	if !ok || strings.Contains(id, "/") {
		return ""
	}
	return id
}
