package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
)

// telling is what a follower has been given, over all its lives: per pipeline
// the first frame and the newest. Everything in between came in order.
type telling struct {
	first, newest map[string]uint64
}

// followers are those of one process: a journal, a mirror, one that makes
// tickets, and one that comes later.
func (w *world) followers(p *process) []runtime.Follower {
	all := []runtime.Follower{&scribe{w: w, p: p, name: "journal"}, &mirror{scribe{w: w, p: p, name: "mirror"}}, &clerk{scribe{w: w, p: p, name: "clerk"}}}
	if p.n > 2 {
		all = append(all, &scribe{w: w, p: p, name: "newcomer"})
	}
	return all
}

// scribe is a journal: it takes every frame, and notes that it has.
type scribe struct {
	w    *world
	p    *process
	name string
}

func (s *scribe) Name() string { return s.name }

func (s *scribe) Follow(ctx context.Context, b event.Batch) error {
	return s.follow(ctx, b, func() error { return nil })
}

// follow takes a batch when and if its fate wants that; act is what it does besides.
func (s *scribe) follow(ctx context.Context, b event.Batch, act func() error) error {
	lane := s.name + " " + b.Pipeline
	s.w.mu.Lock()
	if s.w.lanes[lane]++; s.w.lanes[lane] > 1 && !s.p.dead {
		s.w.violatedLocked("a follower is called once at a time for a pipeline", "%s", lane)
	}
	s.w.mu.Unlock()
	defer func() {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.w.lanes[lane]--
	}()
	f, err := s.w.park(ctx, s.p, "follow", fmt.Sprintf("%s %s %d", s.name, b.Pipeline, b.Frames[0].Seq))
	switch {
	case err != nil:
		return err
	case f.how == panics:
		panic("a follower's bug")
	case f.how == before, f.how == gone:
		return errLost
	}
	if err := act(); err != nil {
		return err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.took(b)
	if f.how == after {
		return errLost
	}
	return nil
}

// took notes a batch that has had its effect. w.mu is held.
func (s *scribe) took(b event.Batch) {
	t := s.w.outside.told[s.name]
	if t == nil {
		t = &telling{first: map[string]uint64{}, newest: map[string]uint64{}}
		s.w.outside.told[s.name] = t
	}
	for i, f := range b.Frames {
		if f.Pipeline != b.Pipeline || i > 0 && f.Seq != b.Frames[i-1].Seq+1 || len(f.Events) == 0 {
			s.w.violatedLocked("a follower is told everything in order", "%s: %s/%d in a batch of %s", s.name, f.Pipeline, f.Seq, b.Pipeline)
		}
		newest, known := t.newest[b.Pipeline]
		if !known {
			t.first[b.Pipeline] = f.Seq
			newest = f.Seq - 1
		}
		if f.Seq > newest+1 {
			s.w.violatedLocked("a follower is told everything in order", "%s: %s/%d after %d", s.name, b.Pipeline, f.Seq, newest)
		}
		t.newest[b.Pipeline] = max(newest, f.Seq)
		if book := s.w.ledger.books[b.Pipeline]; book == nil || f.Seq > book.seq {
			s.w.violatedLocked("nobody is told what is not durable", "%s: %s/%d", s.name, b.Pipeline, f.Seq)
		}
	}
}

// mirror renders the committed snapshot of each execution that a batch touches.
type mirror struct{ scribe }

// Follow draws what it touches anew.
func (m *mirror) Follow(ctx context.Context, b event.Batch) error {
	return m.follow(ctx, b, func() error {
		for _, id := range b.Executions() {
			x, err := m.p.engine.Execution(ctx, workflows.EnginePrincipal(), id)
			var p *workflows.Problem
			switch {
			case errors.As(err, &p) && p.Code == workflows.CodeExecutionNotFound && (refusedOnly(b, id) || m.w.isRemoved(id)):
				continue // somebody asked for something that is not there, or it is gone by now
			case err != nil:
				return err
			}
			m.draw(b.Pipeline, x)
		}
		return nil
	})
}

// draw puts on the card what the engine says, which is what was committed last.
func (m *mirror) draw(pipeline string, x workflows.Execution) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	card := rendered(x)
	m.w.outside.cards[x.ID] = card
	if m.p.dead || m.p.unsure {
		return
	}
	if now, ok := m.w.ledger.book(pipeline).execution(x.ID); ok && rendered(now) != card {
		m.w.violatedLocked("what is read is what was committed last", "%s:\nread %s\nlog  %s", x.Ref(), card, rendered(now))
	}
}

