package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

var update = flag.Bool("update", false, "write testdata anew")

// Checkpoints that earlier versions wrote are read without losing anything:
// whatever they say, the state says, by the names of today. These files are never written again.
func TestEarlierCheckpoints(t *testing.T) {
	files, err := filepath.Glob("testdata/checkpoint-*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no earlier checkpoints", err)
	}
	for _, file := range files {
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode(stored)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var want, got any
		today := strings.NewReplacer(`"hold":`, `"lock":`, `"door":`, `"transition":`, `"asWas"`, `"original"`).Replace(string(stored))
		if err := json.Unmarshal([]byte(today), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(marshal(t, again(t, s)), &got); err != nil {
			t.Fatal(err)
		}
		inObjects(t, got)
		inObjects(t, want)
		for _, lost := range missingIn(want, got, "") {
			t.Errorf("%s: %s is lost", file, lost)
		}
	}
}

// inObjects writes the successes of stages as the objects that they were once:
// they are rows of text now.
func inObjects(t *testing.T, got any) {
	stages, _ := got.(map[string]any)["stages"].(map[string]any)
	for name, one := range stages {
		st := one.(map[string]any)
		rows, isText := st["successes"].(string)
		if !isText {
			continue
		}
		var all ledger.Successes
		if err := json.Unmarshal(marshal(t, rows), &all); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var objects any
		if err := json.Unmarshal(marshal(t, all.Newest(20)), &objects); err != nil {
			t.Fatal(err)
		}
		st["successes"] = objects
	}
}

// missingIn lists what of want is not in got, by its path.
func missingIn(want, got any, path string) (lost []string) {
	w, ok := want.(map[string]any)
	if !ok {
		list, isList := want.([]any)
		other, alsoList := got.([]any)
		if isList && alsoList && len(list) == len(other) {
			for i := range list {
				lost = append(lost, missingIn(list[i], other[i], path+"/"+strconv.Itoa(i))...)
			}
			return lost
		}
		if !reflect.DeepEqual(want, got) {
			lost = append(lost, path)
		}
		return lost
	}
	g, _ := got.(map[string]any)
	for _, key := range words.Keys(w) {
		lost = append(lost, missingIn(w[key], g[key], path+"/"+key)...)
	}
	return lost
}

// again is the state after it was written down and read.
func again(t *testing.T, s *machine.State) *machine.State {
	t.Helper()
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func stored(t *testing.T) *machine.State {
	t.Helper()
	text, err := os.ReadFile("testdata/checkpoint-4.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What was written once is read by every rollcall to come: this file is never
// written again. A new form gets a file of its own.
func TestTheForm(t *testing.T) {
	const file = "testdata/form-1.golden"
	if _, err := os.Stat(file); err != nil && *update {
		data, err := Encode(stored(t))
		if err == nil {
			err = os.WriteFile(file, []byte(strconv.Quote(string(data))+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	quoted, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := strconv.Unquote(strings.TrimSpace(string(quoted)))
	if err != nil || golden[0] != form {
		t.Fatal(err, golden[0])
	}
	s, err := Decode([]byte(golden))
	if err != nil || !bytes.Equal(marshal(t, s), marshal(t, stored(t))) {
		t.Errorf("the stored form does not give the state back: %v", err)
	}
}

// What is damaged is refused: every cut, a form and a part that nobody knows.
func TestDamage(t *testing.T) {
	data, err := Encode(stored(t))
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int]bool{} // cuts between parts leave a whole, of less
	for rest, at := data[1:], 1; len(rest) > 0; at = len(data) - len(rest) {
		ends[at] = true
		_, rest, _ = nextPart(rest)
	}
	for n := range data {
		if n%7 > 0 && !ends[n] && !ends[n+1] && !ends[n-1] { // around the ends of parts at every byte
			continue
		}
		if _, err := Decode(data[:n:n]); (err == nil) != ends[n] {
			t.Errorf("cut off at %d of %d: %v", n, len(data), err)
		}
	}
	with := func(b []byte, kind byte, name string, content string) []byte {
		b = beginPart(bytes.Clone(b), kind, name)
		return endPart(append(b, content...), len(b))
	}
	text := with([]byte{form}, partState, "", `{"name":"web","stages":{"Prod":{}}}`)
	for name, data := range map[string][]byte{
		"another form":                {9},
		"another part":                with(text, 'x', "", ""),
		"a stage that is not there":   with(text, partSuccesses, "Test", "e1|1|1|d|1.0,,|||;"),
		"successes without their end": with(text, partSuccesses, "Prod", "e1|1|1|d|1.0,,|||"),
		"a success of seven fields":   with(text, partSuccesses, "Prod", "e1|1|1|d|1.0,,||;"),
		"a gate without its end":      with(text, partClosed, "", "{}"),
		"a length of too much":        binary.AppendUvarint([]byte{form, partState}, 1<<63),
		"no JSON":                     with([]byte{form}, partState, "", "{"),
	} {
		if s, err := Decode(data); err == nil {
			t.Errorf("%s is read as %+v", name, s)
		}
	}
}

// What is written again without having been asked for is as it was, and what
// happened since stands before it: the newest 20 successes, the newest 50 gates.
func TestWhatIsNotAskedForStays(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	lives := machine.New("web")
	lives.Stages = stored(t).Stages
	for name := range lives.Stages {
		lives.Stages[name].Successes = ledger.Successes{}
		lives.Stages[name].Runs = nil
	}
	parked := again(t, lives)
	for n := 1; n <= 60; n++ {
		for _, s := range []*machine.State{lives, parked} {
			for _, name := range words.Keys(s.Stages) {
				x := &workflows.Execution{ID: "e" + strconv.Itoa(n), Pipeline: "web", Number: n, Version: 1, SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "c" + strconv.Itoa(n), Branch: "a|b;c"}}}
				s.Stages[name].Succeed(x, &workflows.StageExecution{Name: name, Digest: "d"}, at.Add(time.Duration(n)*time.Hour))
			}
			s.Gates = s.Gates.With(gate.Closed{Token: "t" + strconv.Itoa(n), Ref: "web#" + strconv.Itoa(n), Closed: "approved", At: at.Add(time.Duration(n) * time.Hour)})
		}
		if parked = again(t, parked); n%10 > 0 {
			continue
		}
		if a, b := marshal(t, lives), marshal(t, parked); !bytes.Equal(a, b) {
			t.Fatalf("after %d: a state that stayed in memory is\n%s\nand one that was written down each time\n%s", n, a, b)
		}
	}
	st := parked.Stages[words.Keys(parked.Stages)[0]]
	if st.Successes.Len() != 20 || st.Success("e60") == nil || st.Success("e41") == nil || st.Success("e40") != nil || st.Success("e4") != nil || st.Success("e41").Ran[0].To == nil {
		t.Errorf("%d successes are kept: %s", st.Successes.Len(), marshal(t, st.Successes))
	}
	for token, want := range map[string]bool{"t60": true, "t11": true, "t10": false, "t1": false, `"`: false, "": false} {
		if g, ok := parked.Gates.Find(token); ok != want || ok && g.Token != token {
			t.Errorf("the gate %q is known: %v, %+v", token, ok, g)
		}
	}
}
