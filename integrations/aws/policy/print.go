package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// printer writes lines, indented, with comments that begin with #.
type printer struct{ b bytes.Buffer }

func (p *printer) line(depth int, format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

// comment writes a text in lines of some 100 characters; a text from outside
// cannot end the comment.
func (p *printer) comment(depth int, text string) {
	line := "#"
	for word := range strings.FieldsSeq(clean.Line(text)) {
		if len(line)+1+len(word) > 100 && line != "#" {
			p.line(depth, "%s", line)
			line = "#"
		}
		line += " " + word
	}
	p.line(depth, "%s", line)
}

func (p *printer) heading(s Set) {
	p.comment(0, s.Comment+".")
	for _, w := range s.Warnings {
		p.comment(0, "To do: "+w+".")
	}
}

// quoted is a text as JSON, and so YAML, write it.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string is always encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// roles are the ARNs of the set's roles, each once.
func (s Set) roles() []string {
	var all []string
	for _, d := range s.Documents {
		if d.Role != "" && !slices.Contains(all, d.Role) {
			all = append(all, d.Role)
		}
	}
	return all
}

// of are the documents of a kind that belong to a role.
func (s Set) of(kind, role string) (found []Document) {
	for _, d := range s.Documents {
		if d.Kind == kind && d.Role == role {
			found = append(found, d)
		}
	}
	return found
}

// uses says whether a statement of the set holds a placeholder.
func (s Set) uses(placeholder string) bool {
	return slices.ContainsFunc(s.Documents, func(d Document) bool {
		return slices.ContainsFunc(d.Statements, func(st Statement) bool {
			return slices.Contains(st.Principals, placeholder) ||
				slices.ContainsFunc(st.Conditions, func(c Condition) bool { return slices.Contains(c.Values, placeholder) })
		})
	})
}

// nameAndPath are the parts of a role's ARN.
func nameAndPath(role string) (name, path string) {
	_, rest, _ := strings.Cut(role, ":role/")
	if cut := strings.LastIndexByte(rest, '/'); cut >= 0 {
		return rest[cut+1:], "/" + rest[:cut+1]
	}
	return rest, "/"
}

// identifier makes a name of letters and digits, with between between its words.
func identifier(name, between string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') })
	if between == "" {
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, between)
}
