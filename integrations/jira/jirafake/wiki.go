package jirafake

import (
	"html"
	"regexp"
	"strings"
)

// wiki draws the markup that tickets are written in as Jira does: bold, links,
// escapes, line breaks, paragraphs and blocks without format. Everything else
// is text, escaped.
func wiki(text string) string {
	var out strings.Builder
	for i, part := range strings.Split("\n"+text, "\n{noformat}") {
		if i%2 == 1 {
			out.WriteString("<pre>" + html.EscapeString(strings.Trim(part, "\n")) + "</pre>")
			continue
		}
		for paragraph := range strings.SplitSeq(part, "\n\n") {
			if paragraph = strings.Trim(paragraph, "\n"); paragraph != "" {
				out.WriteString("<p>" + strings.ReplaceAll(inline(paragraph), "\n", "<br>") + "</p>")
			}
		}
	}
	return out.String()
}

// marked is an escape, a bold text or a link, in this order.
var marked = regexp.MustCompile(`\\([^\w\s])|\*((?:\\.|[^*\s\\])(?:(?:\\.|[^*\n\\])*(?:\\.|[^*\s\\]))?)\*|\[((?:\\.|[^\]|\n\\])+)\|(https?://[^\]\s|]+)\]`)

func inline(s string) string {
	var out strings.Builder
	for {
		m := marked.FindStringSubmatchIndex(s)
		if m == nil {
			return out.String() + html.EscapeString(s)
		}
		group := func(n int) string { return s[m[2*n]:m[2*n+1]] }
		out.WriteString(html.EscapeString(s[:m[0]]))
		switch {
		case m[2] >= 0:
			out.WriteString(html.EscapeString(group(1)))
		case m[4] >= 0:
			out.WriteString("<b>" + inline(group(2)) + "</b>")
		default:
			out.WriteString(`<a href="` + html.EscapeString(group(4)) + `">` + inline(group(3)) + "</a>")
		}
		s = s[m[1]:]
	}
}
