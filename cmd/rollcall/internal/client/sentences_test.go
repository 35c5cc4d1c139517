package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// Where an execution is, and how it ended, in one sentence that begins with its name.
func TestSentences(t *testing.T) {
	with := func(change func(*workflows.Execution)) workflows.Execution {
		e := execution(42)
		change(&e)
		return e
	}
	ended := func(status workflows.Status, code, message string) workflows.Execution {
		return with(func(e *workflows.Execution) {
			e.Status, e.EndedAt = status, &now
			if code != "" {
				e.StatusReason = &workflows.Reason{Code: code, Message: message}
			}
		})
	}
	for _, c := range []struct {
		about string
		e     workflows.Execution
		want  string
		gate  bool
	}{
		{"never seen", workflows.Execution{}, "it has not been seen", false},
		{"between stages", execution(42), "webshop#42 is running, done with Source", false},
		{"behind a freeze", frozen(), "webshop#43 is blocked: Production is frozen (year-end)", false},
		{"at a gate", asked(), "webshop#44 is waiting for approval in Production", true},
		{"past its gate", overriddenOne(), "webshop#42 is checking conditions in Production", false},
		{"succeeded", ended(workflows.StatusSucceeded, "", ""), "webshop#42 succeeded", false},
		{"failed", ended(workflows.StatusFailed, "ActionFailed", "Deploy in Production: exit status 1"), "webshop#42 failed: Deploy in Production: exit status 1", false},
		{"rejected", ended(workflows.StatusFailed, "NotApproved", "rejected by Cho"), "webshop#42 was not approved: rejected by Cho", false},
		{"superseded", ended(workflows.StatusSuperseded, "", ""), "webshop#42 was superseded", false},
		{"cancelled", ended(workflows.StatusCancelled, "", ""), "webshop#42 was cancelled", false},
		{"stopped by somebody", with(func(e *workflows.Execution) {
			e.Status, e.Stop = workflows.StatusStopped, &workflows.Stop{By: ana, Reason: "wrong branch"}
		}), "webshop#42 was stopped by ana: wrong branch", false},
	} {
		if got := Sentence(&c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
		if got := WaitsForApproval(&c.e); got != c.gate {
			t.Errorf("%s: waits for approval: %t", c.about, got)
		}
	}
}

// Moments and durations at their edges: a minute more or less changes the unit, never the sense.
func TestTimes(t *testing.T) {
	p := Printer{Now: now}
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 0: "just now", 1999 * time.Millisecond: "just now", 2 * time.Second: "2 s ago", 119 * time.Second: "119 s ago",
		2 * time.Minute: "2 min ago", 119 * time.Minute: "119 min ago", 2 * time.Hour: "2 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", 400 * 24 * time.Hour: "400 days ago",
	} {
		if got := p.ago(ago(d)); got != want {
			t.Errorf("%s ago: %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Minute: "0 s", 0: "0 s", 400 * time.Millisecond: "0 s", 59400 * time.Millisecond: "59 s", 59600 * time.Millisecond: "1 min 0 s", 185 * time.Second: "3 min 5 s",
		time.Hour - time.Second: "59 min 59 s", time.Hour: "1 h 0 min", 47*time.Hour + 59*time.Minute: "47 h 59 min", 48 * time.Hour: "2 days",
	} {
		from, to := now, now.Add(d)
		if got := p.took(&from, &to); got != want {
			t.Errorf("took %s: %q, want %q", d, got, want)
		}
	}
	if from := ago(41 * time.Second); p.took(nil, &now) != "-" || p.took(&from, nil) != "41 s" {
		t.Errorf("not begun: %q; under way: %q", p.took(nil, &now), p.took(&from, nil))
	}
	for at, want := range map[time.Time]string{
		now: "09:30", now.Add(-10 * time.Hour): "21 Dec 23:30", now.AddDate(-1, 0, 0): "22 Dec 2025 09:30",
		time.Date(2026, 12, 22, 0, 30, 0, 0, berlin): "21 Dec 23:30", // yesterday, for who reads it
	} {
		if got := p.clock(at); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	for _, c := range []struct {
		to   time.Time
		want string
	}{{freeze.To, "4 Jan 2027"}, {time.Date(2027, 1, 1, 0, 0, 0, 0, berlin), "31 Dec 2026"}, {time.Date(2027, 3, 29, 12, 0, 0, 0, berlin), "29 Mar 2027 12:00 CET"}} {
		if got := lastDay(c.to); got != c.want {
			t.Errorf("frozen until %s: %q, want %q", c.to, got, c.want)
		}
	}
}

// Whatever stands in a commit message, a reason or a name forges no row and steers no terminal.
func TestStrangersForgeNothing(t *testing.T) {
	const evil = "Mend\nwebshop#99  Succeeded\r\x1b[2Jx\u202e"
	e := asked()
	e.SourceRevisions[0].RevisionSummary, e.Trigger.By.Name, e.Undelivered = evil, evil, evil
	e.StatusReason = &workflows.Reason{Code: "ActionFailed", Message: evil}
	e.Stages[1].Name, e.Stages[1].Actions[1].Error = evil, &workflows.Reason{Message: evil}
	e.Notes = []workflows.Note{{Name: evil, Text: evil, URL: evil}}
	view := queued()
	view.Stages[1].Transition.Reason, view.Stages[1].Name = evil, evil
	for name, print := range map[string]func(Printer){
		"execution":  func(p Printer) { p.Execution(&e) },
		"executions": func(p Printer) { p.Executions([]workflows.Execution{e}) },
		"pipelines":  func(p Printer) { p.Pipelines([]workflows.PipelineView{view, view}) },
		"names":      func(p Printer) { p.Names([]workflows.PipelineView{{Name: evil, File: evil}}) },
		"targets":    func(p Printer) { p.Targets(evil, []ledger.Target{{Number: 1, Why: evil}}) },
		"line":       func(p Printer) { p.Line(evil) },
	} {
		for _, width := range []int{0, 1, 20, 40, 80} {
			var out bytes.Buffer
			print(Printer{W: &out, Now: now, Wide: true, Width: width})
			if strings.ContainsAny(out.String(), "\x1b\r\u202e") || strings.HasPrefix(out.String(), "webshop#99") || strings.Contains(out.String(), "\nwebshop#99") {
				t.Errorf("%s, width %d: %q", name, width, out.String())
			}
		}
	}
}

// A table narrower than its columns can be keeps every column, and the heading above it.
func TestVeryNarrowTables(t *testing.T) {
	for _, width := range []int{1, 10, 30, 45} {
		var out bytes.Buffer
		Printer{W: &out, Now: now, Width: width}.Executions([]workflows.Execution{asked(), frozen()})
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 3 {
			t.Fatalf("width %d: %d lines\n%s", width, len(lines), out.String())
		}
		at := runewidth.StringWidth(lines[0][:strings.Index(lines[0], "NOTE")])
		for _, line := range lines[1:] {
			if got := runewidth.Truncate(line, at, ""); !strings.HasSuffix(got, "  ") || runewidth.StringWidth(line) <= at {
				t.Errorf("width %d: the last column does not begin below its heading:\n%s", width, out.String())
			}
		}
	}
}

// Where there is nothing to list, a sentence says so, and what to do.
func TestNothingToList(t *testing.T) {
	for want, print := range map[string]func(Printer){
		"no pipelines yet; put a file into the service's pipelines folder, or send one: rollcall apply FILE\n": func(p Printer) { p.Pipelines(nil) },
		"no executions\n":                   func(p Printer) { p.Executions(nil) },
		"nothing has succeeded there yet\n": func(p Printer) { p.Targets("webshop", nil) },
	} {
		var out bytes.Buffer
		print(Printer{W: &out, Now: now})
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
