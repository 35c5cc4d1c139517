package slack

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
)

// later is when a call that was postponed is to come again; 0: it was made.
func later(t *testing.T, err error) time.Duration {
	t.Helper()
	var p *bot.Postponed
	if err != nil && !errors.As(err, &p) {
		t.Fatal(err)
	}
	if p == nil {
		return 0
	}
	return p.After
}

func post(u bot.Urgency, id string) turn { return turn{"chat.postMessage", "C1", u, id} }

// What is less urgent is made in the order in which it came, as fast as the
// budget allows; what is more urgent goes before all of it, at any time.
func TestGatesOvertakeProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(false)
		due, made := map[string]time.Time{}, []string{}
		for i := range 60 {
			due[fmt.Sprintf("card%02d", i)] = time.Now()
		}
		start, worst, waited := time.Now(), time.Duration(0), time.Duration(0)
		for len(due) > 0 {
			for _, id := range slices.Sorted(func(yield func(string) bool) {
				for id := range due {
					if !yield(id) {
						return
					}
				}
			}) {
				if due[id].After(time.Now()) {
					continue
				}
				if after := later(t, p.take(t.Context(), post(bot.Progress, id))); after > 0 {
					due[id] = time.Now().Add(after)
					continue
				}
				delete(due, id)
				made = append(made, id)
			}
			if n := int(time.Since(start) / time.Second); n > 0 && n%10 == 0 && time.Since(start)%time.Second == 0 {
				for kind := range 2 { // a card and its question
					for waited = 0; ; {
						after := later(t, p.take(t.Context(), post(bot.Question, fmt.Sprintf("gate%d.%d", n, kind))))
						if after == 0 {
							break
						}
						waited += after
						time.Sleep(after)
					}
					worst = max(worst, waited)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !slices.IsSorted(made) || len(made) != 60 {
			t.Errorf("not in order: %v", made)
		}
		if took := time.Since(start); took > 72*time.Second {
			t.Errorf("60 messages and some questions took %s", took)
		}
		if worst > time.Second {
			t.Errorf("a question waited %s", worst)
		}
	})
}

// News go before progress that waits longer; a call that does not come again
// keeps up the others for a moment only, and is given up.
func TestALineGoesOnWithoutWhoDoesNotComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(false)
		for i := range 10 {
			_ = p.take(t.Context(), post(bot.Progress, fmt.Sprint(i)))
		}
		time.Sleep(time.Second)
		first := later(t, p.take(t.Context(), post(bot.News, "news")))
		last := later(t, p.take(t.Context(), post(bot.Progress, "card")))
		if first > time.Second || last < 5*time.Second {
			t.Errorf("news come after %s, progress after %s", first, last)
		}
		if again := later(t, p.take(t.Context(), post(bot.News, "card"))); again > 2*time.Second {
			t.Errorf("what has become urgent comes after %s", again)
		}
		time.Sleep(2 * goneAfter)
		if after := later(t, p.take(t.Context(), post(bot.Progress, "new"))); after != 0 {
			t.Errorf("those who are gone are waited for: %s", after)
		}
		if n := len(p.buckets["chat.postMessage C1"].line.byID); n != 0 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// What Slack asks for counts for everybody, and the workspace as a whole has a limit.
func TestThePauseAndTheWorkspace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(false)
		p.pause("chat.postMessage", "C1", 7*time.Second)
		if after := later(t, p.take(t.Context(), post(bot.Question, "gate"))); after != 7*time.Second {
			t.Errorf("the question comes after %s", after)
		}
		made := 0
		for range 600 { // a minute
			for i := range 50 {
				if later(t, p.take(t.Context(), turn{"chat.postMessage", fmt.Sprint("D", i), bot.Progress, "card"})) == 0 {
					made++
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if made < 300 || made > 320 {
			t.Errorf("%d messages in a minute in fifty channels", made)
		}
	})
}
