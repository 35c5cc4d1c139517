package codepipeline_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

// modelled holds every create-pipeline input of a folder against AWS's model of
// the service: names, types, required members, words, lengths and patterns.
const modelled = `
import glob, json, re, sys
import botocore.session, botocore.validate
shape = botocore.session.get_session().get_service_model('codepipeline').operation_model('CreatePipeline').input_shape
bad = []
def walk(file, path, shape, v):
    m = shape.metadata
    if shape.type_name == 'structure':
        for k, x in v.items(): walk(file, path + '.' + k, shape.members[k], x)
    elif shape.type_name == 'list':
        if len(v) < m.get('min', 0) or len(v) > m.get('max', 1 << 30): bad.append(f'{file}{path}: {len(v)} items')
        for i, x in enumerate(v): walk(file, f'{path}[{i}]', shape.member, x)
    elif shape.type_name == 'map':
        for k, x in v.items(): walk(file, path + '.<key>', shape.key, k); walk(file, path + '.' + k, shape.value, x)
    elif shape.type_name == 'string':
        if len(v) > m.get('max', 1 << 30) or m.get('pattern') and not re.fullmatch(m['pattern'], v, re.S) or shape.enum and v not in shape.enum: bad.append(f'{file}{path}: {v!r}')
    elif v < m.get('min', v) or v > m.get('max', v): bad.append(f'{file}{path}: {v}')
n = 0
for file in glob.glob(sys.argv[1] + '/*.json'):
    v = json.load(open(file))
    report = botocore.validate.ParamValidator().validate(v, shape)
    if report.has_errors(): bad.append(file + ': ' + report.generate_report()); continue
    walk(file, '', shape, v)
    n += 1
print('\n'.join(bad) or f'{n} ok')
`

// exported writes every known pipeline in a form into a folder.
func exported(t *testing.T, form string) (folder string, n int) {
	t.Helper()
	folder = t.TempDir()
	for file, p := range known(t) {
		if strings.HasPrefix(file, "../testdata") || strings.Contains(p.RoleArn, "ACCOUNT_ID") {
			continue // their roles and stores are of no account
		}
		out, _, err := forms[form](p, codepipeline.Known{})
		if err != nil {
			t.Fatal(err)
		}
		n++
		if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(n)+"."+form), out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, n
}

func TestAWSTakesTheDeclarations(t *testing.T) {
	if exec.Command("python3", "-c", "import botocore").Run() != nil {
		t.Skip("there is no botocore here")
	}
	folder, n := exported(t, "export.json")
	out, err := exec.Command("python3", "-c", modelled, folder).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(" ok")) || n < 8 {
		t.Errorf("%d files: %v\n%s", n, err, out)
	}
}

func TestCloudFormationTakesTheTemplates(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil || exec.Command(lint, "--version").Run() != nil {
		t.Skip("there is no cfn-lint here")
	}
	folder, n := exported(t, "export.template.yaml")
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != n {
		t.Fatal(files, err)
	}
	out, err := exec.Command(lint, append([]string{"--format", "json", "--regions", "eu-west-1", "--"}, files...)...).CombinedOutput()
	var found []any
	if json.Unmarshal(out, &found) != nil || err != nil || len(found) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
