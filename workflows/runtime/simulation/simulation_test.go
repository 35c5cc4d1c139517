package simulation

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	engine "github.com/rollcall-bot/rollcall/workflows/runtime"
)

const (
	stormSteps   = 120              // moves before it is calm
	defaultTime  = 18 * time.Second // how long seeds are tried without ROLLCALL_SEEDS
	seedsInCI    = 3000
	patienceReal = 2 * time.Minute // of the parent, with one seed of a child
)

// TestSimulation tells one story after another. Variables of the environment:
// ROLLCALL_SEEDS=10000 says how many (otherwise as many as fit into a moment, in
// CI some thousands); ROLLCALL_SEED=7 tells one of them, with every step.
func TestSimulation(t *testing.T) {
	if text := os.Getenv("ROLLCALL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal("ROLLCALL_SEED: ", err)
		}
		defer alone()()
		r := simulate(t, seed, stormSteps, options{echo: func(line string) { fmt.Println(line) }, hash: true})
		t.Log(r)
		return
	}
	if text := os.Getenv("ROLLCALL_SHARD"); text != "" {
		shard(t, text)
		return
	}
	share(t)
}

// TestTheSameSeedTellsTheSameStory is what makes a failing seed worth anything.
// On a busy machine the system may interrupt a goroutine at an unlucky moment;
// so a story that came out differently once may be told again.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	if raced() {
		t.Skip("the race detector has goroutines run in any order, on purpose")
	}
	defer alone()()
	for seed := uint64(1); seed <= samples(); seed++ {
		told := map[result]bool{}
		for {
			r := simulate(t, seed, stormSteps, options{hash: true})
			if told[r] {
				break
			}
			if told[r] = true; len(told) > 3 {
				t.Fatalf("seed %d is told in more ways than one: %v", seed, told)
			}
		}
	}
}

// raced says whether the race detector watches.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// alone has goroutines run one at a time and undisturbed: neither a second
// thread nor the garbage collector changes their order.
func alone() (back func()) {
	threads, percent := runtime.GOMAXPROCS(1), debug.SetGCPercent(-1)
	return func() {
		runtime.GOMAXPROCS(threads)
		debug.SetGCPercent(percent)
	}
}

// samples is how many seeds are told twice.
func samples() uint64 {
	if os.Getenv("CI") == "true" {
		return 100
	}
	return 10
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
		w.settle()
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
		w.submit(workflows.Intent{Verb: workflows.Edit, Pipeline: name, Definitions: defined(name)}, boss(bosses-1))
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

// word is what a child tells its parent, one line of JSON each.
type word struct {
	Seed   uint64  `json:"seed"`
	Begins bool    `json:"begins,omitempty"`
	Failed string  `json:"failed,omitempty"`
	Result *result `json:"result,omitempty"`
}

const mark = "simulation: " // before every word of a child

// share divides the seeds over processes, one per processor, each with one thread.
func share(t *testing.T) {
	seeds, until := uint64(1_000_000), time.Now().Add(defaultTime)
	switch text := os.Getenv("ROLLCALL_SEEDS"); {
	case text != "":
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal("ROLLCALL_SEEDS: ", err)
		}
		seeds, until = n, time.Time{}
	case testing.Short():
		until = time.Now().Add(defaultTime / 4)
	case os.Getenv("CI") == "true":
		if seeds, until = seedsInCI, (time.Time{}); raced() {
			seeds /= 10
		}
	}
	began := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	total, told, busy := result{}, 0, time.Duration(0)
	children := max(1, runtime.NumCPU())
	for i := range children {
		all.Go(func() {
			spent := child(t, fmt.Sprintf("%d/%d/%d/%d", i, children, seeds, unix(until)), func(r result) {
				mu.Lock()
				defer mu.Unlock()
				told++
				total.Commits, total.Events, total.Executions = total.Commits+r.Commits, total.Events+r.Events, total.Executions+r.Executions
				total.Boots, total.Jobs, total.Asked, total.Steps = total.Boots+r.Boots, total.Jobs+r.Jobs, total.Asked+r.Asked, total.Steps+r.Steps
			})
			mu.Lock()
			defer mu.Unlock()
			busy += spent
		})
	}
	all.Wait()
	took := time.Since(began)
	t.Logf("%d seeds in %s, %.0f for each second of a processor: %d steps, %d commits, %d events, %d executions, %d processes, %d jobs, %d requests", told, took.Round(time.Second),
		float64(told)/max(busy.Seconds(), 0.001), total.Steps, total.Commits, total.Events, total.Executions, total.Boots, total.Jobs, total.Asked)
	if told == 0 {
		t.Error("no story was told to its end")
	}
}

func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// child runs a share of the seeds in a process of its own, and fails for it. It
// returns how long a processor was busy with it.
func child(t *testing.T, share string, ended func(result)) time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSimulation$", "-test.v=false", "-test.timeout=0")
	cmd.Env = append(os.Environ(), "ROLLCALL_SHARD="+share)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return 0
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 0
	}
	stuck := time.AfterFunc(patienceReal, cancel)
	defer stuck.Stop()
	var now uint64
	var rest []string
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		text, ours := strings.CutPrefix(lines.Text(), mark)
		if !ours {
			rest = append(rest, lines.Text())
			continue
		}
		var s word
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Error(err)
		}
		stuck.Reset(patienceReal)
		switch {
		case s.Begins:
			now, rest = s.Seed, nil
		case s.Result != nil:
			ended(*s.Result)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("seed %d: %v\n%s", now, err, strings.Join(rest, "\n"))
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// shard is what a child does: its share of the seeds, until one fails or the time is over.
func shard(t *testing.T, text string) {
	var i, n, seeds uint64
	var until int64
	if _, err := fmt.Sscanf(text, "%d/%d/%d/%d", &i, &n, &seeds, &until); err != nil {
		t.Fatal(err)
	}
	defer alone()()
	say := func(s word) { fmt.Println(mark + string(bytesOf(s))) }
	for seed := i + 1; seed <= seeds; seed += n {
		if until > 0 && time.Now().Unix() >= until {
			return
		}
		say(word{Seed: seed, Begins: true})
		var r result
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { r = simulate(t, seed, stormSteps, options{}) }) {
			return
		}
		say(word{Seed: seed, Result: &r})
	}
}

var _ engine.Store = (*port)(nil)
