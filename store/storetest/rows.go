package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func query(b *book) {
	statuses := []workflows.Status{workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusSuperseded, workflows.StatusStopped, workflows.StatusCancelled}
	var c record.Commit
	for n := 1; n <= 250; n++ {
		c.Executions = append(c.Executions, execution("webshop", n, statuses[n%len(statuses)]))
		if n%50 == 0 {
			c.Successes = append(c.Successes, record.Success{Pipeline: "webshop", Stage: "Production", Execution: id(n), Number: n})
		}
	}
	c.Executions = append(c.Executions, execution("webshop", 251, workflows.StatusInProgress), execution("webshop", 252, workflows.StatusStopping),
		execution("webshop2", 301, workflows.StatusSucceeded), execution("web", 302, workflows.StatusSucceeded))
	c.Successes = append(c.Successes,
		record.Success{Pipeline: "webshop", Stage: "Prod", Execution: id(3), Number: 3},
		record.Success{Pipeline: "webshop2", Stage: "Production", Execution: id(301), Number: 301})
	b.commit(c)

	ask := func(q record.Query) []int {
		b.Helper()
		q.Pipeline = "webshop"
		return numbers(b.executions(q))
	}
	span := func(from, to, step int) []int {
		out := []int{}
		for n := from; n > to; n -= step {
			out = append(out, n)
		}
		return out
	}
	same(b, "the first page", ask(record.Query{}), span(252, 232, 1))
	same(b, "the next page", ask(record.Query{Before: 233, Limit: 3}), span(232, 229, 1))
	same(b, "the largest page", ask(record.Query{Limit: 1000}), span(252, 152, 1))
	same(b, "before the first", ask(record.Query{Before: 1}), []int{})
	same(b, "before a number that never was", ask(record.Query{Before: 9999, Limit: 1}), []int{252})
	same(b, "failed", ask(record.Query{Status: workflows.StatusFailed, Limit: 3}), span(246, 233, 5))
	same(b, "failed, next page", ask(record.Query{Status: workflows.StatusFailed, Limit: 3, Before: 236}), span(231, 218, 5))
	same(b, "in progress", ask(record.Query{Status: workflows.StatusInProgress}), []int{251})
	same(b, "of a status that does not exist", ask(record.Query{Status: "Sideways"}), []int{})
	same(b, "succeeded in Production", ask(record.Query{SucceededInStage: "Production"}), span(250, 0, 50))
	same(b, "succeeded in Production, next page", ask(record.Query{SucceededInStage: "Production", Before: 200, Limit: 2}), []int{150, 100})
	same(b, "succeeded in Prod", ask(record.Query{SucceededInStage: "Prod"}), []int{3})
	same(b, "succeeded in Production and status", ask(record.Query{SucceededInStage: "Production", Status: workflows.StatusFailed}), []int{})
	same(b, "of no pipeline", len(b.executions(record.Query{})), 0)
}

// move: a failed execution that is retried lives again; every look at it agrees.
func move(b *book) {
	other := execution("webshop", 1, workflows.StatusSucceeded)
	b.commit(record.Commit{Executions: []workflows.Execution{other}})
	for _, status := range []workflows.Status{workflows.StatusInProgress, workflows.StatusFailed, workflows.StatusInProgress, workflows.StatusStopping, workflows.StatusStopped, workflows.StatusStopped} {
		e := execution("webshop", 2, status)
		b.commit(record.Commit{Executions: []workflows.Execution{e}})
		same(b, "by ID", b.execution(e.ID), e)
		same(b, "in the list", b.executions(record.Query{Pipeline: "webshop"}), []workflows.Execution{e, other})
		same(b, "by status", numbers(b.executions(record.Query{Pipeline: "webshop", Status: status})), []int{2})
		same(b, "by its end", b.resolve(e.ID[len(e.ID)-6:]), []string{e.ID})
		b.verify()
	}
	offered := execution("webshop", 3, workflows.StatusInProgress)
	offered.Offers = []workflows.Offer{{}}
	b.commit(record.Commit{Executions: []workflows.Execution{offered}})
	if got := b.execution(offered.ID); len(got.Offers) != 0 {
		b.Error("offers were kept: they depend on who looks, and when")
	}
}

func number(b *book) {
	b.commit(record.Commit{Executions: []workflows.Execution{execution("webshop", 1, workflows.StatusInProgress)}})
	thief := execution("webshop", 2, workflows.StatusInProgress)
	thief.Number = 1
	if err := b.Commit(b.ctx, &record.Commit{Executions: []workflows.Execution{thief}}); err == nil {
		b.Error("a second execution took the number")
	}
	same(b, "webshop#1", b.resolve("webshop#1"), []string{id(1)})
	if b.execution(id(2)) != nil {
		b.Error("the refused execution has a row")
	}
}

