package commands

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	shortestSecret = 4  // shorter ones are in every text
	shortestLine   = 8  // of a secret of several lines
	narrowest      = 48 // columns in which base64 and hex are broken into lines, or more
	masked         = "***"
)

// form is one way in which a secret may be printed.
type form struct {
	text   []byte
	folded bool // programs break it into lines
}

// mask replaces secrets in a stream, wherever its chunks are cut: from the
// left, always the longest. What could become a secret is held back until
// it is clear.
type mask struct {
	forms [256][]form // by first byte, longest first
	any   bool
	held  []byte
	col   int // how much of its line is before what is held
	out   func([]byte)
}

// newMask masks the secrets as they are and in the encodings in which programs
// hand them on, and, of those with several lines, each line, because programs
// print them so.
func newMask(secrets []string, out func([]byte)) *mask {
	m := &mask{out: out}
	add := func(text string, folded bool) {
		if len(text) >= shortestSecret {
			m.any = true
			m.forms[text[0]] = append(m.forms[text[0]], form{[]byte(text), folded})
		}
	}
	for _, s := range secrets {
		s = strings.Trim(s, "\r\n")
		if len(s) < shortestSecret {
			continue
		}
		add(s, false)
		for line := range strings.Lines(s) {
			if line = strings.TrimSpace(line); len(line) >= shortestLine {
				add(line, false)
			}
		}
		encoded(s, add)
	}
	for i, all := range m.forms {
		slices.SortFunc(all, func(a, b form) int { return cmp.Or(len(b.text)-len(a.text), bytes.Compare(a.text, b.text)) })
		m.forms[i] = slices.CompactFunc(all, func(a, b form) bool { return bytes.Equal(a.text, b.text) })
	}
	return m
}

// encoded adds the encodings of a secret. Base64 of a longer text holds it in
// one of three alignments; of each only the characters count that nothing beside
// the secret has a part in.
func encoded(s string, add func(text string, folded bool)) {
	for _, base := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before, shared := range []int{0, 2, 3} {
			padded := make([]byte, before+len(s))
			copy(padded[before:], s)
			add(base.EncodeToString(padded)[shared:len(padded)*8/6], true)
		}
	}
	plain := hex.EncodeToString([]byte(s))
	add(plain, true)
	add(strings.ToUpper(plain), true)
	add(url.QueryEscape(s), false)
	add(url.PathEscape(s), false)
	if quoted, err := json.Marshal(s); err == nil {
		add(string(quoted[1:len(quoted)-1]), false)
	}
}

// masks says whether a text holds one of the secrets, in any form.
func masks(secrets []string, text string) bool {
	var out []byte
	m := newMask(secrets, func(p []byte) { out = append(out, p...) })
	m.write([]byte(text))
	m.flush()
	return string(out) != text
}

func (m *mask) write(p []byte) {
	if !m.any {
		m.out(p)
		return
	}
	m.held = append(m.held, p...)
	m.held = append(m.held[:0], m.pass(m.held, false)...)
}

// flush passes on what was held back; nothing follows.
func (m *mask) flush() {
	m.pass(m.held, true)
	m.held = nil
}

// pass sends text on and returns the rest that must wait for more.
func (m *mask) pass(text []byte, last bool) (rest []byte) {
	from := 0
	for i := 0; i < len(text); {
		n, wait := m.at(text[i:])
		switch {
		case wait && !last:
			m.out(text[from:i])
			return text[i:]
		case n > 0:
			m.out(text[from:i])
			m.out([]byte(masked))
			from = i + n
		default:
			n = 1
		}
		if nl := bytes.LastIndexByte(text[i:i+n], '\n'); nl >= 0 {
			m.col = n - nl - 1
		} else {
			m.col += n
		}
		i += n
	}
	m.out(text[from:])
	return nil
}

// at says how long a secret begins the text, and whether a longer one might
// still turn out to.
func (m *mask) at(text []byte) (n int, wait bool) {
	for _, f := range m.forms[text[0]] {
		n, more := f.begins(text, m.col)
		if n > 0 {
			return n, wait
		}
		wait = wait || more
	}
	return 0, wait
}

// begins says how many bytes of text the form takes up, beginning at a column;
// 0: it is not there. more: it may be, once more of the text is known.
func (f form) begins(text []byte, col int) (n int, more bool) {
	if !f.folded {
		if bytes.HasPrefix(text, f.text) {
			return len(f.text), false
		}
		return 0, len(f.text) > len(text) && bytes.HasPrefix(f.text, text)
	}
	matched := 0
	for i, c := range text {
		switch {
		case c == f.text[matched]:
			if matched++; matched == len(f.text) {
				return i + 1, false
			}
			col++
		case c == '\r' && col >= narrowest && (i+1 == len(text) || text[i+1] == '\n'):
		case c == '\n' && col >= narrowest:
			col = 0
		default:
			return 0, false
		}
	}
	return 0, true
}
