package checkpoint

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// grown is a state as a pipeline of six stages has it in the long run: twenty
// successes in each, fifty closed gates, one execution at its gate.
func grown(b *testing.B) *machine.State {
	b.Helper()
	text, err := os.ReadFile("testdata/checkpoint-5.json")
	if err != nil {
		b.Fatal(err)
	}
	s, err := Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for n := 1; n <= 50; n++ {
		x := workflows.Execution{ID: "0195a000-0001-7000-8000-" + strconv.Itoa(100000000000+n), Pipeline: "webshop", Number: n, Version: 1,
			SourceRevisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "6f1c8f0f8a0d4f0c9b8f4b0f2f3a5c7d9e1b2a" + strconv.Itoa(n), Branch: "main", Repository: "acme/webshop"}}}
		for name, st := range s.Stages {
			st.Succeed(&x, &workflows.StageExecution{Name: name, Digest: "2c26b46b68ffc68ff99b453c1d304134"}, at.Add(time.Duration(n)*time.Minute))
		}
		s.Gates = s.Gates.With(gate.Closed{Token: x.ID, Ref: x.Ref(), Stage: "Gate", Action: "Ok", Closed: "approved", By: "Ana", At: at.Add(time.Duration(n) * time.Minute)})
	}
	return s
}

// BenchmarkCheckpoint writes a state down, reads it again, and does what one
// success does between the two.
func BenchmarkCheckpoint(b *testing.B) {
	s := grown(b)
	data, err := Encode(s)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Encode(s); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	read := func(b *testing.B) *machine.State {
		s, err := Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			read(b)
		}
	})
	b.Run("read, succeed everywhere, write", func(b *testing.B) {
		b.ReportAllocs()
		x := workflows.Execution{ID: "0195a000-0001-7000-8000-200000000000", Number: 51, Pipeline: "webshop", Version: 1}
		for b.Loop() {
			s := read(b)
			for name, st := range s.Stages {
				st.Succeed(&x, &workflows.StageExecution{Name: name}, time.Unix(1800000000, 0))
			}
			if _, err := Encode(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read as one JSON object, as it was once", func(b *testing.B) {
		text, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(text); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(text)), "bytes")
	})
}
