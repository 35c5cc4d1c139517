package commands

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const (
	shortestSecret = 4 // shorter ones are in every text
	shortestLine   = 8 // of a secret of several lines
	masked         = "***"
)

// mask replaces secrets in a stream, wherever its chunks are cut: from the
// left, always the longest. What could become a secret is held back until
// it is clear.
type mask struct {
	secrets [][]byte // longest first
	first   [256]bool
	held    []byte
	out     func([]byte)
}

// newMask masks the secrets and, of those with several lines, each line,
// because programs print them so.
func newMask(secrets []string, out func([]byte)) *mask {
	m := &mask{out: out}
	var all []string
	for _, s := range secrets {
		s = strings.Trim(s, "\r\n")
		if len(s) >= shortestSecret {
			all = append(all, s)
		}
		if strings.Contains(s, "\n") {
			for line := range strings.Lines(s) {
				if line = strings.TrimSpace(line); len(line) >= shortestLine {
					all = append(all, line)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, s := range slices.Compact(all) {
		m.secrets = append(m.secrets, []byte(s))
		m.first[s[0]] = true
	}
	return m
}

func (m *mask) write(p []byte) {
	if len(m.secrets) == 0 {
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
		if !m.first[text[i]] {
			i++
			continue
		}
		n, wait := m.at(text[i:])
		switch {
		case wait && !last:
			m.out(text[from:i])
			return text[i:]
		case n > 0:
			m.out(text[from:i])
			m.out([]byte(masked))
			i += n
			from = i
		default:
			i++
		}
	}
	m.out(text[from:])
	return nil
}

// at says how long a secret begins the text, and whether a longer one might
// still turn out to.
func (m *mask) at(text []byte) (n int, wait bool) {
	for _, s := range m.secrets {
		if bytes.HasPrefix(text, s) {
			return len(s), wait
		}
		wait = wait || (len(s) > len(text) && bytes.HasPrefix(s, text))
	}
	return 0, wait
}
