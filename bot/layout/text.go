package layout

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Line makes text from outside safe inside one line of a plain_text object, at
// most n characters: no line breaks, nothing that turns the direction of writing.
func Line(s string, n int) string {
	s = clean.Line(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// Text makes text from outside safe inside one line of mrkdwn, at most n
// characters with the escapes.
func Text(s string, n int) string { return within(Escape(Line(s, n)), n) }

// Prose is Text for what that may have several lines.
func Prose(s string, n int) string { return within(Escape(strings.TrimSpace(clean.Text(s))), n) }

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

// Escape makes text from outside safe in mrkdwn, uncut. It also defuses what would open a code block and swallow the lines below.
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "```", "'''").Replace(s)
}

// Link is text that leads to an address from outside; only the text when the
// address is none that a browser should open.
func Link(address, text string) string {
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

// Code is a word set in the fixed font; backticks would end it early.
func Code(s string, n int) string {
	return "`" + strings.ReplaceAll(Text(s, n), "`", "'") + "`"
}

// Spoken is mrkdwn where only words are shown, in a notification or by a screen
// reader: points in time as Stamp, links by their text, nothing in the fixed font.
// Mentions stay, Slack shows them as names there.
func Spoken(s string) string {
	s = strings.ReplaceAll(s, "`", "")
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "<")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		inside, after, closed := strings.Cut(rest, ">")
		label, ok := "", strings.HasPrefix(inside, "!date^") || strings.HasPrefix(inside, "http://") || strings.HasPrefix(inside, "https://")
		if ok && closed {
			_, label, ok = strings.Cut(inside, "|")
		}
		if !ok || !closed {
			out.WriteString("<")
			s = rest
			continue
		}
		out.WriteString(label)
		s = after
	}
}

// Moment is a point in time in the reader's own time zone.
func Moment(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), Stamp(t))
}

// Clock is Moment without its day, for what is near.
func Clock(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{time}|%s>", t.Unix(), Stamp(t))
}

// Stamp is a point in time where Slack has no dates: plain_text.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Duration is a duration as people say it, to two units.
func Duration(d time.Duration) string {
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

// Because appends a reason that somebody gave.
func Because(text, reason string) string {
	if strings.TrimSpace(reason) == "" {
		return text
	}
	return text + ": " + Text(reason, 300)
}

// Join puts the parts that are not empty side by side.
func Join(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, " · ")
}

// Sentence begins with a capital letter. It is for words of our own: a name
// means another thing with another first letter.
func Sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// Count is a number with its noun: "1 commit", "3 commits".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Name is a name from outside where it is set in bold, cut at 130 characters: no
// asterisk of its own ends that.
func Name(s string) string { return strings.ReplaceAll(Text(s, 130), "*", "∗") }

// Items are lines below the one that counts them, each cut at 200 characters.
func Items(lines []string) []string {
	all := make([]string, len(lines))
	for i, text := range lines {
		all[i] = "      • " + Text(text, 200)
		if strings.HasPrefix(text, "and ") {
			all[i] = "      " + Text(text, 200)
		}
	}
	return all
}
