package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shopOnAWS = `
name: webshop
roleArn: arn:aws:iam::111122223333:role/shop-pipeline
variables: [{name: PROJECT, defaultValue: app}]
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.acme.example/app.git", BranchName: main}, outputArtifacts: [App]}]
  - name: Build
    actions:
      - {name: Compile, provider: CodeBuild, configuration: {ProjectName: app}, inputArtifacts: [App], outputArtifacts: [Built]}
      - {name: Any, provider: CodeBuild, configuration: {ProjectName: "#{variables.PROJECT}"}, inputArtifacts: [App]}
      - {name: Scan, actionTypeId: {category: Test, owner: AWS, provider: CodeBuild, version: "1"}, configuration: {ProjectName: scan}, inputArtifacts: [App], region: us-east-1, roleArn: "arn:aws:iam::444455556666:role/scan"}
      - {name: SignOff, provider: Manual, configuration: {NotificationArn: "arn:aws:sns:eu-west-1:111122223333:approvals"}}
`

// What pipelines need is printed by role, from the configuration and the pipeline
// file alone, and what cannot be named narrowly is said.
func TestIAMPolicyOfAPipeline(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pipelines/webshop.yaml", shopOnAWS)
	write("pipelines/plain.yaml", "name: plain\nstages: [{name: Source, actions: [{name: App, provider: Git, configuration: {Repository: \"https://git.acme.example/app.git\", BranchName: main}, outputArtifacts: [App]}]}, {name: Go, actions: [{name: Go, provider: Manual}]}]\n")
	write("rollcall.yaml", "pipelines: pipelines\nadmins: [ana@acme.example]\naws:\n  region: eu-west-1\n  roleArn: arn:aws:iam::111122223333:role/rollcall\n  artifacts: {bucket: acme-art, prefix: rollcall, kmsKey: alias/art, regions: {us-east-1: {bucket: acme-art-us}}}\n  publish: {metrics: Shop, events: default, approvals: true}\n"+
		"  roles: {\"arn:aws:iam::444455556666:role/scan\": {externalId: {env: NOT_SET_HERE}, sourceIdentity: true}}\n")
	var stdout, stderr bytes.Buffer
	if code := run([]string{"iam-policy", "webshop", "plain", "--config", filepath.Join(dir, "rollcall.yaml")}, &stdout, &stderr); code != 0 {
		t.Fatalf("status %d: %s", code, stderr.String())
	}
	var all struct {
		Comment  string
		Warnings []string
		Policies []struct {
			Name, Kind, Role string
			Document         json.RawMessage
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	var documents strings.Builder
	for _, p := range all.Policies {
		var compact bytes.Buffer
		if err := json.Compact(&compact, p.Document); err != nil {
			t.Fatal(err)
		}
		documents.WriteString(p.Name + " " + p.Role + " " + compact.String() + "\n")
	}
	for name, want := range map[string]string{
		"rollcall-webshop-base ": `"Resource":"arn:aws:iam::111122223333:role/shop-pipeline"},{"Sid":"PublishEvents","Effect":"Allow","Action":["events:PutEvents"],"Resource":"arn:aws:events:eu-west-1:111122223333:event-bus/default"},` +
			`{"Sid":"PublishMetrics","Effect":"Allow","Action":["cloudwatch:PutMetricData"],"Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"Shop"}}},{"Sid":"KeepArtifacts"`,
		"rollcall-webshop-111122223333-shop-pipeline ":         `["arn:aws:codebuild:eu-west-1:111122223333:project/*","arn:aws:codebuild:eu-west-1:111122223333:project/app"]`,
		"rollcall-webshop-111122223333-shop-pipeline-trust ":   `"AWS":"arn:aws:iam::111122223333:role/rollcall"`,
		"rollcall-webshop-444455556666-scan ":                  `"arn:aws:codebuild:us-east-1:444455556666:project/scan"`,
		"rollcall-webshop-444455556666-scan-trust ":            `"sts:ExternalId":"EXTERNAL_ID"`,
		"rollcall-webshop-service-the-CodeBuild-project-app ":  `"arn:aws:s3:::acme-art/rollcall/*"`,
		"rollcall-webshop-service-the-CodeBuild-project-scan ": `"arn:aws:s3:::acme-art-us/rollcall/*"`,
		"rollcall-webshop-bucket-acme-art-us ":                 `"arn:aws:iam::444455556666:root"`,
		"rollcall-webshop-key-of-acme-art-us ":                 `"kms:ViaService":"s3.us-east-1.amazonaws.com"`,
	} {
		found := false
		for line := range strings.Lines(documents.String()) {
			found = found || strings.HasPrefix(line, name) && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("%s does not hold %s:\n%s", name, want, documents.String())
		}
	}
	if tells := `{"Sid":"PublishApprovals","Effect":"Allow","Action":["sns:Publish"],"Resource":"arn:aws:sns:eu-west-1:111122223333:approvals"}`; !strings.Contains(documents.String(), tells) {
		t.Errorf("the topic of the approval is in no policy:\n%s", documents.String())
	}
	for _, want := range []string{"webshop: Build/Any: a variable is part of arn:aws:codebuild:eu-west-1:111122223333:project/*", "put the external ID of arn:aws:iam::444455556666:role/scan"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, stderr.String())
		}
	}
	if !strings.Contains(all.Comment, "What webshop needs") || !strings.Contains(all.Comment, "plain has no actions that work in AWS") {
		t.Error(all.Comment)
	}
}
