package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// shop is a pipeline with two roles, the second in another account and reached
// through the first, and artifacts under keys in two Regions.
func shop() Pipelines {
	const pipelineRole, deployRole = "arn:aws:iam::111122223333:role/shop-pipeline", "arn:aws:iam::444455556666:role/team/deploy"
	stores := []Store{
		{Region: "eu-west-1", Bucket: "acme-art", Prefix: "rollcall", Key: "alias/art", Account: "111122223333"},
		{Region: "us-east-1", Bucket: "acme-art-us", Key: "arn:aws:kms:us-east-1:111122223333:key/0aeb", Account: "111122223333"},
	}
	here := Place{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Artifacts: stores[0]}
	there := Place{Partition: "aws", Region: "us-east-1", Account: "444455556666", Artifacts: stores[1]}
	build := func(project string) []Statement {
		return []Statement{{Sid: "RunBuilds", Comment: "start builds", Actions: []string{"codebuild:StartBuild"}, Resources: []string{here.ARN("codebuild", "project/"+project)}}}
	}
	return Pipelines{
		Name: "web shop", Partition: "aws", Region: "eu-west-1", Stores: stores,
		Roles: map[string]Trust{deployRole: {ExternalID: true, SourceIdentity: true}},
		Uses: []Use{
			{Action: "web shop: Build/App", Roles: []string{pipelineRole}, At: here, Statements: build("app"), Service: "the CodeBuild project app",
				Optional: []Statement{{Sid: "SeeProject", Comment: "doctor looks whether the project is there", Actions: []string{"codebuild:BatchGetProjects"}, Resources: []string{here.ARN("codebuild", "project/app")}}}},
			{Action: "web shop: Build/Test", Roles: []string{pipelineRole}, At: here, Statements: build("test"), Service: "the CodeBuild project test"},
			{Action: "web shop: Prod/Deploy", Roles: []string{pipelineRole, deployRole}, At: there, Statements: append([]Statement{
				{Sid: "Deploy", Comment: "change the service", Actions: []string{"ecs:UpdateService"}, Resources: []string{there.ARN("ecs", "service/shop/web")}},
				{Sid: "Deploy", Comment: "make a task definition", Actions: []string{"ecs:RegisterTaskDefinition"}, Resources: []string{"*"}},
				PassRole("PassTaskRole", "give the task its role", "arn:aws:iam::444455556666:role/task", "ecs-tasks.amazonaws.com"),
			}, there.ReadArtifacts("the task definition's image")...)},
		},
	}
}

func TestPoliciesOfPipelinesInEveryFormat(t *testing.T) {
	s := shop().Policies()
	for file, got := range map[string][]byte{"pipeline.json": s.JSON(), "pipeline.tf": s.Terraform(), "pipeline.yaml": s.CloudFormation()} {
		golden(t, file, got)
	}
	var any any
	if err := json.Unmarshal(s.JSON(), &any); err != nil {
		t.Error(err)
	}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("!Ref RollcallCallerArn", anyCaller, "!Ref RollcallExternalId", externalID).Replace(string(s.CloudFormation()))), &any); err != nil {
		t.Error(err)
	}
}

// Each role gets what its own actions need and the way to the next role, and
// trusts who is before it.
func TestRolesOfAPipeline(t *testing.T) {
	for _, c := range []struct{ document, has string }{
		{"rollcall-web-shop-base", `"sts:AssumeRole"],"Resource":"arn:aws:iam::111122223333:role/shop-pipeline"`},
		{"rollcall-web-shop-base", `"arn:aws:s3:::acme-art/rollcall/*"`},
		{"rollcall-web-shop-base", `"kms:Decrypt"],"Resource":"arn:aws:kms:eu-west-1:111122223333:key/*","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/art"}}`},
		{"rollcall-web-shop-111122223333-shop-pipeline", `["arn:aws:codebuild:eu-west-1:111122223333:project/app","arn:aws:codebuild:eu-west-1:111122223333:project/test"]`},
		{"rollcall-web-shop-111122223333-shop-pipeline", `["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"arn:aws:iam::444455556666:role/team/deploy"`},
		{"rollcall-web-shop-111122223333-shop-pipeline-trust", anyCaller},
		{"rollcall-web-shop-444455556666-deploy", `"iam:PassRole"],"Resource":"arn:aws:iam::444455556666:role/task","Condition":{"StringEquals":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}`},
		{"rollcall-web-shop-444455556666-deploy", `"Sid":"Deploy2"`},
		{"rollcall-web-shop-444455556666-deploy", `"kms:Decrypt"],"Resource":"arn:aws:kms:us-east-1:111122223333:key/0aeb"`},
		{"rollcall-web-shop-444455556666-deploy-trust", `"AWS":"arn:aws:iam::111122223333:role/shop-pipeline"`},
		{"rollcall-web-shop-444455556666-deploy-trust", `"sts:ExternalId":"EXTERNAL_ID"`},
		{"rollcall-web-shop-service-the-CodeBuild-project-app", `"s3:PutObject"],"Resource":"arn:aws:s3:::acme-art/rollcall/*"`},
		{"rollcall-web-shop-bucket-acme-art-us", `"arn:aws:iam::444455556666:root"`},
		{"rollcall-web-shop-key-of-acme-art-us", `"kms:ViaService":"s3.us-east-1.amazonaws.com"`},
	} {
		documents := shop().Policies().Documents
		i := slices.IndexFunc(documents, func(d Document) bool { return d.Name == c.document })
		if i < 0 {
			t.Errorf("there is no %s", c.document)
			continue
		}
		if text, err := json.Marshal(documents[i]); err != nil || !strings.Contains(string(text), c.has) {
			t.Errorf("%s has no %s:\n%s", c.document, c.has, text)
		}
	}
}

