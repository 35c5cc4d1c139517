package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
)

// suggestWithin is how long a menu waits for its options: Slack gives up after 3 s.
const suggestWithin = 2 * time.Second

// suggest answers a menu that loads its options. Nothing becomes of it, so there
// is no receipt; where it cannot be said who asks, or what there is, the menu stays empty.
func (r *Receiver) suggest(ctx context.Context, in inbound, req bot.Request) (body []byte) {
	defer func() {
		if p := recover(); p != nil {
			r.c.log.Error("options of a menu could not be listed", "fault", fmt.Sprint(p))
			body = []byte(`{"options":[]}`)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, suggestWithin)
	defer cancel()
	id, err := r.c.Identity(ctx)
	if err == nil && !id.owns(in) {
		return []byte(`{"options":[]}`)
	}
	if err == nil {
		req.By, _, err = r.principal(ctx, in, req.Reply.User)
	}
	if err == nil {
		options, failed := r.bot.Suggest(ctx, req)
		if body, err = json.Marshal(options); failed == nil && err == nil && len(options.Options) > 0 {
			return body
		}
		err = failed
	}
	if err != nil {
		r.c.log.Warn("options of a menu could not be listed", "user", req.Reply.User, "error", err)
	}
	return []byte(`{"options":[]}`) // slack.OptionsResponse would leave the empty list out
}
