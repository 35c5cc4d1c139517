package decider

import (
	"fmt"
	"strings"
	"testing"
)

// All of one pipeline stays together: when the first of two frames is refused,
// the second must not follow one that somebody else has written.
func TestApartKeepsAPipelineTogether(t *testing.T) {
	shop, api := &unit{name: "shop"}, &unit{name: "api"}
	first, second := &loop{}, &loop{}
	batch := []*commitRequest{
		{loop: first, flushes: []flush{{unit: shop}, {unit: api}}},
		{}, // rows without a decision
		{loop: second, flushes: []flush{{unit: &unit{name: "web"}}}},
		{},
		{loop: first, flushes: []flush{{unit: shop}}},
		{loop: first}, // every decision in it has panicked
	}
	var got []string
	for _, part := range apart(batch) {
		var names []string
		for _, r := range part {
			if r.loop == nil {
				names = append(names, "rows")
			}
			for _, f := range r.flushes {
				names = append(names, f.unit.name)
			}
			if len(r.flushes) > 1 {
				t.Errorf("%s and others are one request", r.flushes[0].unit.name)
			}
		}
		got = append(got, strings.Join(names, "+"))
	}
	if want := "[shop+shop api rows web rows]"; fmt.Sprint(got) != want {
		t.Errorf("the parts are %v, want %v", got, want)
	}
}

// A long queue does not keep the writer waiting, and nothing is lost at the end.
func TestAMailbox(t *testing.T) {
	m := newMailbox()
	var got []int
	for i := range 5 {
		if !m.post(func() { got = append(got, i) }) {
			t.Fatal("an open mailbox refuses")
		}
	}
	for _, want := range []int{3, 2} {
		select {
		case <-m.signal:
		default:
			t.Error("nobody is told that there are more")
		}
		if m.closeIfEmpty() {
			t.Fatal("closed with something in it")
		}
		items := m.take(3)
		if len(items) != want {
			t.Errorf("took %d, want %d", len(items), want)
		}
		for _, f := range items {
			f()
		}
	}
	if !m.closeIfEmpty() || m.post(func() {}) {
		t.Error("an empty mailbox is not closed")
	}
	if fmt.Sprint(got) != "[0 1 2 3 4]" {
		t.Errorf("in the order %v", got)
	}
}