func resolve(b *book) {
	with := func(n int, id string) workflows.Execution {
		e := execution("webshop", n, workflows.StatusSucceeded)
		e.ID = id
		return e
	}
	bridged := func(n int, id, external string) workflows.Execution {
		e := with(n, id)
		e.Pipeline, e.ExternalID = "bridged", external
		return e
	}
	five, six := "0195a000-0005-7000-8000-00000000feed", "0195a000-0006-7000-8000-00000000fade"
	b.commit(record.Commit{Executions: []workflows.Execution{bridged(5, five, "7CF7F7CB-3137-439f-a458-d7e034aaaaaa"), bridged(6, six, "8cf7f7cb-3137-439f-a458-d7e0340bbbbb"),
		bridged(7, "0195a000-0007-7000-8000-00000000face", "8cf7f7cb-3137-439f-a458-d7e0340ccccc"), bridged(8, "0195a000-0008-7000-8000-00000000cafe", "8cf7f7cb-3137-439f-a458-d7e0340ccccc")}})
	one, two, three := "0195a000-0001-7000-8000-aaaaaa123456", "0195a000-0002-7000-8000-bbbbbb123456", "0195a000-0003-7000-8000-cccccc123456"
	b.commit(record.Commit{Executions: []workflows.Execution{with(1, one), with(2, two), with(3, three), with(42, "0195a000-0004-7000-8000-00000000beef")}})
	for _, c := range []struct {
		ref  string
		want []string
		n    int // how many, where which ones is open
	}{
		{ref: "webshop#42", want: []string{"0195a000-0004-7000-8000-00000000beef"}},
		{ref: " webshop#42 ", want: []string{"0195a000-0004-7000-8000-00000000beef"}},
		{ref: "webshop#4"},
		{ref: "webshop#042x"},
		{ref: "webshop#-42"},
		{ref: "webshop#"},
		{ref: "#42"},
		{ref: "billing#42"},
		{ref: "web#42"},
		{ref: two, want: []string{two}},
		{ref: strings.ToUpper(two), want: []string{two}},
		{ref: "bbbbbb123456", want: []string{two}},
		{ref: "BBB123456", want: []string{two}},
		{ref: "8000-bbbbbb123456", want: []string{two}},
		{ref: "00beef", want: []string{"0195a000-0004-7000-8000-00000000beef"}},
		{ref: "0beef"}, // too short to be an end
		{ref: "123456", n: 2},
		{ref: "0195a000"}, // a start is no end
		{ref: "x" + two},
		// AWS's ID of an execution there: whole, or by its end.
		{ref: "7cf7f7cb-3137-439f-a458-d7e034aaaaaa", want: []string{five}},
		{ref: "7CF7F7CB-3137-439f-a458-d7e034aaaaaa", want: []string{five}},
		{ref: "0bbbbb", want: []string{six}},
		{ref: five, want: []string{five}},
		{ref: "0cf7f7cb-3137-439f-a458-d7e034aaaaaa"},
		{ref: "8cf7f7cb-3137-439f-a458-d7e0340ccccc", n: 2}, // one pipeline in AWS under two names here
		{ref: ""},
	} {
		got := b.resolve(c.ref)
		if c.n > 0 {
			same(b, c.ref, len(got), c.n)
			continue
		}
		same(b, "resolving "+c.ref, append([]string{}, got...), append([]string{}, c.want...))
	}
}

func receipts(b *book) {
	b.commit(record.Commit{Receipts: []work.Receipt{receipt("github", "z", 1, false), receipt("github", "a", 3, false), receipt("slack", "s", 0, false), receipt("git", "g", 0, false)}})
	b.commit(record.Commit{Receipts: []work.Receipt{receipt("github", "m", 2, false), receipt("github", "d", 0, true)}})
	keys := func() []string {
		b.Helper()
		out := []string{}
		for _, r := range b.pending("github") {
			out = append(out, r.Key)
		}
		return out
	}
	same(b, "pending, oldest first", keys(), []string{"github/z", "github/m", "github/a"})
	same(b, "the first one", b.pending("github")[0], receipt("github", "z", 1, false))
	same(b, "unknown", b.receipt("github/unknown"), (*work.Receipt)(nil))

	b.commit(record.Commit{Receipts: []work.Receipt{receipt("github", "m", 2, true)}})
	same(b, "pending after m is done", keys(), []string{"github/z", "github/a"})
	same(b, "m", b.receipt("github/m"), receipt("github", "m", 2, true))
	later := receipt("github", "z", 9, false)
	b.commit(record.Commit{Receipts: []work.Receipt{later}})
	same(b, "pending after z was replaced by a later one", keys(), []string{"github/a", "github/z"})

	same(b, "forgotten: none is old enough", b.forget(at(0), 10), 0)
	b.commit(record.Commit{Receipts: []work.Receipt{receipt("slack", "t", 1, true)}})
	same(b, "forgotten: at most two", b.forget(at(60), 2), 2)
	same(b, "the oldest went first", b.receipt("github/d"), (*work.Receipt)(nil))
	same(b, "the younger one is still there", b.receipt("github/m"), receipt("github", "m", 2, true))
	same(b, "forgotten: the rest", b.forget(at(60), 10), 1)
	same(b, "what is not done is never forgotten", keys(), []string{"github/a", "github/z"})
	b.verify()
}

