package slack

import (
	"context"
	"testing"
	"time"
)

// A local workspace need not be spared, unless it asks for silence.
func TestUnpaced(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for unpaced, want := range map[bool]bool{true: true, false: false} {
		p := newPacer(unpaced)
		var err error
		for range 100 {
			if one := p.wait(ctx, "chat.postMessage", "C1"); one != nil {
				err = one
				break
			}
		}
		if (err == nil) != want {
			t.Errorf("unpaced %v: %v", unpaced, err)
		}
		p.hold("chat.postMessage", "C1", time.Minute)
		if p.wait(ctx, "chat.postMessage", "C1") == nil {
			t.Errorf("unpaced %v: the asked-for silence was broken", unpaced)
		}
	}
}
