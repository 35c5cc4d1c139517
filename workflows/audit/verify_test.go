package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	ana  = workflows.Principal{ID: "slack:U1", Name: "Ana", Email: "ana@acme.example", Via: "slack"}
)

// records are those of a log of n frames: two of webshop, then one of billing, and so on.
func records(t *testing.T, n int) []record.Stored { return recordsWith(t, n, "approve") }

func recordsWith(t *testing.T, n int, answer string) []record.Stored {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "rollcall.db"), store.Options{MapSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	last := map[string]uint64{}
	for i := range n {
		name := []string{"webshop", "billing"}[i%3/2]
		last[name]++
		vote := event.Event{Kind: event.GateVoted, At: noon.Add(time.Duration(i) * time.Second), By: ana, Execution: "e1", Vote: &workflows.Vote{By: ana, Answer: answer, Comment: "<lgtm> & ✓", At: noon, Via: "slack"}}
		c := record.Commit{Frames: []event.Frame{{Pipeline: name, Seq: last[name], Events: []event.Event{vote}}}}
		if err := db.Commit(context.Background(), &c); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.Records(context.Background(), 0, n)
	if err != nil || len(all) != n {
		t.Fatalf("%d records: %v", len(all), err)
	}
	return all
}

// export is what `audit export` writes of records.
func export(t *testing.T, rs []record.Stored) []byte {
	t.Helper()
	var out []byte
	for i := range rs {
		l := audit.LineOf(&rs[i])
		text, err := l.Text()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text...)
	}
	return out
}

func verified(copied []byte, e audit.Expect) audit.Report {
	v := audit.NewVerifier(store.ReadRecord, e)
	for line := range bytes.Lines(copied) {
		v.Line(line)
	}
	return v.Report()
}

func anchorsOf(rs []record.Stored) (all []record.Anchor) {
	for _, r := range rs {
		all = append(all, record.Anchor{Pipeline: r.Pipeline, Record: r.Number, Hash: r.Hash, At: r.At})
	}
	return all
}

// Every single flipped bit of an exported copy is found: in what people read of
// it, in the stored bytes, and between the lines. The head of the log is no part
// of a copy, so that of the newest record its own hash speaks.
func TestEveryFlippedBitOfACopyIsFound(t *testing.T) {
	copied := export(t, records(t, 3))
	if r := verified(copied, audit.Expect{}); len(r.Faults) > 0 || r.Records != 3 || r.Pipelines != 2 {
		t.Fatalf("the copy as it was written: %+v", r)
	}
	for bit := range 8 * len(copied) {
		copied[bit/8] ^= 1 << (bit % 8)
		if r := verified(copied, audit.Expect{}); len(r.Faults) == 0 {
			t.Fatalf("bit %d of byte %d was flipped, and nobody noticed: %q", bit%8, bit/8, copied[max(0, bit/8-40):min(len(copied), bit/8+40)])
		}
		copied[bit/8] ^= 1 << (bit % 8)
	}
	t.Logf("%d bits", 8*len(copied))
}

func TestRandomFlippedBitsOfALargerCopyAreFound(t *testing.T) {
	copied := export(t, records(t, 200))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		bit := random.IntN(8 * len(copied))
		copied[bit/8] ^= 1 << (bit % 8)
		if r := verified(copied, audit.Expect{}); len(r.Faults) == 0 {
			t.Fatalf("bit %d of byte %d was flipped, and nobody noticed", bit%8, bit/8)
		}
		copied[bit/8] ^= 1 << (bit % 8)
	}
}

// Wherever the end of a copy is cut off, at a line or within one, an anchor
// behind the cut finds it.
func TestEveryCutTailOfACopyBehindAnAnchorIsFound(t *testing.T) {
	rs := records(t, 7)
	copied := export(t, rs)
	anchors := anchorsOf(rs[3:4]) // webshop record 3, the fourth line
	ends := len(export(t, rs[:4]))
	for cut := range len(copied) {
		r := verified(copied[:cut], audit.Expect{Anchors: anchors})
		if cut < ends-1 && len(r.Faults) == 0 { // -1: a line is whole without its break
			t.Fatalf("cut behind byte %d, and nobody noticed", cut)
		}
		if cut == ends && (len(r.Faults) > 0 || r.Anchors != 1) {
			t.Errorf("cut behind the anchored record: %+v", r)
		}
	}
}

