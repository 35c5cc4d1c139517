package contents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// world is the store, GitHub and Jira of a story.
type world struct {
	mu               sync.Mutex
	memos            map[string][]byte
	calls            int // answered by GitHub
	asked            []string
	away             error
	slow             time.Duration
	each             int // calls for one commit
	eachKey, tracked int // calls of Jira for one key, and all
	shows            func(key string) bool
}

func (w *world) Memo(_ context.Context, _, key string) ([]byte, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.memos[key]
	return v, ok, nil
}

func (w *world) Persist(ctx context.Context, rows record.Commit) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, m := range rows.Memos {
		w.memos[m.Key] = m.Value
	}
	return nil
}

// Pulls says that an odd commit came by the pull request of its number.
func (w *world) Pulls(_ context.Context, _ string, commits []work.Commit, most int) (found work.Pulled, err error) {
	time.Sleep(w.slow)
	w.mu.Lock()
	defer w.mu.Unlock()
	found.By = map[string]*work.Pull{}
	for _, c := range commits {
		if w.away != nil {
			return found, w.away
		}
		if found.Calls+w.each > most {
			break
		}
		found.Calls, w.calls = found.Calls+w.each, w.calls+w.each
		var n int
		fmt.Sscanf(c.ID, "c%d", &n)
		if found.By[c.ID] = nil; n%2 == 1 {
			found.By[c.ID] = &work.Pull{Number: n, Title: fmt.Sprintf("PULL-%d: it", n), Branch: fmt.Sprintf("feature/branch-%d", n)}
		}
	}
	return found, nil
}

// Issues knows all but what is no issue. More than 50 at once are too many for it.
func (w *world) Issues(_ context.Context, keys []string, most int) (known work.Tracked, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(keys) > 50 {
		return known, errors.New("too many keys")
	}
	w.asked = append(w.asked, keys...)
	if w.away != nil {
		return known, w.away
	}
	for _, key := range keys {
		if known.Calls+w.eachKey > most {
			break
		}
		known.Calls, known.Asked = known.Calls+w.eachKey, append(known.Asked, key)
		if !strings.HasPrefix(key, "UTF-") && (w.shows == nil || w.shows(key)) {
			known.Issues = append(known.Issues, work.Issue{Key: key})
		}
	}
	w.tracked += known.Calls
	return known, nil
}

// process is a start of the service in that world.
func (w *world) process() *Contents {
	return New(&Options{Pulls: w, Issues: w, Memos: w, Commits: w, Now: time.Now, Go: func(f func()) bool { go f(); return true }, Log: slog.New(slog.DiscardHandler)})
}

func release(n int) Question {
	q := Question{Repository: "acme/shop", Branch: "shop-7-shoes", Pulls: true}
	for i := n; i > 0; i-- {
		q.Commits = append(q.Commits, work.Commit{ID: fmt.Sprint("c", i), Mentions: []string{fmt.Sprint("SHOP-", i), "UTF-8"}})
	}
	return q
}

func keys(a Answer) string {
	var all []string
	for _, i := range a.Issues {
		all = append(all, i.Key)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// What is once found out is not asked again: by another look, for another stage
// with fewer commits, by the next process.
func TestAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1}
		c := w.process()
		const all = "BRANCH-1 BRANCH-3 PULL-1 PULL-3 SHOP-1 SHOP-2 SHOP-3 SHOP-7"
		for range 3 {
			if a := c.Of(t.Context(), release(3)); a.Why != "" || len(a.Pulls) != 2 || a.Pulls["c3"].Number != 3 || keys(a) != all {
				t.Fatalf("%+v: %s", a, keys(a))
			}
		}
		fewer := release(3)
		fewer.Commits = fewer.Commits[:1]
		if a := w.process().Of(t.Context(), fewer); a.Why != "" || len(a.Pulls) != 1 || keys(a) != "BRANCH-3 PULL-3 SHOP-3 SHOP-7" {
			t.Errorf("%+v: %s", a, keys(a))
		}
		if w.calls != 3 || len(w.asked) != 9 {
			t.Errorf("%d calls, keys asked: %v", w.calls, w.asked)
		}
		other := release(3)
		other.Repository, other.Pulls = "https://git.example/shop.git", false
		if a := c.Of(t.Context(), other); a.Why != "" || len(a.Pulls) != 0 || w.calls != 3 {
			t.Errorf("of a repository elsewhere: %+v, %d calls", a, w.calls)
		}
	})
}

