package inbound

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// waiting is a pipeline that starts for releases of the registry.
func waiting(name string) *workflows.Pipeline {
	p := pipeline(name, git("App", "shop", "main"))
	p.Triggers = []workflows.Trigger{{Event: json.RawMessage(`{"source":["acme.registry"],"detail":{"tag":[{"prefix":"v"}]}}`), Variables: map[string]string{"TAG": "$.detail.tag"}}}
	return p
}

// released is an event of the registry, and its receipt.
func released(id, tag string) (work.Receipt, work.Change) {
	return work.Receipt{Key: "eventbridge/" + id, Source: "eventbridge"}, work.Change{Provider: "EventBridge", Event: "event", Repository: "acme.registry", Branch: "Image released", Commit: id,
		Document: json.RawMessage(fmt.Sprintf(`{"id":%q,"source":"acme.registry","detail-type":"Image released","detail":{"tag":%q}}`, id, tag))}
}

// hear has an event heard, and says whether it concerns a pipeline and is done.
func (m *member) hear(id, tag string) (concerns, done bool) {
	r, c := released(id, tag)
	concerns = m.receipts.ReceiveEvent(r, c, func() { done = true })
	m.work.Wait()
	return concerns, done
}

// An event starts every pipeline that waits for it once, with its variables, however
// often it comes and to whom; another event of the same kind is another start.
func TestAnEventStartsWhatWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		m.put(waiting("web"))
		m.put(waiting("api"))
		m.put(pipeline("docs", git("App", "docs", "main")))
		other := d.member()
		for _, told := range []struct{ id, tag string }{{"e1", "v1"}, {"e2", "v2"}, {"e1", "v1"}, {"e2", "v2"}, {"e1", "v1"}} {
			for _, who := range []*member{m, other} {
				if concerns, done := who.hear(told.id, told.tag); !concerns || !done {
					t.Errorf("%s concerns somebody: %v, done: %v", told.id, concerns, done)
				}
			}
		}
		if d.starts("web") != 2 || d.starts("api") != 2 || d.starts("docs") != 0 {
			t.Errorf("%d, %d and %d starts", d.starts("web"), d.starts("api"), d.starts("docs"))
		}
		in := d.intents[0]
		if in.Variables["TAG"] != "v1" || in.Trigger.Type != startedByEvent || in.Trigger.Detail != "acme.registry Image released" || len(in.Change) != 0 {
			t.Errorf("%+v %+v", in, in.Trigger)
		}
		if concerns, done := m.hear("e3", "rc1"); concerns || done {
			t.Error("an event that nobody waits for is taken")
		}
		if n := d.left(deliveryPrefix); n != 0 {
			t.Errorf("%d deliveries are not finished", n)
		}
	})
}

// A message that nobody could delete comes again when its receipt is forgotten: it
// starts nothing then. One that has no time is taken as new.
func TestAnEventOlderThanItsReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		m.put(waiting("web"))
		r, c := released("e1", "v1")
		c.At = time.Now()
		for _, later := range []time.Duration{0, receiptsKept - time.Minute, receiptsKept + cleanEvery} {
			time.Sleep(time.Until(c.At.Add(later)))
			if err := m.receipts.removeOld(t.Context()); err != nil {
				t.Fatal(err)
			}
			if concerns, old := m.receipts.ReceiveEvent(r, c, func() {}), later > receiptsKept; concerns == old {
				t.Errorf("after %s it concerns somebody: %v", later, concerns)
			}
			m.work.Wait()
		}
		if n := d.starts("web"); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
}

// An event that lacks what a start needs, or whose start is refused, is done with.
func TestAnEventThatStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		p := waiting("web")
		p.Triggers[0].Variables["SIZE"] = "$.detail.size"
		m.put(p)
		if concerns, done := m.hear("e1", "v1"); !concerns || !done || d.starts("web") != 0 {
			t.Errorf("without a size: %v, %v, %d starts", concerns, done, d.starts("web"))
		}
		m.put(waiting("web"))
		d.change(func() { d.refuse = func(workflows.Intent) bool { return true } })
		if concerns, done := m.hear("e2", "v1"); !concerns || !done || d.starts("web") != 0 {
			t.Errorf("refused: %v, %v, %d starts", concerns, done, d.starts("web"))
		}
	})
}

// Whichever commit fails or is lost, and whether or not the process lives on, an
// event is done when its starts are durable, and comes again until then: each
// pipeline is started once.
func TestAnEventIsCarriedOutAfterEveryFault(t *testing.T) {
	for pipelines := 1; pipelines <= 2; pipelines++ {
		for n := 1; n <= 5; n++ {
			for _, fault := range []string{"before", "after"} {
				for _, dies := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						name := fmt.Sprintf("%d pipelines, commit %d fails %s, the process dies: %v", pipelines, n, fault, dies)
						d := newDesk(t)
						names := []string{"web", "api"}[:pipelines]
						for _, name := range names {
							d.member().put(waiting(name))
						}
						first := d.commits + n
						d.change(func() {
							d.fault = func(i int) string {
								if i == first || dies && i > first {
									return fault
								}
								return ""
							}
						})
						_, done := d.member().hear("e1", "v1")
						d.change(func() { d.fault = nil })
						next := d.member()
						if !done { // the message comes again
							if _, done = next.hear("e1", "v1"); !done {
								t.Errorf("%s: it is never done", name)
							}
						}
						for _, pipeline := range names {
							if got := d.starts(pipeline); got != 1 {
								t.Errorf("%s: %s is started %d times", name, pipeline, got)
							}
						}
						time.Sleep(time.Minute)
						if got := d.left(deliveryPrefix); got != 0 {
							t.Errorf("%s: %d deliveries are not finished", name, got)
						}
					})
				}
			}
		}
	}
}
