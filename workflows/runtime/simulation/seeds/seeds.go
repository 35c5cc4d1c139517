// Package seeds has tests tell the stories of simulations, each from a seed: one
// of them with every step, or many, divided over processes of one thread each.
// It is used by tests only.
package seeds

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	timeout = 5 * time.Minute // of the parent, with one seed of a child
	mark    = "simulation: "  // before every word of a child
)

// Plan says how many stories are told when ROLLCALL_SEEDS does not: as many as
// fit into Time, a quarter of it with -short.
type Plan struct {
	Time time.Duration
}

// Story tells the story of a seed and fails t when something does not hold. echo
// hears every step; nil: nobody. What it returns must be JSON.
type Story[R any] func(t *testing.T, seed uint64, echo func(string)) R

// Tell tells one story after another. Variables of the environment:
// ROLLCALL_SEEDS=10000 says how many; ROLLCALL_SEED=7 tells one of them, with
// every step. told hears what each came to, one at a time. It returns how many
// were told, and for how long a processor was busy with them.
func Tell[R any](t *testing.T, p Plan, story Story[R], report func(R)) (n int, busy time.Duration) {
	t.Helper()
	if text := os.Getenv("ROLLCALL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal("ROLLCALL_SEED: ", err)
		}
		defer Alone()()
		report(story(t, seed, func(line string) { fmt.Println(line) }))
		return 1, 0
	}
	if text := os.Getenv("ROLLCALL_SHARD"); text != "" {
		shard(t, text, story)
		return 0, 0
	}
	seeds, until := p.amount(t)
	floor := uint64(1) // without ROLLCALL_SEEDS: on a machine that is busy with other things time is all there is
	if seeds < plenty {
		floor = seeds
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	children := max(1, runtime.NumCPU())
	for i := range children {
		all.Go(func() {
			spent := child(t, fmt.Sprintf("%d/%d/%d/%d", i, children, seeds, until), func(raw json.RawMessage) {
				var r R
				if err := json.Unmarshal(raw, &r); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				n++
				report(r)
			})
			mu.Lock()
			defer mu.Unlock()
			busy += spent
		})
	}
	all.Wait()
	if uint64(n) < floor { //nolint:gosec // a count
		t.Errorf("%d stories reached their end, want %d", n, floor)
	}
	return n, busy
}

// plenty is more than anybody has time for.
const plenty = 1_000_000

// amount is how many seeds are told, and until when, as Unix time; 0: until the end.
func (p Plan) amount(t *testing.T) (seeds uint64, until int64) {
	if text := os.Getenv("ROLLCALL_SEEDS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal("ROLLCALL_SEEDS: ", err)
		}
		return n, 0
	}
	if testing.Short() {
		return plenty, time.Now().Add(p.Time / 4).Unix()
	}
	return plenty, time.Now().Add(p.Time).Unix()
}

// Raced says whether the race detector watches: it has goroutines run in any
// order on purpose, so no seed replays.
func Raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// Alone has goroutines run one at a time and undisturbed until back is called:
// neither a second thread nor the garbage collector changes their order.
func Alone() (back func()) {
	threads, percent := runtime.GOMAXPROCS(1), debug.SetGCPercent(-1)
	return func() {
		runtime.GOMAXPROCS(threads)
		debug.SetGCPercent(percent)
	}
}

// word is what a child tells its parent, one line of JSON each.
type word struct {
	Seed   uint64          `json:"seed"`
	Begins bool            `json:"begins,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// child runs a share of the seeds in a process of its own, and fails for it. It
// returns how long a processor was busy with it.
func child(t *testing.T, share string, ended func(json.RawMessage)) time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v=false", "-test.timeout=0")
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
	stuck := time.AfterFunc(timeout, cancel)
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
		stuck.Reset(timeout)
		switch {
		case s.Begins:
			now, rest = s.Seed, nil
		case s.Result != nil:
			ended(s.Result)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("seed %d: %v\n%s", now, err, strings.Join(rest, "\n"))
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// shard is what a child does: its share of the seeds, until one fails or the time is over.
func shard[R any](t *testing.T, text string, story Story[R]) {
	var i, n, seeds uint64
	var until int64
	if _, err := fmt.Sscanf(text, "%d/%d/%d/%d", &i, &n, &seeds, &until); err != nil {
		t.Fatal(err)
	}
	defer Alone()()
	say := func(s word) {
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(mark + string(line))
	}
	for seed := i + 1; seed <= seeds; seed += n {
		if until > 0 && time.Now().Unix() >= until {
			return
		}
		say(word{Seed: seed, Begins: true})
		var r R
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { r = story(t, seed, nil) }) {
			return
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		say(word{Seed: seed, Result: raw})
	}
}
