package vars

import (
	"regexp"
	"strings"
)

// Place is where a reference stands in the lines of a shell's script, which
// are read as one text.
type Place struct {
	Line  int    // of the lines given, from 0
	Quote bool   // nothing quotes it there, so its replacement must
	Fault *Error // where the shell fills nothing in, or more than the value; nil: fine. Offset is within the line
	Hint  string // of a fault: what to write instead
}

// Shell finds the references of a script in the order they appear. A shell
// replaces a variable only in some places, and takes the value for one word only
// in some of these: that is decided here, from the quotes around it. Malformed
// references are left out, see [Refs].
func Shell(lines []string) []Place {
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, "#{") {
		return nil
	}
	s := &script{text: text, stack: []nest{{kind: inCommand}}}
	s.read(len(text))
	if len(s.stack) > 1 {
		s.fault(0, "stands in commands whose quotes or brackets do not close", "close them, or move the lines into a script of the repository")
	}
	line, begin := 0, 0
	for i := range s.found {
		f := &s.found[i]
		for line < len(lines) && f.at > begin+len(lines[line]) {
			begin += len(lines[line]) + 1
			line++
		}
		f.Line = line
		if f.Fault != nil {
			f.Fault.Offset = f.at - begin
		}
	}
	places := make([]Place, len(s.found))
	for i, f := range s.found {
		places[i] = f.Place
	}
	return places
}

// What a piece of a script may be inside of.
const (
	inCommand  = iota // words and operators
	inTicks           // the same, between backticks
	inDouble          // double quotes
	inBraces          // ${…}
	inSum             // $((…)) or ((…))
	inDocument        // a here-document that the shell fills in
)

// nest is a piece of a script that has begun and not ended.
type nest struct {
	kind   int
	quoted bool // inBraces: the quotes are around it
	single bool // and it has single ones, which mean something behind # and %, and nothing behind :-
	parens int  // open ones that it will not end with
	cases  int  // case words without their esac, whose patterns end in a bracket
}

type found struct {
	Place
	at  int
	ref Ref
}

// document is a here-document whose text is still to come.
type document struct {
	end          string
	tabs, quoted bool
}

type script struct {
	text    string
	at      int
	stack   []nest
	found   []found
	waiting []document
}

func (s *script) top() *nest { return &s.stack[len(s.stack)-1] }
func (s *script) push(n nest, length int) {
	s.stack = append(s.stack, n)
	s.at += length
}
func (s *script) pop() {
	if len(s.stack) > 1 {
		s.stack = s.stack[:len(s.stack)-1]
	}
	s.at++
}
func (s *script) sees(text string) bool { return strings.HasPrefix(s.text[s.at:], text) }

// fault says of the references from the n-th on that they cannot work.
func (s *script) fault(n int, message, hint string) {
	for i := n; i < len(s.found); i++ {
		if f := &s.found[i]; f.Fault == nil {
			f.Fault, f.Hint = &Error{Message: f.ref.String() + " " + message, Ref: f.ref}, hint
		}
	}
}

// skip takes text as it is up to an end; message: why no reference works there.
func (s *script) skip(end int, message, hint string) {
	n := len(s.found)
	for s.at < end {
		if !s.sees("#{") || !s.reference() {
			s.at++
		}
	}
	if message != "" {
		s.fault(n, message, hint)
	}
}

// reference takes the reference that comes here; false: it is none.
func (s *script) reference() bool {
	ref, n, fault := scan(s.text[s.at:])
	if fault != "" {
		return false
	}
	s.found = append(s.found, found{at: s.at, ref: ref})
	s.at += n
	return true
}

