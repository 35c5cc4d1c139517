package slack

import (
	"context"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What ends while a sweep reads the inbox is in what it read, and must not be
// carried out a second time.
func TestASweepTakesUpNothingThatJustEnded(t *testing.T) {
	carried := make(chan string, 10)
	release, ended := make(chan struct{}), make(chan struct{})
	c := newCarrier(func(_ context.Context, r work.Receipt) {
		<-release
		carried <- r.Key
	})
	ctx, cancel := context.WithCancel(t.Context())
	c.start(ctx)
	c.add(work.Receipt{Key: "a"}, "ana")
	added, err := c.sweep(func() ([]work.Receipt, error) {
		close(release)
		<-carried
		go func() {
			defer close(ended)
			c.work.Wait()
		}()
		<-ended
		return []work.Receipt{{Key: "a"}, {Key: "b"}}, nil
	}, func(work.Receipt) string { return "ana" })
	if err != nil || added != 1 {
		t.Error(added, err)
	}
	if key := <-carried; key != "b" {
		t.Errorf("carried %q", key)
	}
	cancel()
	c.work.Wait()
}
