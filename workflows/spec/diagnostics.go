package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Diagnostic is one fault of a pipeline file, at a line and a column (from 1).
type Diagnostic struct {
	File      string
	Line, Col int
	Warning   bool   // worth knowing; the file is accepted
	Message   string // what is wrong, without a full stop
	Hint      string // what to do; may be empty
}

// String is FILE:LINE:COL: message (hint).
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s:%d:%d: ", d.File, d.Line, d.Col)
	if d.Warning {
		s += "warning: "
	}
	s += d.Message
	if d.Hint != "" {
		s += " (" + d.Hint + ")"
	}
	return s
}

// mostFaults is how many faults are told; nobody reads more at once.
const mostFaults = 200

// diagnostics gathers what is found.
type diagnostics struct {
	file string
	list []Diagnostic
}

// add reports an error.
func (d *diagnostics) add(at pos, message, hint string) {
	d.list = append(d.list, Diagnostic{File: cmp.Or(at.file, d.file), Line: at.line, Col: at.col, Message: message, Hint: hint})
}

// warn reports what does not make the file unusable.
func (d *diagnostics) warn(at pos, message, hint string) {
	d.list = append(d.list, Diagnostic{File: cmp.Or(at.file, d.file), Line: at.line, Col: at.col, Warning: true, Message: message, Hint: hint})
}

// failed says whether any fault is an error.
func (d *diagnostics) failed() bool {
	return slices.ContainsFunc(d.list, func(d Diagnostic) bool { return !d.Warning })
}

// sorted returns the faults in the order of the file, each once; those of its
// templates come behind.
func (d *diagnostics) sorted() []Diagnostic {
	elsewhere := func(f Diagnostic) string {
		if f.File == d.file {
			return ""
		}
		return f.File
	}
	slices.SortStableFunc(d.list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(elsewhere(a), elsewhere(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	list := slices.Compact(d.list)
	if more := len(list) - mostFaults; more > 0 {
		last := list[mostFaults]
		last.Message, last.Hint, last.Warning = fmt.Sprintf("and %d more from here on", more), "", !d.failed()
		list = append(list[:mostFaults], last)
	}
	return list
}

// meant is the hint for an unknown word: the nearest known one, or all of them.
func meant(word string, known []string) string {
	if near, ok := words.Nearest(word, known); ok {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "" // the caller says how to make one
	}
	return "known: " + strings.Join(known, ", ")
}
