package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// closedKept is how many closed gates of a pipeline are remembered.
const closedKept = 50

// Closed is a gate that is open no more, remembered so that a late click hears what happened.
type Closed struct {
	Token  string    `json:"token"`
	Ref    string    `json:"ref"`
	Stage  string    `json:"stage"`
	Action string    `json:"action"`
	Closed string    `json:"closed"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Refusal tells somebody who answers too late what became of the gate.
func (g Closed) Refusal() *workflows.Problem {
	switch g.Closed {
	case "approved", "rejected", "overridden":
		return workflows.Refuse(workflows.CodeApprovalCompleted, "see what followed with: status "+g.Ref, "%s of %s was %s by %s, %s", g.Action, g.Ref, g.Closed, g.By, words.Moment(g.At))
	case "expired":
		return workflows.Refuse(workflows.CodeInvalidApprovalToken, "ask again with: retry "+g.Ref, "%s of %s expired, %s", g.Action, g.Ref, words.Moment(g.At))
	}
	return workflows.Refuse(workflows.CodeInvalidApprovalToken, "if it comes to this stage again, it asks again", "%s of %s was withdrawn, %s", g.Action, g.Ref, words.Moment(g.At))
}

// ClosedGates are the newest closed gates of a pipeline, newest first. Hardly
// anybody asks for one, so those that were written down stay as they were
// written, a line of JSON each. The zero value holds none.
//
// What is behind it is replaced, never written: copies may share it.
type ClosedGates struct {
	read  []Closed
	lines []byte // the others
}

// ReadClosed takes lines that [ClosedGates.AppendLines] wrote; they must not be written afterwards.
func ReadClosed(lines []byte) (ClosedGates, error) {
	if len(lines) > 0 && lines[len(lines)-1] != '\n' {
		return ClosedGates{}, errors.New("the last closed gate is cut off")
	}
	return ClosedGates{lines: lines}, nil
}

// AppendLines writes them.
func (all ClosedGates) AppendLines(b []byte) ([]byte, error) {
	for _, g := range all.read {
		line, err := json.Marshal(g)
		if err != nil {
			return b, fmt.Errorf("the closed gate of %s: %w", g.Ref, err)
		}
		b = append(append(b, line...), '\n')
	}
	return append(b, all.lines...), nil
}

// Size is about how many bytes the lines have.
func (all ClosedGates) Size() int { return 256*len(all.read) + len(all.lines) }

// IsZero says whether there are none.
func (all ClosedGates) IsZero() bool { return len(all.read) == 0 && len(all.lines) == 0 }

// With returns them with a newer one, and without the oldest where they are too many.
func (all ClosedGates) With(newest Closed) ClosedGates {
	all.read = append([]Closed{newest}, all.read...)
	for extra := len(all.read) + bytes.Count(all.lines, []byte{'\n'}) - closedKept; extra > 0; extra-- {
		if n := len(all.lines); n > 0 {
			all.lines = all.lines[:bytes.LastIndexByte(all.lines[:n-1], '\n')+1]
		} else {
			all.read = all.read[:len(all.read)-1]
		}
	}
	return all
}

// Find returns the gate of a token.
func (all ClosedGates) Find(token string) (g Closed, ok bool) {
	for _, g := range all.read {
		if g.Token == token {
			return g, true
		}
	}
	spelled, err := json.Marshal(token)
	if err != nil || !bytes.Contains(all.lines, spelled) {
		return g, false
	}
	for line := range bytes.Lines(all.lines) {
		if !bytes.Contains(line, spelled) {
			continue
		}
		var g Closed
		if err := json.Unmarshal(line, &g); err != nil { // it has a checksum: it is as it was written
			panic("gate: a closed gate that does not decode: " + err.Error())
		}
		if g.Token == token {
			return g, true
		}
	}
	return Closed{}, false
}

// MarshalJSON writes them as an array.
func (all ClosedGates) MarshalJSON() ([]byte, error) {
	lines, err := all.AppendLines(nil)
	if err != nil {
		return nil, err
	}
	text := bytes.ReplaceAll(bytes.TrimSuffix(lines, []byte{'\n'}), []byte{'\n'}, []byte{','})
	return slices.Concat([]byte{'['}, text, []byte{']'}), nil
}

// UnmarshalJSON reads an array.
func (all *ClosedGates) UnmarshalJSON(data []byte) error {
	*all = ClosedGates{}
	return json.Unmarshal(data, &all.read)
}
