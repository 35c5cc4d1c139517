package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

func TestSentences(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{words.List(nil, "and"), ""},
		{words.List(strings.Fields("A"), "and"), "A"},
		{words.List(strings.Fields("A B C"), "or"), "A, B or C"},
		{words.Because("stopped by ana", ""), "stopped by ana"},
		{words.Because("stopped by ana", "wrong branch"), "stopped by ana: wrong branch"},
		{words.Span(24 * time.Hour), "1 day"},
		{words.Span(90 * time.Minute), "90 minutes"},
		{words.Span(2 * time.Hour), "2 hours"},
		{words.Span(90*time.Second + 400*time.Millisecond), "1m30s"},
		{words.Count(1, "stage"), "1 stage"},
		{words.Count(0, "stage"), "0 stages"},
		{words.Moment(time.Date(2026, 3, 2, 10, 5, 0, 0, time.FixedZone("CET", 3600))), "2 Mar 09:05 UTC"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
