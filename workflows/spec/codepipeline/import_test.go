package codepipeline_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

var update = flag.Bool("update", false, "write what is imported now into testdata")

// report is everything that an import says.
func report(file string, data []byte, o codepipeline.Options) string {
	var out strings.Builder
	all, faults := codepipeline.Import(file, data, o)
	for _, f := range faults {
		fmt.Fprintln(&out, f)
	}
	for i := range all {
		fmt.Fprintf(&out, "# %s\n%s", all[i].ID, spec.Print(all[i].Pipeline))
		for _, n := range all[i].Notes {
			fmt.Fprintf(&out, "%d:%d %s\n", n.Line, n.Col, n)
		}
	}
	return out.String()
}

// What becomes of whole templates, and of faulty ones, is read in testdata.
func TestTemplates(t *testing.T) {
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".expected") {
			continue
		}
		n++
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := report(filepath.Base(file), data, codepipeline.Options{Parameters: map[string]string{"AWS::StackName": "acme"}})
			if *update {
				if err := os.WriteFile(file+".expected", []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file + ".expected")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got, rewrite with -update)\n%s", diff)
			}
		})
	}
	if n < 4 {
		t.Errorf("only %d templates", n)
	}
}

// Every action and every rule of what is imported is accounted for, and what is
// imported is a pipeline file.
func TestEveryPartIsAccountedFor(t *testing.T) {
	for file, p := range known(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, faults := codepipeline.Import(file, data, codepipeline.Options{})
		if strings.Contains(string(data), "extends:") {
			continue // a template of ours above it is read by rollcall alone
		}
		if len(all) != 1 {
			t.Errorf("%s: %v", file, faults)
			continue
		}
		if difference := same(p, all[0].Pipeline); difference != "" {
			t.Errorf("%s: %s", file, difference)
		}
		for _, s := range p.Stages {
			for _, a := range s.Actions {
				if !slices.ContainsFunc(all[0].Notes, func(n codepipeline.Note) bool { return n.Where == s.Name+"/"+a.Name }) {
					t.Errorf("%s: nothing is said of %s/%s", file, s.Name, a.Name)
				}
			}
			if c := s.BeforeEntry; c != nil && !slices.ContainsFunc(all[0].Notes, func(n codepipeline.Note) bool { return n.Where == s.Name+" beforeEntry/"+c.Rules[0].Name }) {
				t.Errorf("%s: nothing is said of the rule %s", file, c.Rules[0].Name)
			}
		}
	}
}

// What is filled in is told by whoever imports: the values of parameters, the name.
func TestValuesThatAreGiven(t *testing.T) {
	data, err := os.ReadFile("testdata/sam.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, _ := codepipeline.Import("sam.yaml", data, codepipeline.Options{Name: "shop", Parameters: map[string]string{
		"Stage": "dev", "Repo": "acme/shop", "Approve": "no", "AWS::AccountId": "111122223333", "AWS::Region": "eu-west-1",
	}})
	if len(all) != 1 {
		t.Fatal("no pipeline")
	}
	p := all[0].Pipeline
	if p.Name != "shop" || p.RoleArn != "arn:aws:iam::111122223333:role/service/pipe-dev" || p.Stages[0].Actions[0].Configuration["FullRepositoryId"] != "acme/shop" {
		t.Errorf("%s", spec.Print(p))
	}
	if a := p.Stages[2].Actions; len(a) != 2 || a[0].Configuration["ClusterName"] != "shop-dev" {
		t.Errorf("the condition does not hold and the mapping is that of dev: %+v", a)
	}
}

// What a form of AWS is edited to afterwards is what counts; rollcall's part stays with what is left.
func TestEditedInBetween(t *testing.T) {
	p, _ := spec.Parse("shop.yaml", []byte(`name: shop
channel: "#shop"
stages:
- name: Source
  actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]
- name: Dev
  environment: dev
  actions: [{name: Go, provider: Commands, commands: [make dev], inputArtifacts: [app]}]
- name: Prod
  environment: production
  actions: [{name: OK, provider: Manual, approval: {from: ["group:ops"], required: 2}}, {name: Go, provider: Commands, runOrder: 2, commands: [make prod], inputArtifacts: [app]}]
`))
	out, notes, err := codepipeline.Template(p, codepipeline.Known{RoleArn: "arn:aws:iam::111122223333:role/p"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(out), "Name: Dev", "Name: Test", 1)
	text = strings.Replace(text, "make prod", "make production", 1)
	all, faults := codepipeline.Import("edited.yaml", []byte(text), codepipeline.Options{})
	if len(all) != 1 {
		t.Fatal(faults)
	}
	got := all[0].Pipeline
	if got.Channel != "#shop" || got.Stages[1].Name != "Test" || got.Stages[1].Environment != "" || got.Stages[2].Environment != "production" ||
		got.Stages[2].Actions[0].Approval.Required != 2 || got.Stages[2].Actions[1].Commands[0] != "make production" {
		t.Errorf("%s", spec.Print(got))
	}
	if !slices.ContainsFunc(all[0].Notes, func(n codepipeline.Note) bool { return strings.Contains(n.Text, `"Dev" is passed over`) }) {
		t.Errorf("nothing says that Dev is gone: %v", all[0].Notes)
	}
	for _, n := range notes {
		if n.Fit == codepipeline.NoMatch && n.Where == "Prod/OK/approval" {
			return
		}
	}
	t.Errorf("the approval is not reported: %v", notes)
}

// Tags that are cut or damaged are refused in words.
func TestDamagedTags(t *testing.T) {
	p, _ := spec.Parse("shop.yaml", []byte("name: shop\nchannel: \"#shop\"\nstages:\n- name: Source\n  actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/shop, BranchName: main}, outputArtifacts: [app]}]\n- name: Dev\n  actions: [{name: OK, provider: Manual}]\n"))
	out, _, err := codepipeline.Declaration(p, codepipeline.Known{})
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(out), `"rollcall:1"`)
	text := string(out)[:at] + strings.Replace(string(out)[at:], `"value": "`, `"value": "AAAA`, 1)
	all, faults := codepipeline.Import("damaged.json", []byte(text), codepipeline.Options{})
	if len(all) != 0 || len(faults) != 1 || !strings.Contains(faults[0].Message, "rollcall") {
		t.Errorf("%v", faults)
	}
}

// FuzzImport checks what must hold for every file: it ends, a fault has a place,
// there is a pipeline exactly when there is no error, and it is a pipeline file.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*[nl]")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("Resources: {P: {Type: AWS::CodePipeline::Pipeline, Properties: {Stages: !If [A, !Ref P, !GetAtt P.Name]}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, faults := codepipeline.Import("fuzz", data, codepipeline.Options{})
		failed := false
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Message == "" {
				t.Errorf("a fault without a place: %+v", fault)
			}
			failed = failed || !fault.Warning
		}
		if failed == (len(all) > 0) {
			t.Fatalf("%d pipelines and %v", len(all), faults)
		}
		for i := range all {
			again, faults := spec.Parse("again", spec.Print(all[i].Pipeline))
			if again == nil || again.Digest() != all[i].Pipeline.Digest() {
				t.Errorf("no pipeline file: %v\n%s", faults, spec.Print(all[i].Pipeline))
			}
		}
	})
}

// FuzzExport checks that whatever is a pipeline file comes back from AWS's forms.
func FuzzExport(f *testing.F) {
	for _, p := range known(f) {
		f.Add(spec.Print(p))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, _ := spec.Parse("fuzz.yaml", data)
		if p == nil {
			return
		}
		for name, export := range forms {
			comesBack(t, p, name, export)
		}
	})
}
