// Package digest draws what a team reads once a day: what went live, what failed
// and was rolled back, what waits for approval, which locks are old and which
// freezes begin; and once a week two charts. It is pure.
package digest

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

// Facts are what one digest says: what happened from From until At, and how things stand then.
type Facts struct {
	From, At time.Time

	Live       []Item // executions that succeeded in a stage with an environment
	Failed     []Item
	RolledBack []Item // executions that rolled a stage back
	Waiting    []Item // gates that are open
	Locks      []Item // stages locked for longer than a day
	Freezes    []Freeze
	Week       []Day // of the last seven days, on the day of the weekly digest; else none
	Partial    bool  // there was more than was looked at
}

// Item is one line of a digest.
type Item struct {
	Pipeline string
	Number   int // of the execution; 0: none
	Stage    string
	Since    time.Time
	By       string
	Reason   string
}

// Freeze is one that begins within a day.
type Freeze struct {
	Name     string
	From, To time.Time
}

// Day is one day of the weekly digest.
type Day struct {
	Day                    time.Time
	Live, Failed           int           // deployments, and executions that failed
	Build, Waiting, Deploy time.Duration // of those that went live, together
}

// Empty says whether there is nothing to say.
func (f *Facts) Empty() bool {
	return len(f.Live)+len(f.Failed)+len(f.RolledBack)+len(f.Waiting)+len(f.Locks)+len(f.Freezes) == 0 && f.sum(func(d Day) int { return d.Live + d.Failed }) == 0
}

func (f *Facts) sum(of func(Day) int) (n int) {
	for _, d := range f.Week {
		n += of(d)
	}
	return n
}

// Draw returns the digest as a message: its text, for notifications, and its
// blocks, within Slack's limits. Charts have a plain drawing for workspaces
// that refuse them.
func (f *Facts) Draw() (text string, blocks []slack.Block) {
	text = f.headline()
	l := layout.Message()
	l.Header(text)
	f.group(l, "Went live", f.Live, func(i Item) string { return "in " + layout.Name(i.Stage) + " · " + layout.Moment(i.Since) })
	f.group(l, "Failed", f.Failed, func(i Item) string { return in(i.Stage) + layout.Moment(i.Since) })
	f.group(l, "Rolled back", f.RolledBack, func(i Item) string { return in(i.Stage) + layout.Moment(i.Since) + reason(i.Reason) })
	f.group(l, "Waiting for approval", f.Waiting, func(i Item) string {
		return "in " + layout.Name(i.Stage) + " · for " + layout.Duration(f.At.Sub(i.Since))
	})
	f.group(l, "Locked for more than a day", f.Locks, func(i Item) string {
		return layout.Name(i.Stage) + " · by " + layout.Name(i.By) + ", for " + layout.Duration(f.At.Sub(i.Since)) + reason(i.Reason)
	})
	var freezes []string
	for _, z := range f.Freezes {
		freezes = append(freezes, "· "+layout.Name(z.Name)+" · from "+layout.Moment(z.From)+" to "+layout.Moment(z.To))
	}
	lines(l, "Freeze begins", freezes)
	f.week(l)
	more := ""
	if f.Partial {
		more = "There was more than a digest looks at."
	}
	l.Context(more)
	return text, l.Done("")
}

// headline is the heading: what happened, in numbers.
func (f *Facts) headline() string {
	if len(f.Week) > 0 {
		return fmt.Sprintf("Last week: %s, %d failed", layout.Count(f.sum(func(d Day) int { return d.Live }), "deployment", "deployments"), f.sum(func(d Day) int { return d.Failed }))
	}
	parts := []string{fmt.Sprintf("%d went live", len(f.Live))}
	for _, p := range []struct {
		n    int
		word string
	}{{len(f.Failed), "failed"}, {len(f.RolledBack), "rolled back"}, {len(f.Waiting), "waiting"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return "Digest: " + strings.Join(parts, ", ")
}

// mostLines is how many lines of one kind a digest has.
const mostLines = 12

func (f *Facts) group(l *layout.Layout, title string, items []Item, rest func(Item) string) {
	var all []string
	for _, i := range items {
		name := layout.Name(i.Pipeline)
		if i.Number > 0 {
			name += fmt.Sprintf(" #%d", i.Number)
		}
		all = append(all, "· "+name+" "+rest(i))
	}
	lines(l, title, all)
}

func lines(l *layout.Layout, title string, all []string) {
	if len(all) == 0 {
		return
	}
	n := len(all)
	if n > mostLines {
		all = append(all[:mostLines:mostLines], fmt.Sprintf("… and %d more", n-mostLines))
	}
	l.Lines(append([]string{fmt.Sprintf("*%s* (%d)", title, n)}, all...)...)
}

func in(stage string) string {
	if stage == "" {
		return "· "
	}
	return "in " + layout.Name(stage) + " · "
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return " · " + layout.Text(text, 150)
}
