package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
)

// around is a template with a value to resolve.
func around(value string) []byte {
	return []byte(`Parameters:
  Stage: {Type: String, Default: prod}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
  Secret: {Type: String, NoEcho: "true", Default: hunter2}
  Open: {Type: String}
  Looked: {Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/x}
Mappings:
  M: {prod: {Size: big, List: [x, y]}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Dev: !Not [!Condition Prod]
  Both: !And [!Condition Prod, !Condition Dev]
  Either: {"Fn::Or": [{Condition: Prod}, {Condition: Dev}]}
  Unknown: !Equals [!Ref Open, x]
  Sure: !Or [!Condition Unknown, !Condition Prod]
  Circle: !Not [!Condition Circle]
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "art-${Stage}"}}
  Bare: {Type: AWS::S3::Bucket}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: pipe, Path: /svc/}}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: told}}
  Loop: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Loop}}
  One: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Two}}
  Two: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${One}${One}"}}
  Kept: {Type: AWS::SSM::Parameter, Properties: {Name: /kept, Value: v1}}
  X: {Type: X::Y::Z, Properties: {V: ` + value + `}}
`)
}

// Every intrinsic function gives what CloudFormation would make of it, in both
// of its spellings; what only a deployment knows is a placeholder that says so.
func TestFunctions(t *testing.T) {
	for _, c := range []struct{ value, want, missing string }{
		{`plain`, "plain", ""},
		{`!Ref Stage`, "prod", ""},
		{`{Ref: Stage}`, "prod", ""},
		{`!Ref Names`, "[a b]", ""},
		{`!Ref Secret`, "REPLACE-Secret", "is a secret"},
		{`!Ref Open`, "REPLACE-Open", "has no default"},
		{`!Ref Looked`, "REPLACE-Looked", "Parameter Store"},
		{`!Ref Nobody`, "REPLACE-Nobody", "neither a parameter nor a resource"},
		{`!Ref AWS::Region`, "eu-west-1", ""},
		{`!Ref AWS::Partition`, "aws", ""},
		{`!Ref AWS::AccountId`, "REPLACE-AccountId", "the account of the stack"},
		{`!Ref AWS::NoValue`, "<nil>", ""},
		{`[!Ref AWS::NoValue, a]`, "[a]", ""},
		{`!Ref Bucket`, "art-prod", ""},
		{`!Ref Bare`, "REPLACE-Bare", "has no BucketName"},
		{`!GetAtt Bucket.Arn`, "arn:aws:s3:::art-prod", ""},
		{`{"Fn::GetAtt": [Bucket, Arn]}`, "arn:aws:s3:::art-prod", ""},
		{`!GetAtt Bare.Arn`, "REPLACE-Bare-Arn", "has no BucketName"},
		{`!GetAtt Role.Arn`, "arn:aws:iam::REPLACE-AccountId:role/svc/pipe", "the account"},
		{`!GetAtt Bucket.DomainName`, "REPLACE-Bucket-DomainName", "the attribute DomainName"},
		{`!Ref Topic`, "arn:aws:sns:eu-west-1:REPLACE-AccountId:told", "the account"},
		{`!GetAtt Topic.TopicName`, "told", ""},
		{`!GetAtt Kept.Value`, "v1", ""},
		{`!GetAtt Kept`, "REPLACE-Kept", "the attribute"},
		{`!Ref Loop`, "REPLACE-Loop", "the name of the resource Loop"},
		{`!Ref One`, "REPLACE-OneREPLACE-One", "the name of the resource One"},
		{`!Sub "x-${Stage}-${!Not}-${Bucket.Arn}"`, "x-prod-${Not}-arn:aws:s3:::art-prod", ""},
		{`!Sub ["${A}/${Stage}/${Open}", {A: !Ref Topic}]`, "arn:aws:sns:eu-west-1:REPLACE-AccountId:told/prod/REPLACE-Open", "has no default"},
		{`!Sub "no end ${Stage"`, "no end ${Stage", ""},
		{`!Join ["-", [a, !Ref Stage]]`, "a-prod", ""},
		{`!Join [",", !Ref Names]`, "a,b", ""},
		{`!Select [1, !Ref Names]`, "b", ""},
		{`!Select [9, !Ref Names]`, "REPLACE-Select", "cannot be carried out"},
		{`!Select [0, !Split ["/", "acme/shop"]]`, "acme", ""},
		{`!Select [0, !Split ["/", !Ref Open]]`, "REPLACE-Open", "has no default"},
		{`!FindInMap [M, !Ref Stage, Size]`, "big", ""},
		{`!FindInMap [M, !Ref Open, Size]`, "REPLACE-M-Size", "has no default"},
		{`!FindInMap [M, dev, Size]`, "REPLACE-M-Size", "has no dev/Size"},
		{`!FindInMap [M, dev, Size, {DefaultValue: small}]`, "small", ""},
		{`!If [Prod, a, b]`, "a", ""},
		{`!If [Dev, a, b]`, "b", ""},
		{`!If [Both, a, b]`, "b", ""},
		{`!If [Either, a, b]`, "a", ""},
		{`!If [Sure, a, b]`, "a", ""},
		{`!If [Unknown, !Ref AWS::NoValue, b]`, "b", "Unknown"},
		{`!If [Circle, a, b]`, "a", "Circle"},
		{`{"Fn::ImportValue": !Sub "x-${Stage}"}`, "REPLACE-x-prod", `the export "x-prod"`},
		{`!Base64 hello`, "aGVsbG8=", ""},
		{`{"Fn::ToJsonString": {a: [1, "2", !Ref Stage]}}`, `{"a":[1,"2","prod"]}`, ""},
		{`{"Fn::Length": !Ref Names}`, "2", ""},
		{`!GetAZs ""`, "REPLACE-GetAZs", "when the template is deployed"},
		{`{"Fn::Transform": {Name: AWS::Include}}`, "REPLACE-Transform", "when the template is deployed"},
		{`"{{resolve:ssm:/shop/branch:1}}"`, "REPLACE-shop-branch-1", "looked up when the template is deployed"},
		{`!Sub "b-{{resolve:secretsmanager:tok}}"`, "b-REPLACE-tok", "looked up"},
	} {
		template, faults := cloudformation.Read("t.yaml", around(c.value), map[string]string{"AWS::Region": "eu-west-1"})
		if template == nil || len(faults) > 0 {
			t.Errorf("%s: %v", c.value, faults)
			continue
		}
		v := template.Resource("X").Property("V")
		if got := shown(v); got != c.want {
			t.Errorf("%s is %s, want %s", c.value, got, c.want)
		}
		missing := ""
		if v != nil {
			missing = strings.Join(v.Missing, "; ")
		}
		if (missing == "") != (c.missing == "") || !strings.Contains(missing, c.missing) || strings.Contains(missing, "hunter2") {
			t.Errorf("%s is missing %q, want %q", c.value, missing, c.missing)
		}
	}
}

