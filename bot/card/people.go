package card

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
)

// reference is somebody in a message that was drawn: whom the sources say it
// was, and the name that they gave: "<@github:dan mail:dan@acme.example|dan>".
// Nothing from outside can look like one, its angle brackets are escaped.
type reference struct{ who, called string }

// cutReference returns the first reference in a text, and what is around it.
func cutReference(text string) (before string, r reference, after string, found bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], "<@")
		if i < 0 {
			return text, r, "", false
		}
		from += i + len("<@")
		end := strings.IndexAny(text[from:], "<>")
		if end < 0 {
			return text, r, "", false
		}
		end += from
		who, called, named := strings.Cut(text[from:end], "|")
		kind, _, ok := strings.Cut(who, ":")
		if text[end] == '>' && named && ok && kind != "" && strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") == "" {
			return text[:from-len("<@")], reference{who, called}, text[end+1:], true
		}
		from = end
	}
}

// isReferable says whether a name of somebody can stand in a reference.
func isReferable(known string) bool {
	kind, name, ok := strings.Cut(known, ":")
	return ok && kind != "" && strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") == "" && name != "" && len(name) <= 150 &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("_.@+:/'-", r)
		})
}

// name is how a principal is called in a message: machines and rollcall itself
// by their own names, people as [Calls] finds them.
func name(p workflows.Principal) string {
	if _, isMachine := p.Machine(); isMachine || p.IsEngine() {
		return layout.Text(p.Called(), 60)
	}
	if strings.HasPrefix(p.ID, "aws:") {
		return layout.Text(p.Called(), 250) // an ARN says who by its end
	}
	return person("somebody", []string{p.ID, mailed(p.Email)}, p.Name, p.Email, p.ID)
}

// author is how the author of a revision is called; empty when nobody is given.
func author(a *workflows.Author) string {
	if a == nil {
		return ""
	}
	login := ""
	if a.Login != "" {
		login = "github:" + a.Login
	}
	return person("", []string{login, mailed(a.Email)}, a.Name, a.Login, a.Email)
}

func mailed(address string) string {
	if address == "" {
		return ""
	}
	return "mail:" + address
}

// person refers to somebody by all that is known of them, and names them by
// the first name given, else as nobody.
func person(nobody string, known []string, given ...string) string {
	called := nobody
	for _, g := range given {
		if g = layout.Text(g, 60); g != "" {
			called = g
			break
		}
	}
	var who []string
	for _, k := range known {
		if isReferable(k) && !slices.Contains(who, k) {
			who = append(who, k)
		}
	}
	if len(who) == 0 {
		return called
	}
	return "<@" + strings.Join(who, " ") + "|" + called + ">"
}

// Calls says how chat calls somebody. who is all that is known of them, each
// as the ID of a principal ("slack:U1", "github:dan", "mail:dan@acme.example").
// It gives the chat's ID of the user, where they are to be mentioned, else the
// name that chat shows; neither: they keep the name that they were given.
type Calls func(who []string) (user, shown string)

// Blocks puts into every text of blocks that were drawn what chat calls the
// people in it. The blocks given stay as they are, so that two messages that
// differ by such names alone are known to be the same.
func (calls Calls) Blocks(blocks []slack.Block) []slack.Block {
	named := slices.Clone(blocks) // nil stays nil: a message in words alone
	for i, b := range blocks {
		switch b := b.(type) {
		case *slack.SectionBlock:
			c := *b
			c.Text = calls.object(b.Text)
			named[i] = &c
		case *slack.ContextBlock:
			c := *b
			c.ContextElements.Elements = make([]slack.MixedElement, len(b.ContextElements.Elements))
			for j, e := range b.ContextElements.Elements {
				if t, ok := e.(*slack.TextBlockObject); ok {
					e = calls.object(t)
				}
				c.ContextElements.Elements[j] = e
			}
			named[i] = &c
		case *slack.AlertBlock:
			c := *b
			c.Text = calls.object(b.Text)
			named[i] = &c
		case *slack.ContainerBlock:
			c := *b
			c.ChildBlocks.BlockSet = calls.Blocks(b.ChildBlocks.BlockSet)
			named[i] = &c
		case *layout.Either:
			named[i] = &layout.Either{Rich: calls.Blocks([]slack.Block{b.Rich})[0], Plain: calls.Blocks(b.Plain)}
		}
	}
	return named
}

func (calls Calls) object(t *slack.TextBlockObject) *slack.TextBlockObject {
	if t == nil {
		return t
	}
	if _, _, _, found := cutReference(t.Text); !found {
		return t
	}
	c := *t
	c.Text = calls.Text(t.Text)
	return &c
}

// Text is Blocks for one text of mrkdwn. Where the names would make it longer
// than Slack takes, people keep those that they were given.
func (calls Calls) Text(text string) string {
	named := calls.put(text)
	if utf8.RuneCountInString(named) > layout.MaxSection {
		return Calls(func([]string) (string, string) { return "", "" }).put(text)
	}
	return named
}

func (calls Calls) put(text string) string {
	var out strings.Builder
	for {
		before, r, after, found := cutReference(text)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		text = after
		user, shown := calls(strings.Fields(r.who))
		switch shown = layout.Text(shown, 60); {
		case user != "":
			out.WriteString("<@" + user + ">")
		case shown != "":
			out.WriteString(shown)
		default:
			out.WriteString(r.called)
		}
	}
}
