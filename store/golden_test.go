package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

var newRows = flag.Bool("record", false, "write the golden rows of testdata that are missing; rows once written are never changed")

const golden = "testdata/v1.txt"

// asWritten leaves a row as it is.
func asWritten(_ bucket, _, v []byte) []byte { return v }

// goldenCommits fill every bucket. What they say is read back by goldenAnswers.
func goldenCommits() []record.Commit {
	live, ended := goldenExecution(42, workflows.StatusInProgress), goldenExecution(41, workflows.StatusFailed)
	ended.EndedAt, ended.StatusReason = &goldenNoon, &workflows.Reason{Code: "NotApproved", Message: "not approved by Ana"}
	vote := event.Event{Kind: event.GateVoted, At: goldenNoon, By: goldenAna, Execution: live.ID, Stage: "Production", Action: "SignOff", Attempt: 1, Token: "click",
		Vote: &workflows.Vote{By: goldenAna, Answer: "approve", At: goldenNoon, Via: "slack"}}
	failed := event.Event{Kind: event.ExecutionFailed, At: goldenNoon, By: workflows.EnginePrincipal(), Execution: ended.ID, Reason: ended.StatusReason}
	return []record.Commit{
		{Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: []event.Event{vote}}, {Pipeline: "billing", Seq: 1, Events: []event.Event{}}}},
		{
			Frames:      []event.Frame{{Pipeline: "webshop", Seq: 2, Events: []event.Event{failed}}, {Pipeline: "webshop", Seq: 3, Events: []event.Event{vote}}},
			Checkpoints: []record.Checkpoint{{Pipeline: "webshop", Seq: 2, State: []byte("{\"pipeline\":\n\"webshop\"}"), Due: goldenNoon}},
			Executions:  []workflows.Execution{live, ended},
			Successes:   []record.Success{{Pipeline: "webshop", Stage: "Build", Execution: ended.ID, Number: 41}},
			Receipts: []work.Receipt{
				{Key: "github/1", Source: "github", At: goldenNoon, Payload: []byte("push")},
				{Key: "slack/2", Source: "slack", At: goldenNoon, Done: true, Result: []byte(`{"ok":true}`)}},
			Memos: []record.Memo{{Owner: "slack", Key: "card/42", Value: []byte("C1/123.4\x00")}},
		},
	}
}

var (
	goldenNoon = time.Date(2026, 3, 2, 12, 0, 0, 987654321, time.UTC)
	goldenAna  = workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
)

func goldenExecution(n int, status workflows.Status) workflows.Execution {
	return workflows.Execution{
		ID: fmt.Sprintf("0195a000-0001-7000-8000-0000000000%02d", n), Number: n, Pipeline: "webshop", Version: 3, Type: workflows.TypeStandard, Status: status,
		Trigger:         workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "push", By: goldenAna},
		SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "f00d", Author: &workflows.Author{Email: "ben@acme.example"}}},
		Variables:       map[string]string{"canary": "10"}, StartedAt: goldenNoon, UpdatedAt: goldenNoon, Attempt: 1,
		Stages: []workflows.StageExecution{{Name: "Production", Status: status, Attempt: 1, Actions: []workflows.ActionExecution{{
			Name: "SignOff", RunOrder: 1, Provider: "Manual", Status: status, Needs: workflows.NeedsApproval, Attempt: 1,
			Approval: &workflows.Approval{Token: "t", Required: 2, Comment: "optional", Votes: []workflows.Vote{{By: goldenAna, Answer: "approve", At: goldenNoon, Via: "slack"}},
				Missing: []string{"1 more approval"}, OpenedAt: goldenNoon, ExpiresAt: goldenNoon}}}}},
		Artifacts: map[string]workflows.Artifact{"app": {Name: "app", Digest: strings.Repeat("ab", 32), Size: 512}},
		Outputs:   map[string]map[string]string{"App": {"CommitId": "f00d"}},
	}
}

