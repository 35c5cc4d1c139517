package needs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

const (
	account    = "111122223333"
	region     = "eu-west-1"
	service    = "arn:aws:iam::111122223333:role/rollcall"
	far        = "us-east-1"
	externalID = "EXTERNAL_ID" // as it is printed
	topic      = "arn:aws:sns:eu-west-1:111122223333:approvals"
	namespace  = "Rollcall"
	// commandsOn is the project that Commands run on.
	commandsOn = "commands"
)

// spared are the actions that no run of a pipeline uses, and why they are printed.
func spared() map[string]string {
	return map[string]string{"s3:GetBucketVersioning": "doctor looks whether the bucket keeps versions"}
}

// The policies that iam-policy prints for an example are enough to run it, whatever
// goes well or wrong; without any one of their statements something is denied, and
// what people read names that very action and resource.
func TestPoliciesOfExamples(t *testing.T) {
	alone(t)
	for _, file := range exampleFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, faults := spec.Parse(file, text)
			if p == nil {
				t.Fatal(faults)
			}
			x := exampleOf(t, p)
			for _, s := range append(x.scenarios(), x.troubles()...) {
				if w := x.run(t, s, nil); len(w.lacks()) > 0 || w.wrong != "" {
					t.Errorf("%s with all that is printed: it lacks %v %s\n%s", s, w.lacks(), w.wrong, w.log+string(w.row))
				}
			}
			for i, d := range x.set.Documents {
				for k, s := range d.Statements {
					without := func(name string, l *lost) {
						t.Run(fmt.Sprintf("without %s of %s", name, d.Name), func(t *testing.T) {
							t.Parallel()
							x.misses(t, l)
						})
					}
					if d.Kind == "optional" {
						continue
					}
					without(s.Sid, &lost{i, k, d, s})
					for _, action := range s.Actions { // of the kinds it is proved beside them
						if d.Kind == "base" && p.Name == "others" && spared()[action] == "" {
							one := s
							one.Actions = []string{action}
							without(action, &lost{i, k, d, one})
						}
					}
				}
			}
		})
	}
}