// Roles that a pattern covers are let assume by it, once and with a word about it;
// their own policies name them.
func TestRolesByAPattern(t *testing.T) {
	use := func(account string) Use {
		role := "arn:aws:iam::" + account + ":role/deploy"
		return Use{Action: "shop: Prod/" + account, Roles: []string{role}, Statements: []Statement{{Sid: "Deploy", Comment: "deploy", Actions: []string{"ecs:UpdateService"}, Resources: []string{"arn:aws:ecs:eu-west-1:" + account + ":service/c/s"}}}}
	}
	const pattern = "arn:aws:iam::*:role/deploy"
	p := Pipelines{Name: "shop", Region: "eu-west-1", Caller: "arn:aws:iam::111122223333:role/rollcall", Roles: map[string]Trust{pattern: {ExternalID: true, SourceIdentity: true}}, Uses: []Use{use("444455556666"), use("777788889999")}}
	s := p.Policies()
	text := string(s.JSON())
	for want, times := range map[string]int{
		`"` + pattern + `"`: 1, `"sts:ExternalId": "EXTERNAL_ID"`: 2, `"arn:aws:ecs:eu-west-1:777788889999:service/c/s"`: 1,
	} {
		if strings.Count(text, want) != times {
			t.Errorf("%s is there %d times, want %d:\n%s", want, strings.Count(text, want), times, text)
		}
	}
	if said := strings.Join(s.Warnings, "\n"); !strings.Contains(said, pattern+" is a pattern of aws.roles") || strings.Contains(said, "is not known, and *") {
		t.Errorf("the warnings: %s", said)
	}
}

// A * is never printed without a word about it, nor is a document that IAM does not take.
func TestWarningsOfAPipeline(t *testing.T) {
	p := shop()
	for range 400 {
		s := p.Uses[0].Statements[0]
		s.Resources = []string{strings.Repeat("x", 40) + strings.Repeat("y", len(p.Uses))}
		p.Uses = append(p.Uses, Use{Roles: p.Uses[0].Roles, Statements: []Statement{s}})
	}
	p.Uses = append(p.Uses, Use{Statements: []Statement{{Sid: "X", Comment: "y", Actions: []string{"sns:Publish"}, Resources: []string{Place{Region: "eu-west-1"}.ARN("sns", "t")}}}})
	said := strings.Join(p.Policies().Warnings, "\n")
	for _, want := range []string{
		"put the external ID of arn:aws:iam::444455556666:role/team/deploy", "ecs:RegisterTaskDefinition (make a task definition) is allowed on every resource", "the account of arn:aws:sns:eu-west-1:*:t is not known",
		"rollcall-web-shop-111122223333-shop-pipeline has ", "and IAM takes 10240", "who assumes the first role",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// What another statement of the same role grants already is not granted twice; what it
// was for is said there.
func TestStatementsThatAnotherCovers(t *testing.T) {
	read := func(sid, comment, resource string, actions ...string) Statement {
		return Statement{Sid: sid, Comment: comment, Actions: actions, Resources: []string{resource}}
	}
	bound := PassRole("PassOne", "pass it", "arn:aws:iam::1:role/one", "ecs-tasks.amazonaws.com")
	got := merged([]Statement{
		read("Builds", "builds", "arn:aws:logs:r:1:log-group:/aws/codebuild/x:log-stream:*", "logs:GetLogEvents"),
		read("All", "all logs", "arn:aws:logs:r:1:log-group:*:log-stream:*", "logs:GetLogEvents"),
		read("Objects", "objects", "arn:aws:s3:::art/*", "s3:GetObject", "s3:GetObjectVersion"),
		read("Versions", "versions", "arn:aws:s3:::art/*", "s3:GetObjectVersion", "s3:PutObject"),
		bound, {Sid: "PassAny", Comment: "pass any", Actions: []string{"iam:PassRole"}, Resources: []string{"*"}, Conditions: []Condition{{"StringEquals", "iam:PassedToService", []string{"lambda.amazonaws.com"}}}},
	})
	var sids []string
	for _, s := range got {
		sids = append(sids, s.Sid+": "+s.Comment)
	}
	if want := []string{"All: all logs; builds", "Objects: objects", "Versions: versions", "PassOne: pass it", "PassAny: pass any"}; !slices.Equal(sids, want) {
		t.Errorf("got %q", sids)
	}
}
