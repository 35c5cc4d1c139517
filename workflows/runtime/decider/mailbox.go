package decider

import "sync"

// mailbox is what a loop has been sent and not yet read: unbounded, because the
// writer posts to it and must never wait. Whoever asks waits for an answer, so
// what queues is bounded by who asks.
type mailbox struct {
	mu     sync.Mutex
	items  []func()
	closed bool
	signal chan struct{} // has one when there may be items
}

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

// post queues f for the loop's goroutine; false when the loop has ended.
func (m *mailbox) post(f func()) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.items = append(m.items, f)
	m.mu.Unlock()
	m.wake()
	return true
}

func (m *mailbox) wake() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// take returns the oldest items, at most limit, so that a long queue does not keep the writer waiting.
func (m *mailbox) take(limit int) []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) <= limit {
		items := m.items
		m.items = nil
		return items
	}
	items := m.items[:limit:limit]
	m.items = m.items[limit:]
	m.wake()
	return items
}

// closeIfEmpty refuses further items; false, and nothing closed, when some are queued.
func (m *mailbox) closeIfEmpty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = len(m.items) == 0
	return m.closed
}
