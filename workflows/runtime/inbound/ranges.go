package inbound

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	rangesKept = 64               // in memory
	mostKept   = 50_000           // commits in those ranges
	askWithin  = 10 * time.Second // a repository, while somebody waits
	formWithin = time.Second      // while a form is to be opened, which Slack gives 3 s
)

// Ranges knows what lies between two commits: what the source says, and who
// pushed it, which no repository remembers. What was once known stays true.
type Ranges struct {
	o *Options

	mu    sync.Mutex
	known map[work.Range]work.Changes
	size  int // commits in known
}

// NewRanges returns ranges that ask the sources.
func NewRanges(o *Options) *Ranges { return &Ranges{o: o, known: map[work.Range]work.Changes{}} }

// between is Between for decisions: without a beginning it is not known what is new.
func (r *Ranges) between(ctx context.Context, of work.Range) (work.Changes, error) {
	if of.From == "" {
		return work.Changes{Why: "nothing of " + of.Repository + " ran there before"}, nil
	}
	return r.Between(ctx, of)
}

// Between says what lies in a range; one without a beginning is all that its end
// holds. The error means that the source could not be asked.
func (r *Ranges) Between(ctx context.Context, of work.Range) (work.Changes, error) {
	r.mu.Lock()
	c, ok := r.known[of]
	r.mu.Unlock()
	if ok {
		return c, nil
	}
	source, ok := r.o.Sources[of.Provider].(Comparer)
	if !ok {
		return work.Changes{Why: "the history of " + of.Repository + " cannot be looked at"}, nil
	}
	c, err := source.Compare(ctx, of)
	if err != nil || !c.Complete {
		return c, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(c.Commits) + len(c.Lost)
	if len(r.known) >= rangesKept || r.size+n > mostKept {
		clear(r.known)
		r.size = 0
	}
	r.known[of], r.size = c, r.size+n
	return c, nil
}

// ForDecision says what lies in a range, and who made or pushed it. A look-up
// that fails is a *workflows.Problem that says "could not check".
func (r *Ranges) ForDecision(ctx context.Context, of work.Range) (work.Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	c, err := r.between(ctx, of)
	var pushers []workflows.Author
	for i := 0; err == nil && i < len(c.Commits); i++ {
		var by map[string]pushed
		by, err = readAll[pushed](ctx, r.o.Memos, pushedKey(of.Repository, c.Commits[i], ""))
		for _, p := range by {
			if !slices.Contains(pushers, p.By) {
				pushers = append(pushers, p.By)
			}
		}
	}
	if err != nil {
		r.o.Log.Warn("a history could not be looked up", "repository", of.Repository, "from", of.From, "to", of.To, "err", err)
		return c, &workflows.Problem{
			Code:    workflows.CodeUnavailable,
			Message: fmt.Sprintf("could not check who wrote what goes live from %s; nothing was decided", of.Repository),
			Hint:    "try again in a moment",
		}
	}
	c.Authors = append(slices.Clip(c.Authors), pushers...)
	return c, nil
}

// Stretch is a range and what it holds.
type Stretch struct {
	work.Range
	work.Changes
}

// Compare says of rollback targets what differs from what runs now, as far as
// that is known within a second, and returns by target what lies between in each
// repository.
func (r *Ranges) Compare(ctx context.Context, p *workflows.Pipeline, targets []ledger.Target) map[string][]Stretch {
	between := map[string][]Stretch{}
	now := slices.IndexFunc(targets, func(t ledger.Target) bool { return t.Now })
	if now < 0 {
		return between
	}
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	for i := range targets {
		t := &targets[i]
		if !t.Eligible || t.Now {
			continue
		}
		found := *t
		found.Compared = len(t.SourceRevisions) > 0
		var all []work.Changes
		var stretches []Stretch
		for _, of := range work.Ranges(p, targets[now].SourceRevisions, t.SourceRevisions) {
			c, err := r.between(ctx, of)
			found.Compared = found.Compared && err == nil && c.Complete
			found.Undoes, found.Brings, found.CompareURL = found.Undoes+c.Undone, found.Brings+c.Count, c.CompareURL
			all, stretches = append(all, c), append(stretches, Stretch{of, c})
		}
		found.Lines, found.Whose = changes.Lines(all...), changes.Whose(all...)
		if found.Compared {
			*t, between[t.Execution] = found, stretches
		}
	}
	return between
}
