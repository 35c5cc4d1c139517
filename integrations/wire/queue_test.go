package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// However requests of one queue arrive while its worker is about to end, it has
// one worker: none is processed twice, beside another, or not at all.
func TestAQueueHasOneWorker(t *testing.T) {
	const senders, each = 4, 3000
	f := newOffice(t)
	f.o.Finish = nil
	var busy atomic.Int32
	f.work = func(context.Context, work.Receipt) error {
		if busy.Add(1) > 1 {
			t.Error("two requests of one queue are processed at once")
		}
		busy.Add(-1)
		return nil
	}
	end := f.start()
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for n := range each {
				key := fmt.Sprintf("%d-%d", s, n)
				<-f.inbox.add(work.Receipt{Key: key, Payload: []byte("ana/" + key)})
			}
		})
	}
	all.Wait()
	end()
	if keys := slices.Compact(slices.Sorted(slices.Values(f.did))); len(keys) != senders*each || len(f.did) != len(keys) {
		t.Errorf("%d of %d requests were processed, in %d calls", len(keys), senders*each, len(f.did))
	}
}
