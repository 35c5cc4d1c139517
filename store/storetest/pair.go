package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Factory opens stores that live in folders.
type Factory struct {
	// Open opens the store in dir, a fresh one when dir is empty, for one member:
	// one life of one process. It ends the test when it cannot. The suite closes
	// what it opens.
	Open func(t testing.TB, dir, member string) Store
	// Together says that several members may have the store open at the same time.
	// Without it they take turns: a member's store is closed before another's is
	// opened, and the stories are otherwise the same.
	Together bool
}

// Fencer is a store of which a member can be given up for good.
type Fencer interface {
	// Fence gives a member up: its commits that are under way end first, and all
	// later ones are answered with record.ErrFenced.
	Fence(ctx context.Context, member string) error
}

// pair are two members at one store.
type pair struct {
	judge
	open     func(member string) Store
	together bool
	stores   map[string]Store // that are open, by member
}

func newPair(t testing.TB, f Factory, dir string) *pair {
	t.Helper()
	p := &pair{judge: t, open: func(member string) Store { return f.Open(t, dir, member) }, together: f.Together, stores: map[string]Store{}}
	t.Cleanup(p.closeBoth)
	return p
}

func (p *pair) closeBoth() {
	for member, s := range p.stores {
		_ = s.Close()
		delete(p.stores, member)
	}
}

// as is the store in the hands of a member, whatever the other one has done meanwhile.
func (p *pair) as(member string) *book {
	p.Helper()
	if p.stores[member] == nil {
		if !p.together {
			p.closeBoth()
		}
		p.stores[member] = p.open(member)
	}
	return &book{judge: p.judge, Store: p.stores[member], ctx: context.Background()}
}

// refused commits what must be refused, and proves that nothing of it is there, whoever looks.
func (p *pair) refused(member string, c record.Commit, with error) (err error) {
	p.Helper()
	marks := c
	marks.Executions = append(marks.Executions, execution("refused", 9, workflows.StatusInProgress))
	marks.Memos = append(marks.Memos, record.Memo{Owner: "refused", Key: "k", Value: []byte("never")})
	marks.Claims = append(marks.Claims, record.Claim{Receipt: receipt("refused", "beside", 1, false)})
	before := len(p.as(member).feed(0, 100))
	if err = p.as(member).Commit(context.Background(), &marks); !errors.Is(err, with) {
		p.Errorf("%s: %v, want: %v", member, err, with)
	}
	for _, who := range []string{"one", "two"} {
		b := p.as(who)
		if b.memo("refused", "k") != nil || b.execution(id(9)) != nil || b.receipt("refused/beside") != nil || len(b.feed(0, 100)) != before {
			p.Errorf("%s sees something of the commit of %s that was refused", who, member)
		}
	}
	return err
}

// moved: who has not seen what the other wrote is refused, and goes on after looking.
func moved(p *pair) {
	first := p.as("one").commit(record.Commit{Frames: []event.Frame{frame("webshop", 1), frame("webshop", 2), frame("billing", 1)}}).Frames
	theirs := p.as("two").commit(record.Commit{Frames: []event.Frame{frame("webshop", 3, "two")}}).Frames[0]
	if theirs.Prev != first[1].Hash || theirs.Feed <= first[2].Feed {
		p.Errorf("two does not go on where one ended: %+v after %+v", theirs, first)
	}
	var conflict *record.Conflict
	err := p.refused("one", record.Commit{Frames: []event.Frame{frame("billing", 2), frame("webshop", 3, "one")}}, record.ErrConflict)
	if !errors.As(err, &conflict) || conflict.Pipeline != "webshop" {
		p.Errorf("%v does not say that webshop is in the way", err)
	}
	_, fs := p.as("one").load("webshop")
	same(p.as("one"), "what one reads now", len(fs), 3)
	same(p.as("one"), "what one reads of the other", fs[2], theirs)
	ours := p.as("one").commit(record.Commit{Frames: []event.Frame{frame("webshop", 4, "one"), frame("billing", 2)}}).Frames
	if ours[0].Prev != theirs.Hash || ours[1].Prev != first[2].Hash || ours[0].Feed <= theirs.Feed {
		p.Errorf("one does not go on where two ended: %+v after %+v", ours, theirs)
	}
	_ = p.refused("two", record.Commit{Frames: []event.Frame{frame("webshop", 4, "two")}}, record.ErrConflict)
	same(p.as("two"), "the feed of two", p.as("two").feed(0, 100), append(append(first, theirs), ours...))
	p.as("two").verify()
}

