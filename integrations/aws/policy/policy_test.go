package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write the golden files")

const role = "arn:aws:iam::444455556666:role/team/rollcall-bridge"

// bridges are of every kind that a configuration can describe.
func bridges() map[string]Bridge {
	return map[string]Bridge{
		"act": {Name: "prod-eu", Region: "eu-west-1", Account: "444455556666", Pipelines: []string{"webshop-pipeline", "api", "api"}, Act: true, Role: role,
			Caller: "arn:aws:iam::111122223333:role/rollcall", Queue: "arn:aws:sqs:eu-west-1:111122223333:rollcall"},
		"watch": {Name: "prod-eu", Region: "eu-west-1", Account: "444455556666", Pipelines: []string{"webshop-pipeline"}, Role: role, ExternalID: true, SourceIdentity: true},
		"hooks": {Name: "ecs-prod-all", Region: "eu-west-1", Account: "444455556666", Hooks: &Hooks{Cluster: "prod", Service: "*"}, Act: true, Role: role, Caller: "arn:aws:iam::111122223333:role/rollcall"},
		"alone": {Name: "here", Partition: "aws-cn", Region: "cn-north-1", Pipelines: []string{"webshop"}, Act: true, Queue: "arn:aws-cn:sqs:cn-north-1:111122223333:q"},
	}
}

// Every action is granted on what AWS's reference says, and no other action is known.
func TestLevelsAreThoseOfAWS(t *testing.T) {
	data, err := os.ReadFile("testdata/levels.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if action, types, ok := strings.Cut(strings.TrimSpace(line), " "); ok && action != "#" {
			listed[action] = strings.Split(types, ",")
		}
	}
	for action, level := range levels() {
		if !slices.Contains(listed[action], string(level)) {
			t.Errorf("%s is granted on %v, not on %s", action, listed[action], level)
		}
	}
	if len(listed) != len(levels()) {
		t.Errorf("%d actions are listed and %d are known", len(listed), len(levels()))
	}
}

// shape is what an ARN of a level looks like. An asterisk stands for the rest of a name.
func shape(on level) *regexp.Regexp {
	const pipeline = `^arn:aws(-cn)?:codepipeline:[a-z0-9-]+:(\d{12}|\*):[A-Za-z0-9.@_-]+`
	return regexp.MustCompile(map[level]string{
		onAny: `^\*$`, onPipeline: pipeline + `$`, onStage: pipeline + `/[^/]+$`, onAction: pipeline + `/[^/]+/[^/]+$`, onQueue: `^arn:aws(-cn)?:sqs:[a-z0-9-]+:\d+:[A-Za-z0-9_.-]+$`,
		onLogStream: `^arn:aws(-cn)?:logs:[^:]+:[^:]+:log-group:[^:]+:log-stream:[^:]+$`, onLogGroup: `^arn:aws(-cn)?:logs:[^:]+:[^:]+:log-group:[^:]+$`,
		onProject: `^arn:aws(-cn)?:codebuild:[^:]+:[^:]+:project/[^:]+$`, onRole: `^arn:aws(-cn)?:iam::\d{12}:role/.+$`,
		onService: `^arn:aws:ecs:[^:]+:\d{12}:service/[^/]+/[^/]+$`, onDeployment: `^arn:aws:ecs:[^:]+:\d{12}:service(-deployment/[^/]+)?/[^/]+/[^/]+$`,
		onRevision: `^arn:aws:ecs:[^:]+:\d{12}:service(-revision/[^/]+)?/[^/]+/[^/]+$`,
	}[on])
}

