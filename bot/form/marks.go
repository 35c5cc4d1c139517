package form

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// mostNamed is how many people, or commits, an alert names.
const mostNamed = 3

// alerts are what must be known before somebody rolls back to the target that is chosen.
func (r *Return) alerts(l *layout.Layout, chosen *ledger.Target) {
	if t := chosen; t != nil {
		if len(t.Unsafe) > 0 {
			text := "Goes back past a change that is marked *rollback: unsafe*:"
			for i, line := range t.Unsafe {
				if i == mostNamed {
					text += fmt.Sprintf("\nand %d more", len(t.Unsafe)-mostNamed)
					break
				}
				text += "\n" + layout.Text(line, 150)
			}
			l.Alert(slack.AlertLevelError, text)
		}
		if left := r.left(t); left != "" {
			l.Alert(slack.AlertLevelWarning, fmt.Sprintf("#%d was %s", t.Number, layout.Text(left, 400)))
		}
		if others := r.others(t); others != "" && t.Undoes > 0 {
			l.Alert(slack.AlertLevelWarning, "Undoes "+layout.Count(t.Undoes, "commit", "commits")+" of "+others+".")
		}
	}
	if f := r.Freeze; f != nil && r.About.Stage != "" {
		l.Alert(slack.AlertLevelInfo, layout.Text(r.About.Stage, 100)+" is frozen ("+layout.Text(f.Name, 60)+") until "+layout.Moment(f.To)+"; rollbacks are exempt.")
	}
}

// others are the people whose commits would be undone; empty: only the reader's own.
func (r *Return) others(t *ledger.Target) string {
	if !slices.ContainsFunc(t.Whose, func(who string) bool { return !strings.EqualFold(who, r.Reader) }) {
		return ""
	}
	var names []string
	for i, who := range t.Whose {
		if i == mostNamed {
			names = append(names, fmt.Sprintf("%d more", len(t.Whose)-mostNamed))
			break
		}
		names = append(names, layout.Text(who, 60))
	}
	return words.List(names, "and")
}

// left says who rolled back from a target, when and why, as text that is not
// escaped; empty: nobody.
func (r *Return) left(t *ledger.Target) string {
	switch {
	case t.Left != nil:
		text := "rolled back by " + t.Left.By
		if t.Left.At != nil {
			text += " on " + r.day(*t.Left.At)
		}
		return words.Because(text, t.Left.Reason)
	case t.LeftBy != "":
		return "rolled back from"
	}
	return ""
}

// marks says when a target was live and who brought it there, after what speaks
// against it: what is too long is cut at its end.
func (r *Return) marks(t *ledger.Target) string {
	unsafe, edited := "", ""
	if len(t.Unsafe) > 0 {
		unsafe = "unsafe"
	}
	if t.StageChanged {
		edited = "stage edited since"
	}
	return layout.Join(t.Caveat(), unsafe, r.left(t), edited, r.live(t))
}

// live says when a target was live last, for how long, and who deployed it.
func (r *Return) live(t *ledger.Target) string {
	if len(t.Ran) == 0 {
		return ""
	}
	s := t.Ran[0]
	text := "live since " + r.clock(s.From)
	if s.To != nil {
		to := r.clock(*s.To)
		if r.day(s.From) == r.day(*s.To) {
			to = s.To.In(r.zone()).Format("15:04")
		}
		text = strings.TrimSuffix("live "+r.clock(s.From), " UTC") + "–" + to + " (" + layout.Duration(s.To.Sub(s.From)) + ")"
	}
	if who := t.By.Called(); t.By.ID != "" || t.By.Name != "" {
		text += ", deployed by " + who
	}
	return text
}

func (r *Return) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// day is a date in the reader's time zone, with its year where that is another one.
func (r *Return) day(t time.Time) string {
	t = t.In(r.zone())
	if t.Year() != r.Now.In(r.zone()).Year() {
		return t.Format("Jan 2 2006")
	}
	return t.Format("Jan 2")
}

// clock is a moment in the reader's time zone, which is named where it is not known.
func (r *Return) clock(t time.Time) string {
	text := r.day(t) + " " + t.In(r.zone()).Format("15:04")
	if r.Zone == nil {
		text += " UTC"
	}
	return text
}

// undone is what would be lost by going back to a target; empty: not known.
func undone(t *ledger.Target) string {
	switch {
	case !t.Compared || t.Now:
		return ""
	case t.Undoes == 0 && t.Brings == 0:
		return "the same commit"
	case t.Undoes == 0:
		return "brings " + layout.Count(t.Brings, "commit", "commits")
	}
	text := "undoes " + layout.Count(t.Undoes, "commit", "commits")
	if t.Brings > 0 {
		text += fmt.Sprintf(", brings %d", t.Brings)
	}
	return text
}

// leaves are the commits, pull requests and issues that would leave the stage.
func (r *Return) leaves(chosen *ledger.Target) []slack.Block {
	if chosen == nil || undone(chosen) == "" {
		return nil
	}
	t, l := chosen, layout.View()
	head := fmt.Sprintf("#%d %s", t.Number, undone(t))
	lines := layout.Items(t.Lines)
	for _, group := range []struct {
		title string
		all   []ledger.Leaving
	}{{"Pull requests: ", t.Pulls}, {"Tickets: ", t.Issues}} {
		var some []string
		for _, one := range group.all {
			some = append(some, layout.Link(one.URL, layout.Text(one.Text, 100)))
		}
		if len(some) > 0 {
			lines = append(lines, group.title+strings.Join(some, ", "))
		}
	}
	if link := layout.Link(t.CompareURL, "Compare"); link != "Compare" {
		lines = append(lines, link)
	}
	if len(lines) == 0 {
		l.Context(head)
	}
	l.Collapsed(head, lines...)
	return l.Done("")
}
