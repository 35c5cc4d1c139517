package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// page is docs/conformance.md, and where its links lead from.
const page = "../../docs/conformance.md"

// scenario is a row of the page's first table.
type scenario struct {
	number  int
	says    string
	verdict string
	files   []string // as seen from here
}

var link = regexp.MustCompile(`\]\((\.\./[^)#]+)\)`)

func linked(text string) (files []string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		files = append(files, filepath.Join(filepath.Dir(page), m[1]))
	}
	return files
}

func readPage(t *testing.T) (text string, rows []scenario) {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil || !strings.HasPrefix(line, "|") {
			continue
		}
		if len(cells) != 4 {
			t.Fatalf("a row has four cells: %s", line)
		}
		rows = append(rows, scenario{n, cells[1], strings.TrimSpace(cells[2]), linked(cells[3])})
	}
	return string(data), rows
}

// TestConformancePage holds docs/conformance.md against the scenarios: each of
// the 100 is there once, with the files that show it, and no file is left out.
func TestConformancePage(t *testing.T) {
	text, rows := readPage(t)
	if len(rows) != 100 {
		t.Fatalf("the page has %d rows, want 100", len(rows))
	}
	named := regexp.MustCompile(`^(\d{3})-.+\.txt$`)
	shown := map[string]bool{}
	var differing []string
	for i, row := range rows {
		if row.number != i+1 {
			t.Fatalf("row %d is of number %d", i+1, row.number)
		}
		reason, differs := strings.CutPrefix(row.verdict, "differs: ")
		if row.verdict != "holds" && (!differs || reason == "") || len(row.says) < 10 {
			t.Errorf("%d says %q and %q; the one is a line, the other holds, or differs: and a reason", row.number, row.says, row.verdict)
		}
		if differs {
			differing = append(differing, strconv.Itoa(row.number))
		}
		if !slices.ContainsFunc(row.files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), fmt.Sprintf("%03d-", row.number)) }) {
			t.Errorf("%d is shown by no file of that number", row.number)
		}
		told := ""
		for _, f := range row.files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Errorf("%d: %v", row.number, err)
			}
			if m := named.FindStringSubmatch(filepath.Base(f)); m != nil && m[1] != fmt.Sprintf("%03d", row.number) {
				t.Errorf("%d is shown by %s, which has another number", row.number, filepath.Base(f))
			} else if m != nil {
				told += string(data)
			}
			shown[f] = true
		}
		if differs && !strings.Contains(told, "CodePipeline") && !strings.Contains(told, "on purpose") {
			t.Errorf("%d differs, and no comment of its files says how", row.number)
		}
	}
	if list := "differ on purpose: " + strings.Join(differing, ", ") + "."; !strings.Contains(strings.ReplaceAll(text, "\n", " "), list) {
		t.Errorf("the page should say which ones %s", list)
	}
	for _, dir := range []string{stories, "../../workflows/spec/testdata/scenarios"} {
		files, err := filepath.Glob(dir + "/[0-9]*.txt")
		if err != nil || len(files) == 0 {
			t.Fatal("no scenarios", err)
		}
		for _, f := range files {
			if !shown[f] {
				t.Errorf("the page does not name %s", f)
			}
		}
	}
}

const (
	stories = "../../workflows/machine/testdata"
	ours    = "## Our own rules\n\n| Story | What it shows |\n|---|---|\n"
)

// TestConformancePageListsOurStories holds the page's second table against the
// stories without a number; -update writes it from their first sentences.
func TestConformancePageListsOurStories(t *testing.T) {
	text, _ := readPage(t)
	head, got, ok := strings.Cut(text, ours)
	files, err := filepath.Glob(stories + "/[a-z]*.txt")
	if err != nil || !ok {
		t.Fatalf("the page has no %q, %v", ours, err)
	}
	want := ""
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var comment []string
		for _, line := range strings.Split(string(data), "\n") {
			if text, ok := strings.CutPrefix(line, "# "); ok {
				comment = append(comment, text)
			}
		}
		first, _, _ := strings.Cut(strings.Join(comment, " ")+" ", ". ")
		want += fmt.Sprintf("| [%s](%s) | %s |\n", strings.TrimSuffix(filepath.Base(f), ".txt"), strings.TrimPrefix(f, "../"), first)
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+ours+want), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("run with -update: the stories are\n%s", firstDifference(want, got))
	}
}

// statuses lists the status of everything that is unfinished: executions,
// their stages, actions, conditions (KIND:) and rules (KIND:NAME).
func statuses(s *State) map[string]workflows.Status {
	all := map[string]workflows.Status{}
	for _, e := range s.Executions {
		all[e.ID] = e.Status
		for _, st := range e.Stages {
			at := e.ID + "/" + st.Name
			all[at] = st.Status
			for _, a := range st.Actions {
				all[at+"/"+a.Name] = a.Status
			}
			for _, c := range st.Conditions {
				all[at+"/"+c.Kind+":"] = c.Status
				for _, r := range c.Rules {
					all[at+"/"+r.Name] = r.Status
				}
			}
		}
	}
	return all
}

// unsaid names a status that an event changed without naming whose it is
// (scenario 100). Beginning and end of an execution concern all that is in it;
// what is to run again is laid out anew by the event of its stage.
func unsaid(before, after map[string]workflows.Status, e event.Event) string {
	for key := range before {
		if _, kept := after[key]; !kept {
			after[key] = "" // it has ended
		}
	}
	for key, now := range after {
		was, known := before[key]
		if was == now {
			continue
		}
		part := strings.Split(key, "/")
		switch {
		case part[0] != e.Execution:
			return key
		case !known, now == "": // begins, ends
		case e.Kind == event.ExecutionObserved: // the whole row
		case len(part) == 1:
			if !strings.HasPrefix(string(e.Kind), "execution") {
				return key
			}
		case part[1] != e.Stage && e.Kind != event.ExecutionStopping:
			return key
		case len(part) == 3 && part[2] != e.Action && now != workflows.StatusNotStarted && part[2] != e.Text+":":
			return key
		}
	}
	return ""
}

// The check itself: what is not named is found.
func TestUnsaid(t *testing.T) {
	s := defined(t, "Src: App", "Prod: Deploy + Smoke")
	if err := s.bring("#1", "Prod", false); err != nil {
		t.Fatal(err)
	}
	before, after := statuses(s.s), statuses(s.s)
	at := s.ids[1] + "/Prod/Smoke"
	after[at] = workflows.StatusFailed
	e := event.Event{Kind: event.ActionFailed, Execution: s.ids[1], Stage: "Prod", Action: "Smoke"}
	if got := unsaid(before, after, e); got != "" {
		t.Errorf("%s was said", got)
	}
	for _, change := range []func(*event.Event){
		func(e *event.Event) { e.Execution = "another" },
		func(e *event.Event) { e.Stage = "Src" },
		func(e *event.Event) { e.Action = "Deploy" },
	} {
		other := e
		change(&other)
		if got := unsaid(before, after, other); got != at {
			t.Errorf("%+v: found %q, want %s", other, got, at)
		}
	}
}
