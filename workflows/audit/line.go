package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Line is a record in an export: one line of JSON. Everything in it follows from
// Stored; a line that says something else was changed.
type Line struct {
	At       time.Time       `json:"at"`
	Pipeline string          `json:"pipeline"`
	Record   uint64          `json:"record"`
	Prev     string          `json:"prev,omitempty"`
	Hash     string          `json:"hash"`
	Events   json.RawMessage `json:"events,omitempty"`
	Stored   []byte          `json:"stored"`
}

// LineOf is a record's line.
func LineOf(r *record.Stored) Line {
	return Line{At: r.At.UTC(), Pipeline: r.Pipeline, Record: r.Number, Prev: r.Prev, Hash: r.Hash, Events: r.Events, Stored: r.Bytes}
}

// Text is the line as it is written, with its line break.
func (l *Line) Text() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("write record %d of %s: %w", l.Record, l.Pipeline, err)
	}
	return out.Bytes(), nil
}
