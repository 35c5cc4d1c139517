package codepipeline_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

// forms are the forms of AWS, by the file that they are written to.
var forms = map[string]func(*workflows.Pipeline, codepipeline.Known) ([]byte, []codepipeline.Note, error){
	"export.json":          codepipeline.Declaration,
	"export.template.yaml": codepipeline.Template,
}

// known pipelines: of the examples, of the tests of pipeline files, and, where
// they are, declarations that others have recorded.
func known(t testing.TB) map[string]*workflows.Pipeline {
	t.Helper()
	all := map[string]*workflows.Pipeline{}
	patterns := []string{"../../../examples/*/*.yaml", "../../../examples/*/pipelines/*.yaml", "../../../examples/aws/*/*.yaml", "../../../examples/aws/*/*.json", "../testdata/*.yaml", "../testdata/*.json", "testdata/*.json"}
	if samples := os.Getenv("ROLLCALL_SAMPLES"); samples != "" {
		patterns = append(patterns, filepath.Join(samples, "codepipeline", "*.json"))
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := spec.ParseWith(file, data, os.ReadFile)
			if p != nil {
				all[file] = p
			}
		}
	}
	return all
}

// same says whether two definitions are the same, and where they differ.
func same(a, b *workflows.Pipeline) string {
	if reflect.DeepEqual(a, b) && a.Digest() == b.Digest() {
		return ""
	}
	return "\n--- was\n" + string(spec.Print(a)) + "--- came back as\n" + string(spec.Print(b))
}

// What is exported is imported as it was, whatever rollcall has that AWS has not.
func TestWhatIsExportedComesBack(t *testing.T) {
	all := known(t)
	if len(all) < 12 {
		t.Errorf("only %d pipelines were found", len(all))
	}
	for file, p := range all {
		for name, export := range forms {
			t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file)+"/"+name, func(t *testing.T) {
				comesBack(t, p, name, export)
			})
		}
	}
	if os.Getenv("ROLLCALL_SAMPLES") == "" {
		t.Run("recorded declarations", func(t *testing.T) { t.Skip("ROLLCALL_SAMPLES is not set") })
	}
}

func comesBack(t *testing.T, p *workflows.Pipeline, name string, export func(*workflows.Pipeline, codepipeline.Known) ([]byte, []codepipeline.Note, error)) {
	t.Helper()
	out, _, err := export(p, codepipeline.Known{})
	if err != nil {
		t.Fatal(err)
	}
	back, faults := codepipeline.Import(name, out, codepipeline.Options{})
	if len(back) != 1 {
		t.Fatalf("%v\n%s", faults, out)
	}
	if difference := same(p, back[0].Pipeline); difference != "" {
		t.Errorf("%s\n--- by way of\n%s", difference, out)
	}
	if strings.HasSuffix(name, ".json") && !json.Valid(out) {
		t.Errorf("no JSON:\n%s", out)
	}
}