// A chain that was written anew from some record on fits in itself; an anchor on
// or behind that record does not fit it.
func TestAChainThatWasWrittenAnew(t *testing.T) {
	rs, forged := records(t, 7), recordsWith(t, 7, "reject")
	copied := export(t, forged)
	if r := verified(copied, audit.Expect{}); len(r.Faults) > 0 {
		t.Fatalf("the forgery was to be a good one: %q", r.Faults)
	}
	for i := range rs {
		r := verified(copied, audit.Expect{Anchors: anchorsOf(rs[i : i+1])})
		want := fmt.Sprintf("%s record %d: its hash is not that of the anchor of 2026-03-02T12:00:0%dZ", rs[i].Pipeline, rs[i].Number, i)
		if len(r.Faults) != 1 || !strings.HasPrefix(r.Faults[0], want) {
			t.Errorf("%q\nwant %q", r.Faults, want)
		}
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	rs := records(t, 7)
	lines := slices.Collect(bytes.Lines(export(t, rs)))
	without := func(i int) []byte { return bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil) }
	changed := func(i int, old, now string) []byte {
		c := slices.Clone(lines)
		c[i] = bytes.Replace(c[i], []byte(old), []byte(now), 1)
		return bytes.Join(c, nil)
	}
	for name, c := range map[string]struct {
		copied []byte
		expect audit.Expect
		want   string // the fault; empty: none
	}{
		"whole":                     {copied: bytes.Join(lines, nil)},
		"the first one is gone":     {copied: without(0), want: "webshop record 2: it is the first of its pipeline here, and record 1 is missing"},
		"a part":                    {copied: without(0), expect: audit.Expect{Partial: true}},
		"one is gone":               {copied: without(1), want: "webshop record 3: it follows record 1: record 2 is missing"},
		"one is gone from a part":   {copied: without(1), expect: audit.Expect{Partial: true}, want: "webshop record 3: it follows record 1: record 2 is missing"},
		"one comes twice":           {copied: bytes.Join(slices.Insert(slices.Clone(lines), 2, lines[1]), nil), want: "webshop record 2: it comes again, behind record 2"},
		"the text was changed":      {copied: changed(3, "approve", "reject"), want: "webshop record 3: line 4 says something else than its stored bytes: what can be read in it was changed, or another version of rollcall wrote it"},
		"the hash was changed":      {copied: changed(3, rs[3].Hash, rs[2].Hash), want: "webshop record 3: its stored bytes do not give its hash (line 4): it was changed after it was written"},
		"a line is no record":       {copied: changed(2, `"stored"`, `stored`), want: "billing record 1: line 3 is no record: it was changed or cut off"},
		"the last line is cut":      {copied: bytes.Join(lines, nil)[:len(bytes.Join(lines, nil))-9], want: "a record behind billing record 2, of a pipeline that is not known: line 7 is no record: it was changed or cut off"},
		"the first line is none":    {copied: []byte("hello\n"), want: "a record at the beginning, of a pipeline that is not known: line 1 is no record: it was changed or cut off"},
		"stored bytes are no row":   {copied: changed(1, `"stored":"A`, `"stored":"Z`), want: "webshop record 2: its stored bytes cannot be read (line 2): "},
		"nothing of a pipeline":     {copied: bytes.Join(lines[:2], nil), expect: audit.Expect{Anchors: anchorsOf(rs[2:3])}, want: "billing record 1: nothing of this pipeline is here, and an anchor of 2026-03-02T12:00:02Z names record 1: it was removed, or who asks may not audit it"},
		"another pipeline's anchor": {copied: bytes.Join(lines[:2], nil), expect: audit.Expect{Anchors: anchorsOf(rs[1:3]), Pipeline: "webshop"}},
		"an anchor before the part": {copied: without(0), expect: audit.Expect{Anchors: anchorsOf(rs[:1]), Partial: true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := verified(c.copied, c.expect)
			if got := strings.Join(r.Faults, "\n"); got != c.want && !(strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want)) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
	if r := verified(without(0), audit.Expect{Anchors: anchorsOf(rs[:2]), Partial: true}); r.Before != 1 || r.Anchors != 1 || r.Newest.Record != 2 {
		t.Errorf("a part with an anchor before it: %+v", r)
	}
}

// A record that a store cannot read does not say whose it is: the gap that it leaves does.
func TestADamagedRecord(t *testing.T) {
	rs := records(t, 7)
	damaged := record.Stored{Damage: errors.New("its version is 9")}
	for i, want := range []string{
		"webshop record 1: it cannot be read: its version is 9", "webshop record 2: it cannot be read: its version is 9", "billing record 1: it cannot be read: its version is 9", "webshop record 3: it cannot be read: its version is 9",
		"webshop record 4: it cannot be read: its version is 9", "billing record 2: it cannot be read: its version is 9", "webshop record 5: it cannot be read: its version is 9",
	} {
		v := audit.NewVerifier(store.ReadRecord, audit.Expect{})
		for j, r := range rs {
			if j == i {
				r = damaged
			}
			v.Record(r)
		}
		v.End(record.Head{Pipeline: "billing", Last: 2})
		v.End(record.Head{Pipeline: "webshop", Last: 5})
		if r := v.Report(); len(r.Faults) != 1 || r.Faults[0] != want {
			t.Errorf("%q, want %q", r.Faults, want)
		}
	}
}
