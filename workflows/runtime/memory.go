package runtime

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	releaseAfter = 12 * time.Second // without a pipeline that leaves memory: the rush is over, and what readers had is gone too
	releaseFrom  = 8 << 20          // bytes of heap above what was left the last time
)

// heap gives memory back to the system that pipelines have needed which are no
// longer loaded. The collector would keep it for minutes: it works when more is
// needed, and then nothing is.
type heap struct {
	mu   sync.Mutex
	left uint64 // bytes, the last time
}

// releaseLater has memory given back once no more pipelines leave it.
func (e *Engine) releaseLater() {
	e.timers.Set("memory", e.o.Now().Add(releaseAfter), func() { e.group.Go(func() { e.heap.release() }) })
}

// release gives memory back when that is worth a collection; false: it is not.
func (h *heap) release() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if heapSize() < h.left+releaseFrom {
		return false
	}
	debug.FreeOSMemory()
	h.left = heapSize()
	return true
}

// heapSize is how many bytes the heap has from the system.
func heapSize() (bytes uint64) {
	parts := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(parts)
	for _, p := range parts {
		bytes += p.Value.Uint64()
	}
	return bytes
}
