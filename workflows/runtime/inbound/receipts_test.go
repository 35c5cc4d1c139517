package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// resultOf reads what a sender is told.
func resultOf(t *testing.T, r work.Receipt) (result record.Result) {
	t.Helper()
	if err := json.Unmarshal(r.Result, &result); err != nil {
		t.Fatalf("the result of %s: %v", r.Key, err)
	}
	return result
}

// Two hooks tell of one push at the same moment, to one process or to two that
// have nothing in common but the store: the names of the delivery are claimed in
// the commit that starts, so each pipeline starts once, one delivery is fresh,
// and whoever hears of executions hears of the same.
func TestOnePushToldAtOnceStartsOnce(t *testing.T) {
	for members := 1; members <= 3; members++ {
		for pipelines := 1; pipelines <= 3; pipelines++ {
			t.Run(fmt.Sprintf("%d members, %d pipelines", members, pipelines), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t)
					var names []string
					for i := range pipelines {
						names = append(names, fmt.Sprint("shop", i))
					}
					d.member().define(names...)
					var all []*member
					for range members {
						all = append(all, d.member())
					}
					d.change(func() { d.slow = 50 * time.Millisecond })
					var mu sync.Mutex
					fresh, told := 0, map[string]bool{}
					var group sync.WaitGroup
					for i := range 4 {
						group.Go(func() {
							m := all[i%len(all)]
							r, first, err := m.receipts.Receive(t.Context(), work.Receipt{Key: fmt.Sprint("github/", i), Source: "github"}, []work.Change{push("c1")})
							if err != nil {
								t.Errorf("delivery %d: %v", i, err)
								return
							}
							mu.Lock()
							defer mu.Unlock()
							if first {
								fresh++
							}
							if started := resultOf(t, r).Started; len(started) > 0 { // another process may ask before the first one's starts are over
								slices.Sort(started)
								told[strings.Join(started, " ")] = true
							}
						})
					}
					group.Wait()
					if fresh != 1 || len(told) != 1 {
						t.Errorf("%d deliveries are fresh, and told of %v", fresh, told)
					}
					for _, name := range names {
						if n := d.starts(name); n != 1 {
							t.Errorf("%s was started %d times", name, n)
						}
					}
					if n := d.left(deliveryPrefix); n != 0 || members == 1 && d.taken != 0 {
						t.Errorf("%d deliveries are left, %d commits were refused", n, d.taken)
					}
				})
			})
		}
	}
}

// A receipt is inserted unless it is there: of two processes that accept one
// request at the same moment one has it to carry out.
func TestAReceiptIsInsertedUnlessItIsThere(t *testing.T) {
	for name, second := range map[string]work.Receipt{
		"the same key":      {Key: "slack/1", Source: "slack"},
		"another, one body": {Key: "slack/2", Source: "slack", Print: "b0d7"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			one, two := d.member(), d.member()
			d.change(func() { d.slow = 50 * time.Millisecond })
			fresh := 0
			var mu sync.Mutex
			var group sync.WaitGroup
			for m, r := range map[*member]work.Receipt{one: {Key: "slack/1", Source: "slack", Print: second.Print}, two: second} {
				group.Go(func() {
					_, first, err := m.receipts.Accept(t.Context(), r)
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if first {
						mu.Lock()
						fresh++
						mu.Unlock()
					}
				})
			}
			group.Wait()
			if fresh != 1 {
				t.Errorf("%s: %d have it to carry out", name, fresh)
			}
			for _, m := range []*member{one, two} {
				if _, first, err := m.receipts.Accept(t.Context(), second); err != nil || first {
					t.Errorf("%s: asked again: fresh %v, %v", name, first, err)
				}
			}
		})
	}
}

// Whatever happens to the commits of a delivery, and wherever the process dies
// between them, each pipeline starts once and the sender is told of all of them.
func TestADeliveryIsFinishedAfterEveryFault(t *testing.T) {
	for pipelines := 1; pipelines <= 2; pipelines++ {
		for n := 1; n <= 4; n++ {
			for _, fault := range []string{"before", "after"} {
				for _, dies := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d pipelines, commit %d fails %s, the process dies: %v", pipelines, n, fault, dies), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							d := newDesk(t)
							names := []string{"shop", "store"}[:pipelines]
							d.member().define(names...)
							first := d.commits + n
							d.change(func() {
								d.fault = func(i int) string {
									if i == first || dies && i > first {
										return fault
									}
									return ""
								}
							})
							r := work.Receipt{Key: "github/1", Source: "github", At: time.Now()}
							_, fresh, err := d.member().receipts.Receive(t.Context(), r, []work.Change{push("c1")})
							if !dies && (err != nil || !fresh) {
								t.Fatalf("one fault is not made good: fresh %v, %v", fresh, err)
							}
							d.change(func() { d.fault = nil })
							next := d.member()
							ctx, stop := context.WithCancel(t.Context())
							defer stop()
							go next.receipts.Run(ctx)
							synctest.Wait()
							got, _, err := next.receipts.Receive(t.Context(), r, []work.Change{push("c1")}) // the sender tries again
							if err != nil || !got.Done || len(resultOf(t, got).Started) != pipelines {
								t.Errorf("%+v, %v", got, err)
							}
							for _, name := range names {
								if n := d.starts(name); n != 1 {
									t.Errorf("%s was started %d times", name, n)
								}
							}
							if n := d.left(deliveryPrefix); n != 0 {
								t.Errorf("%d deliveries are left", n)
							}
						})
					})
				}
			}
		}
	}
}

