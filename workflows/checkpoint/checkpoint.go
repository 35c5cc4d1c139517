// Package checkpoint writes down the state of a pipeline, and reads it again.
//
// A checkpoint is read whenever a pipeline is loaded, and most of what it holds is
// history: the successes of each stage, and closed gates. Of that little is needed
// when something happens. So it stands beside the rest, in rows that stay as they
// are until one of them is asked for, see [ledger.Successes] and
// [gate.ClosedGates], and are written again as they were read.
//
// The package is pure.
package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// A checkpoint is a form byte and parts. Each part is a byte that says what it is,
// a name with its length as a varint before it, and its content with its length in
// four bytes, big endian, before it.
const (
	form = 1 // a state that is one JSON object, as it was once, begins with '{'

	partState     = 's' // JSON, without what has a part of its own
	partSuccesses = 'l' // of the stage that is named: rows of its ledger
	partClosed    = 'g' // closed gates, lines of JSON
)

// Encode writes a state down.
func Encode(s *machine.State) ([]byte, error) {
	rest := *s
	rest.Gates, rest.Stages = gate.ClosedGates{}, maps.Clone(s.Stages)
	for name, st := range s.Stages {
		copied := *st
		copied.Successes = ledger.Successes{}
		rest.Stages[name] = &copied
	}
	text, err := json.Marshal(&rest)
	if err != nil {
		return nil, fmt.Errorf("the state of %s: %w", s.Name, err)
	}
	size := len(text) + s.Gates.Size() + 64
	for name, st := range s.Stages {
		size += st.Successes.Size() + len(name) + 16
	}
	b := append(beginPart(append(make([]byte, 0, size), form), partState, ""), text...)
	b = endPart(b, len(b)-len(text))
	for _, name := range words.Keys(s.Stages) {
		if all := s.Stages[name].Successes; !all.IsZero() {
			b = beginPart(b, partSuccesses, name)
			b = endPart(all.AppendRows(b), len(b))
		}
	}
	if s.Gates.IsZero() {
		return b, nil
	}
	b = beginPart(b, partClosed, "")
	begins := len(b)
	if b, err = s.Gates.AppendLines(b); err != nil {
		return nil, fmt.Errorf("the state of %s: %w", s.Name, err)
	}
	return endPart(b, begins), nil
}

// sizeBytes is how long the length of a part's content is.
const sizeBytes = 4

// beginPart writes what stands before a part's content, with room for its length.
func beginPart(b []byte, kind byte, name string) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(len(name)))
	return append(append(b, name...), make([]byte, sizeBytes)...)
}

// endPart fills in the length of a content.
func endPart(b []byte, begins int) []byte {
	binary.BigEndian.PutUint32(b[begins-sizeBytes:], uint32(len(b)-begins))
	return b
}

// Decode reads a state that [Encode], or an earlier version, has written. It
// keeps parts of data, which must not be written afterwards.
func Decode(data []byte) (*machine.State, error) {
	s := machine.New("")
	if len(data) > 0 && data[0] == '{' {
		return s, decodeText(data, s)
	}
	if len(data) == 0 || data[0] != form {
		return nil, errors.New("it has a form that is not known; use the rollcall that wrote it, or a newer one")
	}
	for rest := data[1:]; len(rest) > 0; {
		var p part
		var ok bool
		if p, rest, ok = nextPart(rest); !ok {
			return nil, errors.New("it is cut off")
		}
		if err := p.into(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// decodeText reads the JSON of a state. Names in it may be of earlier versions.
func decodeText(text []byte, s *machine.State) error {
	if err := json.Unmarshal(text, s); err != nil {
		return err
	}
	for _, st := range s.Stages {
		if st.Door != nil {
			st.Transition, st.Door = *st.Door, nil
		}
	}
	return nil
}

// part is one part of a checkpoint.
type part struct {
	kind    byte
	name    string
	content []byte
}

// nextPart cuts the first part off; false: there is no whole one.
func nextPart(data []byte) (p part, rest []byte, ok bool) {
	n, size := binary.Uvarint(data[1:])
	if size <= 0 || n > uint64(len(data)) || len(data) < 1+size+int(n)+sizeBytes {
		return p, nil, false
	}
	p.kind, p.name, rest = data[0], string(data[1+size:1+size+int(n)]), data[1+size+int(n):]
	end := sizeBytes + int(binary.BigEndian.Uint32(rest))
	if len(rest) < end {
		return p, nil, false
	}
	p.content = rest[sizeBytes:end:end]
	return p, rest[end:], true
}

// into adds the part to a state. That of the state itself comes first.
func (p part) into(s *machine.State) (err error) {
	switch p.kind {
	case partState:
		err = decodeText(p.content, s)
	case partSuccesses:
		st := s.Stages[p.name]
		if st == nil {
			return fmt.Errorf("it has successes of %s, which is no stage", p.name)
		}
		st.Successes, err = ledger.ReadSuccesses(p.content)
	case partClosed:
		s.Gates, err = gate.ReadClosed(p.content)
	default:
		return fmt.Errorf("it has a part %q that is not known; use the rollcall that wrote it, or a newer one", p.kind)
	}
	return err
}
