package event_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Outputs that the log cannot keep are left out, all of them, and people are told;
// what the runner still has is not changed.
func TestOutputsThatAreTooLarge(t *testing.T) {
	const limit = 122_880
	for _, c := range []struct {
		name    string
		outputs map[string]string
		summary string
		kept    bool
		says    string
	}{
		{"none", nil, "done", true, "done"},
		{"just fits", map[string]string{"a": strings.Repeat("x", limit-1)}, "done", true, "done"},
		{"a byte more", map[string]string{"a": strings.Repeat("x", limit)}, "done", false, "done; its output variables hold 122881 bytes"},
		{"names count", map[string]string{strings.Repeat("n", limit): "x"}, "", false, "its output variables hold 122881 bytes"},
		{"bytes, not characters", map[string]string{"a": strings.Repeat("ä", limit/2)}, "", false, "its output variables hold 122881"},
		{"many small ones", map[string]string{"a": strings.Repeat("x", limit/2), "b": strings.Repeat("x", limit/2)}, "", false, "its output variables hold 122882"},
	} {
		o := event.Outcome{Summary: c.summary, Outputs: c.outputs, ExternalID: "7"}
		got := o.Bounded()
		if kept := len(got.Outputs) == len(c.outputs); kept != c.kept || !kept && got.Outputs != nil {
			t.Errorf("%s: %d outputs are kept", c.name, len(got.Outputs))
		}
		if !strings.HasPrefix(got.Summary, c.says) || got.ExternalID != "7" {
			t.Errorf("%s: %q, want %q", c.name, got.Summary, c.says)
		}
		if len(o.Outputs) != len(c.outputs) || o.Summary != c.summary {
			t.Errorf("%s: the runner's own answer has changed", c.name)
		}
	}
}

func TestWhichExecutionsABatchTouches(t *testing.T) {
	of := func(ids ...string) (f event.Frame) {
		for _, id := range ids {
			f.Events = append(f.Events, event.Event{Execution: id})
		}
		return f
	}
	for _, c := range []struct {
		frames []event.Frame
		want   []string
	}{
		{nil, nil},
		{[]event.Frame{of(), of("")}, nil},
		{[]event.Frame{of("e2", "", "e1", "e2"), of("e1", "e3")}, []string{"e2", "e1", "e3"}},
	} {
		if got := (event.Batch{Frames: c.frames}).Executions(); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}

func TestUnfinishedIsItsCause(t *testing.T) {
	cause := errors.New("Slack does not answer")
	var err error = &event.Unfinished{Err: cause}
	if !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("%v", err)
	}
}
