package storetest

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func query(b *book) {
	statuses := []workflows.Status{workflows.StatusSucceeded, workflows.StatusFailed, workflows.StatusSuperseded, workflows.StatusStopped, workflows.StatusCancelled}
	var c work.Commit
	for n := 1; n <= 250; n++ {
		c.Executions = append(c.Executions, execution("webshop", n, statuses[n%len(statuses)]))
		if n%50 == 0 {
			c.Successes = append(c.Successes, work.Success{Pipeline: "webshop", Stage: "Production", Execution: id(n), Number: n})
		}
	}
	c.Executions = append(c.Executions, execution("webshop", 251, workflows.StatusInProgress), execution("webshop", 252, workflows.StatusStopping),
		execution("webshop2", 301, workflows.StatusSucceeded), execution("web", 302, workflows.StatusSucceeded))
	c.Successes = append(c.Successes,
		work.Success{Pipeline: "webshop", Stage: "Prod", Execution: id(3), Number: 3},
		work.Success{Pipeline: "webshop2", Stage: "Production", Execution: id(301), Number: 301})
	b.commit(c)

	ask := func(q workflows.ExecutionQuery) []int {
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
	same(b, "the first page", ask(workflows.ExecutionQuery{}), span(252, 232, 1))
	same(b, "the next page", ask(workflows.ExecutionQuery{Before: 233, Limit: 3}), span(232, 229, 1))
	same(b, "the largest page", ask(workflows.ExecutionQuery{Limit: 1000}), span(252, 152, 1))
	same(b, "before the first", ask(workflows.ExecutionQuery{Before: 1}), []int{})
	same(b, "before a number that never was", ask(workflows.ExecutionQuery{Before: 9999, Limit: 1}), []int{252})
	same(b, "failed", ask(workflows.ExecutionQuery{Status: workflows.StatusFailed, Limit: 3}), span(246, 233, 5))
	same(b, "failed, next page", ask(workflows.ExecutionQuery{Status: workflows.StatusFailed, Limit: 3, Before: 236}), span(231, 218, 5))
	same(b, "in progress", ask(workflows.ExecutionQuery{Status: workflows.StatusInProgress}), []int{251})
	same(b, "of a status that does not exist", ask(workflows.ExecutionQuery{Status: "Sideways"}), []int{})
	same(b, "succeeded in Production", ask(workflows.ExecutionQuery{SucceededInStage: "Production"}), span(250, 0, 50))
	same(b, "succeeded in Production, next page", ask(workflows.ExecutionQuery{SucceededInStage: "Production", Before: 200, Limit: 2}), []int{150, 100})
	same(b, "succeeded in Prod", ask(workflows.ExecutionQuery{SucceededInStage: "Prod"}), []int{3})
	same(b, "succeeded in Production and status", ask(workflows.ExecutionQuery{SucceededInStage: "Production", Status: workflows.StatusFailed}), []int{})
	same(b, "of no pipeline", len(b.executions(workflows.ExecutionQuery{})), 0)
}

// move: a failed execution that is retried lives again; every look at it agrees.
func move(b *book) {
	other := execution("webshop", 1, workflows.StatusSucceeded)
	b.commit(work.Commit{Executions: []workflows.Execution{other}})
	for _, status := range []workflows.Status{workflows.StatusInProgress, workflows.StatusFailed, workflows.StatusInProgress, workflows.StatusStopping, workflows.StatusStopped, workflows.StatusStopped} {
		e := execution("webshop", 2, status)
		b.commit(work.Commit{Executions: []workflows.Execution{e}})
		same(b, "by ID", b.execution(e.ID), e)
		same(b, "in the list", b.executions(workflows.ExecutionQuery{Pipeline: "webshop"}), []workflows.Execution{e, other})
		same(b, "by status", numbers(b.executions(workflows.ExecutionQuery{Pipeline: "webshop", Status: status})), []int{2})
		same(b, "by its end", b.resolve(e.ID[len(e.ID)-6:]), []string{e.ID})
		b.verify()
	}
	offered := execution("webshop", 3, workflows.StatusInProgress)
	offered.Offers = []workflows.Offer{{}}
	b.commit(work.Commit{Executions: []workflows.Execution{offered}})
	if got := b.execution(offered.ID); len(got.Offers) != 0 {
		b.Error("offers were kept: they depend on who looks, and when")
	}
}

func number(b *book) {
	b.commit(work.Commit{Executions: []workflows.Execution{execution("webshop", 1, workflows.StatusInProgress)}})
	thief := execution("webshop", 2, workflows.StatusInProgress)
	thief.Number = 1
	if err := b.Commit(b.ctx, &work.Commit{Executions: []workflows.Execution{thief}}); err == nil {
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
	one, two, three := "0195a000-0001-7000-8000-aaaaaa123456", "0195a000-0002-7000-8000-bbbbbb123456", "0195a000-0003-7000-8000-cccccc123456"
	b.commit(work.Commit{Executions: []workflows.Execution{with(1, one), with(2, two), with(3, three), with(42, "0195a000-0004-7000-8000-00000000beef")}})
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
	b.commit(work.Commit{Receipts: []work.Receipt{receipt("github", "z", 1, false), receipt("github", "a", 3, false), receipt("slack", "s", 0, false), receipt("git", "g", 0, false)}})
	b.commit(work.Commit{Receipts: []work.Receipt{receipt("github", "m", 2, false), receipt("github", "d", 0, true)}})
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

	b.commit(work.Commit{Receipts: []work.Receipt{receipt("github", "m", 2, true)}})
	same(b, "pending after m is done", keys(), []string{"github/z", "github/a"})
	same(b, "m", b.receipt("github/m"), receipt("github", "m", 2, true))
	later := receipt("github", "z", 9, false)
	b.commit(work.Commit{Receipts: []work.Receipt{later}})
	same(b, "pending after z was replaced by a later one", keys(), []string{"github/a", "github/z"})

	same(b, "forgotten: none is old enough", b.forget(at(0), 10), 0)
	b.commit(work.Commit{Receipts: []work.Receipt{receipt("slack", "t", 1, true)}})
	same(b, "forgotten: at most two", b.forget(at(60), 2), 2)
	same(b, "the oldest went first", b.receipt("github/d"), (*work.Receipt)(nil))
	same(b, "the younger one is still there", b.receipt("github/m"), receipt("github", "m", 2, true))
	same(b, "forgotten: the rest", b.forget(at(60), 10), 1)
	same(b, "what is not done is never forgotten", keys(), []string{"github/a", "github/z"})
	b.verify()
}

func memos(b *book) {
	note := func(owner, key, value string) work.Memo {
		return work.Memo{Owner: owner, Key: key, Value: []byte(value)}
	}
	b.commit(work.Commit{Memos: []work.Memo{note("slack", "card/2", "two"), note("slack", "card/1", "one"), note("slack", "feed", "7"),
		note("slack2", "card/1", "other"), note("jira", "card/1", "j"), note("slack", "", "no key"), note("slack", "bytes\x00\xff", "\x00\xff")}})
	same(b, "one", string(b.memo("slack", "card/1")), "one")
	same(b, "by prefix, in order", b.list("slack", "card/"), []work.Memo{note("slack", "card/1", "one"), note("slack", "card/2", "two")})
	same(b, "all of an owner", len(b.list("slack", "")), 5)
	same(b, "bytes", b.memo("slack", "bytes\x00\xff"), []byte("\x00\xff"))
	same(b, "another owner", string(b.memo("slack2", "card/1")), "other")

	b.commit(work.Commit{Memos: []work.Memo{note("slack", "card/1", ""), note("slack", "card/2", "new"), note("slack", "never", "")}})
	same(b, "deleted", b.memo("slack", "card/1"), []byte(nil))
	same(b, "replaced", b.list("slack", "card/"), []work.Memo{note("slack", "card/2", "new")})
	b.commit(work.Commit{Memos: []work.Memo{note("slack", "k", "first"), note("slack", "k", "second")}})
	same(b, "the last one of a commit counts", string(b.memo("slack", "k")), "second")
}
