package client

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/audit"
)

// The trail that package audit reads from a record, as people read it.
func TestATrailForPeople(t *testing.T) {
	text, err := os.ReadFile("../../../../workflows/audit/testdata/trail.json")
	if err != nil {
		t.Fatal(err)
	}
	var a audit.Answer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC)
	a.Moment = &audit.Moment{At: noon, Ran: []audit.Ran{{Stage: "Staging", Environment: "staging", Execution: "webshop#43", Since: noon}, {Stage: "Production", Environment: "production", Execution: "webshop#42", Since: noon, Certain: true}}}
	a.Also = []string{"webshop#40", "billing#7"}
	var out bytes.Buffer
	Printer{W: &out, Now: noon}.Trail(&a)
	const golden = "testdata/trail.txt"
	if *rewrite {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(golden)
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("the trail (-golden +now); -rewrite writes it:\n%s", d)
	}
}
