package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
)

// asSpelled puts into a command the names of pipelines as they are spelled: on a
// phone "Webshop#42" is typed for webshop#42. A name that there is, or that differs
// from several by its case alone, stays as it was typed.
func (b *Bot) asSpelled(ctx context.Context, by workflows.Principal, c *command.Command) error {
	if c.Pipeline == "" && c.Subject == "" && c.Execution == "" {
		return nil
	}
	names, err := b.engine.Names(ctx, by)
	if err != nil {
		return err
	}
	for _, typed := range []*string{&c.Pipeline, &c.Subject, &c.Execution} {
		name, number, numbered := strings.Cut(*typed, "#")
		if name == "" || slices.Contains(names, name) {
			continue
		}
		var alike []string
		for _, n := range names {
			if strings.EqualFold(n, name) {
				alike = append(alike, n)
			}
		}
		if len(alike) == 1 {
			*typed = alike[0]
			if numbered {
				*typed += "#" + number
			}
		}
	}
	return nil
}
