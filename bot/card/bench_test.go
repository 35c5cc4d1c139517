package card_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
)

// BenchmarkCard draws the card of an execution that waits at a gate, and of one
// that failed: what is drawn with every frame of an execution.
func BenchmarkCard(b *testing.B) {
	for name, v := range map[string]card.View{"waiting": view(waiting(yes(ana(), 10)), shop()), "failed": view(broken(), uncertain())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m := card.Execution(v); len(m.Blocks) == 0 {
					b.Fatal("an empty card")
				}
			}
		})
	}
}
