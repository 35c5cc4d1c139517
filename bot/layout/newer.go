package layout

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// Slack's limits of the newer kinds.
const (
	maxChildren   = 10  // blocks of a container
	maxTitle      = 150 // of a container
	maxAlert      = 3000
	maxTableRows  = 50 // ours, so that the plain drawing fits too
	maxCell       = 200
	maxPlainRows  = 20
	tablePageSize = 10
)

// Either adds a block with its plain drawing, where both fit. It says whether they did.
func (l *Layout) Either(e *Either) bool {
	size := max(letters(e.Rich), letters(e.Plain...))
	extra := max(len(e.Plain)-1, 0)
	if len(l.blocks)+l.extra+extra >= l.most-1 || !l.room(size) {
		l.left++
		return false
	}
	l.extra += extra
	l.blocks = append(l.blocks, e)
	return true
}

// Alert adds a notice that stands out, one mrkdwn text. It is for forms and not
// for messages or App Homes, where Slack knows no alert. Drawn plainly it is a
// line with a sign before it.
func (l *Layout) Alert(level slack.AlertLevel, text string) {
	text = Fit(text, maxAlert-10)
	if text == "" {
		return
	}
	sign := map[slack.AlertLevel]string{slack.AlertLevelWarning: "⚠️ ", slack.AlertLevelError: "⛔ ", slack.AlertLevelSuccess: "✓ "}[level]
	l.Either(&Either{
		Rich:  slack.NewAlertBlock(Mrkdwn(text), slack.AlertBlockOptionLevel(level)),
		Plain: []slack.Block{slack.NewSectionBlock(Mrkdwn(sign+text), nil, nil)},
	})
}

// Collapsed adds mrkdwn lines under a title of plain text, which a reader may
// unfold; drawn plainly, the title in bold with the lines below it. Lines that
// do not fit are left out, and a last line says how many.
func (l *Layout) Collapsed(title string, lines ...string) {
	title = Line(title, maxTitle)
	inner := &Layout{most: maxChildren, total: max(l.total+2*maxTitle, maxTotal-MaxSection*2)}
	inner.Lines(lines...)
	children := inner.Done("")
	if title == "" || len(children) == 0 {
		return
	}
	box := slack.NewContainerBlock(children...).WithTitle(PlainText(title)).WithCollapsible(true, true)
	l.Either(&Either{Rich: box, Plain: append([]slack.Block{slack.NewSectionBlock(Mrkdwn("*"+Name(title)+"*"), nil, nil)}, children...)})
}

// TableRow is a row of a table: plain text by column, and the button that acts
// on it; nil: there is none.
type TableRow struct {
	Cells  []string
	Button *slack.ButtonBlockElement
}

// Table adds a table that readers can sort and leaf through. columns are the
// headings, caption says what it is; a row's button stands in a last column of
// the name act. Drawn plainly, each row is a section: the first cell in bold, the
// others beside it, the button at its side; at most twenty, then a line says how
// many more there are. Cells are plain text: nobody can be mentioned in one.
func (l *Layout) Table(caption, act string, columns []string, rows []TableRow) {
	if len(rows) == 0 || len(columns) == 0 {
		return
	}
	rows = l.tableRows(rows)
	e := &Either{Rich: tableOf(Line(caption, maxTitle), act, columns, rows)}
	for i, r := range rows {
		if i == maxPlainRows || len(l.blocks)+l.extra+i >= l.most-3 {
			e.Plain = append(e.Plain, slack.NewContextBlock("", Mrkdwn("… and "+Count(len(rows)-i, "more row", "more rows"))))
			break
		}
		e.Plain = append(e.Plain, rowSection(r))
	}
	l.Either(e)
}

