package bot

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
)

// mostItems is how many lines stand under one heading of release notes.
const mostItems = 12

// notes are the release notes of what a stage runs.
func (b *Bot) notes(ctx context.Context, by workflows.Principal, c command.Command) (card.Message, error) {
	p, err := b.engine.Pipeline(ctx, by, c.Pipeline, 0)
	if err != nil {
		return card.Message{}, err
	}
	n, err := b.engine.Notes(ctx, by, p.Name, stageName(p, c.Stage), c.Execution)
	if err != nil {
		return card.Message{}, err
	}
	lines := []string{n.Title}
	for _, g := range n.Groups {
		lines = append(lines, "", g.Title)
		for i, item := range g.Items {
			if i == mostItems {
				lines = append(lines, fmt.Sprintf("and %d more", len(g.Items)-mostItems))
				break
			}
			lines = append(lines, "• "+item)
		}
	}
	if len(n.Groups) == 0 {
		lines = append(lines, "No changes are known.")
	}
	if !n.Complete {
		lines = append(lines, "", "Not complete: "+n.Why+".")
	}
	return card.Say(strings.Join(lines, "\n")), nil
}
