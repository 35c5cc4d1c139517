package inbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// pollsAtOnce is how many repositories are asked side by side.
const pollsAtOnce = 8

// Sources looks at branches for the source actions that ask for it: every so often,
// and when an event tells of a change. One look serves all pipelines that follow
// the same branch; what each of them has already seen is its own memo, which moves
// in the commit of the start, so that it does not matter what led to the look.
type Sources struct {
	o       *Options
	starter *Starter
	ctx     context.Context

	mu      sync.Mutex
	watched map[string]*watch          // by watchKey
	follows map[string]map[string]bool // by pipeline: the keys of what it is a reader of, and whether it has them polled
	soon    map[string][]func()        // by watchKey, of a branch that events have looked at: what to call after the next look that succeeds
	failing map[string]bool            // by watchKey: an event led to a look that failed
	changed map[string]bool            // pipelines that are about to be looked at anew; the empty name: all of them
	slots   chan struct{}
}

// NewSources returns sources that poll for the starter's pipelines.
func NewSources(o *Options, s *Starter) *Sources {
	return &Sources{o: o, starter: s, watched: map[string]*watch{}, follows: map[string]map[string]bool{}, soon: map[string][]func(){}, failing: map[string]bool{}, changed: map[string]bool{"": true}, slots: make(chan struct{}, pollsAtOnce), ctx: context.Background()}
}

// Start polls until ctx ends.
func (s *Sources) Start(ctx context.Context) {
	s.ctx = ctx
	s.starter.catalogue.watch(s.refreshSoon)
	s.refresh()
}

// refreshSoon has the branches of a pipeline looked for anew, once for many edits.
func (s *Sources) refreshSoon(pipeline string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed[pipeline] = true
	if len(s.changed) == 1 {
		s.o.Timers.Set("sources", s.o.Now(), func() { s.o.Go(s.refresh) })
	}
}

// refresh lists the branches to watch of the pipelines that have changed, and
// looks at once at those that are new to a pipeline.
func (s *Sources) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = map[string]bool{}
	if changed[""] {
		for name := range s.follows {
			changed[name] = true
		}
		for _, p := range s.starter.catalogue.Pipelines() {
			changed[p.Name] = true
		}
	}
	touched, fresh := map[string]bool{}, map[string][]reader{}
	before := map[string]map[string]bool{}
	for name := range changed {
		before[name] = s.follows[name]
		for key := range s.follows[name] {
			touched[key] = true
		}
		delete(s.follows, name)
		for _, r := range s.wanted(name) {
			touched[r.branch], fresh[r.branch] = true, append(fresh[r.branch], r)
			if s.follows[name] == nil {
				s.follows[name] = map[string]bool{}
			}
			s.follows[name][r.branch] = r.polled
		}
	}
	for key := range touched {
		s.replace(key, changed, fresh[key])
		if slices.ContainsFunc(fresh[key], func(r reader) bool {
			polled, known := before[r.pipeline.Name][key]
			return !known || r.polled && !polled
		}) {
			s.pollAt(key, s.o.Now())
		}
	}
}

// wanted are the branches of a pipeline that are to be looked at.
func (s *Sources) wanted(pipeline string) []reader {
	p := s.starter.catalogue.pipeline(pipeline)
	if p == nil {
		return nil
	}
	on, _ := s.starter.catalogue.polls(pipeline)
	return s.starter.readers(p, on)
}

// replace makes a branch's readers anew, of which those of the pipelines in
// changed are fresh. A poll under way keeps what it has. s.mu is held.
func (s *Sources) replace(key string, changed map[string]bool, fresh []reader) {
	w := &watch{key: key}
	if old := s.watched[key]; old != nil {
		w.failures = old.failures
		w.readers = slices.DeleteFunc(slices.Clone(old.readers), func(r reader) bool { return changed[r.pipeline.Name] })
	}
	w.readers = append(w.readers, fresh...)
	if len(w.readers) == 0 {
		delete(s.watched, key)
		s.o.Timers.Drop("poll/" + key)
		return
	}
	slices.SortFunc(w.readers, func(a, b reader) int { return strings.Compare(a.pipeline.Name, b.pipeline.Name) })
	w.Followed = w.readers[0].followed()
	s.watched[key] = w
}

// pollAt has a branch polled at a time. s.mu is held.
func (s *Sources) pollAt(key string, at time.Time) {
	s.o.Timers.Set("poll/"+key, at, func() { s.o.Go(func() { s.poll(key) }) })
}

