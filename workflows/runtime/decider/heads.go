package decider

import (
	"sync"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// heads is what pipelines there are, with the sequence number of the last committed frame of each.
type heads struct {
	mu   sync.RWMutex
	last map[string]uint64
}

func (h *heads) reset(all []record.Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = make(map[string]uint64, len(all))
	for _, one := range all {
		h.last[one.Pipeline] = one.Last
	}
}

func (h *heads) seq(pipeline string) (seq uint64, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	seq, ok = h.last[pipeline]
	return seq, ok
}

func (h *heads) set(pipeline string, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[pipeline] = seq
}

func (h *heads) names() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(h.last))
	for name := range h.last {
		names = append(names, name)
	}
	return names
}
