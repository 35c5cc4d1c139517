package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// crashDir, when set, turns the test binary into the victim of TestCrash.
const crashDir = "ROLLCALL_TEST_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashDir); path != "" {
		if err := victim(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// victim commits until it is killed, and says each number once it is durable.
func victim(path string) error {
	ctx := context.Background()
	db, err := store.Open(path, store.Options{MapSize: 1 << 20})
	if err != nil {
		return err
	}
	_, fs, err := db.Load(ctx, "webshop")
	if err != nil {
		return err
	}
	n := len(fs)
	for {
		n++
		if err := db.Commit(ctx, crashCommit(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// crashCommit is the nth: it touches every kind of row, at a size that rises and falls.
func crashCommit(n int) *record.Commit {
	id := crashID(n)
	e := workflows.Execution{ID: id, Pipeline: "webshop", Number: n, Status: workflows.StatusInProgress}
	c := &record.Commit{
		Frames: []event.Frame{
			{Pipeline: "webshop", Seq: uint64(n), Events: []event.Event{{Kind: event.ExecutionNoted, Execution: id, Text: strings.Repeat("w", n*37%9000)}}},
			{Pipeline: "billing", Seq: uint64(n), Events: []event.Event{{Kind: event.ExecutionNoted, Text: strconv.Itoa(n)}}},
		},
		Checkpoints: []record.Checkpoint{{Pipeline: "billing", Seq: uint64(n), State: fmt.Appendf(nil, `{"n":%d}`, n)}},
		Executions:  []workflows.Execution{e},
		Receipts:    []work.Receipt{{Key: "github/" + id, Source: "github", At: time.Unix(int64(n), 0), Payload: bytes.Repeat([]byte("p"), n%300)}},
		Memos:       []record.Memo{{Owner: "count", Key: "n", Value: []byte(strconv.Itoa(n))}},
	}
	if n > 1 { // the one before ends, and its receipt is done
		e.ID, e.Number, e.Status = crashID(n-1), n-1, workflows.StatusSucceeded
		c.Executions = append(c.Executions, e)
		c.Successes = []record.Success{{Pipeline: "webshop", Stage: "Build", Execution: e.ID, Number: e.Number}}
		c.Receipts = append(c.Receipts, work.Receipt{Key: "github/" + e.ID, Source: "github", At: time.Unix(int64(n-1), 0), Done: true})
	}
	return c
}

func crashID(n int) string { return fmt.Sprintf("0195a000-0000-7000-8000-%012x", n) }

// TestCrash kills a committing process at random moments, again and again on
// one file. Whatever it had said is there; the commit it was killed in is there
// wholly or not at all.
func TestCrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "rollcall.db")
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	said := 0
	for round := range rounds {
		said = max(said, killVictim(t, path, 1+random.IntN(40), time.Duration(random.IntN(3000))*time.Microsecond))
		found := inspect(t, path)
		if found != said && found != said+1 {
			t.Fatalf("round %d: commit %d was acknowledged, the file holds %d", round, said, found)
		}
		said = found
	}
	t.Logf("%d commits survived %d kills", said, rounds)
}

// killVictim starts a process on the file, kills it some time after its nth
// commit, and returns the last one it acknowledged.
func killVictim(t *testing.T, path string, commits int, after time.Duration) (said int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashDir+"="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if said, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if commits--; commits == 0 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the victim ended by itself: %v %s", err, &stderr)
	}
	return said
}

// inspect opens the file after a crash and returns how many commits it holds, each of them whole.
func inspect(t *testing.T, path string) int {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(path, store.Options{MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if problems, err := db.Check(ctx); err != nil || len(problems) > 0 {
		t.Fatalf("after the crash: %v %q", err, problems)
	}
	heads, err := db.Pipelines(ctx)
	if err != nil || len(heads) != 2 || heads[0].Last != heads[1].Last {
		t.Fatalf("pipelines ended apart: %+v %v", heads, err)
	}
	n := int(heads[0].Last)
	c, after, err := db.Load(ctx, "billing")
	if err != nil || int(c.Seq) != n || len(after) != 0 || string(c.State) != fmt.Sprintf(`{"n":%d}`, n) {
		t.Fatalf("the checkpoint is of %d, %s, %d frames after it, want %d: %v", c.Seq, c.State, len(after), n, err)
	}
	if v, _, err := db.Memo(ctx, "count", "n"); err != nil || string(v) != strconv.Itoa(n) {
		t.Fatalf("the memo says %s, want %d: %v", v, n, err)
	}
	if rs, err := db.Pending(ctx, "github"); err != nil || len(rs) != 1 || rs[0].Key != "github/"+crashID(n) {
		t.Fatalf("pending: %+v %v", rs, err)
	}
	for i := 1; i <= n; i++ {
		e, ok, err := db.Execution(ctx, crashID(i))
		if err != nil || !ok || e.Status.Final() != (i < n) {
			t.Fatalf("execution %d of %d: %v %v %v", i, n, e.Status, ok, err)
		}
	}
	return n
}
