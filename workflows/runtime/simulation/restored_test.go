package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/runtime/simulation/seeds"
)

// TestRestoredInAStorm makes a backup at some moment of a storm, restores it hours
// later, kills the first start behind it at a commit of its own, and looks: nothing is
// begun, polled, cancelled, told or made outside, every pipeline has taken the
// restore up once, and the ledger, which folds every frame, finds nothing wrong.
func TestRestoredInAStorm(t *testing.T) {
	defer seeds.Alone()()
	inDoubt := 0
	for seed := uint64(1); seed <= 4*samples; seed++ {
		inDoubt += restoredIn(t, seed)
	}
	if inDoubt < 10 {
		t.Errorf("in all stories %d actions were in doubt: they show nothing", inDoubt)
	}
}

func restoredIn(t *testing.T, seed uint64) (inDoubt int) {
	t.Helper()
	runtime.GC() // none comes while it is told
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dice: rand.New(rand.NewPCG(seed, 11)), outside: newOutside(seed), people: newPeople(), lanes: map[string]int{}}
		w.story = &story{began: time.Now()}
		w.sight.Store(true)
		w.keeps, w.cellar = policyOf(seed), map[string]time.Time{}
		w.ledger = newLedger(w)
		w.disk, _ = newDisk(t, seed)
		w.names, w.moves = w.cast(), w.allMoves()
		defer func() {
			if t.Failed() {
				t.Logf("seed %d; the last steps:\n%s", seed, w.story.last(40))
			}
		}()
		defer w.end()
		w.prepare()
		for range 20 + w.dice.IntN(stormSteps) {
			w.next()
			w.harvest()
			w.whole()
		}
		if w.process != nil {
			w.kill()
		}
		w.sight.Store(true)
		backup := w.now()
		pass(3 * time.Hour)
		clear(w.outside.told) // followers go on at the head
		w.restored = event.Restored{Epoch: 1, Token: fmt.Sprint("restore ", seed), At: w.now(), Backup: backup}
		w.calm = true
		w.boot()
		w.commits(w.dice.IntN(3))
		w.kill()
		w.boot()
		w.commits(100)
		w.whole()
		inDoubt = w.takenUpOnce()
		w.takeUp()
	})
	return inDoubt
}

// takeUp has people decide what waits for them: everything comes to its end, and
// the rows say what the log says. What followers and the outside were left with
// is of the life before.
func (w *world) takeUp() {
	w.drain(quiet)
	w.finished()
	w.forPeople()
	w.decideAll()
	w.restart()
	w.drain(quiet)
	w.rows()
	w.whole()
}

// commits answers what is asked, up to so many commits; anything that would
// touch the outside is a fault.
func (w *world) commits(n int) {
	quiet := []string{"read", "commit", "answer", "reopen", "feed", "head", "member"}
	for range 400 {
		w.harvest()
		calls := w.waiting()
		if len(calls) == 0 || w.process == nil {
			return
		}
		for _, c := range calls {
			if !slices.Contains(quiet, c.kind) && !w.isNews(c) {
				w.t.Fatalf("%s %s follows from a restore", c.kind, c.key)
			}
		}
		if calls[0].kind == "commit" {
			if n == 0 {
				return
			}
			n--
		}
		w.serve(calls[0])
	}
}

// isNews says whether a follower is called with what was decided after the
// restore was taken up, such as the freezes of the configuration.
func (w *world) isNews(c *call) bool {
	var follower, pipeline string
	var seq uint64
	if n, err := fmt.Sscanf(c.key, "%s %s %d", &follower, &pipeline, &seq); c.kind != "follow" || n != 3 || err != nil {
		return false
	}
	return seq > w.restoredAt(pipeline)
}

// restoredAt is the newest frame that takes a restore up.
func (w *world) restoredAt(pipeline string) (seq uint64) {
	frames, err := w.disk.Frames(context.Background(), pipeline, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range frames {
		if slices.ContainsFunc(f.Events, func(e event.Event) bool { return e.Kind == event.BackupRestored }) {
			seq = f.Seq
		}
	}
	return seq
}

// takenUpOnce counts the pipelines' restores, and what is in doubt.
func (w *world) takenUpOnce() (inDoubt int) {
	for _, name := range w.names {
		frames, err := w.disk.Frames(context.Background(), name, 0, 100_000)
		if err != nil {
			w.t.Fatal(err)
		}
		times := 0
		for _, f := range frames {
			for _, e := range f.Events {
				if e.Kind == event.BackupRestored {
					times++
				}
			}
		}
		if times != 1 {
			w.t.Errorf("%s has taken the restore up %d times", name, times)
		}
		s := w.ledger.book(name).state
		if tasks := s.Tasks(); len(tasks) > 0 {
			w.t.Errorf("%s has the task %s", name, tasks[0].ID)
		}
		for _, x := range s.Unfinished() {
			for _, st := range x.Stages {
				for _, a := range st.AllActions() {
					if a.Needs == workflows.NeedsResolve {
						inDoubt++
					}
				}
			}
		}
	}
	return inDoubt
}