// tableRows are as many rows as there is room for; the others are counted as left out.
func (l *Layout) tableRows(rows []TableRow) []TableRow {
	size := l.total
	for i, r := range rows {
		for _, cell := range r.Cells {
			size += min(utf8.RuneCountInString(cell), maxCell)*2 + 5
		}
		if r.Button != nil {
			size += 2 * length(r.Button.Text)
			if c := r.Button.Confirm; c != nil {
				size += length(c.Title) + length(c.Text) + length(c.Confirm) + length(c.Deny)
			}
		}
		if i > 0 && (size > maxTotal-500 || i == maxTableRows) {
			l.left += len(rows) - i
			return rows[:i]
		}
	}
	return rows
}

func tableOf(caption, act string, columns []string, rows []TableRow) *slack.DataTableBlock {
	t := slack.NewDataTableBlock(caption).WithPageSize(tablePageSize)
	head := make([]slack.DataTableCell, 0, len(columns)+1)
	for _, c := range columns {
		head = append(head, slack.NewDataTableRawTextCell(Line(c, maxCell)))
	}
	if act != "" {
		head = append(head, slack.NewDataTableRawTextCell(Line(act, maxCell)))
	}
	t.AddRow(head...)
	for _, r := range rows {
		row := make([]slack.DataTableCell, 0, len(head))
		for i := range columns {
			text := "–"
			if i < len(r.Cells) && strings.TrimSpace(r.Cells[i]) != "" {
				text = Line(r.Cells[i], maxCell)
			}
			row = append(row, slack.NewDataTableRawTextCell(text))
		}
		switch {
		case act != "" && r.Button != nil:
			row = append(row, slack.NewDataTableActionCell(r.Button).WithFallback(slack.NewDataTableRawTextCell(r.Button.Text.Text)))
		case act != "":
			row = append(row, slack.NewDataTableRawTextCell("–"))
		}
		t.AddRow(row...)
	}
	return t
}

// rowSection is a row drawn plainly.
func rowSection(r TableRow) slack.Block {
	var parts []string
	for i, cell := range r.Cells {
		text := Text(cell, maxCell)
		if i == 0 && text != "" {
			text = "*" + Name(cell) + "*"
		}
		parts = append(parts, text)
	}
	s := slack.NewSectionBlock(Mrkdwn(Fit(Join(append(parts, "")...), MaxSection)), nil, nil)
	if s.Text.Text == "" {
		s.Text.Text = "–"
	}
	if r.Button != nil {
		s.Accessory = slack.NewAccessory(r.Button)
	}
	return s
}

// letters counts the texts of blocks.
func letters(blocks ...slack.Block) (n int) {
	for _, b := range blocks {
		switch b := b.(type) {
		case *slack.SectionBlock:
			if b.Text != nil {
				n += length(b.Text)
			}
			for _, f := range b.Fields {
				n += length(f)
			}
			if b.Accessory != nil && b.Accessory.ButtonElement != nil {
				n += buttonLetters(b.Accessory.ButtonElement)
			}
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				if t, ok := e.(*slack.TextBlockObject); ok {
					n += length(t)
				}
			}
		case *slack.HeaderBlock:
			n += length(b.Text)
		case *slack.AlertBlock:
			n += length(b.Text)
		case *slack.ContainerBlock:
			if b.Title != nil {
				n += length(b.Title)
			}
			n += letters(b.ChildBlocks.BlockSet...)
		case *slack.DataTableBlock:
			n += utf8.RuneCountInString(b.Caption) + cellLetters(b.Rows)
		}
	}
	return n
}

func cellLetters(rows [][]slack.DataTableCell) (n int) {
	for _, row := range rows {
		for _, cell := range row {
			switch c := cell.(type) {
			case *slack.DataTableRawTextCell:
				n += utf8.RuneCountInString(c.Text)
			case *slack.DataTableActionCell:
				n += buttonLetters(c.Element)
			}
		}
	}
	return n
}

func buttonLetters(b *slack.ButtonBlockElement) int {
	n := length(b.Text)
	if c := b.Confirm; c != nil {
		n += length(c.Title) + length(c.Text) + length(c.Confirm) + length(c.Deny)
	}
	return n
}
