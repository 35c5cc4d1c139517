package slack

import (
	"sync"
	"time"
)

// cacheSize is where a cache starts afresh; it bounds memory, nothing else.
const cacheSize = 20_000

// cache remembers answers of Slack's for a while. An answer is as old as the
// question, so that none is ever trusted for longer than age.
type cache[V any] struct {
	age time.Duration
	now func() time.Time

	mu   sync.Mutex
	rows map[string]cached[V]
}

type cached[V any] struct {
	value V
	at    time.Time
}

func newCache[V any](age time.Duration, now func() time.Time) *cache[V] {
	return &cache[V]{age: age, now: now, rows: map[string]cached[V]{}}
}

func (c *cache[V]) get(key string) (V, bool) { return c.within(key, c.age) }

// within is get for those who want an answer no older than age.
func (c *cache[V]) within(key string, age time.Duration) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows[key]
	if !ok || c.now().Sub(row.at) > age {
		var none V
		return none, false
	}
	return row.value, true
}

// put remembers the answer to a question that was asked at that time.
func (c *cache[V]) put(key string, value V, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows) >= cacheSize {
		clear(c.rows)
	}
	c.rows[key] = cached[V]{value, asked}
}