// While nobody answers it is said, and asked again after half a minute; what was
// found before stays. A release has a budget, whatever becomes of it.
func TestAwayAndTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1, away: errors.New("GitHub is away")}
		c := w.process()
		for range 60 {
			if a := c.Of(t.Context(), release(3)); a.Why != "GitHub is away; GitHub is away" {
				t.Fatalf("%+v", a)
			}
			time.Sleep(time.Second)
		}
		if n := len(w.asked); n == 0 || n > 3*5 {
			t.Errorf("%d keys asked within a minute", n)
		}
		w.away = nil
		began := time.Now()
		for c.Of(t.Context(), release(3)).Why != "" {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 35*time.Second || w.calls != 3 {
			t.Errorf("known %v after it came back, with %d calls", took, w.calls)
		}

		w.calls, w.each = 0, 2
		for range 3 {
			a := w.process().Of(t.Context(), release(100))
			if !strings.Contains(a.Why, "68 of 100 commits came is not known") || strings.Contains(a.Why, "too many keys") || w.calls > mostCalls-forIssues {
				t.Errorf("%s after %d calls", a.Why, w.calls)
			}
			time.Sleep(time.Hour)
		}

		w.each, w.slow = 1, 20*time.Second
		began = time.Now()
		shortly, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if a := c.Of(shortly, release(5)); !strings.Contains(a.Why, "still being looked up") || time.Since(began) > 15*time.Second {
			t.Errorf("%+v after %v", a, time.Since(began))
		}
		time.Sleep(20 * time.Second)
		if a := c.Of(t.Context(), release(5)); a.Why != "" || w.calls != 64+5 {
			t.Errorf("%+v, %d calls", a, w.calls)
		}
		if a := c.Of(t.Context(), Question{}); a.Why != "" {
			t.Errorf("of nothing: %+v", a)
		}
		ending := New(&Options{Pulls: w, Go: func(func()) bool { return false }})
		if a := ending.Of(t.Context(), release(1)); a.Why == "" {
			t.Errorf("at the end: %+v", a)
		}
	})
}

// GitHub and Jira share a release's budget: of 400 commits with 400 keys it is said
// what is not known, and further looks cost next to nothing.
func TestOneBudgetForGitHubAndJira(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1, eachKey: 1}
		a := w.process().Of(t.Context(), release(400))
		for _, want := range []string{"335 of 400 commits", "170 of 200 issue keys", "too many calls"} {
			if !strings.Contains(a.Why, want) {
				t.Errorf("%q is not in %s", want, a.Why)
			}
		}
		if n := w.calls + w.tracked; n != mostCalls || w.tracked != forIssues {
			t.Errorf("%d calls, of Jira %d", n, w.tracked)
		}
		for range 3 {
			time.Sleep(2 * time.Hour)
			began := w.calls + w.tracked
			w.process().Of(t.Context(), release(400))
			if n := w.calls + w.tracked - began; n > furtherMost {
				t.Errorf("%d calls for a further look", n)
			}
		}
	})
}

// After a forced push it is known too how the dropped commits came, and what only they mention.
func TestDroppedCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1}
		q := release(4)
		q.Commits, q.Dropped = q.Commits[2:], q.Commits[:2]
		a := w.process().Of(t.Context(), q)
		if got := keys(a) + " | " + keys(Answer{Issues: a.Dropped}); a.Why != "" || len(a.Pulls) != 2 || a.Pulls["c3"] == nil || got != "BRANCH-1 PULL-1 SHOP-1 SHOP-2 SHOP-7 | BRANCH-3 PULL-3 SHOP-3 SHOP-4" {
			t.Errorf("%s: %+v", got, a)
		}
		q.Commits, q.Dropped = nil, release(4).Commits
		if a := w.process().Of(t.Context(), q); keys(a) != "SHOP-7" || keys(Answer{Issues: a.Dropped}) != "BRANCH-1 BRANCH-3 PULL-1 PULL-3 SHOP-1 SHOP-2 SHOP-3 SHOP-4" || w.calls != 8 {
			t.Errorf("%+v", a)
		}
	})
}