// goldenAnswers asks for everything and returns it with the errors met.
func goldenAnswers(db *DB) (answers map[string]any, errs []error) {
	ctx := context.Background()
	answers = map[string]any{}
	note := func(question string, err error, v ...any) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", question, err))
		}
		answers[question] = v
	}
	feed, err := db.Feed(ctx, 0, 0)
	note("feed", err, feed)
	of, err := db.Frames(ctx, "webshop", 1, 0)
	note("frames", err, of)
	c, after, err := db.Load(ctx, "webshop")
	note("load", err, c, after)
	hs, err := db.Pipelines(ctx)
	note("pipelines", err, hs)
	for n := 41; n <= 42; n++ {
		e, _, err := db.Execution(ctx, goldenExecution(n, "").ID)
		note(e.Ref(), err, e)
	}
	es, err := db.Executions(ctx, record.Query{Pipeline: "webshop", Status: workflows.StatusFailed})
	note("failed", err, es)
	es, err = db.Executions(ctx, record.Query{Pipeline: "webshop", SucceededInStage: "Build"})
	note("succeeded", err, es)
	for _, ref := range []string{"webshop#42", "000041"} {
		ids, err := db.Resolve(ctx, ref)
		note(ref, err, ids)
	}
	r, _, err := db.Receipt(ctx, "slack/2")
	note("receipt", err, r)
	rs, err := db.Pending(ctx, "github")
	note("pending", err, rs)
	ms, err := db.List(ctx, "slack", "card/")
	note("memos", err, ms)
	return answers, errs
}

// Rows of version 1 are read forever: the answers from testdata/v1.txt are
// those that a store gives which was just written.
func TestGoldenRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollcall.db")
	db := openTest(t, path)
	for _, c := range goldenCommits() {
		if err := db.Commit(context.Background(), &c); err != nil {
			t.Fatal(err)
		}
	}
	want, errs := goldenAnswers(db)
	if errs != nil {
		t.Fatal(errs)
	}
	old := openTest(t, restored(t, asWritten))
	got, errs := goldenAnswers(old)
	if errs != nil {
		t.Fatal(errs)
	}
	// Hashes cover stored bytes, and new fields change those: they are compared with the chain by Check.
	if d := cmp.Diff(unhashed(want), unhashed(got)); d != "" {
		t.Errorf("answers from rows of version 1 (-written today +golden):\n%s", d)
	}
	if problems, err := old.Check(context.Background()); err != nil || problems != nil {
		t.Errorf("check: %v %q", err, problems)
	}
}

// A row of a version this rollcall does not know is never guessed at: whoever
// needs it gets a sentence, and a check names it.
func TestNewerRows(t *testing.T) {
	for _, file := range []string{golden, goldenSecond} {
		for _, b := range buckets() {
			t.Run(file+" "+string(b), func(t *testing.T) { newerRow(t, file, b) })
		}
	}
}

func newerRow(t *testing.T, file string, b bucket) {
	path := restoredFrom(t, file, func(of bucket, _, v []byte) []byte {
		if of == b {
			v[0] = of.newest() + 1
		}
		return v
	})
	db, err := Open(path, Options{MapSize: 1 << 20, NoSync: true})
	if b == meta {
		if err == nil || !strings.Contains(err.Error(), "version 3") {
			t.Fatalf("a newer file was opened: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if problems, err := db.Check(context.Background()); err != nil || len(problems) == 0 {
		t.Errorf("check found nothing: %v", err)
	}
	_, errs := goldenAnswers(db)
	if b == endings || b == pending || b == done || b == sequence {
		return // these rows say all they say in their keys, or are found another way
	}
	want := fmt.Sprintf("has version %d and this rollcall reads version %d; use the rollcall that wrote it, or a newer one", b.newest()+1, b.newest())
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("answers in spite of a newer row: %v", err)
	}
}

// Changing one byte of a frame breaks the chain, even where the row still decodes.
func TestTamperedLog(t *testing.T) {
	for name, c := range map[string]struct {
		feed      uint64
		from, to  string
		complaint string
	}{
		"a frame in the middle": {1, "approve", "apprOve", "webshop: frame 2 does not continue frame 1: one of them was changed after it was written"},
		"the last frame":        {4, "approve", "apprOve", "webshop: the log ends with frame 3 and should end with frame 3, hash "},
		"a sequence":            {3, `"seq":2`, `"seq":7`, "webshop: frame 7 follows frame 1"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, restored(t, func(of bucket, k, v []byte) []byte {
				if of == frames && bytes.Equal(k, feedKey(c.feed)) {
					return bytes.Replace(v, []byte(c.from), []byte(c.to), 1)
				}
				return v
			}))
			problems, err := db.Check(context.Background())
			if err != nil || !strings.Contains(strings.Join(problems, "\n"), c.complaint) {
				t.Errorf("problems: %q %v\nwant %q", problems, err, c.complaint)
			}
		})
	}
}

