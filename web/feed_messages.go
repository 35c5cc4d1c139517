package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/history"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// framesCached is of how many frames the messages are kept while there are several readers.
const framesCached = 256

// usualMessage is how many bytes most events take.
const usualMessage = 448

// messageCache encodes frames as messages of the live feed, once for all readers.
type messageCache struct {
	mu      sync.Mutex
	readers int
	recent  map[uint64]frameMessages // by the frame's position modulo framesCached; only with several readers
}

// frameMessages are those of one frame, one an event. Whoever may not see
// refusals has fewer of them.
type frameMessages struct {
	feed uint64
	text [][]byte
}

// reader counts a reader, until the function it returns is called.
func (c *messageCache) reader() (ended func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.readers--; c.readers < 2 {
			c.recent = nil
		}
	}
}

// frame returns the messages of a frame. They must not be written.
func (c *messageCache) frame(f event.Frame) ([][]byte, error) {
	c.mu.Lock()
	if c.readers < 2 {
		c.mu.Unlock()
		return encode(f)
	}
	defer c.mu.Unlock() // who comes meanwhile needs the same
	at := f.Feed % framesCached
	if m := c.recent[at]; m.feed == f.Feed && len(m.text) == len(f.Events) {
		return m.text, nil
	}
	text, err := encode(f)
	if err != nil {
		return nil, err
	}
	if c.recent == nil {
		c.recent = map[uint64]frameMessages{}
	}
	c.recent[at] = frameMessages{f.Feed, text}
	return text, nil
}

// feedEvent is an event with where it stands.
type feedEvent struct {
	Cursor   string `json:"cursor"`
	Pipeline string `json:"pipeline"`
	Seq      uint64 `json:"seq"`
	Summary  string `json:"summary"` // in one line: what happened, by whom
	*event.Event
}

// encode writes a frame as Server-Sent Events.
func encode(f event.Frame) ([][]byte, error) {
	var all bytes.Buffer
	all.Grow(usualMessage * len(f.Events))
	ends := make([]int, len(f.Events))
	lines := json.NewEncoder(&all)
	for i := range f.Events {
		e := &f.Events[i]
		here := cursor{f.Feed, i + 1}.String()
		for _, part := range []string{"id: ", here, "\nevent: ", string(e.Kind), "\ndata: "} {
			all.WriteString(part)
		}
		if err := lines.Encode(feedEvent{here, f.Pipeline, f.Seq, history.Line(&say.Format{}, e), e}); err != nil {
			return nil, fmt.Errorf("write event %s of %s: %w", e.Kind, f.Pipeline, err)
		}
		all.WriteByte('\n')
		ends[i] = all.Len()
	}
	text, from := make([][]byte, len(ends)), 0
	for i, end := range ends {
		text[i], from = all.Bytes()[from:end:end], end
	}
	return text, nil
}
