package inbound

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// The freezes of the configuration are set where they name the pipeline, are not
// over and differ from what the state has; and are set nowhere else.
func TestFreezesAreSetWhereTheyDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		everywhere := workflows.Freeze{Name: "Easter", From: now.Add(time.Hour), To: now.Add(48 * time.Hour)}
		web := workflows.Freeze{Name: "Launch", From: now, To: now.Add(24 * time.Hour), On: []string{"web"}}
		over := workflows.Freeze{Name: "Christmas", From: now.Add(-48 * time.Hour), To: now.Add(-24 * time.Hour)}
		d := newDesk(t)
		m := d.member(func(o *Options) { o.Freezes = []workflows.Freeze{everywhere, over, web} })
		set := func() (names map[string][]string) {
			names = map[string][]string{}
			for _, in := range d.intents {
				names[in.Pipeline] = nil
				for _, f := range in.Freezes {
					names[in.Pipeline] = append(names[in.Pipeline], f.Name)
				}
			}
			d.intents, d.byToken = nil, map[string]*workflows.Execution{}
			return names
		}
		for _, name := range []string{"web", "api", "ops"} {
			m.put(pipeline(name, git("App", "shop", "main")))
		}
		m.commitEvents("api", []event.Event{{Kind: event.FreezesSet, Freezes: []workflows.Freeze{everywhere}}}, m)
		m.commitEvents("ops", []event.Event{{Kind: event.FreezesSet, Freezes: []workflows.Freeze{over, everywhere, web}}}, m)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		d.change(func() { d.refuse = nil })
		m.freezes.Start(ctx)
		got := set()
		if len(got) != 2 || !slices.Equal(got["web"], []string{"Launch", "Easter"}) || !slices.Equal(got["ops"], []string{"Easter"}) {
			t.Fatalf("set %v", got)
		}
		m.commitEvents("web", []event.Event{{Kind: event.FreezesSet, Freezes: []workflows.Freeze{web, everywhere}}}, m)
		m.commitEvents("ops", []event.Event{{Kind: event.FreezesSet, Freezes: []workflows.Freeze{everywhere}}}, m)
		pass(time.Minute)
		if got := set(); len(got) != 0 {
			t.Errorf("set again: %v", got)
		}
		m.put(pipeline("new", git("App", "shop", "main"))) // a definition is compared at once
		pass(time.Second)
		if got := set(); !slices.Equal(got["new"], []string{"Easter"}) || len(got) != 1 {
			t.Errorf("a new pipeline: %v", got)
		}
		m.commitEvents("new", []event.Event{{Kind: event.FreezesSet, Freezes: []workflows.Freeze{everywhere}}}, m)
		pass(time.Second)
		set()
		d.change(func() { d.fault = func(int) string { return "before" } })
		m.commitNothing("late")
		pass(10 * time.Second)
		d.change(func() { d.fault = nil })
		pass(time.Minute)
		if got := set(); !slices.Equal(got["late"], []string{"Easter"}) {
			t.Errorf("after faults of the store: %v", got)
		}
		for key := range m.o.Timers.(*clock).all {
			m.o.Timers.Drop(key)
		}
	})
}

// commitNothing makes a pipeline known to a member alone, while the store fails.
func (m *member) commitNothing(name string) {
	m.catalogue.OnCommit(event.Frame{Pipeline: name, Events: []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Definition: *pipeline(name, git("App", "shop", "main"))}}}})
}
