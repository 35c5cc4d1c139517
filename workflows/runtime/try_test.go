package runtime_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/rollcall-bot/rollcall/workflows"
)

// U7: what Try says Submit says, for whoever asks; and nothing follows from it:
// no frame, no record of a refusal, no start.
func TestTryingChangesNothing(t *testing.T) {
	stranger := workflows.Principal{ID: "slack:U9", Name: "Gil", Via: "slack", Stranger: "guest"}
	code := func(err error) string {
		var p *workflows.Problem
		if err != nil && !errors.As(err, &p) {
			return err.Error()
		}
		if p == nil {
			return ""
		}
		return p.Code
	}
	for i, in := range []workflows.Intent{
		{Verb: workflows.Reject, Execution: "webshop#1", Reason: "no"},
		{Verb: workflows.Approve, Execution: "webshop#1"},
		{Verb: workflows.Approve, Execution: "webshop#7"},
		{Verb: workflows.Retry, Execution: "webshop#1"},
		{Verb: workflows.Override, Execution: "webshop#1", Stage: "Production"},
		{Verb: workflows.Override, Execution: "webshop#1", Stage: "Production", Reason: "now"},
		{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Production", Target: "webshop#1"},
		{Verb: workflows.RollBack, Pipeline: "webshop", Stage: "Nowhere", Target: "webshop#1"},
		{Verb: workflows.Start, Pipeline: "webshop"},
		{Verb: workflows.Start, Pipeline: "webshop", Variables: map[string]string{"nothing": "x"}},
		{Verb: workflows.StopExecution, Execution: "webshop#1", Reason: "enough"},
	} {
		for _, by := range []workflows.Principal{ana, stranger} {
			t.Run(fmt.Sprintf("%d %s by %s", i, in.Verb, by.Name), func(t *testing.T) {
				play(t, func(w *world) {
					w.boot()
					w.define(shop)
					w.begin("webshop")
					before, err := w.Head(w.t.Context())
					if err != nil {
						t.Fatal(err)
					}
					starts := len(w.starts())
					tried := w.Try(w.t.Context(), in, by)
					synctest.Wait()
					if after, err := w.Head(w.t.Context()); err != nil || after != before || len(w.starts()) != starts {
						t.Errorf("trying wrote the frames %d to %d, %v", before, after, err)
					}
					if _, err := w.Submit(w.t.Context(), in, by); code(tried) != code(err) {
						t.Errorf("tried, the answer is %v; asked, it is %v", tried, err)
					}
				})
			})
		}
	}
}
