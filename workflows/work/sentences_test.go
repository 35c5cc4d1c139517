package work_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 3: 8 * time.Second, 5: 32 * time.Second, 6: time.Minute, 7: time.Minute, 1 << 40: time.Minute} {
		if got := work.Backoff(failures); got != want {
			t.Errorf("after %d: %v, want %v", failures, got, want)
		}
	}
}

// What is not known must never read as "nothing new".
func TestWhatIsSaidOfARange(t *testing.T) {
	between := work.Range{Repository: "acme/webshop", From: "1111111aaa", To: "2222222bbb"}
	first := work.Range{Repository: "acme/webshop", To: "2222222bbb"}
	for _, c := range []struct {
		r        work.Range
		c        work.Changes
		say, sum string
	}{
		{between, work.Changes{Complete: true, Count: 3}, "acme/webshop 1111111..2222222: 3 commits", "3 commits since #41"},
		{between, work.Changes{Complete: true, Count: 1}, "acme/webshop 1111111..2222222: 1 commit", "1 commit since #41"},
		{between, work.Changes{Complete: true, Undone: 2}, "acme/webshop 1111111..2222222: 0 commits", "undoes 2 commits of #41"},
		{between, work.Changes{Complete: true, Count: 1, Undone: 2}, "acme/webshop 1111111..2222222: 1 commit", "1 commit since #41, and undoes 2 commits"},
		{between, work.Changes{Why: "Git does not answer", Count: 3, Undone: 1}, "acme/webshop 1111111..2222222: not known, because Git does not answer", "what is new since #41 is not known, because Git does not answer"},
		{first, work.Changes{Why: "nothing of it runs"}, "acme/webshop 2222222: not known, because nothing of it runs", "what is new since #41 is not known, because nothing of it runs"},
	} {
		if got := c.r.Say(c.c); got != c.say {
			t.Errorf("%q, want %q", got, c.say)
		}
		if got := c.c.Sum(41); got != c.sum {
			t.Errorf("%q, want %q", got, c.sum)
		}
	}
}
