package runtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// yearEnd is a freeze that begins and ends so long after the bubble's clock begins.
func yearEnd(from, to time.Duration) workflows.Freeze {
	return workflows.Freeze{Name: "year-end", From: time.Now().Add(from), To: time.Now().Add(to), On: []string{"*/Deploy"}, MayPass: []string{cho.Email}}
}

func (w *world) frozen(pipeline string) int {
	w.t.Helper()
	v, err := w.Pipeline(w.t.Context(), ana, pipeline, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(v.Freezes)
}

func TestFreezesAreThoseOfTheConfiguration(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"), named("shop"))
		berlin := time.FixedZone("CET", 3600)
		f := yearEnd(-time.Hour, 24*time.Hour)
		f.From, f.To = f.From.In(berlin), f.To.In(berlin)
		shopOnly := yearEnd(0, time.Hour)
		shopOnly.Name, shopOnly.On = "inventory", []string{"shop"}
		over := yearEnd(-2*time.Hour, -time.Hour)
		w.options.Freezes = []workflows.Freeze{f, shopOnly, over}
		w.reboot()
		if web, shop := w.frozen("web"), w.frozen("shop"); web != 1 || shop != 2 {
			t.Errorf("web has %d freezes and shop %d, want 1 and 2", web, shop)
		}
		w.define(named("new"))
		pass(time.Second)
		if n := w.frozen("new"); n != 1 {
			t.Errorf("a pipeline defined later has %d freezes", n)
		}
		before := w.disk.count(event.FreezesSet)
		w.reboot()
		pass(time.Hour)
		w.reboot()
		pass(time.Minute)
		if n := w.disk.count(event.FreezesSet); n != before {
			t.Errorf("%d freezes were set again although nothing had changed", n-before)
		}
		w.options.Freezes = nil
		w.reboot()
		if web, late := w.frozen("web"), w.frozen("new"); web+late != 0 {
			t.Errorf("web still has %d freezes that the configuration no longer has, and new %d", web, late)
		}
		w.refused(ana, workflows.Intent{Verb: workflows.ReplaceFreezes, Pipeline: "web"}, workflows.CodeAccessDenied)
	})
}

// A start that comes with the first breath of the service meets the freeze.
func TestNothingSlipsInBeforeTheFreezesAreSet(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"))
		w.options.Freezes = []workflows.Freeze{yearEnd(-time.Hour, 24*time.Hour)}
		w.reboot()
		id := w.begin("web")
		if x := w.execution(id); x.WaitsFor == nil || x.WaitsFor.For != workflows.WaitsForFreeze || x.WaitsFor.Freeze != "year-end" {
			t.Errorf("it is %s and waits for %+v", x.Status, x.WaitsFor)
		}
		pass(25 * time.Hour)
		w.status(id, workflows.StatusSucceeded)
	})
}

func TestFreezesAreSetDespiteAFaultyDisk(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		play(t, func(w *world) {
			w.boot()
			w.define(named("web"))
			w.options.Freezes = []workflows.Freeze{yearEnd(-time.Hour, 24*time.Hour)}
			w.stop()
			w.plug = &plug{disk: w.disk}
			w.plug.fail(func(n int) string {
				if n == 1 {
					return when
				}
				return ""
			})
			w.start()
			pass(time.Minute)
			if n, set := w.frozen("web"), w.disk.count(event.FreezesSet); n != 1 || set != 1 {
				t.Errorf("%s: web has %d freezes, set %d times", when, n, set)
			}
		})
	}
}

func TestFreezesAreSetOnceThePipelineCanBeDecidedAbout(t *testing.T) {
	play(t, func(w *world) {
		dry := &dice{}
		w.options.Rand = dry
		w.boot()
		w.define(named("web"))
		w.options.Freezes = []workflows.Freeze{yearEnd(-time.Hour, 24*time.Hour)}
		dry.empty.Store(true)
		w.reboot()
		pass(10 * time.Second)
		dry.empty.Store(false)
		pass(time.Minute)
		if n := w.frozen("web"); n != 1 {
			t.Errorf("web has %d freezes", n)
		}
	})
}

// Who is named in mayPass may let one execution in, without the right enable,
// as who is named at a gate may answer it; but not into a stage that is locked besides.
func TestWhoMayPassAFreezeNeedsNoRightBesides(t *testing.T) {
	play(t, func(w *world) {
		w.options.Policy = guarded()
		w.options.Directories = kinds(&phonebook{})
		w.options.Policy.Rules = []access.Rule{
			{Allow: []workflows.Verb{workflows.View, workflows.Start}, To: []string{ben.Email, cho.Email}},
			{Allow: []workflows.Verb{workflows.Unlock}, To: []string{"slack-group:S1"}},
		}
		w.options.Freezes = []workflows.Freeze{yearEnd(-time.Hour, 24*time.Hour)}
		w.boot()
		w.define(named("web"))
		synctest.Wait()
		id := w.begin("web")
		let := workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: "Deploy", Execution: id}
		w.refused(ben, let, workflows.CodeAccessDenied)
		w.refused(ana, let, workflows.CodeStageDisabled) // an admin may enable, but is not named
		w.refused(cho, workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: "Deploy"}, workflows.CodeAccessDenied)
		w.submit(ana, workflows.Intent{Verb: workflows.Lock, Pipeline: "web", Stage: "Deploy"})
		w.refused(cho, let, workflows.CodeAccessDenied)
		w.submit(ana, workflows.Intent{Verb: workflows.Unlock, Pipeline: "web", Stage: "Deploy"})
		w.submit(cho, let)
		synctest.Wait()
		w.status(id, workflows.StatusSucceeded)
	})
}
