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

// readTable reads the whole table.
func readTable() shapes {
	all := shapes{}
	for section := range strings.SplitSeq(table, partMark) {
		if strings.TrimSpace(section) != "" {
			s := readPart(section)
			all[s.name] = s
		}
	}
	return all
}

// partMark stands before each part of the table.
const partMark = "\n= "

// part returns a part of the table, which is read when a file first needs it:
// nothing is shared between files, and few need all of it.
func (all shapes) part(name string) *shape {
	if s := all[name]; s != nil {
		return s
	}
	_, section, _ := strings.Cut(table, partMark+name+" |")
	section, _, _ = strings.Cut(section, partMark)
	all[name] = readPart(name + " |" + section)
	return all[name]
}

// readPart reads a part of the table, without its mark.
func readPart(section string) *shape {
	var s *shape
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var col [4]string
		for i, rest := 0, line; i < len(col); i++ {
			if i < len(col)-1 {
				col[i], rest, _ = strings.Cut(rest, "|")
			} else {
				col[i] = rest
			}
			col[i] = strings.TrimSpace(col[i])
		}
		if s == nil {
			s = &shape{name: col[0], what: col[1], about: col[2]}
			continue
		}
		name, must := strings.CutSuffix(col[0], "!")
		s.keys = append(s.keys, key{name, must, readForms(col[1]), col[2], col[3]})
	}
	return s
}

// format is a word that has rules of its own.
func format(word string) (form, bool) {
	for line := range strings.Lines(formats) {
		if rest, ok := strings.CutPrefix(line, word); ok && rest[0] == ' ' {
			f := strings.Fields(rest)
			low, high := span(f[0])
			return form{sort: text, low: low, high: high, limited: true, words: []string{word, strings.Join(f[2:], " ")}, pattern: f[1]}, true
		}
	}
	return form{}, false
}

// readForms reads "form or form".
func readForms(column string) (forms []form) {
	depth, from := 0, 0
	for i, r := range column {
		switch r {
		case '[', '<', '{':
			depth++
		case ']', '>', '}':
			depth--
		}
		if depth == 0 && strings.HasPrefix(column[i:], " or ") {
			forms = append(forms, readForm(column[from:i]))
			from = i + len(" or ")
		}
	}
	return append(forms, readForm(column[from:]))
}

func readForm(column string) form {
	body, limits := column, ""
	if i := strings.LastIndexByte(column, ' '); i >= 0 && strings.Trim(column[i+1:], "0123456789-") == "" {
		body, limits = column[:i], column[i+1:]
	}
	f := form{sort: body, limited: limits != ""}
	f.low, f.high = span(limits)
	inner := body[1 : len(body)-1]
	switch {
	case body[0] == '[':
		f.sort, f.of = many, readForms(inner)
	case body[0] == '<':
		f.sort, f.of = free, readForms(inner)
	case body[0] == '{':
		f.sort, f.words = part, []string{inner}
	case strings.Contains(body, "/"):
		f.sort = choice
		f.words = slices.DeleteFunc(strings.Split(body, "/"), func(w string) bool { return w == "" })
	default:
		if named, ok := format(body); ok {
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
