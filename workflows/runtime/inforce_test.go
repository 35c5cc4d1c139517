package runtime_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// What is in force is known without loading a pipeline, the same after a restart,
// and also of a database from before it was written down; a second start writes
// nothing more.
func TestWhatIsInForceIsKnownWithoutLoading(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(named("web"), "channel: \"#till\"\n"+named("till"), named("old"))
		w.submit(workflows.EnginePrincipal(), workflows.Intent{Verb: workflows.Archive, Pipeline: "old", ManagedBy: "api"})
		check := func(when string) {
			t.Helper()
			all, err := w.InForce(w.t.Context())
			if err != nil || !slices.Equal(slices.Sorted(maps.Keys(all)), []string{"till", "web"}) {
				t.Fatalf("%s: in force is %+v, %v", when, all, err)
			}
			for name, now := range all {
				p, _ := spec.Parse("", []byte(named(name)))
				p.Channel = map[string]string{"till": "#till"}[name]
				if now.Version != 1 || now.ManagedBy != "api" || now.Digest != p.Digest() || now.Channel != p.Channel {
					t.Errorf("%s: of %s is in force %+v", when, name, now)
				}
			}
		}
		check("defined")
		w.reboot()
		check("after a restart")
		w.stop()
		for _, name := range []string{"web", "till"} { // as they were written at first
			row := string(w.disk.memos["runtime\x00source/"+name])
			from, until := strings.Index(row, `"version"`), strings.Index(row, `"name"`)
			w.disk.memos["runtime\x00source/"+name] = []byte(strings.Replace(row[:from]+row[until:], `"channel":"#till",`, "", 1))
		}
		w.boot()
		check("of an earlier version")
		rows := maps.Clone(w.disk.memos)
		frames := w.disk.count(event.PipelineDefined)
		w.reboot()
		check("once more")
		for key, row := range w.disk.memos {
			if string(rows[key]) != string(row) {
				t.Errorf("the second start wrote %q: %s", key, row)
			}
		}
		if n := w.disk.count(event.PipelineDefined); n != frames {
			t.Errorf("%d definitions were written by a start", n-frames)
		}
	})
}
