package following

import (
	"context"
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Followers takes every follower along the feed, each by itself: a broken one
// slows nobody.
type Followers struct {
	o    Options
	feed *Feed
	all  []*worker
}

// NewFollowers returns an empty set of followers of a feed.
func NewFollowers(o Options, feed *Feed) *Followers { return &Followers{o: o, feed: feed} }

// Add adds a follower, before Load. One with a name that is taken replaces the earlier one.
func (s *Followers) Add(f Follower) {
	for i, w := range s.all {
		if w.name == f.Name() {
			s.all[i] = newWorker(s.o, s.feed, f)
			return
		}
	}
	s.all = append(s.all, newWorker(s.o, s.feed, f))
}

// Load reads how far everybody has come. A new follower starts at the head of
// the feed: what happened before it came is not its business.
func (s *Followers) Load(ctx context.Context) error {
	for _, w := range s.all {
		if err := w.load(ctx); err != nil {
			return fmt.Errorf("read how far the follower %s has come: %w", w.name, err)
		}
	}
	return nil
}

// Runs are functions that take one follower along each, until ctx ends.
func (s *Followers) Runs() (all []func(ctx context.Context)) {
	for _, w := range s.all {
		all = append(all, w.run)
	}
	return all
}

// Positions returns the memos that say how far the followers are, as far as
// they are worth a place in the commit that is being made, and what to call
// with that commit's end. The last commit of all takes every change.
func (s *Followers) Positions(last bool) (memos []record.Memo, onCommit func(err error)) {
	var each []func(error)
	for _, w := range s.all {
		m, f := w.position(last)
		if f != nil {
			memos, each = append(memos, m...), append(each, f)
		}
	}
	return memos, func(err error) {
		for _, f := range each {
			f(err)
		}
	}
}
