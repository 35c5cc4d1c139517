// Package spec reads, checks and prints pipeline files.
package spec

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Diagnostic is one fault of a pipeline file, at a line and a column (from 1).
type Diagnostic struct {
	File      string
	Line, Col int
	Warning   bool // worth knowing; the file is accepted
	Message   string
	Hint      string
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

// Parse reads a pipeline file, YAML or JSON, and reports all of its faults at
// once, in the order of the file. The pipeline has every default filled in; it
// is nil when a fault is not a warning.
func Parse(file string, data []byte) (*workflows.Pipeline, []Diagnostic) { return nil, nil }

// Print returns the definition as a canonical pipeline file, which Parse reads
// back as the same definition.
func Print(p *workflows.Pipeline) []byte { return nil }
