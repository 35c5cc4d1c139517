package slack

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A local workspace need not be spared, unless it asks for silence.
func TestUnpaced(t *testing.T) {
	synctest.Test(t, testUnpaced)
}

func testUnpaced(t *testing.T) {
	for _, unpaced := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // its own: the pause below waits it out
		defer cancel()
		p := newPacer(unpaced)
		var err error
		for range 100 {
			if one := p.take(ctx, turn{method: "chat.postMessage", key: "C1"}); one != nil {
				err = one
				break
			}
		}
		if (err == nil) != unpaced {
			t.Errorf("unpaced %v: %v", unpaced, err)
		}
		p.pause("chat.postMessage", "C1", time.Minute)
		if p.take(ctx, turn{method: "chat.postMessage", key: "C1"}) == nil {
			t.Errorf("unpaced %v: the asked-for silence was broken", unpaced)
		}
	}
}
