package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/history"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Table turns records into rows for a spreadsheet, in the order of the record.
// The zero value is ready to use.
type Table struct {
	names map[string]string // "webshop#42" by the ID of an execution that was seen to start
}

// Columns are the names of what Row returns.
func (t *Table) Columns() []string {
	return []string{"at", "pipeline", "record", "execution", "by", "via", "events", "what", "hash"}
}

// Row is a record in words, one row, without what it takes to verify it.
func (t *Table) Row(l *Line) ([]string, error) {
	var events []event.Event
	if len(l.Events) > 0 {
		if err := json.Unmarshal(l.Events, &events); err != nil {
			return nil, fmt.Errorf("read the events of %s record %d: %w", l.Pipeline, l.Record, err)
		}
	}
	var executions, people, surfaces, kinds, what []string
	add := func(to *[]string, one string) {
		if one != "" && !slices.Contains(*to, one) {
			*to = append(*to, one)
		}
	}
	for i := range events {
		add(&executions, t.name(&events[i]))
	}
	for i := range events {
		e := &events[i]
		add(&people, person(e.By))
		add(&surfaces, e.By.Via)
		add(&kinds, string(e.Kind))
		line := history.Line(&say.Format{Ref: t.ref}, e)
		if name := t.name(e); name != "" && len(executions) > 1 {
			line = name + " " + line
		}
		add(&what, line)
	}
	row := []string{
		l.At.UTC().Format(time.RFC3339Nano), l.Pipeline, strconv.FormatUint(l.Record, 10), strings.Join(executions, " "),
		strings.Join(people, ", "), strings.Join(surfaces, " "), strings.Join(kinds, " "), strings.Join(what, "; "), l.Hash,
	}
	for i := range row {
		row[i] = cell(row[i])
	}
	return row, nil
}

// name is the execution of an event as people name it, or its ID where its start is not known.
func (t *Table) name(e *event.Event) string {
	if x := e.Started; x != nil && x.ID != "" {
		if t.names == nil {
			t.names = map[string]string{}
		}
		t.names[x.ID] = x.Ref()
	}
	id := e.Execution
	if id == "" && e.Refused != nil {
		id = e.Refused.Intent.Execution
	}
	return cmp.Or(t.names[id], id)
}

func (t *Table) ref(id string) string {
	_, number, _ := strings.Cut(t.names[id], "#")
	if number == "" {
		return ""
	}
	return "#" + number
}

// person is somebody's name, with the address by which they are known.
func person(p workflows.Principal) string {
	if p.Email == "" {
		return p.Called()
	}
	return p.Called() + " <" + p.Email + ">"
}

// cell is text that a spreadsheet takes for text: what comes from outside must not be a formula.
func cell(text string) string {
	text = clean.Line(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