// What took longer than a look may is kept: the next one asks only for the rest.
func TestWhatWasFoundTooLateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1, slow: lookFor + time.Second}
		c := w.process()
		for range 3 {
			shortly, cancel := context.WithTimeout(t.Context(), time.Second)
			c.Of(shortly, release(3))
			cancel()
			time.Sleep(2 * lookFor)
		}
		if a := w.process().Of(t.Context(), release(3)); a.Why != "" || len(a.Pulls) != 2 || w.calls != 3 {
			t.Errorf("%+v after %d calls", a, w.calls)
		}
	})
}

// Two stages ask about one release at the same time: neither asks for what the
// other has found, nor loses it, and each hears of its own commits and branch.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1, slow: time.Second}
		c := w.process()
		fewer, other := release(4), release(4)
		fewer.Commits = fewer.Commits[:2]
		other.Branch = "shop-8-boots"
		wants := map[string]Question{
			"BRANCH-1 BRANCH-3 PULL-1 PULL-3 SHOP-1 SHOP-2 SHOP-3 SHOP-4 SHOP-7": release(4),
			"BRANCH-3 PULL-3 SHOP-3 SHOP-4 SHOP-7":                               fewer,
			"BRANCH-1 BRANCH-3 PULL-1 PULL-3 SHOP-1 SHOP-2 SHOP-3 SHOP-4 SHOP-8": other,
		}
		var all sync.WaitGroup
		for want, q := range wants {
			all.Go(func() {
				if a := c.Of(t.Context(), q); a.Why != "" || keys(a) != want {
					t.Errorf("%s, want %s: %s", keys(a), want, a.Why)
				}
			})
		}
		all.Wait()
		if w.calls != 4 || len(c.under)+len(c.newest) != 0 {
			t.Errorf("%d calls for 4 commits, %d looks left", w.calls, len(c.under)+len(c.newest))
		}
	})
}

// An issue that Jira did not show is asked about again an hour later: somebody may
// have given the right to see it.
func TestAnIssueThatIsShownLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{memos: map[string][]byte{}, each: 1, shows: func(key string) bool { return key != "SHOP-1" }}
		c := w.process()
		for range 3 {
			if got := keys(c.Of(t.Context(), release(1))); got != "BRANCH-1 PULL-1 SHOP-7" {
				t.Fatal(got)
			}
			time.Sleep(20*time.Minute - time.Second)
		}
		if w.shows = nil; len(w.asked) != 5 {
			t.Errorf("asked %v", w.asked)
		}
		time.Sleep(3 * time.Second)
		for range 2 {
			if got := keys(c.Of(t.Context(), release(1))); got != "BRANCH-1 PULL-1 SHOP-1 SHOP-7" {
				t.Error(got)
			}
		}
		if slices.Sort(w.asked[5:]); !slices.Equal(w.asked[5:], []string{"SHOP-1", "UTF-8"}) {
			t.Errorf("asked again: %v", w.asked[5:])
		}
	})
}

// broken is a GitHub over whose answer the client stumbles.
type broken struct{}

func (broken) Pulls(context.Context, string, []work.Commit, int) (work.Pulled, error) {
	panic("nil pointer")
}

// A panic ends no process, which would look again when it starts; whoever asks hears of it.
func TestAPanicIsContained(t *testing.T) {
	c := New(&Options{Pulls: broken{}, Memos: &world{}, Now: time.Now, Go: func(f func()) bool { go f(); return true }, Log: slog.New(slog.DiscardHandler)})
	for range 2 {
		if a := c.Of(t.Context(), release(1)); !strings.Contains(a.Why, "log says why") {
			t.Errorf("%+v", a)
		}
	}
}
