package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What is missing here must not be taken for work that never began, or was lost,
// when it is another host's: whatever is asked, nothing is done and the error
// says where to ask.
func TestAnotherHostIsNeverAnsweredFor(t *testing.T) {
	theirs, d := task("touch ran"), newDesk(t)
	theirs.Host = "build-2-0a1b2c3d"
	for name, r := range map[string]*Runner{"another host": New(Options{Host: "build-1-11111111"}), "one that does not know who it is": New(Options{})} {
		for kind, ask := range map[string]func() (work.Outcome, error){
			"start":  func() (work.Outcome, error) { return r.Start(t.Context(), theirs, d) },
			"poll":   func() (work.Outcome, error) { return r.Poll(t.Context(), theirs, d) },
			"cancel": func() (work.Outcome, error) { return r.Cancel(t.Context(), theirs, d) },
			"find": func() (work.Outcome, error) {
				o, found, err := r.Find(t.Context(), theirs, d)
				if found || err == nil {
					t.Errorf("%s, find: found %t, %v", name, found, err)
				}
				return o, err
			},
		} {
			o, err := ask()
			if err == nil || o.State != "" || !strings.Contains(err.Error(), "belong to the host build-2-0a1b2c3d") {
				t.Errorf("%s, %s: %+v, %v", name, kind, o, err)
			}
		}
	}
	if entries, err := os.ReadDir(d.Dir()); err != nil || len(entries) > 0 {
		t.Errorf("left in the run folder: %v, %v", entries, err)
	}

	ours, anybodys := theirs, task("true")
	r := New(Options{Host: theirs.Host})
	if o := run(t, r, ours, d); o.State != work.Succeeded || !exists(filepath.Join(folder(d.Dir()).work(ours), "ran")) {
		t.Errorf("on its own host: %+v", o)
	}
	if o := run(t, r, anybodys, newDesk(t)); o.State != work.Succeeded {
		t.Errorf("a task of a log from before hosts were known: %+v", o)
	}
}
