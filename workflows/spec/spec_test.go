package spec_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

var update = flag.Bool("update", false, "write what the tests get as what they expect")

// TestGolden parses every file of testdata and compares all of its faults,
// and for an accepted file its canonical form, with FILE.expected.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.[jy]*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".expected") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, faults := spec.Parse(filepath.Base(file), data)
			var out strings.Builder
			for _, f := range faults {
				fmt.Fprintln(&out, f)
				if f.Hint == "" {
					t.Errorf("%s: a person is not told what to do", f)
				}
			}
			if p != nil {
				fmt.Fprintf(&out, "\n%s", spec.Print(p))
				roundTrip(t, p)
			}
			compare(t, file+".expected", out.String())
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, rewrite with -update):\n%s", file, diff)
	}
}

// roundTrip checks that the canonical form means the same definition, and is its own canonical form.
func roundTrip(t interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}, p *workflows.Pipeline) {
	t.Helper()
	text := spec.Print(p)
	again, faults := spec.Parse("printed.yaml", text)
	if again == nil {
		t.Fatalf("what was printed is refused: %v\n%s", faults, text)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("what was printed means something else (-was +is):\n%s\n%s", diff, text)
	}
	if p.Digest() != again.Digest() {
		t.Errorf("what was printed has another digest")
	}
	if diff := cmp.Diff(string(text), string(spec.Print(again))); diff != "" {
		t.Errorf("printing is not stable:\n%s", diff)
	}
	again, faults = spec.Parse("printed.json", spec.PrintJSON(p))
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("what the API shows as the definition means something else (-was +is): %v\n%s", faults, diff)
	}
}

func TestFiveFaultsAreAllReportedWithPlaceAndHint(t *testing.T) {
	data, err := os.ReadFile("testdata/five-faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, faults := spec.Parse("five-faults.yaml", data)
	if p != nil || len(faults) != 5 {
		t.Errorf("got %v and %d faults", p, len(faults))
	}
	for _, f := range faults {
		if f.Line < 2 || f.Col < 1 || f.Hint == "" || f.Warning {
			t.Errorf("a fault without line, column or hint: %+v", f)
		}
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	data, err := os.ReadFile("testdata/short-forms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, faults := spec.Parse("short-forms.yaml", data)
	if p == nil {
		t.Fatal(faults)
	}
	if p.ExecutionMode != workflows.ModeSuperseded || p.Ticket != nil || p.Triggers[0].ProviderType != "Git" || p.Triggers[0].Git.SourceActionName != "App" {
		t.Errorf("got %+v", p)
	}
	if *p.Variables[0].DefaultValue != "10" || p.Variables[1].DefaultValue != nil {
		t.Errorf("got %+v", p.Variables)
	}
	build := p.Stages[1]
	if build.Announce != "never" || !reflect.DeepEqual(build.Rollback, workflows.RollbackPolicy{Lock: "always", Eligible: "any", Approval: "skipRecent"}) {
		t.Errorf("got %+v", build)
	}
	for name, want := range map[string]int{"Make": 55, "Pause": 60 + 120, "Ask": 7 * 24 * 60} {
		if a, _ := build.Action(name); a.TimeoutMinutes != want || !a.Restartable {
			t.Errorf("%s: got %d minutes, restartable %v", name, a.TimeoutMinutes, a.Restartable)
		}
	}
	if app := p.Stages[0].Actions[0]; app.TimeoutMinutes != 60 || app.ActionType != (workflows.ActionType{Category: "Source", Owner: "Rollcall", Provider: "Git", Version: "1"}) {
		t.Errorf("got %+v", app)
	}
	ask, _ := build.Action("Ask")
	if diff := cmp.Diff(&workflows.ApprovalPolicy{Required: 1, Comment: "optional"}, ask.Approval); diff != "" {
		t.Error(diff)
	}
	make, _ := build.Action("Make")
	if diff := cmp.Diff([]string{"make test\nmake dist\n"}, make.Commands); diff != "" {
		t.Error(diff)
	}
}

func TestAStageWithAnEnvironmentIsCareful(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("    announce: success ", "    # ", ", restartable: false", "", "          ask: ", "          # ask: ").Replace(string(data))
	p, faults := spec.Parse("contract.yaml", []byte(text))
	if p == nil {
		t.Fatal(faults)
	}
	production, _ := p.Stage("Production")
	deploy, _ := production.Action("Deploy")
	signOff, _ := production.Action("SignOff")
	if production.Announce != "success" || deploy.Restartable {
		t.Errorf("announce %s, restartable %v", production.Announce, deploy.Restartable)
	}
	if diff := cmp.Diff(signOff.Approval.From, signOff.Approval.Ask); diff != "" {
		t.Error(diff)
	}
	if signOff.TimeoutMinutes != 1440 {
		t.Errorf("got %d minutes", signOff.TimeoutMinutes)
	}
}

// TestSamples reads declarations that other people have published.
func TestSamples(t *testing.T) {
	dir := os.Getenv("ROLLCALL_SAMPLES")
	if dir == "" {
		t.Skip("ROLLCALL_SAMPLES is not set: no published declarations to read")
	}
	files, err := filepath.Glob(filepath.Join(dir, "codepipeline", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, faults := spec.Parse(filepath.Base(file), data)
			if p == nil {
				t.Fatalf("refused: %v", faults)
			}
			for _, f := range faults {
				if provider, cannot, _ := strings.Cut(f.Message, " "); strings.Contains(cannot, "cannot run yet") && !slices.Contains(toCome, provider) {
					t.Errorf("%s", f)
				}
			}
			roundTrip(t, p)
		})
	}
}

// toCome are the providers of published declarations that do not run here so far.
var toCome = []string{"ElasticBeanstalk"}
