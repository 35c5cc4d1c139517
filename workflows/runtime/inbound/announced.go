package inbound

import (
	"errors"
	"sync/atomic"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Look has the branches looked at that an event may be about:
// of the source actions for which concerns says so. It says whether there are any,
// and calls done once what they start is durable. Should that fail, the event is to
// come again; any number of looks at one change starts what one does.
func (s *Sources) Look(concerns func(workflows.Action) bool, done func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key, w := range s.watched {
		if s.starter.announced(w.Action) && concerns(w.Action) {
			keys = append(keys, key)
		}
	}
	var open atomic.Int64 // branches that were not looked at with success
	open.Store(int64(len(keys)))
	for _, key := range keys {
		waiting, under := s.soon[key]
		s.soon[key] = append(waiting, func() {
			if open.Add(-1) == 0 {
				done()
			}
		})
		if !under {
			s.o.Go(func() { s.lookSoon(key) })
		}
	}
	return len(keys) > 0
}

// Recheck looks at the branches that concerns names because what tells of their
// changes may have been lost: their newest commit starts what a push of it would.
// It does not wait, and a look that fails is only in the log: who asks asks again.
func (s *Sources) Recheck(concerns func(workflows.Action) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watched {
		if !s.starter.announced(w.Action) || !concerns(w.Action) {
			continue
		}
		s.o.Go(func() {
			select {
			case s.slots <- struct{}{}:
			case <-s.ctx.Done():
				return
			}
			defer func() { <-s.slots }()
			s.reportFailing(w, s.compare(w, byCheck))
		})
	}
}

// lookSoon looks at a branch until no event about it waits. One look serves all events
// that came before it began, so that many of them cost no more than one, and leave the
// polls their slots.
func (s *Sources) lookSoon(key string) {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		waiting := s.soon[key]
		s.soon[key] = nil
		s.mu.Unlock()
		good := s.lookNow(key)
		<-s.slots
		if good {
			for _, seen := range waiting {
				seen()
			}
		}
		s.mu.Lock()
		if len(s.soon[key]) == 0 {
			delete(s.soon, key)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// lookNow looks at a branch because of an event; false: that failed.
func (s *Sources) lookNow(key string) bool {
	s.mu.Lock()
	w := s.watched[key]
	s.mu.Unlock()
	if w == nil {
		return true // nobody follows it any more
	}
	err := errOvertaken
	for try := 0; try < tries && errors.Is(err, errOvertaken); try++ {
		err = s.compare(w, byEvent)
	}
	s.reportFailing(w, err)
	return err == nil
}

// reportFailing says that a branch cannot be looked at, and that it can again, once each: the
// event comes again and again meanwhile.
func (s *Sources) reportFailing(w *watch, err error) {
	s.mu.Lock()
	reported := s.failing[w.key]
	if err != nil {
		s.failing[w.key] = true
	} else {
		delete(s.failing, w.key)
	}
	s.mu.Unlock()
	switch {
	case err != nil && !reported && s.ctx.Err() == nil:
		s.o.Log.Warn("a branch of which an event reported a change could not be looked at; it is tried again", "branch", w.shown(), "err", err)
	case err == nil && reported:
		s.o.Log.Info("a branch of which an event reported a change is looked at again", "branch", w.shown())
	}
}

// notePending records that a branch that only events have looked at could not be
// seen before the first of them: perhaps there is nothing yet. What that one finds is new.
func (s *Sources) notePending(l look) error {
	h := &head{key: l.reader.key(), branch: l.reader.branch}
	unlock, err := s.starter.locks.lock(s.ctx, h.key)
	if err != nil {
		return err
	}
	defer unlock()
	if last, _, err := s.starter.seen(s.ctx, h.key); err != nil || last.Branch == h.branch {
		return err
	}
	return s.o.Commits.Persist(s.ctx, record.Commit{Memos: []record.Memo{h.memo("", s.o.Now())}})
}

// polled says whether any reader wants the branch polled.
func (w *watch) polled() bool {
	for _, r := range w.readers {
		if r.polled {
			return true
		}
	}
	return false
}