// A start that is refused is a result: its reason is in the same commit.
func TestARefusalIsAResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		m.define("shop", "store")
		d.change(func() { d.refuse = func(in workflows.Intent) bool { return in.Pipeline == "shop" } })
		r, fresh, err := m.receipts.Receive(t.Context(), work.Receipt{Key: "github/1", Source: "github"}, []work.Change{push("c1")})
		got := resultOf(t, r)
		if err != nil || !fresh || len(got.Started) != 1 || !slices.Equal(got.Ignored, []string{"shop: shop takes nothing"}) {
			t.Errorf("%+v, %v, %v", got, fresh, err)
		}
	})
}

// What the store does not answer is an error that says what was wanted, and
// leaves nothing behind; the caller's own end stays what it is.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		d.change(func() { d.broken = fmt.Errorf("bad sector") })
		_, _, err := m.receipts.Accept(t.Context(), work.Receipt{Key: "slack/1", Source: "slack"})
		if unread, ok := errors.AsType[*ReadError](err); !ok || unread.What != "the receipt" {
			t.Errorf("%v", err)
		}
		d.change(func() { d.broken = context.Canceled })
		if _, _, err = m.receipts.Accept(t.Context(), work.Receipt{Key: "slack/1", Source: "slack"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if n := len(d.receipts); n != 0 {
			t.Errorf("%d receipts", n)
		}
	})
}

// A push is the same one for ten minutes, and one with another beginning or end
// is another. A delivery of several changes has no such name.
func TestWhatMakesTwoPushesOne(t *testing.T) {
	base := push("c2")
	base.Before = "c1"
	for name, change := range map[string]func(*work.Change){
		"the provider": func(c *work.Change) { c.Provider = "GitHub" }, "the event": func(c *work.Change) { c.Event = "pull_request" },
		"what happened to the pull request": func(c *work.Change) { c.PullEvent = "CLOSED" }, "the repository": func(c *work.Change) { c.Repository = "x" },
		"the branch": func(c *work.Change) { c.Branch = "next" }, "the tag": func(c *work.Change) { c.Tag = "v1" },
		"where it began": func(c *work.Change) { c.Before = "c0" }, "the commit": func(c *work.Change) { c.Commit = "c3" },
		"that it deletes": func(c *work.Change) { c.Deleted = true },
	} {
		other := base
		change(&other)
		if pushKey(other) == pushKey(base) {
			t.Errorf("%s makes no other push", name)
		}
	}
	same := base
	same.Files, same.At, same.By, same.Summary = []string{"a"}, time.Now(), workflows.Principal{ID: "x"}, "words"
	if pushKey(same) != pushKey(base) {
		t.Error("what is known of a push makes another one of it")
	}
	now := time.Now()
	one := delivery{Receipt: work.Receipt{Key: "k"}, Changes: []work.Change{base}}
	names := one.names(now)
	if len(names) != 1 || names[0].Taken(work.Receipt{At: now.Add(-10 * time.Minute)}) || !names[0].Taken(work.Receipt{At: now.Add(-10*time.Minute + 1)}) {
		t.Errorf("%+v", names)
	}
	one.Changes = append(one.Changes, base)
	if n := one.names(now); len(n) != 0 {
		t.Errorf("several changes have the names %+v", n)
	}
}

// Old rows go, each kind in its time; what a repeat may still ask for stays.
func TestOldRowsAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member(func(o *Options) { o.Expire = map[string]time.Duration{"gate/token/": time.Hour} })
		old := func(days int) time.Time { return time.Now().Add(-time.Duration(days) * 24 * time.Hour) }
		d.receipts["young"] = work.Receipt{Key: "young", Done: true, At: old(6)}
		d.receipts["old"] = work.Receipt{Key: "old", Done: true, At: old(8)}
		d.receipts["open"] = work.Receipt{Key: "open", At: old(8)}
		for key, at := range map[string]time.Time{"pushed/r/c1/dora": old(399), "pushed/r/c0/dora": old(401), "push/1": old(1), "gate/token/new": time.Now(), "other/1": old(999)} {
			d.memos[key] = fmt.Sprintf(`{"at":%q}`, at.Format(time.RFC3339))
		}
		d.memos["gate/token/old"] = fmt.Sprintf(`{"openedAt":%q}`, old(1).Format(time.RFC3339))
		for i := range 2 * forgetAtOnce { // several pages
			d.memos[fmt.Sprintf("gate/token/m%04d", i)] = fmt.Sprintf(`{"openedAt":%q}`, old(1).Format(time.RFC3339))
		}
		ctx, stop := context.WithCancel(t.Context())
		go m.receipts.Run(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		var kept []string
		for key := range d.receipts {
			kept = append(kept, key)
		}
		for key := range d.memos {
			kept = append(kept, key)
		}
		slices.Sort(kept)
		if want := []string{"gate/token/new", "open", "other/1", "pushed/r/c1/dora", "young"}; !slices.Equal(kept, want) {
			t.Errorf("kept %q, want %q", kept, want)
		}
	})
}