// claimed: of two who are told the same, one acts, and the other finds what came of it.
func claimed(p *pair) {
	claim := func(minute int) record.Claim { return record.Claim{Receipt: receipt("github", "push", minute, false)} }
	if p.as("two").receipt("github/push") != nil { // also where that is remembered
		p.Errorf("a receipt before the first claim")
	}
	p.as("one").commit(record.Commit{Claims: []record.Claim{claim(0)}, Frames: []event.Frame{frame("webshop", 1)}})
	var conflict *record.Conflict
	err := p.refused("two", record.Commit{Claims: []record.Claim{claim(1)}, Frames: []event.Frame{frame("billing", 1)}}, record.ErrConflict)
	if !errors.As(err, &conflict) || conflict.Claim != "github/push" {
		p.Errorf("%v does not say that github/push is in the way", err)
	}
	same(p.as("two"), "what waits", p.as("two").pending("github"), append(p.as("one").pending("github")[:0:0], claim(0).Receipt))
	p.as("two").commit(record.Commit{Receipts: append(p.as("two").pending("github")[:0], receipt("github", "push", 0, true))})
	same(p.as("one"), "what one finds done", p.as("one").receipt("github/push"), receipt("github", "push", 0, true))
	late := claim(20)
	late.Since = at(10)
	p.as("one").commit(record.Commit{Claims: []record.Claim{late}})
	late.At, late.Since = at(21), at(20)
	_ = p.refused("two", record.Commit{Claims: []record.Claim{late}}, record.ErrConflict)
	p.as("one").commit(record.Commit{Receipts: append(p.as("one").pending("github")[:0], receipt("github", "push", 20, true))})
	same(p.as("two"), "forgotten by two", p.as("two").forget(at(60), 10), 1)
	p.as("one").commit(record.Commit{Claims: []record.Claim{claim(61)}})
	p.as("one").verify()
}

// meeting: both claim the same at the same moment, again and again.
func meeting(p *pair) {
	stores := []*book{p.as("one"), p.as("two")}
	for round := range 20 {
		ends := make(chan error)
		for i := range 8 {
			b := stores[i%2]
			go func() {
				ends <- b.Commit(b.ctx, &record.Commit{Claims: []record.Claim{{Receipt: receipt("github", fmt.Sprint("push", round), i, true)}}})
			}()
		}
		made := 0
		for range 8 {
			switch err := <-ends; {
			case err == nil:
				made++
			case !errors.Is(err, record.ErrConflict):
				p.Errorf("%v", err)
			}
		}
		same(stores[0], "claims that were made", made, 1)
	}
}

// fenced: a member that was given up writes nothing any more, whatever it tries.
func fenced(p *pair) {
	p.as("one").commit(record.Commit{Frames: []event.Frame{frame("webshop", 1)}})
	fence, ok := p.as("two").Store.(Fencer)
	if !ok {
		p.Fatalf("the store of two cannot fence")
	}
	p.as("two").must(fence.Fence(context.Background(), "one"))
	next := record.Commit{Frames: []event.Frame{frame("webshop", 2, "one")}}
	_ = p.refused("one", next, record.ErrFenced)
	_ = p.refused("one", record.Commit{}, record.ErrFenced)
	p.as("one").must(p.as("one").Reopen(context.Background()))
	_ = p.refused("one", next, record.ErrFenced)
	p.as("two").commit(record.Commit{Frames: []event.Frame{frame("webshop", 2, "two")}})
	_ = p.refused("one", next, record.ErrFenced) // not a conflict: it need not look and try again
	p.as("two").verify()
}
