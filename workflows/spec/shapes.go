package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shapes is the table, read: the parts of a file by their names.
type shapes map[string]*shape

// shape is one part of a file.
type shape struct {
	name, what, about string
	keys              []key
}

// key is a key of a part.
type key struct {
	name             string
	must             bool
	forms            []form // alternatives
	otherwise, about string
}

// The sorts of forms.
const (
	anything = "any"
	text     = "text"
	number   = "number"
	truth    = "flag"
	choice   = "choice"
	part     = "part"
	many     = "list"
	free     = "table"
)

// form is something that a key may hold.
type form struct {
	sort      string
	low, high int      // length, value, or number of entries; high 0: no limit
	limited   bool     // by low and high
	words     []string // of a choice; of a part and of a text with a format its name
	pattern   string   // of a text with a format
	of        []form   // what is in a list or behind free keys
}

// readTable reads the table above. It is read anew for every file: that takes
// as long as a file of a hundred lines, and nothing is shared.
func readTable() shapes {
	all, known := shapes{}, readFormats()
	var s *shape
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		header, begins := strings.CutPrefix(line, "= ")
		col := strings.SplitN(header, "|", 4)
		for i := range col {
			col[i] = strings.TrimSpace(col[i])
		}
		if begins {
			s = &shape{name: col[0], what: col[1], about: col[2]}
			all[s.name] = s
			continue
		}
		name, must := strings.CutSuffix(col[0], "!")
		s.keys = append(s.keys, key{name, must, readForms(col[1], known), col[2], col[3]})
	}
	return all
}

// readFormats reads the words that have rules of their own.
func readFormats() map[string]form {
	all := map[string]form{}
	for line := range strings.Lines(formats) {
		if f := strings.Fields(line); len(f) > 3 {
			low, high := span(f[1])
			all[f[0]] = form{sort: text, low: low, high: high, limited: true, words: []string{f[0], strings.Join(f[3:], " ")}, pattern: f[2]}
		}
	}
	return all
}

// readForms reads "form or form".
func readForms(column string, known map[string]form) (forms []form) {
	depth, from := 0, 0
	for i, r := range column {
		switch r {
		case '[', '<', '{':
			depth++
		case ']', '>', '}':
			depth--
		}
		if depth == 0 && strings.HasPrefix(column[i:], " or ") {
			forms = append(forms, readForm(column[from:i], known))
			from = i + len(" or ")
		}
	}
	return append(forms, readForm(column[from:], known))
}

func readForm(column string, known map[string]form) form {
	body, limits := column, ""
	if i := strings.LastIndexByte(column, ' '); i >= 0 && strings.Trim(column[i+1:], "0123456789-") == "" {
		body, limits = column[:i], column[i+1:]
	}
	f := form{sort: body, limited: limits != ""}
	f.low, f.high = span(limits)
	inner := body[1 : len(body)-1]
	switch {
	case body[0] == '[':
		f.sort, f.of = many, readForms(inner, known)
	case body[0] == '<':
		f.sort, f.of = free, readForms(inner, known)
	case body[0] == '{':
		f.sort, f.words = part, []string{inner}
	case strings.Contains(body, "/"):
		f.sort = choice
		f.words = slices.DeleteFunc(strings.Split(body, "/"), func(w string) bool { return w == "" })
	default:
		if named, ok := known[body]; ok {
			return named
		}
	}
	return f
}

func span(limits string) (low, high int) {
	a, b, _ := strings.Cut(limits, "-")
	low, _ = strconv.Atoi(a)
	high, _ = strconv.Atoi(b)
	return low, high
}

// names lists the keys of a part.
func (s *shape) names() []string {
	names := make([]string, len(s.keys))
	for i, k := range s.keys {
		names[i] = k.name
	}
	return names
}

// key finds a key; nil when the part has no such key.
func (s *shape) key(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

// words are the words that a key may hold.
func (s *shape) words(name string) []string { return s.key(name).forms[0].words }

// inWords says what a key may hold.
func inWords(forms []form) string {
	each := make([]string, len(forms))
	for i, f := range forms {
		each[i] = f.inWords()
	}
	return strings.Join(each, ", or ")
}

func (f form) inWords() string {
	span := fmt.Sprintf("%d to %d", f.low, f.high)
	switch {
	case f.high == 0 && f.low > 0:
		span = fmt.Sprintf("%d or more", f.low)
	case f.low == f.high:
		span = strconv.Itoa(f.low)
	case f.low == 0:
		span = fmt.Sprintf("up to %d", f.high)
	}
	switch f.sort {
	case text:
		if f.words != nil {
			if f.high == 0 {
				return f.words[1]
			}
			return fmt.Sprintf("%s (%s characters)", f.words[1], span)
		}
		if f.limited && f.high > 0 {
			return "text of " + span + " characters"
		}
		return "text"
	case number:
		return "a whole number, " + span
	case truth:
		return "true or false"
	case choice:
		return strings.Join(f.words, ", ")
	case part:
		return "keys of " + f.words[0]
	case many:
		if f.limited {
			return "a list (" + span + "): " + inWords(f.of)
		}
		return "a list: " + inWords(f.of)
	case free:
		return "free keys, each with " + inWords(f.of)
	}
	return "anything"
}
