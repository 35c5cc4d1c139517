package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// audited verifies the log as it lies in the file.
func audited(t *testing.T, db *DB, e audit.Expect) audit.Report {
	t.Helper()
	ctx, v := context.Background(), audit.NewVerifier(ReadRecord, e)
	for after := uint64(0); ; {
		rs, err := db.Records(ctx, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) == 0 {
			break
		}
		for _, r := range rs {
			v.Record(r)
			after = r.Feed
		}
	}
	ends, err := db.Pipelines(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range ends {
		v.End(h)
	}
	return v.Report()
}

// auditedLog is a file with n frames of two pipelines in it.
func auditedLog(t *testing.T, n int) *DB {
	t.Helper()
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	last := map[string]uint64{}
	for i := range n {
		name := []string{"webshop", "billing"}[i%3/2]
		last[name]++
		vote := event.Event{Kind: event.GateVoted, At: goldenNoon.Add(time.Duration(i) * time.Second), By: goldenAna, Execution: "0195a000-0001-7000-8000-000000000042", Stage: "Production", Action: "SignOff", Attempt: 1,
			Vote: &workflows.Vote{By: goldenAna, Answer: "approve", At: goldenNoon, Via: "slack"}}
		c := record.Commit{Frames: []event.Frame{{Pipeline: name, Seq: last[name], Events: []event.Event{vote}}}}
		if err := db.Commit(context.Background(), &c); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func rows(t *testing.T, db *DB) (all [][]byte) {
	t.Helper()
	err := db.view(context.Background(), func(tx *bbolt.Tx) error {
		return ascend(frames.in(tx), nil, nil, func(_, v []byte) (bool, error) {
			all = append(all, append([]byte(nil), v...))
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// overwrite puts rows at the end of the log in the place of what is there; nil takes one away.
func overwrite(t *testing.T, db *DB, feed uint64, row []byte) {
	t.Helper()
	err := db.update(context.Background(), func(tx *bbolt.Tx) error {
		if row == nil {
			return frames.in(tx).Delete(feedKey(feed))
		}
		return frames.in(tx).Put(feedKey(feed), row)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every single flipped bit of a stored record is found, of the newest ones too,
// which no other record continues.
func TestEveryFlippedBitIsFound(t *testing.T) {
	db := auditedLog(t, 4)
	if r := audited(t, db, audit.Expect{}); len(r.Faults) > 0 || r.Records != 4 || r.Pipelines != 2 {
		t.Fatalf("the log as it was written: %+v", r)
	}
	flipped := 0
	for i, row := range rows(t, db) {
		for bit := range 8 * len(row) {
			bad := append([]byte(nil), row...)
			bad[bit/8] ^= 1 << (bit % 8)
			overwrite(t, db, uint64(i+1), bad)
			if r := audited(t, db, audit.Expect{}); len(r.Faults) == 0 {
				t.Fatalf("bit %d of record %d was flipped, and nobody noticed: %q", bit, i+1, bad)
			}
			flipped++
		}
		overwrite(t, db, uint64(i+1), row)
	}
	t.Logf("%d bits", flipped)
}

func TestRandomFlippedBitsOfALargerLogAreFound(t *testing.T) {
	const size = 300
	db := auditedLog(t, size)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random, all := rand.New(rand.NewPCG(seed, 0)), rows(t, db)
	for range 60 {
		i := random.IntN(size)
		bad := append([]byte(nil), all[i]...)
		bit := random.IntN(8 * len(bad))
		bad[bit/8] ^= 1 << (bit % 8)
		overwrite(t, db, uint64(i+1), bad)
		if r := audited(t, db, audit.Expect{}); len(r.Faults) == 0 {
			t.Fatalf("bit %d of record %d was flipped, and nobody noticed", bit, i+1)
		}
		overwrite(t, db, uint64(i+1), all[i])
	}
}

// A tail that was cut off together with the head that vouches for it looks
// whole; an anchor behind the cut finds it, wherever it was made.
func TestEveryCutTailBehindAnAnchorIsFound(t *testing.T) {
	for keep := range 6 {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			db := auditedLog(t, 8)
			whole, err := db.RecordsOf(context.Background(), "webshop", 0, 0)
			if err != nil || len(whole) != 6 {
				t.Fatalf("%d %v", len(whole), err)
			}
			newest := whole[5]
			anchor := record.Anchor{Pipeline: "webshop", Record: newest.Number, Hash: newest.Hash, At: newest.At}
			if r := audited(t, db, audit.Expect{Anchors: []record.Anchor{anchor}}); len(r.Faults) > 0 || r.Anchors != 1 {
				t.Fatalf("the whole log: %+v", r)
			}
			err = db.update(context.Background(), func(tx *bbolt.Tx) error {
				for _, r := range whole[keep:] {
					if err := frames.in(tx).Delete(feedKey(r.Feed)); err != nil {
						return err
					}
					if err := sequence.in(tx).Delete(numbered(r.Number, "webshop")); err != nil {
						return err
					}
				}
				if keep == 0 {
					return heads.in(tx).Delete([]byte("webshop"))
				}
				row, err := encodeHead(&headRow{Last: uint64(keep), Hash: whole[keep-1].Hash, Feed: whole[keep-1].Feed})
				if err != nil {
					return err
				}
				return heads.in(tx).Put([]byte("webshop"), row)
			})
			if err != nil {
				t.Fatal(err)
			}
			if r := audited(t, db, audit.Expect{}); len(r.Faults) > 0 {
				t.Fatalf("the cut was to be a clean one: %q", r.Faults)
			}
			r := audited(t, db, audit.Expect{Anchors: []record.Anchor{anchor}})
			if want := fmt.Sprintf("webshop record %d: ", keep+1); len(r.Faults) != 1 || !strings.HasPrefix(r.Faults[0], want) || !strings.Contains(r.Faults[0], "names record 6") {
				t.Errorf("cut behind record %d: %q, want one with %q", keep, r.Faults, want)
			}
		})
	}
}

// Without the head's word a log that lost its end is found without any anchor.
func TestARecordThatIsMissingIsNamed(t *testing.T) {
	for feed, want := range map[uint64]string{
		1: "webshop record 2: it is the first of its pipeline here, and record 1 is missing",
		2: "webshop record 3: it follows record 1: record 2 is missing",
		8: "webshop record 6: it is missing: the record ends with 5 and should end with 6",
	} {
		db := auditedLog(t, 8)
		overwrite(t, db, feed, nil)
		if r := audited(t, db, audit.Expect{}); len(r.Faults) != 1 || r.Faults[0] != want {
			t.Errorf("without the frame at %d: %q\nwant %q", feed, r.Faults, want)
		}
	}
}

// Rows of every version that was ever written verify.
func TestGoldenRowsVerify(t *testing.T) {
	for _, file := range []string{golden, added, "testdata/v1-hold.txt", "testdata/v1-lock.txt", goldenSecond} {
		db := openTest(t, restoredFrom(t, file, asWritten))
		if r := audited(t, db, audit.Expect{}); len(r.Faults) > 0 || r.Records == 0 {
			t.Errorf("%s: %+v", file, r)
		}
	}
}

func TestTheNewestRecords(t *testing.T) {
	db := auditedLog(t, 8) // 8 is webshop's sixth, 6 billing's second
	for after, want := range map[uint64]string{0: "billing 2, webshop 6, ", 5: "billing 2, webshop 6, ", 6: "webshop 6, ", 8: "", maxNumber: ""} {
		rs, err := db.Newest(context.Background(), after)
		var got strings.Builder
		for _, r := range rs {
			fmt.Fprintf(&got, "%s %d, ", r.Pipeline, r.Number)
		}
		if err != nil || got.String() != want {
			t.Errorf("after %d: %s %v, want %s", after, got.String(), err, want)
		}
	}
}

// The newest record of a pipeline may be a long one, which is kept compressed.
func TestTheNewestRecordIsLong(t *testing.T) {
	db := openTest(t, filepath.Join(t.TempDir(), "rollcall.db"))
	long := event.Event{Kind: event.GateVoted, At: goldenNoon, By: goldenAna, Execution: "0195a000-0001-7000-8000-000000000042", Stage: "Production", Action: "SignOff", Attempt: 1,
		Vote: &workflows.Vote{By: goldenAna, Answer: "approve", At: goldenNoon, Via: "slack", Comment: strings.Repeat("tested with every browser. ", 40)}}
	if err := db.Commit(context.Background(), &record.Commit{Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: []event.Event{long}}}}); err != nil {
		t.Fatal(err)
	}
	if rs, err := db.Newest(context.Background(), 0); err != nil || len(rs) != 1 || rs[0].Damage != nil || rs[0].Pipeline != "webshop" {
		t.Errorf("the newest is %+v, %v", rs, err)
	}
}

// Rows of version 1 have no checksum: the chain alone finds each of their bits,
// and of the newest one the head.
func TestEveryFlippedBitOfARowOfVersion1IsFound(t *testing.T) {
	db := openTest(t, restoredFrom(t, golden, func(_ bucket, _, v []byte) []byte { return v }))
	for i, row := range rows(t, db) {
		for bit := range 8 * len(row) {
			bad := append([]byte(nil), row...)
			bad[bit/8] ^= 1 << (bit % 8)
			overwrite(t, db, uint64(i+1), bad)
			if r := audited(t, db, audit.Expect{}); len(r.Faults) == 0 {
				t.Fatalf("bit %d of record %d was flipped, and nobody noticed: %q", bit, i+1, bad)
			}
		}
		overwrite(t, db, uint64(i+1), row)
	}
}

// Another record in the place of the newest one, with a checksum that fits and the
// right hash of the one before, is found by the head.
func TestAForgedNewestRecordIsFound(t *testing.T) {
	db, other := auditedLog(t, 4), openTest(t, filepath.Join(t.TempDir(), "other.db"))
	var newest []byte
	for i, row := range rows(t, db) {
		f, err := shared.decodeFrame(uint64(i+1), row)
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			f.Events[0].Vote.Answer = "reject"
		}
		if err := other.Commit(context.Background(), &record.Commit{Frames: []event.Frame{{Pipeline: f.Pipeline, Seq: f.Seq, Events: f.Events}}}); err != nil {
			t.Fatal(err)
		}
		newest = rows(t, other)[i]
	}
	overwrite(t, db, 4, newest)
	r := audited(t, db, audit.Expect{})
	if want := "webshop record 3: its stored bytes do not give its hash: it was changed after it was written"; len(r.Faults) != 1 || r.Faults[0] != want {
		t.Errorf("%q, want %q", r.Faults, want)
	}
}