func shown(v *cloudformation.Value) string {
	if v == nil {
		return "<nil>"
	}
	if v.Kind != cloudformation.List {
		return v.Text
	}
	var texts []string
	for _, item := range v.Items {
		texts = append(texts, item.Text)
	}
	return fmt.Sprint(texts)
}

// Whatever a file holds, it is read or refused, at a place and soon.
func TestHostileTemplates(t *testing.T) {
	laughs := "a0: &a0 [x, x]\n"
	for i := range 20 {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	doubling := "Resources:\n  P0: {Type: AWS::SSM::Parameter, Properties: {Value: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}\n"
	for i := range 40 {
		doubling += fmt.Sprintf("  P%d: {Type: AWS::SSM::Parameter, Properties: {Value: !Sub \"${P%d.Value}${P%d.Value}\"}}\n", i+1, i, i)
	}
	for about, c := range map[string]struct{ text, says string }{
		"empty":            {"", "the file is empty"},
		"a list":           {"[a]", "holds no keys and values"},
		"no resources":     {"AWSTemplateFormatVersion: x\n", "has no Resources"},
		"no type":          {"Resources: {A: {Properties: {}}}", "the resource A has no Type"},
		"a billion laughs": {laughs, "its aliases hold too much"},
		"deep":             {strings.Repeat("[", 10_000), ""},
		"too large":        {strings.Repeat("#", 1<<20+1), "CloudFormation takes at most"},
		"not UTF-8":        {"a: \xff\n", "not UTF-8"},
		"twice":            {"Resources:\n  A: 1\n  A: 2\n", "A is given twice"},
		"a key of keys":    {"Resources:\n  ? [a]\n  : b\n", "a key must be a word"},
	} {
		template, faults := cloudformation.Read("t.yaml", []byte(c.text), nil)
		if template != nil || len(faults) == 0 || faults[0].Line < 1 || faults[0].Col < 1 || !strings.Contains(faults[0].String(), c.says) {
			t.Errorf("%s: %v and %v", about, template, faults)
		}
	}
	template, faults := cloudformation.Read("t.yaml", []byte(doubling), nil)
	if template == nil {
		t.Fatal(faults)
	}
	if v := template.Resource("P40").Property("Value"); len(v.Text) > 64<<20 {
		t.Errorf("references grew to %d bytes", len(v.Text))
	}
}

func isTemplate(text string) bool {
	v, _ := cloudformation.Values("t", []byte(text))
	return v != nil && v.IsTemplate()
}

// What aws cloudformation get-template prints, and a part of a template, are templates too.
func TestWhatIsATemplate(t *testing.T) {
	for text, is := range map[string]bool{
		`{"TemplateBody": {"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline"}}}}`: true,
		`{"TemplateBody": "Resources:\n  P:\n    Type: AWS::CodePipeline::Pipeline\n"}`:   true,
		"Type: AWS::CodePipeline::Pipeline\nProperties: {Stages: []}\n":                   true,
		"Name: x\nStages: []\n":                               true,
		"name: x\nstages: []\n":                               false,
		`{"pipeline": {"name": "x"}}`:                         false,
		"Resources: {P: {Type: AWS::CodePipeline::Pipeline}}": true,
		"- a\n": false,
	} {
		if isTemplate(text) != is {
			t.Errorf("%s: %v", text, !is)
		}
		if template, faults := cloudformation.Read("t", []byte(text), nil); is && (template == nil || len(template.Pipelines()) != 1) {
			t.Errorf("%s: %v", text, faults)
		}
	}
}