// read goes through the text up to an end.
func (s *script) read(end int) {
	for s.at < end {
		if s.sees("#{") && s.placeholder() {
			continue
		}
		switch top := s.top(); {
		case s.sees(`\`):
			s.escape()
		case s.sees("$"):
			s.dollar()
		case s.sees("`") && top.kind == inTicks:
			s.pop()
		case s.sees("`"):
			s.push(nest{kind: inTicks}, 1)
		case top.kind == inDocument:
			s.at++
		case s.sees(`"`) && top.kind == inDouble, s.sees("}") && top.kind == inBraces:
			s.pop()
		case top.kind == inDouble:
			s.at++
		case s.sees(`"`):
			s.push(nest{kind: inDouble}, 1)
		case s.sees("'") && top.kind == inBraces && top.quoted:
			top.single = true
			s.at++
		case s.sees("'"):
			s.single(s.at+1, false)
		case top.kind == inSum:
			s.sum(top)
		case top.kind == inBraces:
			s.at++
		default:
			s.word(top, end)
		}
	}
}

// placeholder takes a reference and decides what it needs where it stands.
func (s *script) placeholder() bool {
	if !s.reference() {
		return false
	}
	n, top := len(s.found)-1, s.top()
	double := false
	for _, in := range s.stack {
		double = double || in.kind == inDouble || in.kind == inDocument
		if in.kind == inTicks && double {
			s.fault(n, "stands between backticks inside of double quotes, where quoting is not the same in every shell", "write $(…) in place of the backticks")
		}
	}
	if top.kind == inSum {
		s.fault(n, "stands in a sum, where a shell may take its value for more than a number", "put it into environmentVariables, and check it before you reckon with it")
	}
	if top.single {
		s.fault(n, "stands behind a single quote in a ${…} between double quotes, where not every form fills it in", "take the quote away, or put the value into environmentVariables")
	}
	s.found[n].Quote = top.kind == inCommand || top.kind == inTicks || top.kind == inBraces && !top.quoted
	return true
}

func (s *script) escape() {
	s.at++
	if n := len(s.found); s.sees("#{") && s.reference() {
		s.fault(n, `stands behind a backslash`, "take the backslash away: a # needs none")
		return
	}
	s.at++
}

func (s *script) dollar() {
	quoted := s.top().kind == inDouble || s.top().kind == inDocument || s.top().quoted
	s.at++
	n := len(s.found)
	switch {
	case s.sees("#{") && s.reference():
		s.fault(n, "stands behind a $, which the shell takes for something else", `write \$ for the character`)
	case s.sees("(("):
		s.push(nest{kind: inSum, parens: 2}, 2)
	case s.sees("("):
		s.push(nest{kind: inCommand}, 1)
	case s.sees("{"):
		s.push(nest{kind: inBraces, quoted: quoted}, 1)
		if s.sees("#{") && s.reference() {
			s.fault(n, "stands where the shell wants the name of a variable", "write it without ${ and }")
		}
	case s.sees("'") && !quoted:
		s.single(s.at+1, true)
	}
}

// single takes text between single quotes, which begins there.
func (s *script) single(start int, escapes bool) {
	end := start
	for end < len(s.text) && s.text[end] != '\'' {
		if escapes && s.text[end] == '\\' {
			end++
		}
		end++
	}
	s.skip(min(end+1, len(s.text)), "stands between single quotes, where the shell fills nothing in", "end the quotes before it and begin them again behind it ('…'#{namespace.key}'…'), or use double quotes")
	if end >= len(s.text) {
		s.push(nest{kind: inDouble}, 0) // they do not close
	}
}

func (s *script) sum(top *nest) {
	switch {
	case s.sees("("):
		top.parens++
	case s.sees(")"):
		if top.parens--; top.parens == 0 {
			s.pop()
			return
		}
	}
	s.at++
}

var caseIn = regexp.MustCompile(`^case[ \t][^;\n]*[ \t\n]in\b`)

// word takes one step through words and operators.
func (s *script) word(top *nest, end int) {
	begins := s.at == 0 || strings.IndexByte(" \t\n;&|()`", s.text[s.at-1]) >= 0
	switch {
	case s.sees("\n") && len(s.waiting) > 0:
		s.at++
		s.documents(end)
	case s.sees("#") && begins:
		line := strings.IndexByte(s.text[s.at:], '\n')
		if line < 0 {
			line = end - s.at
		}
		s.skip(s.at+line, "", "")
	case s.sees("<<<"):
		s.at += 3
	case s.sees("<<"):
		s.at += 2
		s.operator()
	case s.sees("((") && begins:
		s.push(nest{kind: inSum, parens: 2}, 2)
	case s.sees("("):
		top.parens++
		s.at++
	case s.sees(")"):
		switch {
		case top.parens > 0:
			top.parens--
		case top.cases == 0 && len(s.stack) > 1:
			s.pop()
			return
		}
		s.at++
	case begins && s.sees("case") && caseIn.MatchString(s.text[s.at:]):
		top.cases++
		s.at += len("case")
	case begins && s.sees("esac") && top.cases > 0:
		top.cases--
		s.at += len("esac")
	default:
		s.at++
	}
}

// operator takes what stands behind <<: how its document ends.
func (s *script) operator() {
	var d document
	if s.sees("-") {
		d.tabs = true
		s.at++
	}
	for s.sees(" ") || s.sees("\t") {
		s.at++
	}
	begin, n, quote := s.at, len(s.found), byte(0)
	for s.at < len(s.text) && (quote != 0 || strings.IndexByte(" \t\n;&|<>()", s.text[s.at]) < 0) {
		switch c := s.text[s.at]; {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		}
		if !s.sees("#{") || !s.reference() {
			s.at++
		}
	}
	s.fault(n, "stands in the end mark of a here-document", "write a plain word there")
	word := s.text[begin:s.at]
	d.end = strings.NewReplacer(`\`, "", `"`, "", "'", "").Replace(word)
	d.quoted = d.end != word
	s.waiting = append(s.waiting, d)
}

// documents takes the texts of the here-documents that begin here.
func (s *script) documents(end int) {
	for _, d := range s.waiting {
		begin, stop, next := s.at, end, end
		goesOn := false // a backslash at its end takes a line together with the one before it
		for at := begin; at < end; {
			line, _, _ := strings.Cut(s.text[at:end], "\n")
			after, joined := min(at+len(line)+1, end), goesOn
			goesOn = !d.quoted && (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
			if d.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == d.end && !joined {
				stop, next = at, after
				break
			}
			at = after
		}
		if d.quoted {
			s.skip(stop, "stands in a here-document whose end mark is quoted, where the shell fills nothing in", "take the quotes away from the end mark ("+d.end+")")
		} else {
			depth := len(s.stack)
			s.waiting = nil
			s.push(nest{kind: inDocument}, 0)
			s.read(stop)
			if len(s.stack) == depth+1 {
				s.stack = s.stack[:depth]
			}
		}
		s.at = max(s.at, next)
	}
	s.waiting = nil
}
