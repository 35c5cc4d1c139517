package card

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// line makes text from outside safe inside one line of a plain_text object, at
// most n characters: no line breaks, nothing that turns the direction of writing.
func line(s string, n int) string {
	s = clean.Line(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// esc makes text from outside safe inside one line of mrkdwn, at most n
// characters with the escapes.
func esc(s string, n int) string { return within(escape(line(s, n)), n) }

// prose is esc for text that may have several lines.
func prose(s string, n int) string { return within(escape(strings.TrimSpace(clean.Text(s))), n) }

// within cuts escaped text, never inside an entity.
func within(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	cut := string([]rune(s)[:n-1])
	if i := strings.LastIndexByte(cut, '&'); i >= 0 && !strings.Contains(cut[i:], ";") {
		cut = cut[:i]
	}
	return cut + "…"
}

// escape also defuses what would open a code block and swallow the lines below.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "```", "'''").Replace(s)
}

// link is text that leads to an address from outside; only the text when the
// address is none that a browser should open.
func link(address, text string) string {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(address, "http://")
	}
	if host, _, _ := strings.Cut(rest, "/"); !ok || host == "" || len(address) > 1000 || strings.ContainsAny(host, " <>|&\n") {
		return text
	}
	safe := strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C", " ", "%20").Replace(clean.Line(address))
	return "<" + safe + "|" + strings.ReplaceAll(text, "|", "¦") + ">"
}

// code is a word set in the fixed font; backticks would end it early.
func code(s string, n int) string {
	return "`" + strings.ReplaceAll(esc(s, n), "`", "'") + "`"
}

// moment is a point in time in the reader's own time zone.
func moment(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), stamp(t))
}

// stamp is a point in time where Slack has no dates: plain_text.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// lasted is a duration as people say it, to two units.
func lasted(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(d/time.Second, 0))
	case d < time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second), " 0 s")
	case d < 24*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour), " 0 h")
}

// because appends a reason that somebody gave.
func because(text, reason string) string {
	if strings.TrimSpace(reason) == "" {
		return text
	}
	return text + ": " + esc(reason, 300)
}

// join puts the parts that are not empty side by side.
func join(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, " · ")
}

// sentence begins with a capital letter. It is for words of our own: a name
// means another thing with another first letter.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