// No statement grants an action on a resource above its level, none uses an
// action that AWS does not have, and looking changes nothing.
func TestStatementsGrantSomething(t *testing.T) {
	for name, b := range bridges() {
		for _, d := range b.Policies().Documents {
			for _, s := range d.Statements {
				for _, action := range s.Actions {
					_, on, known := lookup(action)
					if !known {
						t.Errorf("%s: AWS has no %s", name, action)
					}
					for _, arn := range s.Resources {
						if !shape(on).MatchString(arn) {
							t.Errorf("%s: %s on %s grants nothing: it is granted on %s", name, action, arn, on)
						}
					}
					if verb := strings.SplitAfter(action, ":")[1]; d.Kind == read && !regexp.MustCompile(`^(Get|List|Describe|BatchGet|Filter)`).MatchString(verb) {
						t.Errorf("%s: %s is in the part for looking", name, action)
					}
				}
				if d.Kind != trust && len(s.Resources) == 0 || s.Sid == "" || s.Comment == "" {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	}
}

func TestKindsOfPolicies(t *testing.T) {
	for name, want := range map[string][]string{"act": {base, read, act, trust, deny}, "watch": {base, read, trust}, "hooks": {base, read, act, trust, deny}, "alone": {base, read, act, deny}} {
		var got []string
		for _, d := range bridges()[name].Policies().Documents {
			got = append(got, d.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	const pipeline = "arn:aws:codepipeline:eu-west-1:1:shop"
	for _, c := range []struct{ action, resource, want string }{
		{"codepipeline:RollbackStage", pipeline, pipeline + "/*"},
		{"codepipeline:rollbackstage", pipeline + "/Production", pipeline + "/Production"},
		{"codepipeline:PutApprovalResult", pipeline, pipeline + "/*/*"},
		{"codepipeline:PutApprovalResult", pipeline + "/Production", pipeline + "/Production/*"},
		{"codepipeline:GetPipeline", pipeline, pipeline},
		{"codepipeline:ListPipelines", pipeline, "*"},
		{"codepipeline:RollbackStage", "", "*"},
		{"s3:GetObject", "arn:aws:s3:::b/k", "arn:aws:s3:::b/k"},
	} {
		if s := Missing(c.action, c.resource); s.Resources[0] != c.want {
			t.Errorf("%s on %s: %s, want %s", c.action, c.resource, s.Resources[0], c.want)
		}
	}
}

func TestRoleOf(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sts::1:assumed-role/bridge/session":    "arn:aws:iam::1:role/bridge",
		"arn:aws-cn:sts::1:assumed-role/bridge/session": "arn:aws-cn:iam::1:role/bridge",
		"arn:aws:iam::1:user/a":                         "arn:aws:iam::1:user/a",
		"arn:aws:sts::1:federated-user/a":               "arn:aws:sts::1:federated-user/a",
		"arn:aws:sts::1:assumed-role/":                  "arn:aws:sts::1:assumed-role/", "": "", "CodeBuild": "CodeBuild",
	} {
		if got := RoleOf(arn); got != want {
			t.Errorf("%s: %s, want %s", arn, got, want)
		}
	}
}

// The three formats say the same, and are what their readers take.
func TestFormats(t *testing.T) {
	for name, b := range bridges() {
		t.Run(name, func(t *testing.T) {
			s := b.Policies()
			for file, got := range map[string][]byte{name + ".json": s.JSON(), name + ".tf": s.Terraform(), name + ".yaml": s.CloudFormation()} {
				golden(t, file, got)
			}
			var all struct {
				Policies []struct {
					Kind     string
					Document any
				}
			}
			if err := json.Unmarshal(s.JSON(), &all); err != nil || len(all.Policies) != len(s.Documents) {
				t.Fatal(err)
			}
			var template map[string]any
			parameters := strings.NewReplacer("!Ref RollcallCallerArn", anyCaller, "!Ref RollcallExternalId", externalID)
			if err := yaml.Unmarshal([]byte(parameters.Replace(string(s.CloudFormation()))), &template); err != nil {
				t.Fatal(err)
			}
			formation := statementsIn(template)
			for _, p := range all.Policies {
				for _, want := range p.Document.(map[string]any)["Statement"].([]any) {
					sid := want.(map[string]any)["Sid"].(string)
					if got := normal(formation[sid]); !reflect.DeepEqual(got, normal(want)) {
						t.Errorf("CloudFormation says of %s\n%v\nand JSON\n%v", sid, got, normal(want))
					}
				}
			}
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%v); look at: go test ./integrations/aws/policy -update && git diff\n%s", path, err, got)
	}
}

// statementsIn finds the statements of a template, by Sid.
func statementsIn(node any) map[string]any {
	found := map[string]any{}
	switch n := node.(type) {
	case map[string]any:
		if sid, ok := n["Sid"].(string); ok {
			found[sid] = n
		}
		for _, v := range n {
			for sid, s := range statementsIn(v) {
				found[sid] = s
			}
		}
	case []any:
		for _, v := range n {
			for sid, s := range statementsIn(v) {
				found[sid] = s
			}
		}
	}
	return found
}

// normal makes one value and a list of one the same.
func normal(node any) any {
	switch n := node.(type) {
	case map[string]any:
		for k, v := range n {
			n[k] = normal(v)
		}
	case []any:
		if len(n) == 1 {
			return n[0]
		}
	}
	return node
}

// Names from outside are quoted in every format.
func TestOddNamesStayText(t *testing.T) {
	s := Bridge{Name: "p\"${x}%{y}\n#", Region: "eu-west-1", Account: "1", Pipelines: []string{`a"b${c}%{d}` + "\n- e: f"}, Act: true, Role: role, Caller: "x\x00\b"}.Policies()
	var out any
	if err := json.Unmarshal(s.JSON(), &out); err != nil {
		t.Error(err)
	}
	if err := yaml.Unmarshal(s.CloudFormation(), &out); err != nil {
		t.Errorf("%v\n%s", err, s.CloudFormation())
	}
	if hcl := string(s.Terraform()); strings.Contains(hcl, `"a\"b${c}`) || !strings.Contains(hcl, `a\"b$${c}%%{d}\n- e: f`) || strings.Contains(hcl, `\b`) {
		t.Errorf("%s", hcl)
	}
}

// What reads these formats elsewhere takes them, and finds nothing to lay out otherwise.
func TestOtherProgramsTakeTheFormats(t *testing.T) {
	unknown := []string{"--ignore-checks", "W3037", "--"} // its actions are older than some of ECS's; levels are compared with the reference
	for _, c := range []struct {
		program, ending string
		args            []string
		text            func(Set) []byte
	}{{"terraform", ".tf", []string{"fmt", "-check", "-diff"}, Set.Terraform}, {"cfn-lint", ".yaml", unknown, Set.CloudFormation}} {
		t.Run(c.program, func(t *testing.T) {
			path, err := exec.LookPath(c.program)
			if err != nil {
				t.Skip(c.program + " is not on PATH")
			}
			dir := t.TempDir()
			sets := map[string]Set{"pipeline": shop().Policies()}
			for name, b := range bridges() {
				sets[name] = b.Policies()
			}
			for name, s := range sets {
				file := filepath.Join(dir, name+c.ending)
				if err := os.WriteFile(file, c.text(s), 0o600); err != nil {
					t.Fatal(err)
				}
				c.args = append(c.args, file)
			}
			cmd := exec.Command(path, c.args...)
			cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE=/dev/null", "CHECKPOINT_DISABLE=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// What the bridge, the queue, doctor and init call is what the policies grant: nothing is
// missing, and nothing is granted that nobody calls.
func TestTheGrantsAreTheCalls(t *testing.T) {
	granted := map[string]bool{}
	b := Bridge{Name: "x", Region: "eu-west-1", Account: "444455556666", Pipelines: []string{"p"}, Act: true, Role: role, Queue: "arn:aws:sqs:eu-west-1:1:q", SourceIdentity: true}
	for _, d := range b.Policies().Documents {
		for _, s := range d.Statements {
			for _, action := range s.Actions {
				granted[action] = granted[action] || !s.Deny
			}
		}
	}
	granted["codebuild:BatchGetProjects"] = true                                     // by the kind of action that builds
	called := map[string]bool{"sts:AssumeRole": true, "sts:SetSourceIdentity": true} // by accounts
	input := regexp.MustCompile(`\b(codepipeline|sqs|codebuild|cloudwatchlogs)\.(\w+)Input\b`)
	for _, folder := range []string{"../bridge", "../checkup", "../events"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range input.FindAllStringSubmatch(string(text), -1) {
				if !strings.HasSuffix(file, "_test.go") {
					called[strings.Replace(m[1], "cloudwatchlogs", "logs", 1)+":"+strings.TrimSuffix(m[2], "Batch")] = true
				}
			}
		}
	}
	for action := range called {
		if !granted[action] {
			t.Errorf("%s is called, and iam-policy does not grant it", action)
		}
	}
	for action := range granted {
		if !called[action] {
			t.Errorf("%s is granted, and nobody calls it", action)
		}
	}
}
