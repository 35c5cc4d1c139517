package slack

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
)

const (
	// lateBy is how long the others wait for a call whose turn has come.
	lateBy = 2 * time.Second
	// goneAfter is when a call that has not come again is given up.
	goneAfter = time.Minute
)

// line is the calls that wait for one limit: the more urgent before the less,
// and of the same urgency those first that came first.
type line struct {
	next    uint64
	tickets []*ticket // in order
	byID    map[string]*ticket
}

// ticket is one call's place.
type ticket struct {
	id      string
	urgency bot.Urgency
	number  uint64
	due     time.Time // when it is expected again
}

func (t *ticket) compare(o *ticket) int {
	return cmp.Or(cmp.Compare(t.urgency, o.urgency), cmp.Compare(t.number, o.number))
}

// join gives a call its place, which it keeps unless it has become more urgent,
// and returns how many are before it. Those that are late do not count.
func (l *line) join(c turn, now time.Time) (ahead int) {
	if l.byID == nil {
		l.byID = map[string]*ticket{}
	}
	t := l.byID[c.id]
	if t != nil && t.urgency > c.urgency {
		l.leave(c.id)
		t = nil
	}
	if t == nil {
		l.next++
		t = &ticket{id: c.id, urgency: c.urgency, number: l.next}
		l.byID[c.id] = t
		at, _ := slices.BinarySearchFunc(l.tickets, t, (*ticket).compare)
		l.tickets = slices.Insert(l.tickets, at, t)
	}
	t.due = now
	var gone []string
	for _, o := range l.tickets {
		if o == t {
			break
		}
		switch late := now.Sub(o.due); {
		case late > goneAfter:
			gone = append(gone, o.id)
		case late <= lateBy:
			ahead++
		}
	}
	for _, id := range gone {
		l.leave(id)
	}
	return ahead
}

// expect notes when a call is to come again.
func (l *line) expect(id string, due time.Time) { l.byID[id].due = due }

// leave takes a call out of the line.
func (l *line) leave(id string) {
	t := l.byID[id]
	if t == nil {
		return
	}
	delete(l.byID, id)
	if at, found := slices.BinarySearchFunc(l.tickets, t, (*ticket).compare); found {
		l.tickets = slices.Delete(l.tickets, at, at+1)
	}
}
