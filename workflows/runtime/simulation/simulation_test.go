package simulation

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	engine "github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/simulation/seeds"
)

const (
	stormSteps  = 120              // moves before it is calm
	defaultTime = 18 * time.Second // how long seeds are tried without ROLLCALL_SEEDS
	samples     = 10               // how many seeds are told twice
)

// TestSimulation tells one story after another; package seeds says how many.
func TestSimulation(t *testing.T) {
	began, total := time.Now(), result{}
	told, busy := seeds.Tell(t, seeds.Plan{Time: defaultTime}, func(t *testing.T, seed uint64, echo func(string)) result {
		return simulate(t, seed, stormSteps, options{echo: echo, hash: echo != nil})
	}, func(r result) {
		total.Commits, total.Events, total.Executions = total.Commits+r.Commits, total.Events+r.Events, total.Executions+r.Executions
		total.Boots, total.Jobs, total.Asked, total.Steps = total.Boots+r.Boots, total.Jobs+r.Jobs, total.Asked+r.Asked, total.Steps+r.Steps
		total.Disk, total.Log = r.Disk, r.Log
	})
	if os.Getenv("ROLLCALL_SHARD") == "" {
		t.Logf("%d seeds in %s, %.0f for each second of a processor: %+v", told, time.Since(began).Round(time.Second), float64(told)/max(busy.Seconds(), 0.001), total)
	}
}

// TestTheSameSeedTellsTheSameStory is what makes a failing seed worth anything.
// On a busy machine the system may interrupt a goroutine at an unlucky moment;
// so a story that came out differently may be told again. Stories whose order is
// left to chance all differ.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	if seeds.Raced() {
		t.Skip("the race detector has goroutines run in any order, on purpose")
	}
	defer seeds.Alone()()
	for seed := uint64(1); seed <= samples; seed++ {
		told := map[result]bool{}
		for {
			r := simulate(t, seed, stormSteps, options{hash: true})
			if told[r] {
				break
			}
			if told[r] = true; len(told) > 10 {
				t.Fatalf("seed %d is told in more ways than one: %v", seed, told)
			}
		}
	}
}

// result is what a story came to.
type result struct {
	Disk                               string
	Log                                string // hash of everything that became durable
	Steps, Commits, Events, Executions int
	Boots, Jobs, Asked                 int
}

// options say what is wanted beside the story itself.
type options struct {
	echo func(string) // hears every step; nil: nobody
	hash bool         // of the log
}

// simulate tells the story of a seed.
func simulate(t *testing.T, seed uint64, steps int, o options) (r result) {
	t.Helper()
	runtime.GC() // none comes while it is told
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dice: rand.New(rand.NewPCG(seed, 7)), outside: newOutside(seed), people: newPeople(), lanes: map[string]int{}}
		w.story = &story{began: time.Now(), echo: o.echo}
		w.sight.Store(true)
		w.keeps, w.cellar = policyOf(seed), map[string]time.Time{}
		w.ledger = newLedger(w)
		w.ledger.hash = o.hash
		w.disk, r.Disk = newDisk(t, seed)
		w.names, w.moves = w.cast(), w.allMoves()
		defer func() {
			if t.Failed() {
				t.Logf("seed %d; replay it with\n\n    ROLLCALL_SEED=%d go test -v ./workflows/runtime/simulation -run 'TestSimulation$'\n\nthe last steps:\n%s", seed, seed, w.story.last(30))
			}
		}()
		defer w.end()
		w.prepare()
		for range steps {
			w.next()
			w.harvest()
			w.whole()
		}
		w.calmDown()
		r.Log, r.Steps, r.Commits, r.Events = w.ledger.digest(), len(w.story.lines), w.ledger.commits, w.ledger.events
		r.Executions, r.Boots, r.Jobs, r.Asked = len(w.ledger.refs), w.boots, len(w.outside.jobs), w.asked
	})
	return r
}

// prepare has the pipelines of the world defined, and releases something with
// each, before anything goes wrong: what there is to go back to.
func (w *world) prepare() {
	w.calm = true
	w.boot()
	for _, name := range w.names {
		w.submit(workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: defined(name)}, boss(bosses-1))
		w.drainClients()
	}
	for _, branch := range []string{"main", "next"} {
		w.push(branch)
	}
	for _, name := range w.names {
		w.submit(workflows.Intent{Verb: workflows.Start, Pipeline: name}, boss(bosses-1))
	}
	for range 12 {
		w.answerAll()
		for _, name := range w.names {
			for _, x := range w.ledger.book(name).state.Unfinished() {
				w.decide(w.ledger.book(name), x, false)
			}
		}
	}
	w.calm = false
}

var _ engine.Store = (*port)(nil)
