package storetest

import (
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// removed: nothing leads to it any more, its neighbours and the log stay, and its
// number is not given again by mistake: a row that comes back is whole.
func removed(b *book) {
	var c record.Commit
	for n := 1; n <= 3; n++ {
		c.Frames = append(c.Frames, frame("webshop", uint64(n), "it happened"))
		c.Executions = append(c.Executions, execution("webshop", n, workflows.StatusSucceeded))
		c.Successes = append(c.Successes, record.Success{Pipeline: "webshop", Stage: "Production", Execution: id(n), Number: n})
	}
	c.Executions[1].ExternalID = "7cf7f7cb-3137-439f-a458-d7e034aaaaaa"
	b.commit(c)
	gone := c.Executions[1]
	for range 2 { // a second time changes nothing
		b.commit(record.Commit{Removed: []string{gone.ID}})
		if b.execution(gone.ID) != nil {
			b.Error("the row is still there")
		}
		for _, ref := range []string{gone.ID, gone.Ref(), gone.ID[len(gone.ID)-6:], gone.ExternalID} {
			same(b, "reference "+ref, b.resolve(ref), []string(nil))
		}
		same(b, "the list", numbers(b.executions(record.Query{Pipeline: "webshop"})), []int{3, 1})
		same(b, "succeeded", numbers(b.executions(record.Query{Pipeline: "webshop", SucceededInStage: "Production"})), []int{3, 1})
		same(b, "frames", len(b.frames("webshop", 0, 0)), 3)
		b.verify()
		b.restart()
	}
	b.commit(record.Commit{Executions: []workflows.Execution{gone}})
	same(b, "the list", numbers(b.executions(record.Query{Pipeline: "webshop"})), []int{3, 2, 1})
	same(b, "its number", b.resolve(gone.Ref()), []string{gone.ID})
}

// unremoved: who removes what lives again at that moment removes nothing.
func unremoved(b *book) {
	b.commit(record.Commit{Executions: []workflows.Execution{execution("webshop", 1, workflows.StatusInProgress), execution("webshop", 2, workflows.StatusFailed)}})
	b.commit(record.Commit{Removed: []string{id(1), id(77), "", "no such thing"}})
	retried := execution("webshop", 2, workflows.StatusInProgress)
	b.commit(record.Commit{Executions: []workflows.Execution{retried}, Removed: []string{retried.ID}})
	same(b, "the list", numbers(b.executions(record.Query{Pipeline: "webshop"})), []int{2, 1})
}

// listed: without rows where they are not needed, and page by page.
func listed(b *book) {
	statuses := []workflows.Status{workflows.StatusSucceeded, workflows.StatusInProgress, workflows.StatusFailed, workflows.StatusStopping}
	var c record.Commit
	for n := 1; n <= 8; n++ {
		c.Executions = append(c.Executions, execution("webshop", n, statuses[n%4]))
		c.Successes = append(c.Successes, record.Success{Pipeline: "webshop", Stage: "Production", Execution: id(n), Number: n})
	}
	c.Executions = append(c.Executions, execution("web", 9, workflows.StatusSucceeded))
	c.Successes = append(c.Successes, record.Success{Pipeline: "webshop", Stage: "Prod", Execution: id(3), Number: 3})
	b.commit(c)
	var found []record.Numbered
	for from := 0; ; from = found[len(found)-1].Number + 1 {
		page, err := b.Numbers(b.ctx, "webshop", from, 3)
		b.must(err)
		if len(page) == 0 {
			break
		}
		found = append(found, page...)
	}
	want := []record.Numbered{}
	for n := 1; n <= 8; n++ {
		want = append(want, record.Numbered{Number: n, Execution: id(n), Ended: n%2 == 0})
	}
	same(b, "by number", found, want)
	newest, err := b.Successes(b.ctx, "webshop", "Production", 2)
	b.must(err)
	same(b, "by success", newest, []string{id(8), id(7)})
	for what, list := range map[string]struct {
		page func(after string) ([]workflows.Execution, error)
		want []int
	}{
		"ended": {func(after string) ([]workflows.Execution, error) { return b.Ended(b.ctx, after, 2) }, []int{2, 4, 6, 8, 9}},
		"live":  {func(after string) ([]workflows.Execution, error) { return b.Live(b.ctx, after, 2) }, []int{1, 3, 5, 7}},
	} {
		got, after := []int{}, ""
		for {
			page, err := list.page(after)
			b.must(err)
			if len(page) == 0 {
				break
			}
			got, after = append(got, numbers(page)...), page[len(page)-1].ID
		}
		same(b, what, got, list.want)
	}
}
