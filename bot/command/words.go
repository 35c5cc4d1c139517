package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows"
)

// scanner takes a text apart from the left. After the first problem it gives
// only empty words; end returns that problem.
type scanner struct {
	rest    string
	problem *workflows.Problem
}

// next returns the next word, empty at the end. Quotes inside a word keep its
// spaces: canary="10 percent".
func (w *scanner) next() (string, *workflows.Problem) {
	s := strings.TrimLeftFunc(w.rest, unicode.IsSpace)
	var b strings.Builder
	closing := "" // the quotes that end the open one
	end := len(s)
	for i, r := range s {
		switch {
		case closing != "" && strings.ContainsRune(closing, r):
			closing = ""
		case closing == "" && r == '"':
			closing = `"`
		case closing == "" && r == '“':
			closing = `”"`
		case closing == "" && r == '„': // German ends it with “, Polish with ”
			closing = `“”"`
		case closing == "" && unicode.IsSpace(r):
			end = i
		default:
			b.WriteRune(r)
		}
		if end != len(s) {
			break
		}
	}
	w.rest = s[end:]
	if closing != "" {
		return "", &workflows.Problem{Code: workflows.CodeValidation, Message: "a quote is not closed", Hint: "write \"two words\" with both quotes"}
	}
	return b.String(), nil
}

func (w *scanner) optional() string {
	if w.problem != nil {
		return ""
	}
	word, p := w.next()
	w.problem = p
	return word
}

func (w *scanner) required(what string) string {
	word := w.optional()
	if word == "" {
		w.fail(what+" is missing", "")
	}
	return word
}

func (w *scanner) peek() string {
	ahead := scanner{rest: w.rest}
	return ahead.optional()
}

// flag takes the word away if it is next.
func (w *scanner) flag(word string) bool {
	if !strings.EqualFold(w.peek(), word) {
		return false
	}
	w.optional()
	return true
}

// all takes the whole rest as it was typed, without quotes around all of it.
func (w *scanner) all() string {
	if w.problem != nil {
		return ""
	}
	s := strings.TrimSpace(w.rest)
	w.rest = ""
	for _, q := range []string{`""`, "“”", "„“", "„”"} {
		first, size := utf8.DecodeRuneInString(q)
		last := q[size:]
		if inner, ok := strings.CutPrefix(s, string(first)); ok {
			if inner, ok = strings.CutSuffix(inner, last); ok && !strings.ContainsAny(inner, `"“”„`) {
				return strings.TrimSpace(inner)
			}
		}
	}
	return s
}

func (w *scanner) fail(message, hint string) {
	if w.problem == nil {
		w.problem = &workflows.Problem{Code: workflows.CodeValidation, Message: message, Hint: hint}
	}
}

// end is the first problem; words that nobody took are one too.
func (w *scanner) end() *workflows.Problem {
	if extra := w.optional(); extra != "" {
		w.fail("“"+extra+"” is too much", "")
	}
	return w.problem
}

// IsExecution says whether a word looks like the name of an execution rather
// than like a word of a sentence: "webshop#42", "#42", an ID, or its end, at
// least 6 hexadecimal digits with a number among them.
func IsExecution(word string) bool {
	if _, number, ok := strings.Cut(word, "#"); ok {
		return number != "" && strings.Trim(number, "0123456789") == ""
	}
	return len(word) >= 6 && strings.Trim(strings.ToLower(word), "0123456789abcdef-") == "" && strings.ContainsAny(word, "0123456789")
}

// unescape undoes what Slack does to a command's text: <@U1|ana>, <#C1|deploys>,
// <https://example.com|example.com>, and the three entities.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "<")
		b.WriteString(before)
		if !ok {
			break
		}
		inside, after, ok := strings.Cut(rest, ">")
		if !ok {
			b.WriteString("<")
			s = rest
			continue
		}
		b.WriteString(readable(inside))
		s = after
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(b.String())
}

// readable is what a person typed for one escaped thing.
func readable(inside string) string {
	target, label, _ := strings.Cut(inside, "|")
	switch {
	case target == "":
		return label
	case strings.ContainsRune("@#!", rune(target[0])):
		if label == "" {
			label = strings.TrimLeft(target, "@#!")
		}
		return strings.Replace(target[:1], "!", "@", 1) + strings.TrimLeft(label, "@#")
	case label != "" && !strings.Contains(target, label):
		return label
	}
	return strings.TrimPrefix(target, "mailto:")
}
