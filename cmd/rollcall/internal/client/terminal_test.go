package client

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// T9: whatever a stranger put into any text of what is printed, a terminal gets
// no control character but newline and tab, and no line that the stranger began.
func FuzzPrinter(f *testing.F) {
	for _, s := range []string{"\x1b]52;c;ZXZpbA==\x07", "\x1b]0;title\x1b\\", "\x1b[2J\u009b1m", "\u202eabc", "a\r\nwebshop#1  Succeeded", "\x07\t\v\xff", "%s%d%!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, print := range everything(s) {
			var out, calm bytes.Buffer
			print(Printer{W: &out, Now: now})
			everything("calm")[name](Printer{W: &calm, Now: now})
			if i := strings.IndexFunc(out.String(), steers); i >= 0 {
				t.Errorf("%s prints %q of %q", name, out.String()[i:], s)
			}
			if got, want := strings.Count(out.String(), "\n"), strings.Count(calm.String(), "\n"); got > want {
				t.Errorf("%s prints %d lines of %q, want at most %d:\n%s", name, got, s, want, out.String())
			}
		}
	})
}

func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// everything prints all that the printer can, with s in every text of it.
func everything(s string) map[string]func(Printer) {
	e, v := execution(42), queued()
	e.WaitsFor = &workflows.Wait{Stage: "x", For: workflows.WaitsForFreeze, Freeze: "x", Warning: "x", Since: now}
	e.StatusReason, e.Notes = &workflows.Reason{Message: "x"}, []workflows.Note{{Name: "x", Text: "x", URL: "x"}}
	e.Stages[1].Actions[0].Error = &workflows.Reason{Message: "x"}
	target := ledger.Target{Why: "x", SourceRevisions: e.SourceRevisions}
	feed := FeedEvent{Pipeline: "x"}
	feed.Kind, feed.Stage, feed.Action, feed.Text, feed.Reason = "x", "x", "x", "x", &workflows.Reason{Message: "x"}
	for _, all := range []any{&e, &v, &target, &feed} {
		fill(reflect.ValueOf(all).Elem(), s)
	}
	return map[string]func(Printer){
		"status of a pipeline":   func(p Printer) { p.Pipelines([]workflows.PipelineView{v}) },
		"status of an execution": func(p Printer) { p.Execution(&e) },
		"executions":             func(p Printer) { p.Executions([]workflows.Execution{e}) },
		"targets":                func(p Printer) { p.Targets(s, []ledger.Target{target}) },
		"watch":                  func(p Printer) { p.Event(feed) },
	}
}

// fill sets every text below v that is not empty; what has a type of its own, such as a status, stays.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Len() > 0 && v.Type() == reflect.TypeFor[string]() {
			v.SetString(s)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			fill(v.Elem(), s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), s)
		}
	}
}

// T9: a log on a terminal keeps its colours, and nothing else that steers one,
// however the bytes arrive.
func TestALogOnATerminal(t *testing.T) {
	const log = "\x1b[31;1mERROR\x1b[0m: broken\n10%\r50%\r100%\n\x1b]0;owned\x07\x1b[2Jlast, without an end"
	const want = "\x1b[31;1mERROR\x1b[0m: broken\n100%\nlast, without an end\x1b[0m"
	for size := 1; size <= len(log); size++ {
		var out bytes.Buffer
		w := &Terminal{W: &out}
		for rest := log; rest != ""; rest = rest[min(size, len(rest)):] {
			fmt.Fprint(w, rest[:min(size, len(rest))])
		}
		if err := w.Close(); err != nil || out.String() != want {
			t.Errorf("in pieces of %d: %q, %v; want %q", size, out.String(), err, want)
		}
	}
	var out bytes.Buffer
	w := &Terminal{W: &out}
	fmt.Fprint(w, strings.Repeat("x", longLine+1))
	if out.Len() != longLine+1 {
		t.Errorf("of a line that does not end %d bytes are shown", out.Len())
	}
}
