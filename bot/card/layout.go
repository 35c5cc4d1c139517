package card

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// Slack's limits that matter here (characters, blocks). The total is
// undocumented; longer messages were seen to be refused.
const (
	maxSection  = 3000
	maxTotal    = 11000
	maxMessage  = 50
	maxHome     = 100
	maxElements = 25
	maxButton   = 75
	maxOption   = 75
)

// layout gathers blocks and stays within the limits: what does not fit any
// more is left out, and done says so.
type layout struct {
	blocks []slack.Block
	total  int // characters of text so far
	most   int // blocks
	left   int // lines that did not fit
	number int // actions blocks so far, for their IDs
}

func messageLayout() *layout { return &layout{most: maxMessage} }

// room takes n characters, and says whether there were that many.
func (l *layout) room(n int) bool {
	// One block and a few words are kept back for the line that says what is missing.
	if l.total+n > maxTotal || len(l.blocks) >= l.most-1 {
		return false
	}
	l.total += n
	return true
}

func (l *layout) header(text string) {
	text = line(text, 150)
	if l.room(utf8.RuneCountInString(text)) {
		l.blocks = append(l.blocks, slack.NewHeaderBlock(plain(text)))
	}
}

// lines adds mrkdwn lines in as few sections as they fit in.
func (l *layout) lines(lines ...string) {
	var section strings.Builder
	size := 0
	flush := func() {
		if size > 0 {
			l.blocks = append(l.blocks, slack.NewSectionBlock(mrkdwn(section.String()), nil, nil))
		}
		section.Reset()
		size = 0
	}
	for _, text := range lines {
		if text == "" {
			continue
		}
		text = fit(text, maxSection)
		n := utf8.RuneCountInString(text) + 1
		if size+n > maxSection {
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

// context adds a small grey line.
func (l *layout) context(text string) {
	if text = fit(text, maxSection); text != "" && l.room(utf8.RuneCountInString(text)) {
		l.blocks = append(l.blocks, slack.NewContextBlock("", mrkdwn(text)))
	}
}

// buttons adds a row of at most 25.
func (l *layout) buttons(buttons ...*slack.ButtonBlockElement) {
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
	if len(row) == 0 || !l.room(size) {
		return
	}
	l.number++
	l.blocks = append(l.blocks, slack.NewActionBlock(fmt.Sprintf("do.%d", l.number), row...))
}

func length(t *slack.TextBlockObject) int { return utf8.RuneCountInString(t.Text) }

// done returns the blocks; more is where the rest can be read.
func (l *layout) done(more string) []slack.Block {
	if l.left > 0 {
		l.blocks = append(l.blocks, slack.NewContextBlock("", mrkdwn(join(fmt.Sprintf("… and %d more lines", l.left), more))))
	}
	return l.blocks
}

// fit cuts mrkdwn of our own making. Text from outside is cut before it is
// escaped, so this only ever cuts whole lines that are far too long.
func fit(s string, n int) string {
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

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, true, false)
}

// mrkdwn is verbatim: otherwise Slack itself would turn a commit text's
// "@channel" into a mention.
func mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}