// claims: what was told once is there, and whoever tells it again writes nothing at all (C1).
func claims(b *book) {
	claim := func(key string, minute int, since time.Time) record.Claim {
		return record.Claim{Receipt: receipt("github", key, minute, true), Since: since}
	}
	b.commit(record.Commit{Claims: []record.Claim{claim("a", 0, time.Time{}), claim("b", 0, time.Time{})}, Receipts: []work.Receipt{receipt("github", "waits", 0, false)}})
	same(b, "a claim is a receipt", b.receipt("github/a"), receipt("github", "a", 0, true))
	for what, taken := range map[string][]record.Claim{
		"one that is there":                 {claim("a", 1, time.Time{})},
		"one that is there, and since then": {claim("a", 1, at(0))},
		"one of several":                    {claim("c", 1, time.Time{}), claim("b", 1, time.Time{})},
		"one that waits":                    {claim("waits", 1, time.Time{})},
		"the same twice":                    {claim("d", 1, time.Time{}), claim("d", 1, time.Time{})},
	} {
		err := b.Commit(b.ctx, &record.Commit{
			Claims: taken, Frames: []event.Frame{frame("webshop", 1)}, Executions: []workflows.Execution{execution("webshop", 1, workflows.StatusInProgress)},
			Receipts: []work.Receipt{receipt("github", "beside", 1, true)}, Memos: []record.Memo{{Owner: "slack", Key: "k", Value: []byte("never")}},
		})
		if !errors.Is(err, record.ErrConflict) {
			b.Errorf("%s: %v, want a conflict", what, err)
		}
		if b.receipt("github/c") != nil || b.receipt("github/d") != nil || b.receipt("github/beside") != nil || b.memo("slack", "k") != nil || b.execution(id(1)) != nil || len(b.feed(0, 10)) > 0 {
			b.Errorf("%s: something of the refused commit is there", what)
		}
		same(b, what+": the first one stays", b.receipt("github/a"), receipt("github", "a", 0, true))
	}
	b.restart()
	if err := b.Commit(b.ctx, &record.Commit{Claims: []record.Claim{claim("a", 1, time.Time{})}}); !errors.Is(err, record.ErrConflict) {
		b.Errorf("after a restart: %v, want a conflict", err)
	}
	b.commit(record.Commit{Claims: []record.Claim{claim("a", 11, at(1))}})
	same(b, "one from before Since gives way", b.receipt("github/a"), receipt("github", "a", 11, true))
	same(b, "forgotten", b.forget(at(60), 10), 2)
	b.commit(record.Commit{Claims: []record.Claim{claim("a", 61, time.Time{})}})
}

// race: whoever comes first, there is one of them.
func race(b *book) {
	for round := range 20 {
		ends := make(chan error)
		for i := range 8 {
			go func() {
				ends <- b.Commit(b.ctx, &record.Commit{Claims: []record.Claim{{Receipt: receipt("github", fmt.Sprint("push", round), i, true)}}})
			}()
		}
		made := 0
		for range 8 {
			switch err := <-ends; {
			case err == nil:
				made++
			case !errors.Is(err, record.ErrConflict):
				b.Errorf("%v", err)
			}
		}
		same(b, "claims that were made", made, 1)
	}
}

func memos(b *book) {
	note := func(owner, key, value string) record.Memo {
		return record.Memo{Owner: owner, Key: key, Value: []byte(value)}
	}
	b.commit(record.Commit{Memos: []record.Memo{note("slack", "card/2", "two"), note("slack", "card/1", "one"), note("slack", "feed", "7"),
		note("slack2", "card/1", "other"), note("jira", "card/1", "j"), note("slack", "", "no key"), note("slack", "bytes\x00\xff", "\x00\xff")}})
	same(b, "one", string(b.memo("slack", "card/1")), "one")
	same(b, "by prefix, in order", b.list("slack", "card/"), []record.Memo{note("slack", "card/1", "one"), note("slack", "card/2", "two")})
	same(b, "all of an owner", len(b.list("slack", "")), 5)
	for after, want := range map[string][]string{"": {"card/1"}, "card/1": {"card/2"}, "card/2": {}} {
		page, err := b.ListAfter(b.ctx, "slack", "card/", after, 1)
		b.must(err)
		keys := []string{}
		for _, m := range page {
			keys = append(keys, m.Key)
		}
		same(b, "one after "+after, keys, want)
	}
	same(b, "bytes", b.memo("slack", "bytes\x00\xff"), []byte("\x00\xff"))
	same(b, "another owner", string(b.memo("slack2", "card/1")), "other")

	b.commit(record.Commit{Memos: []record.Memo{note("slack", "card/1", ""), note("slack", "card/2", "new"), note("slack", "never", "")}})
	same(b, "deleted", b.memo("slack", "card/1"), []byte(nil))
	same(b, "replaced", b.list("slack", "card/"), []record.Memo{note("slack", "card/2", "new")})
	b.commit(record.Commit{Memos: []record.Memo{note("slack", "k", "first"), note("slack", "k", "second")}})
	same(b, "the last one of a commit counts", string(b.memo("slack", "k")), "second")
}
