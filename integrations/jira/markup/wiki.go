package markup

import (
	"strings"
	"unicode"
)

// Wiki renders wiki markup.
func (d *Doc) Wiki() string {
	var b strings.Builder
	for i, k := range d.blocks {
		if i > 0 {
			b.WriteByte('\n')
		}
		if k.code != "" {
			b.WriteString("{noformat}\n" + strings.ReplaceAll(k.code, "{noformat}", "{ noformat}") + "\n{noformat}\n")
		}
		for _, l := range k.lines {
			b.WriteString(wikiLine(l) + "\n")
		}
	}
	return b.String()
}

func wikiLine(l Line) string {
	var b strings.Builder
	for i, s := range l {
		text := Escape(s.Text)
		if i == 0 {
			text = asText(text)
		}
		switch {
		case strings.TrimSpace(s.Text) == "":
			text = s.Text
		case s.link() != "":
			if strings.HasPrefix(text, "~") { // it would be a mention
				text = `\` + text
			}
			text = "[" + text + "|" + s.link() + "]"
		}
		if s.Bold {
			text = "*" + text + "*"
		}
		b.WriteString(text)
	}
	return b.String()
}

// asText keeps the beginning of a line from making a heading, a quotation, a list
// or a table of it.
func asText(s string) string {
	word, _, _ := strings.Cut(s, " ")
	switch {
	case len(word) == 3 && word[0] == 'h' && word[2] == '.', word == "bq.":
		return word[:2] + `\` + s[2:]
	case strings.Trim(word, "#") == "" && word != "":
		return `\` + s
	}
	return s
}

// Escape takes their meaning from the characters of the markup. Those that mean
// something only beside a word's edge are left alone inside words and between spaces.
func Escape(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case strings.ContainsRune(`\{}[]|*!`, r):
			b.WriteByte('\\')
		case strings.ContainsRune(`_+^~-?`, r) && atEdge(runes, i):
			b.WriteByte('\\')
		case unicode.Is(unicode.Cc, r):
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// atEdge says whether the character stands where a phrase could begin: behind no
// word, and before something that is no space.
func atEdge(runes []rune, i int) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return (i == 0 || !word(runes[i-1])) && i+1 < len(runes) && !unicode.IsSpace(runes[i+1])
}
