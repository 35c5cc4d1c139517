package layout_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

func TestSpoken(t *testing.T) {
	noon := layout.Moment(time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC))
	for text, want := range map[string]string{
		"expires " + noon + ".":                    "expires 2026-03-12 12:00 UTC.",
		layout.Link("https://a.example/x", "card"): "card",
		"type `/rollcall` (0 6 * * 1)":             "type /rollcall (0 6 * * 1)",
		"<@U1>, <!subteam^S1>: look":               "<@U1>, <!subteam^S1>: look",
		"&lt;!date^1^{time}|x&gt; <":               "&lt;!date^1^{time}|x&gt; <",
		"<https://a.example":                       "<https://a.example",
		"<@github:dan|dan> and " + noon:            "<@github:dan|dan> and 2026-03-12 12:00 UTC",
	} {
		if got := layout.Spoken(text); got != want {
			t.Errorf("%q is spoken as %q, want %q", text, got, want)
		}
	}
}