// poll asks for a branch once, starts what is to be started, and schedules the next poll.
func (s *Sources) poll(key string) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return
	}
	s.mu.Lock()
	w := s.watched[key]
	s.mu.Unlock()
	if w == nil || s.ctx.Err() != nil {
		return
	}
	err := s.compare(w, byClock)
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w = s.watched[key]; w == nil {
		return
	}
	if !w.polled() {
		if err != nil {
			s.o.Log.Info("a branch could not be looked at before the first event about it", "branch", w.shown(), "err", err)
		}
		return
	}
	pause := s.o.PollInterval
	if err == nil {
		w.failures = 0
	} else {
		pause = max(pause, min(pause<<min(w.failures, 4), 10*time.Minute))
		w.failures++
		s.o.Log.Warn("a branch could not be looked at; it is tried again", "branch", w.shown(), "tries", w.failures, "again_in", pause, "err", err)
	}
	s.pollAt(key, s.o.Now().Add(pause))
}

// occasion is what led to a look.
type occasion int

const (
	byClock occasion = iota // it is polled
	byEvent                 // an event told of a change
	byCheck                 // events may have been lost
)

// compare asks for the head of a branch, and starts every pipeline to which it is new.
func (s *Sources) compare(w *watch, why occasion) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.o.Log.Error("a source panicked", "branch", w.shown(), "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("the source panicked: %v", fault)
		}
	}()
	var looks []look
	for _, r := range w.readers {
		last, before, err := s.starter.seen(s.ctx, r.key())
		if err != nil {
			return err
		}
		if r.polled || why != byClock || last.Branch != r.branch {
			looks = append(looks, look{reader: r, why: why, before: before})
		}
	}
	if len(looks) == 0 {
		return nil
	}
	found, err := s.o.Sources[w.Action.ActionType.Provider].Head(s.ctx, w.Followed)
	if err == nil && found.Commit == "" {
		err = errors.New("the branch has no commit")
	}
	for _, l := range looks {
		if err == nil {
			err = s.startIfNew(l, found)
		} else if !l.reader.polled && why == byClock {
			err = errors.Join(err, s.notePending(l))
		}
	}
	return err
}

// look is one reader's part of a look at a branch.
type look struct {
	reader reader
	why    occasion
	before []byte // what was known when it began
}

// errOvertaken says that something else was seen of a branch while it was looked at.
var errOvertaken = errors.New("somebody else saw something new of the branch meanwhile")

// startIfNew starts a pipeline when the head is new to it. The first look only
// records: loading a definition never starts anything, and neither does the first
// poll after polling was off. If a webhook or another look has reported something
// since this one began, the head may be older than that.
func (s *Sources) startIfNew(l look, found work.Change) error {
	r := l.reader
	h := &head{key: r.key(), branch: r.branch, commit: found.Commit, looked: found.Commit}
	unlock, err := s.starter.locks.lock(s.ctx, h.key)
	if err != nil {
		return err
	}
	defer unlock()
	last, now, err := s.starter.seen(s.ctx, h.key)
	at := s.o.Now()
	var since time.Time // when polling came on again, of what is polled
	if r.polled {
		_, since = s.starter.catalogue.polls(r.pipeline.Name)
	}
	known := last.Branch == r.branch && (last.Commit == found.Commit || l.why == byCheck && last.Looked == found.Commit && !last.Left)
	switch {
	case err != nil, known && !last.At.Before(since):
		return err
	case !bytes.Equal(now, l.before) && l.why == byEvent:
		return errOvertaken
	case !bytes.Equal(now, l.before):
		return nil
	}
	if differ, ok := s.o.Sources[r.action.ActionType.Provider].(Differ); ok && last.Branch == r.branch && trigger.NeedsFiles(r.pipeline, eventOf(found)) {
		if found.Files, err = differ.Changed(s.ctx, *r.action, last.Commit, found.Commit); err != nil {
			return err
		}
	}
	news := eventOf(found)
	news.Announced = l.why != byClock
	name, wanted, why := trigger.Match(r.pipeline, news)
	if l.why == byCheck && last.Looked == "" { // the first look only records
		wanted = false
	}
	if known || last.Branch != r.branch || last.At.Before(since) || !wanted {
		return s.o.Commits.Persist(s.ctx, record.Commit{Memos: []record.Memo{h.memo("", at)}})
	}
	by, kind := "poll", workflows.TriggerPoll
	switch l.why {
	case byEvent:
		by, kind = "event", startedByEvent
	case byCheck:
		by = "check"
	}
	a, _ := r.pipeline.Stages[0].Action(name)
	token := strings.Join([]string{by, found.Repository, found.Branch, found.Commit, r.pipeline.Name, strconv.FormatInt(at.UnixNano(), 36)}, "/")
	_, err = s.starter.startLocked(s.ctx, request{
		pipeline: r.pipeline.Name, at: at, head: h, intent: startBy(r.pipeline.Name, a, found, kind, token, why),
	}, record.Attachment{})
	return err
}
