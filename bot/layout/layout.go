// Package layout puts text and blocks within what Slack takes.
//
// Text from outside passes through [Line], [Text], [Prose], [Code] or [Link]: cut,
// and escaped so that nobody can mention a channel or forge a link through it. A
// [Layout] gathers blocks of a message or a view and leaves out what would exceed
// Slack's limits, saying how much that was.
package layout

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// Slack's limits that matter here: characters of a section, a button's and an
// option's text; blocks of a view. The total of a message is undocumented; longer
// ones were seen to be refused.
const (
	MaxSection  = 3000
	maxTotal    = 11000
	maxMessage  = 50
	MaxView     = 100
	maxElements = 25
	MaxButton   = 75
	MaxOption   = 75
)

// Layout gathers blocks and stays within the limits: what does not fit any
// more is left out, and Done says so.
type Layout struct {
	blocks []slack.Block
	total  int // characters of text so far
	most   int // blocks
	extra  int // blocks that plain drawings have beyond the one of the richer
	left   int // lines that did not fit
	number int // actions blocks so far, for their IDs
}

// Message lays out a message.
func Message() *Layout { return &Layout{most: maxMessage} }

// View lays out a form or an App Home.
func View() *Layout { return &Layout{most: MaxView} }

// room takes n characters, and says whether there were that many.
func (l *Layout) room(n int) bool {
	// One block and a few words are kept back for the line that says what is missing.
	if l.total+n > maxTotal || len(l.blocks)+l.extra >= l.most-1 {
		return false
	}
	l.total += n
	return true
}

// Header adds a heading of plain text, cut at 150 characters.
func (l *Layout) Header(text string) {
	text = Line(text, 150)
	if l.room(utf8.RuneCountInString(text)) {
		l.blocks = append(l.blocks, slack.NewHeaderBlock(PlainText(text)))
	}
}

// Lines adds mrkdwn lines in as few sections as they fit in.
func (l *Layout) Lines(lines ...string) {
	var section strings.Builder
	size := 0
	flush := func() {
		if size > 0 {
			l.blocks = append(l.blocks, slack.NewSectionBlock(Mrkdwn(section.String()), nil, nil))
		}
		section.Reset()
		size = 0
	}
	for _, text := range lines {
		if text == "" {
			continue
		}
		text = Fit(text, MaxSection)
		n := utf8.RuneCountInString(text) + 1
		if size+n > MaxSection {
			flush()
		}
		if !l.room(n) {
			l.left++
			continue
		}
		if size > 0 {
			section.WriteByte('\n')
		}
		section.WriteString(text)
		size += n
	}
	flush()
}

// Context adds a small grey line.
func (l *Layout) Context(text string) {
	if text = Fit(text, MaxSection); text != "" && l.room(utf8.RuneCountInString(text)) {
		l.blocks = append(l.blocks, slack.NewContextBlock("", Mrkdwn(text)))
	}
}

// Buttons adds a row of at most 25.
func (l *Layout) Buttons(buttons ...*slack.ButtonBlockElement) { l.Menu(buttons, nil) }

// Menu adds a row of buttons that ends in an overflow menu; nil: in none.
func (l *Layout) Menu(buttons []*slack.ButtonBlockElement, more *slack.OverflowBlockElement) {
	var row []slack.BlockElement
	size := 0
	for _, b := range buttons {
		if len(row) < maxElements {
			row = append(row, b)
			size += length(b.Text)
			if c := b.Confirm; c != nil {
				size += length(c.Title) + length(c.Text) + length(c.Confirm) + length(c.Deny)
			}
		}
	}
	if more != nil {
		row = append(row[:min(len(row), maxElements-1)], more)
		for _, o := range more.Options {
			size += length(o.Text)
		}
	}
	if len(row) == 0 || !l.room(size) {
		return
	}
	l.number++
	l.blocks = append(l.blocks, slack.NewActionBlock(fmt.Sprintf("do.%d", l.number), row...))
}

// Controls adds a row of buttons and menus.
func (l *Layout) Controls(elements ...slack.BlockElement) {
	if len(elements) == 0 || !l.room(50*len(elements)) {
		return
	}
	l.number++
	l.blocks = append(l.blocks, slack.NewActionBlock(fmt.Sprintf("do.%d", l.number), elements...))
}

func length(t *slack.TextBlockObject) int { return utf8.RuneCountInString(t.Text) }

// Done returns the blocks; more is where the rest can be read.
func (l *Layout) Done(more string) []slack.Block {
	if l.left > 0 {
		l.blocks = append(l.blocks, slack.NewContextBlock("", Mrkdwn(Join(fmt.Sprintf("… and %d more lines", l.left), more))))
	}
	return l.blocks
}

// Fit cuts mrkdwn of our own making. Text from outside is cut before it is
// escaped, so this only ever cuts whole lines that are far too long.
func Fit(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	cut := string([]rune(s)[:n-1])
	// Never inside an entity, a link or a person.
	for _, open := range []string{"&;", "<>"} {
		if i := strings.LastIndex(cut, open[:1]); i >= 0 && !strings.Contains(cut[i:], open[1:]) {
			cut = cut[:i]
		}
	}
	return cut + "…"
}

// PlainText is a plain_text object; emoji names in it become pictures.
func PlainText(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, true, false)
}

// Mrkdwn is a mrkdwn object, verbatim: otherwise Slack itself would turn a commit text's
// "@channel" into a mention.
func Mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}
