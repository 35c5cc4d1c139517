package bot

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	mostItems = 12   // lines under one heading of release notes
	mostItem  = 200  // characters of a line
	mostWhy   = 400  // of why they are not complete
	mostNotes = 2300 // of all, with room for what counts the rest
)

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
	return card.Say(notesText(&n)), nil
}

// notesText are notes in lines, as many as Slack shows. What does not fit is
// counted, and that they are not complete is always said.
func notesText(n *changes.Notes) string {
	end := ""
	if n.CompareURL != "" {
		end = "\n\nAll changes: " + n.CompareURL
	}
	if !n.Complete {
		end += "\n\nNot complete: " + words.Cut(n.Why, mostWhy) + "."
	}
	if len(n.Groups) == 0 {
		return n.Title + "\n\nNo changes are known." + end
	}
	text, left := n.Title, 0
	room := mostNotes - escaped(text) - escaped(end)
	for _, g := range n.Groups {
		shown, head := 0, "\n\n"+words.Cut(g.Title, 100)
		for _, item := range g.Items {
			line := head + "\n• " + words.Cut(item, mostItem)
			if shown == mostItems || left > 0 || escaped(line) > room {
				break
			}
			text, room, head = text+line, room-escaped(line), ""
			shown++
		}
		more := len(g.Items) - shown
		if line := fmt.Sprintf("\nand %d more", more); shown > 0 && more > 0 {
			text, room = text+line, room-len(line)
		} else {
			left += more
		}
	}
	if left > 0 {
		text += fmt.Sprintf("\n\n%d more do not fit here.", left)
	}
	return text + end
}

// escaped is how long a text is once Slack's own characters are written as it wants them.
func escaped(text string) int {
	n := 0
	for _, r := range text {
		n++
		if strings.ContainsRune("&<>", r) {
			n += 4
		}
	}
	return n
}
