package following

import (
	"context"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

const (
	ringSize  = 1024             // of the newest frames are kept in memory for those who read along, and up to twice as many
	quietRing = 64               // when nothing has happened for a while
	quiet     = 10 * time.Second // that while
)

// Feed is the log of all pipelines in commit order. The newest frames are in
// memory, the others are read from the store. Frames are never written again.
// It ends with what readers know to be committed: the store has a frame a moment
// before its commit is answered, and whoever was given it then would look at a
// state without it, and not be called for it again.
type Feed struct {
	o Options

	mu      sync.Mutex
	ring    []event.Frame // the newest, without a gap
	after   uint64        // everything after this position is in ring; only when ring is not empty
	grown   time.Time     // when ring has grown last
	trimmed bool          // it is as short as it is when nothing happens
	more    chan struct{} // closed, and replaced, when there is more
}

// NewFeed returns the feed of a log.
func NewFeed(o Options) *Feed {
	return &Feed{o: o, trimmed: true, more: make(chan struct{})}
}

// Publish adds what was committed and wakes everybody who waits.
func (f *Feed) Publish(frames []event.Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) == 0 {
		f.after = frames[0].Feed - 1
	}
	f.ring = append(f.ring, frames...)
	if len(f.ring) > 2*ringSize { // not at every commit: readers have the old one
		f.trim(ringSize)
	}
	f.grown = f.o.Now()
	if f.trimmed {
		f.trimmed = false
		f.trimAt(f.grown.Add(quiet))
	}
	close(f.more)
	f.more = make(chan struct{})
}

// trim keeps the newest frames. f.mu is locked.
func (f *Feed) trim(size int) {
	if over := len(f.ring) - size; over > 0 {
		f.after = f.ring[over-1].Feed
		f.ring = slices.Clone(f.ring[over:])
	}
}

// trimAt has the memory cut down once nothing happens any more: nobody is behind then.
func (f *Feed) trimAt(at time.Time) {
	f.o.Timers.Set("feed", at, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if goes := f.grown.Add(quiet); goes.After(f.o.Now()) {
			f.trimAt(goes)
			return
		}
		f.trim(quietRing)
		f.trimmed = true
	})
}

// of returns a pipeline's frames after seq up to last; nil when not all of them are in memory.
func (f *Feed) of(pipeline string, seq, last uint64) []event.Frame {
	f.mu.Lock()
	ring := f.ring
	f.mu.Unlock()
	var found []event.Frame // the newest first
	for i := len(ring) - 1; i >= 0; i-- {
		one := &ring[i]
		if one.Pipeline != pipeline || one.Seq > last {
			continue
		}
		if len(found) == 0 && one.Seq != last {
			return nil
		}
		if found = append(found, *one); one.Seq == seq+1 {
			slices.Reverse(found)
			return found
		}
	}
	return nil
}

// Forget empties the memory after a commit of unknown end, and has everybody look again.
func (f *Feed) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = nil
	close(f.more)
	f.more = make(chan struct{})
}

// More returns a channel that is closed when there is more than now.
func (f *Feed) More() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more
}

// Read returns frames after a position, or, when there are none, a channel that
// is closed when there is more.
func (f *Feed) Read(ctx context.Context, after uint64, limit int) ([]event.Frame, <-chan struct{}, error) {
	f.mu.Lock()
	more := f.more
	if len(f.ring) > 0 && after >= f.after {
		i := sort.Search(len(f.ring), func(i int) bool { return f.ring[i].Feed > after })
		frames := f.ring[i:min(len(f.ring), i+limit)]
		f.mu.Unlock()
		return slices.Clip(frames), more, nil
	}
	f.mu.Unlock()
	frames, err := f.stored(ctx, after, limit)
	return frames, more, err
}

// stored reads frames from the store, up to the first that is not known yet.
func (f *Feed) stored(ctx context.Context, after uint64, limit int) ([]event.Frame, error) {
	frames, err := f.o.Log.Feed(ctx, after, limit)
	for i, one := range frames {
		if last, _ := f.o.States.Last(one.Pipeline); one.Seq > last {
			return frames[:i], err
		}
	}
	return frames, err
}

// Newest is the position of the newest frame, when it is in memory.
func (f *Feed) Newest() (uint64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) == 0 {
		return 0, false
	}
	return f.ring[len(f.ring)-1].Feed, true
}

// Head returns the position of the newest frame, found by halving: the store
// only reads forward.
func (f *Feed) Head(ctx context.Context) (uint64, error) {
	low, high := uint64(0), uint64(1)
	isPast := func(at uint64) (bool, error) {
		frames, err := f.stored(ctx, at, 1)
		return len(frames) == 0, err
	}
	for high < math.MaxInt64 {
		past, err := isPast(high)
		if err != nil {
			return 0, err
		}
		if past {
			break
		}
		low, high = high, high*2
	}
	if past, err := isPast(0); err != nil || past {
		return 0, err
	}
	for high-low > 1 { // something follows low, nothing follows high
		middle := low + (high-low)/2
		past, err := isPast(middle)
		if err != nil {
			return 0, err
		}
		if past {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}