// Rows that vanished are missed.
func TestMissingRows(t *testing.T) {
	for _, b := range []bucket{frames, sequence, heads, live, ended, numbers, endings, receipts, pending, done} {
		t.Run(string(b), func(t *testing.T) {
			db := openTest(t, restored(t, func(of bucket, _, v []byte) []byte {
				if of == b {
					return nil
				}
				return v
			}))
			if problems, err := db.Check(context.Background()); err != nil || len(problems) == 0 {
				t.Errorf("check found nothing: %v", err)
			}
		})
	}
}

// A receipt that is opened again while it is being forgotten stays.
func TestForgetRace(t *testing.T) {
	ctx := context.Background()
	db := openTest(t, restored(t, asWritten))
	old, err := db.forgettable(ctx, goldenNoon.Add(1), 9)
	if err != nil || len(old) != 1 {
		t.Fatalf("%q %v", old, err)
	}
	again := work.Receipt{Key: "slack/2", Source: "slack", At: goldenNoon}
	if err := db.Commit(ctx, &record.Commit{Receipts: []work.Receipt{again}}); err != nil {
		t.Fatal(err)
	}
	if n, err := db.forget(ctx, old); n != 0 || err != nil {
		t.Errorf("forgot %d: %v", n, err)
	}
	if _, ok, err := db.Receipt(ctx, "slack/2"); !ok || err != nil {
		t.Errorf("the receipt is gone: %v", err)
	}
}

func openTest(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path, Options{MapSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// dump writes all rows as lines: bucket, key, value.
func dump(t *testing.T, db *DB) []byte {
	t.Helper()
	var out bytes.Buffer
	eachRow(t, db, func(b bucket, k, v []byte) { fmt.Fprintf(&out, "%s %+q %+q\n", b, k, v) })
	return out.Bytes()
}

func eachRow(t *testing.T, db *DB, visit func(b bucket, k, v []byte)) {
	t.Helper()
	err := db.view(context.Background(), func(tx *bbolt.Tx) error {
		for _, b := range buckets() {
			if err := ascend(b.in(tx), nil, nil, func(k, v []byte) (bool, error) {
				visit(b, k, v)
				return true, nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// restored writes the golden rows into a new file, each as change returns it; nil leaves it out.
func restored(t *testing.T, change func(of bucket, k, v []byte) []byte) (path string) {
	return restoredFrom(t, golden, change)
}

func restoredFrom(t *testing.T, file string, change func(of bucket, k, v []byte) []byte) (path string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "rollcall.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets() {
			if _, err := tx.CreateBucket([]byte(b)); err != nil {
				return err
			}
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var b, k, v string
			if _, err := fmt.Sscanf(lines.Text(), "%s %q %q", &b, &k, &v); err != nil {
				return fmt.Errorf("%s: %w", lines.Text(), err)
			}
			if row := change(bucket(b), []byte(k), []byte(v)); row != nil {
				if err := bucket(b).in(tx).Put([]byte(k), row); err != nil {
					return err
				}
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// unhashed is an answer as JSON without the fields that cover stored bytes.
func unhashed(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	var kept []string
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, `"hash":`) && !strings.Contains(line, `"prev":`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