// refusedOnly says whether the batch names the execution in refusals only.
func refusedOnly(b event.Batch, id string) bool {
	for _, f := range b.Frames {
		for _, ev := range f.Events {
			if ev.Execution == id && ev.Kind != event.IntentRefused {
				return false
			}
		}
	}
	return true
}

// rendered is what a card shows.
func rendered(x workflows.Execution) string {
	x.Offers = nil
	return string(bytesOf(x))
}

// clerk makes a ticket of every failure, once, with a marker before and a note after it.
type clerk struct{ scribe }

// Follow makes the tickets of a batch.
func (c *clerk) Follow(ctx context.Context, b event.Batch) error {
	return c.follow(ctx, b, func() error {
		for _, f := range b.Frames {
			if !slices.ContainsFunc(f.Events, func(ev event.Event) bool { return ev.Kind == event.ExecutionFailed }) {
				continue
			}
			if err := c.ticket(ctx, fmt.Sprintf("%s/%d", b.Pipeline, f.Seq)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *clerk) ticket(ctx context.Context, about string) error {
	book := c.p.engine.MemosOf(c.name)
	note, marked, err := book.Memo(ctx, about)
	if err != nil || string(note) == "done" {
		return err
	}
	if !marked {
		if err := book.Note(ctx, about, []byte("making")); err != nil {
			return err
		}
	}
	c.w.mu.Lock()
	made := marked && c.w.outside.tickets[about] > 0 // looked up by its marker
	c.w.mu.Unlock()
	if !made {
		f, err := c.w.park(ctx, c.p, "create", about)
		if err != nil {
			return err
		}
		if f.how == fine || f.how == after {
			c.w.mu.Lock()
			c.w.outside.tickets[about]++
			c.w.mu.Unlock()
		}
		if f.how != fine {
			return errLost
		}
	}
	return book.Note(ctx, about, []byte("done"))
}

// judgeFollowers judges what followers have been told once everything is done.
func (w *world) judgeFollowers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range []string{"journal", "mirror", "clerk"} {
		t := w.outside.told[name]
		for _, b := range w.ledger.books {
			if t == nil || b.seq > 0 && (t.first[b.name] != 1 || t.newest[b.name] != b.seq) {
				w.violatedLocked("a follower is told everything", "%s was told of %s %+v, and the log ends with %d", name, b.name, t, b.seq)
			}
		}
	}
	if t := w.outside.told["newcomer"]; t != nil {
		for name, newest := range t.newest {
			if newest != w.ledger.books[name].seq {
				w.violatedLocked("a follower is told everything", "newcomer was told of %s up to %d of %d", name, newest, w.ledger.books[name].seq)
			}
		}
	}
	for _, b := range w.ledger.books {
		for _, id := range b.numbers {
			x, _ := b.execution(id)
			if card, want := w.outside.cards[id], rendered(x); card != want && !w.ledger.removed[id] {
				w.violatedLocked("the mirror shows what was committed", "%s:\nmirror %s\nlog    %s", x.Ref(), card, want)
			}
		}
	}
	for _, about := range w.ledger.tickets {
		if n := w.outside.tickets[about]; n != 1 {
			w.violatedLocked("every failure has one ticket", "%s has %d", about, n)
		}
	}
	for about := range w.outside.tickets {
		if !slices.Contains(w.ledger.tickets, about) {
			w.violatedLocked("every ticket has a failure", "%s", about)
		}
	}
}

func short(text string) string {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return text[:min(len(text), 160)]
}
