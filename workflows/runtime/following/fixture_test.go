package following_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
)

// fixture is a log, its memos and everything else that a follower is given.
type fixture struct {
	t *testing.T

	mu       sync.Mutex
	frames   []event.Frame // in feed order
	memos    map[string]string
	timers   map[string]func()
	fires    map[string]time.Time
	commits  int // that were asked for
	folds    int
	logReads int
	reads    int   // of the feed, from the store
	broken   error // what the log answers instead
	early    bool  // the newest frame is in the store, and its commit not answered yet
	all      sync.WaitGroup
}

func newFixture(t *testing.T) *fixture {
	return &fixture{t: t, memos: map[string]string{}, timers: map[string]func(){}, fires: map[string]time.Time{}}
}

func (f *fixture) options() following.Options {
	return following.Options{
		Log: f, States: f, Memos: f, Commits: f, Timers: f, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Go: func(run func()) bool { f.all.Go(run); return true },
	}
}

// add commits one frame of a pipeline: a definition, so that it can be folded.
func (f *fixture) add(pipeline string) event.Frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	seq, _ := f.last(pipeline)
	frame := event.Frame{Pipeline: pipeline, Seq: seq + 1, Feed: uint64(len(f.frames)) + 1, Events: []event.Event{{
		Kind:    event.PipelineDefined,
		Defined: &event.Defined{Version: int(seq) + 1, Definition: workflows.Pipeline{Name: pipeline}},
	}}}
	f.frames = append(f.frames, frame)
	return frame
}

func (f *fixture) last(pipeline string) (seq uint64, ok bool) {
	for _, one := range f.frames {
		if one.Pipeline == pipeline {
			seq, ok = one.Seq, true
		}
	}
	return seq, ok
}

func (f *fixture) Last(pipeline string) (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seq, ok := f.last(pipeline)
	if f.early && f.frames[len(f.frames)-1].Pipeline == pipeline {
		seq--
	}
	return seq, ok
}

func (f *fixture) Fold(ctx context.Context, pipeline string) (*machine.State, uint64, error) {
	frames, err := f.Frames(ctx, pipeline, 0, 1000)
	f.mu.Lock()
	f.logReads--
	f.folds++
	f.mu.Unlock()
	s := machine.New(pipeline)
	for _, one := range frames {
		for _, ev := range one.Events {
			s.Evolve(ev)
		}
	}
	seq, _ := f.Last(pipeline)
	return s, seq, err
}

func (f *fixture) Frames(_ context.Context, pipeline string, after uint64, limit int) (frames []event.Frame, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logReads++
	for _, one := range f.frames {
		if one.Pipeline == pipeline && one.Seq > after && len(frames) < limit {
			frames = append(frames, one)
		}
	}
	return frames, f.broken
}

func (f *fixture) Feed(_ context.Context, after uint64, limit int) ([]event.Frame, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	from := min(after, uint64(len(f.frames)))
	return slices.Clone(f.frames[from:min(from+uint64(limit), uint64(len(f.frames)))]), f.broken
}

func (f *fixture) Memo(_ context.Context, owner, key string) ([]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, ok := f.memos[owner+":"+key]
	return []byte(value), ok, nil
}

func (f *fixture) List(_ context.Context, owner, prefix string) (all []record.Memo, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for full, value := range f.memos {
		if key, ok := strings.CutPrefix(full, owner+":"); ok && strings.HasPrefix(key, prefix) {
			all = append(all, record.Memo{Owner: owner, Key: key, Value: []byte(value)})
		}
	}
	return all, nil
}

func (f *fixture) Persist(_ context.Context, c record.Commit) error {
	f.write(c.Memos)
	return nil
}

func (f *fixture) write(memos []record.Memo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range memos {
		if key := m.Owner + ":" + m.Key; len(m.Value) == 0 {
			delete(f.memos, key)
		} else {
			f.memos[key] = string(m.Value)
		}
	}
}

func (f *fixture) RequestCommit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
}

func (f *fixture) Set(key string, at time.Time, fire func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timers[key], f.fires[key] = fire, at
}

// fire lets a timer go off; how long it was set for is returned.
func (f *fixture) fire(key string) time.Duration {
	f.t.Helper()
	f.mu.Lock()
	fire, at := f.timers[key], f.fires[key]
	delete(f.timers, key)
	f.mu.Unlock()
	if fire == nil {
		f.t.Fatalf("no timer %s is set", key)
	}
	fire()
	synctest.Wait()
	return time.Until(at)
}

// memo is what is durable.
func (f *fixture) memo(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.memos["runtime:"+key]
}

// journal is a follower that writes down what it accepted.
type journal struct {
	mu     sync.Mutex
	took   []string
	answer func(b event.Batch) error // nil: it accepts
}

func (j *journal) Name() string { return "journal" }

func (j *journal) Follow(_ context.Context, b event.Batch) (err error) {
	j.mu.Lock()
	answer := j.answer
	j.mu.Unlock()
	if answer != nil {
		err = answer(b)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil || errors.As(err, new(*event.Unfinished)) {
		j.note(b)
	}
	return err
}

func (j *journal) note(b event.Batch) {
	for _, f := range b.Frames {
		j.took = append(j.took, f.Pipeline)
	}
	if len(b.Frames) == 0 {
		j.took = append(j.took, b.Pipeline+" again")
	}
}

func (j *journal) answers(f func(b event.Batch) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answer = f
}

func (j *journal) accepted() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.took, " ")
}
