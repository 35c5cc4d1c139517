package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// errEvents is the reason why events are not read: what is there is not what eventWriter writes.
var errEvents = errors.New("its events do not decode")

// eventReader reads what an eventWriter wrote. After an error it reads nothing more.
type eventReader struct {
	in   []byte
	last carried
	err  error
}

func (r *eventReader) events() ([]event.Event, error) {
	r.last = before()
	n := r.uint()
	if n == 0 || n > uint64(len(r.in))+1 { // every event has a byte at least
		if n > 0 || len(r.in) > 0 {
			r.fail(errEvents)
		}
		return nil, r.err
	}
	events := make([]event.Event, n-1)
	for i := range events {
		r.event(&events[i])
	}
	if len(r.in) > 0 {
		r.fail(errEvents)
	}
	return events, r.err
}

func (r *eventReader) event(e *event.Event) {
	if code := r.bytes(1); code == nil {
		return
	} else if code[0] == 0 {
		e.Kind = event.Kind(r.text())
	} else if int(code[0]) < len(kindCodes) {
		e.Kind = kindCodes[code[0]]
	} else {
		r.fail(fmt.Errorf("it holds an event of kind %d, which this rollcall does not know", code[0]))
		return
	}
	mask := r.uint()
	deadline := r.common(mask)
	if mask&hasBy != 0 {
		r.last.by = workflows.Principal{}
		r.json(&r.last.by)
	}
	e.By, e.Execution, e.Stage, e.Action, e.Attempt = r.last.by, r.last.execution, r.last.stage, r.last.action, r.last.attempt
	e.At = time.Unix(0, r.last.nano).UTC()
	r.rare(mask, deadline, e)
	if mask&hasRest != 0 {
		r.json(&rest{Event: e})
	}
}

// common reads the fields that stand before the principal.
func (r *eventReader) common(mask uint64) (deadline int64) {
	if mask&hasAt != 0 {
		r.last.nano += r.number()
	}
	if mask&hasAction != 0 {
		r.last.action = r.text()
	}
	if mask&hasStage != 0 {
		r.last.stage = r.text()
	}
	if mask&hasAttempt != 0 {
		r.last.attempt = int(r.number())
	}
	if mask&hasStart != 0 {
		deadline = r.last.nano + r.number()
	}
	if mask&hasExecution != 0 {
		r.last.execution = r.id()
	}
	return deadline
}

// rare reads the fields that stand between the principal and the rest.
func (r *eventReader) rare(mask uint64, deadline int64, e *event.Event) {
	if mask&hasNoOutcome != 0 {
		e.Outcome = &event.Outcome{}
	}
	if mask&hasToken != 0 {
		e.Token = r.id()
	}
	if mask&hasText != 0 {
		e.Text = r.text()
	}
	if mask&hasHost != 0 {
		r.last.host = r.text()
	}
	if mask&hasStart != 0 {
		e.Start = &event.ActionStart{Task: usualTask(e.Execution, e.Stage, e.Action, e.Attempt), Host: r.last.host, Deadline: time.Unix(0, deadline).UTC()}
	}
	if mask&hasOddAt != 0 {
		at, err := time.Parse(time.RFC3339Nano, r.text())
		if e.At = at; err != nil {
			r.fail(errEvents)
		}
	}
}

func (r *eventReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.in = nil
}

func (r *eventReader) uint() uint64 {
	n, size := binary.Uvarint(r.in)
	if size <= 0 {
		r.fail(errEvents)
		return 0
	}
	r.in = r.in[size:]
	return n
}

func (r *eventReader) number() int64 {
	n, size := binary.Varint(r.in)
	if size <= 0 {
		r.fail(errEvents)
		return 0
	}
	r.in = r.in[size:]
	return n
}

// bytes returns the next n bytes; nil after an error.
func (r *eventReader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.in)) {
		r.fail(errEvents)
		return nil
	}
	b := r.in[:n:n]
	r.in = r.in[n:]
	return b
}

func (r *eventReader) text() string { return string(r.bytes(r.uint())) }

func (r *eventReader) id() string {
	n := r.uint()
	if n == 1 {
		if raw := r.bytes(uuidSize); raw != nil {
			return spelledUUID(raw)
		}
		return ""
	}
	return string(r.bytes(n / 2))
}

func (r *eventReader) json(v any) {
	b := r.bytes(r.uint())
	if r.err != nil {
		return
	}
	if err := json.Unmarshal(b, v); err != nil {
		r.fail(fmt.Errorf("an event does not decode: %w", err))
	}
}
