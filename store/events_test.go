package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// throughRow writes events into a row's body and reads them back.
func throughRow(t *testing.T, events []event.Event) []event.Event {
	t.Helper()
	if err := shared.ready(); err != nil {
		t.Fatal(err)
	}
	w := eventWriter{kinds: shared.kinds}
	if err := w.events(events); err != nil {
		t.Fatal(err)
	}
	got, err := (&eventReader{in: w.out}).events()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every field of an event comes back, alone and behind an event that has others;
// also one that is added tomorrow.
func TestEveryFieldOfAnEventComesBack(t *testing.T) {
	of := reflect.TypeFor[event.Event]()
	for i := range of.NumField() {
		var e event.Event
		fill(reflect.ValueOf(&e).Elem().Field(i), 1)
		events := []event.Event{{}, e, {}, e, e, {Kind: event.StageEntered, At: goldenNoon, By: goldenAna, Execution: "x", Stage: "s", Action: "a", Attempt: 3}, e}
		if d := cmp.Diff(asJSON(t, events), asJSON(t, throughRow(t, events))); d != "" {
			t.Errorf("%s (-written +read):\n%s", of.Field(i).Name, d)
		}
	}
}

// fill gives a value, and what it holds down to some depth, something that is not zero.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text", depth))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(depth))
	case reflect.Uint64:
		v.SetUint(uint64(depth))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		if depth < 5 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		switch {
		case v.Type() == reflect.TypeFor[json.RawMessage]():
			v.SetBytes([]byte(`{}`))
		case depth < 5:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), depth+1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(goldenNoon))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	}
}

// Codes are part of the format: each names one kind.
func TestKindCodes(t *testing.T) {
	seen := map[event.Kind]bool{}
	for _, kind := range kindCodes[1:] {
		if kind == "" || seen[kind] {
			t.Errorf("the kind %q has no code of its own", kind)
		}
		seen[kind] = true
	}
}

// Whatever bytes there are, events are read or refused.
func FuzzEvents(f *testing.F) {
	if err := shared.ready(); err != nil {
		f.Fatal(err)
	}
	for _, events := range secondFrames()[:3] {
		w := eventWriter{kinds: shared.kinds}
		if err := w.events(events); err != nil {
			f.Fatal(err)
		}
		f.Add(w.out)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		events, err := (&eventReader{in: in}).events()
		if err != nil {
			return
		}
		if _, err := json.Marshal(events); err == nil {
			throughRow(t, events)
		}
	})
}

// One flipped bit in a row of version 2 is noticed wherever it is: the row is
// refused in words, and never answers with something else.
func TestFlippedBitsInRows(t *testing.T) {
	db := written(t, secondCommits())
	path := restoredFrom(t, goldenSecond, asWritten)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, path)
	rows := 0
	eachRow(t, db, func(of bucket, k, row []byte) {
		var read func(row []byte) error
		switch of {
		case frames:
			read = func(row []byte) error { _, err := shared.decodeFrame(binary.BigEndian.Uint64(k), row); return err }
		case heads:
			read = func(row []byte) error { _, err := decodeHead(row); return err }
		case checkpoints:
			read = func(row []byte) error { _, err := shared.decodeCheckpoint(string(k), row); return err }
		case live, ended:
			read = func(row []byte) error { _, err := shared.decodeExecution(of, row); return err }
		case memos:
			read = func(row []byte) error { _, err := shared.decodeMemo(row); return err }
		default:
			return
		}
		if row[0] != version {
			return // a short memo
		}
		rows++
		if err := read(row); err != nil {
			t.Fatalf("%s %q: %v", of, k, err)
		}
		for bit := range 8 * len(row) {
			bad := bytes.Clone(row)
			bad[bit/8] ^= 1 << (bit % 8)
			if read(bad) == nil {
				t.Errorf("%s %q: bit %d was flipped and nobody noticed", of, k, bit)
			}
		}
	})
	if rows < 50 {
		t.Errorf("only %d rows were looked at", rows)
	}
}