// storeIn is where artifacts of a Region are kept.
func storeIn(region string) policy.Store {
	return policy.Store{Region: region, Bucket: "acme-artifacts-" + region, Prefix: "rollcall", Key: "arn:aws:kms:" + region + ":" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab", Account: account}
}

// exampleFiles are the pipelines of the examples in AWS, and one of what they do not have.
func exampleFiles(t *testing.T) (all []string) {
	err := filepath.WalkDir("../../../../examples/aws", func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".json") && !strings.HasSuffix(path, ".test.yaml") {
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatal("there are no examples", err)
	}
	return append(all, "testdata/others.yaml")
}

// example is a pipeline, and what is printed for it.
type example struct {
	p   *workflows.Pipeline
	in  policy.Pipelines
	set policy.Set
}

// exampleOf prints a pipeline's policies: of a service whose artifacts are encrypted,
// whose roles want an external ID and are told for whom they work, and that tells AWS
// what happens.
func exampleOf(t *testing.T, p *workflows.Pipeline) *example {
	for _, s := range p.Stages {
		for i, a := range s.Actions {
			if a.ActionType.Provider == "Manual" {
				s.Actions[i].Configuration = map[string]string{"NotificationArn": topic}
				maps.Copy(s.Actions[i].Configuration, a.Configuration)
			}
		}
	}
	x := &example{p: p, in: policy.Pipelines{Name: p.Name, Region: region, Caller: service, Roles: map[string]policy.Trust{},
		Stores: []policy.Store{storeIn(region)}}}
	for _, one := range Steps(p, commandsOn) {
		if one.Action.Region == far && len(x.in.Stores) == 1 {
			x.in.Stores = append(x.in.Stores, storeIn(far))
		}
	}
	x.in.Base = []policy.Statement{policy.Place{Region: region, Account: account}.PublishEvents("default"), policy.PublishMetrics(namespace)}
	uses, said := Uses(p, x.in, commandsOn, aws.Kinds(commandsOn))
	if len(said) > 0 {
		t.Errorf("it says %q", said)
	}
	x.in.Uses = append(uses, Approvals(p, x.in)...)
	for _, u := range x.in.Uses {
		for _, role := range u.Roles {
			x.in.Roles[role] = policy.Trust{ExternalID: true, SourceIdentity: true}
		}
	}
	x.set = x.in.Policies()
	return x
}

// scenarios are a success, and a failure of each deployment that is looked into then.
func (x *example) scenarios() []string { return append([]string{""}, breakable(x.p)...) }

// stopped stands before a step during which somebody stops the execution.
const stopped = "stop "

// troubles are what else goes wrong: each build fails, and each action is stopped.
func (x *example) troubles() (all []string) {
	for _, stage := range x.p.Stages {
		for _, a := range stage.Actions {
			if spec.InAWS(a.ActionType) {
				all = append(all, stopped+stage.Name+"/"+a.Name)
			}
			if a.ActionType.Provider == "CodeBuild" && a.Configuration["BatchEnabled"] == "" {
				all = append(all, stage.Name+"/"+a.Name)
			}
		}
	}
	return all
}

// lost is a statement that is not granted, or some of its actions.
type lost struct {
	document, statement int
	of                  policy.Document
	policy.Statement
}

// right is an action that was denied, and on what.
type right struct{ action, resource string }

// is says whether a right is one that the statement gives.
func (l *lost) is(r right) bool {
	resources := l.Resources
	if l.of.Kind == "trust" {
		resources = []string{l.of.Role}
	}
	return slices.Contains(l.Actions, r.action) && slices.ContainsFunc(resources, func(pattern string) bool {
		if l.of.Kind == "key" { // of that key
			pattern = keyOf(l.of)
		}
		return regexp.MustCompile("^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$").MatchString(r.resource)
	})
}

// misses runs the example without a statement: something must say so, and nothing else.
func (x *example) misses(t *testing.T, l *lost) {
	t.Helper()
	var seen []string
	for _, s := range x.scenarios() {
		if s != "" && !x.concerns(s, l) {
			continue
		}
		w := x.run(t, s, l)
		for _, r := range w.lacks() {
			if !l.is(r) {
				t.Errorf("it names %v", r)
			}
		}
		if len(w.lacks()) > 0 {
			return
		}
		seen = append(seen, fmt.Sprintf("%s: %s\n%s", s, w.ended, w.log))
	}
	t.Errorf("nothing is missed: %s", strings.Join(seen, "\n"))
}

// concerns says whether the failure of a step may take a statement that its success does not.
func (x *example) concerns(step string, l *lost) bool {
	return slices.ContainsFunc(x.in.Uses, func(u policy.Use) bool {
		return u.Action == x.p.Name+": "+step && (len(u.Roles) == 0 || u.Roles[len(u.Roles)-1] == l.of.Role) &&
			slices.ContainsFunc(u.Statements, func(s policy.Statement) bool { return s.Sid == strings.TrimRight(l.Sid, "0123456789") })
	})
}

// run plays a scenario, without a statement where one is given.
func (x *example) run(t *testing.T, scenario string, l *lost) *world {
	t.Helper()
	return play(t, x, scenario, func(fake *awsfake.Server) error { return x.grant(fake, l) })
}

// grant gives everybody what is printed for them, and no more.
func (x *example) grant(fake *awsfake.Server, l *lost) error {
	documents := map[string][]string{} // by whom they are for
	for _, u := range x.in.Uses {
		for _, role := range u.Roles {
			documents["act "+role] = nil
		}
		if u.Service != "" {
			documents["act "+serviceRole(u)] = nil
		}
	}
	documents["act "+service] = nil
	for _, s := range x.in.Stores {
		documents["bucket arn:aws:s3:::"+s.Bucket], documents["key "+s.Key] = nil, nil
	}
	for i, d := range x.set.Documents {
		if l != nil && l.document == i {
			d.Statements = slices.Clone(d.Statements)
			s := &d.Statements[l.statement]
			s.Actions = slices.DeleteFunc(slices.Clone(s.Actions), func(action string) bool { return slices.Contains(l.Actions, action) })
			if len(s.Actions) == 0 {
				d.Statements = slices.Delete(d.Statements, l.statement, l.statement+1)
			}
		}
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		for _, whom := range x.whom(d) {
			documents[whom] = append(documents[whom], string(text))
		}
	}
	for whom, texts := range documents {
		kind, arn, _ := strings.Cut(whom, " ")
		if err := grantOne(fake, kind, arn, texts); err != nil {
			return err
		}
	}
	return nil
}

func grantOne(fake *awsfake.Server, kind, arn string, texts []string) error {
	switch kind {
	case "trust":
		return fake.TrustPolicy(arn, texts[0])
	case "bucket", "key":
		return fake.ResourcePolicy(arn, account, texts...)
	}
	if len(texts) == 0 {
		texts = []string{`{"Version": "2012-10-17", "Statement": []}`}
	}
	return fake.Policies(arn, texts...)
}

// whom a document is for: its kind and an ARN.
func (x *example) whom(d policy.Document) (all []string) {
	switch d.Kind {
	case "base":
		return []string{"act " + service}
	case "act":
		return []string{"act " + d.Role}
	case "trust":
		return []string{"trust " + d.Role}
	case "bucket":
		return []string{"bucket " + strings.TrimSuffix(d.Statements[0].Resources[0], "/rollcall/*")}
	case "key":
		return []string{"key " + keyOf(d)}
	case "service":
		for _, u := range x.in.Uses {
			if u.Service != "" && strings.Contains(d.Comment, " "+u.Service+":") && !slices.Contains(all, "act "+serviceRole(u)) {
				all = append(all, "act "+serviceRole(u))
			}
		}
	}
	return all
}

// keyOf is the key that a document is for.
func keyOf(d policy.Document) string {
	for _, region := range []string{region, far} {
		if strings.HasSuffix(d.Name, "key-of-"+storeIn(region).Bucket) {
			return storeIn(region).Key
		}
	}
	return ""
}

// serviceRole is the role of the project of CodeBuild that an action runs on.
func serviceRole(u policy.Use) string {
	return "arn:aws:iam::" + u.At.Account + ":role/codebuild-" + strings.TrimPrefix(u.Service, "the CodeBuild project ")
}

// longest is how long a run may take before it counts as stuck, by its own clock.
const longest = 12 * time.Hour
