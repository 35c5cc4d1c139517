package doctor_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/doctor"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// world is everything outside, set up as it should be, and a configuration for it.
type world struct {
	t      *testing.T
	dir    string
	slack  *slackfake.Server
	github *githubfake.Server
	jira   *jirafake.Server
	aws    *awsfake.Server
	config string
}

// secrets are values that nothing may show.
func secrets() map[string]string {
	return map[string]string{"SLACK_BOT_TOKEN": "xoxb-very-secret-1", "SLACK_APP_TOKEN": "xapp-very-secret-2", "GITHUB_TOKEN": "ghp_very-secret-3", "GITHUB_HOOK": "very-secret-hook-4", "JIRA_TOKEN": "very-secret-jira-5", "AWS_SECRET_ACCESS_KEY": "very-secret-aws-6"}
}

// scopes are those of the manifest, without one.
func scopes(without string) (all []string) {
	for _, s := range slack.Scopes() {
		if s.Name != without {
			all = append(all, s.Name)
		}
	}
	return all
}

const hook = "https://rollcall.acme.example/github/webhook"

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for name, value := range secrets() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDROLLCALL")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
	w := &world{t: t, dir: t.TempDir()}
	w.slack = slackfake.New(slackfake.Options{BotToken: secrets()["SLACK_BOT_TOKEN"], AppToken: secrets()["SLACK_APP_TOKEN"]})
	t.Cleanup(w.slack.Close)
	w.slack.Grant(scopes("")...)
	for _, name := range []string{"deploys", "webshop", "billing"} {
		w.slack.AddChannel(slackfake.Channel{Name: name})
	}
	w.github = githubfake.New(githubfake.Options{Token: secrets()["GITHUB_TOKEN"]})
	w.github.SetAccount(githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": {{URL: hook, Events: []string{"push"}, Answered: 202}}}})
	w.jira = jirafake.New(jirafake.Options{User: "bot@acme.example", Token: secrets()["JIRA_TOKEN"]})
	w.aws = awsfake.New(awsfake.Options{Now: time.Now})
	w.config = fmt.Sprintf(`publicURL: https://rollcall.acme.example
dataDir: data
pipelines: pipelines
admins: [ana@acme.example]
slack: {apiURL: %q, botToken: {env: SLACK_BOT_TOKEN}, appToken: {env: SLACK_APP_TOKEN}, channel: "#deploys"}
github: {apiURL: %q, token: {env: GITHUB_TOKEN}, webhookSecret: {env: GITHUB_HOOK}}
jira: {url: %q, user: bot@acme.example, token: {env: JIRA_TOKEN}, project: OPS}
aws: {region: eu-west-1, endpointURL: %q}
bridges: [{name: prod, pipelines: [{name: billing-pipeline, as: billing, channel: "#billing"}]}]
`, w.serve(w.slack)+"/api/", w.serve(w.github), w.serve(w.jira), w.serve(w.aws))
	w.write("pipelines/webshop.yaml", `name: webshop
channel: "#webshop"
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Make, provider: Commands, inputArtifacts: [app], commands: [make]}]
`)
	if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	source := map[string]any{"name": "S", "runOrder": 1, "outputArtifacts": []any{map[string]any{"name": "A"}}, "configuration": map[string]any{"RepositoryName": "b", "BranchName": "main"},
		"actionTypeId": map[string]any{"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}}
	gate := map[string]any{"name": "SignOff", "runOrder": 1, "actionTypeId": map[string]any{"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}
	err := w.aws.Console("arn:aws:iam::111122223333:user/ops", "eu-west-1").Do("CreatePipeline", map[string]any{"pipeline": map[string]any{"name": "billing-pipeline", "roleArn": "arn:aws:iam::111122223333:role/p", "pipelineType": "V2",
		"artifactStore": map[string]any{"type": "S3", "location": "art"}, "stages": []any{map[string]any{"name": "Source", "actions": []any{source}}, map[string]any{"name": "Prod", "actions": []any{gate}}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	return s.URL
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) replace(old, by string) {
	w.t.Helper()
	if !strings.Contains(w.config, old) {
		w.t.Fatalf("the configuration has no %q", old)
	}
	w.config = strings.Replace(w.config, old, by, 1)
}

// files lists the folder of the configuration with the content of every file.
func (w *world) files() string {
	var b strings.Builder
	_ = filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil {
			data, _ := os.ReadFile(path)
			info, _ := d.Info()
			fmt.Fprintln(&b, path, info.Mode(), string(data))
		}
		return nil
	})
	return b.String()
}

// Each fault is planted alone: it is found, with what to do, and only what hangs
// on it is not well either. Nothing is changed, and no secret is shown.
func TestPlantedFaults(t *testing.T) {
	for _, f := range []struct {
		name  string
		plant func(w *world)
		ok    bool     // what is wrong keeps nothing from working
		want  []string // a line each that is not ok, by its parts with | between
	}{
		{"nothing", func(*world) {}, true, nil},
		{"no file", func(w *world) { w.config = "" }, false, []string{"failed configuration: |rollcall init"}},
		{"a key that is misspelt", func(w *world) { w.replace("dataDir:", "dataDri:") }, false, []string{"failed configuration line 2: |dataDri|did you mean dataDir", "skipped configuration"}},
		{"a secret that AWS does not have", func(w *world) { w.replace("token: {env: JIRA_TOKEN}", "token: {ssm: /nowhere}") }, false,
			[]string{"failed configuration line 7: |jira.token: the parameter /nowhere cannot be read: there is none", "skipped jira"}},
		{"a project that is not there", func(w *world) { w.build("no-such-project") }, false, []string{"failed aws webshop: Build/Compile: there is no CodeBuild project no-such-project in eu-west-1|correct the name"}},
		{"a project that is there", func(w *world) { w.build("app") }, true, nil},
		{"a bucket that is not there", func(w *world) { w.artifacts("acme-gone") }, false, []string{"failed aws artifacts in acme-gone: there is no such bucket|create it in eu-west-1 with versioning"}},
		{"a bucket of somebody else", func(w *world) { w.artifacts("acme-other") }, false, []string{"failed aws artifacts in acme-other: the bucket may not be used, or belongs to another account|allow s3:ListBucket on arn:aws:s3:::acme-other"}},
		{"a bucket without versions", func(w *world) { w.artifacts("acme-plain") }, false, []string{"failed aws artifacts in acme-plain: the bucket keeps no versions|put-bucket-versioning --bucket acme-plain"}},
		{"a bucket in another Region", func(w *world) { w.artifacts("acme-us") }, false, []string{"failed aws artifacts in acme-us: the bucket is not in eu-west-1|aws.artifacts.regions"}},
		{"a bucket as it should be", func(w *world) { w.artifacts("acme-art") }, true, nil},
		{"a secret that is not set", func(w *world) { os.Unsetenv("JIRA_TOKEN") }, false, []string{"failed configuration line 7: |JIRA_TOKEN|set it", "skipped jira"}},
		{"no admins", func(w *world) { w.replace("admins: [ana@acme.example]\n", "") }, true, []string{"warning configuration: |admin"}},
		{"a data folder that cannot be made", func(w *world) { w.replace("dataDir: data", "dataDir: missing/data") }, false, []string{"failed data: |cannot be made"}},
		{"a data folder that is a file", func(w *world) { w.write("file", ""); w.replace("dataDir: data", "dataDir: file") }, false, []string{"failed data: |no folder"}},
		{"a data folder that others can read", func(w *world) { _ = os.Chmod(filepath.Join(w.dir, "data"), 0o755) }, true, []string{"warning data: |mode 0755|chmod 700"}},
		{"a database that is lost", func(w *world) { w.write("data/logs/x/log", "line") }, false, []string{"failed data: |rollcall.db|restore"}},
		{"a pipeline file that is broken", func(w *world) { w.write("pipelines/broken.yaml", "name: broken\nstages: []\n") }, false, []string{"failed pipelines broken.yaml: |rollcall validate"}},
		{"a bot token that is withdrawn", func(w *world) {
			w.slack.Faults.Add(slackfake.On("auth.test", slackfake.Refusal("token_revoked", "")))
		}, false, []string{"failed slack token: |token_revoked|install the app again"}},
		{"a missing scope", func(w *world) { w.slack.Grant(scopes("users:read.email")...) }, false, []string{"failed slack app: |users:read.email|install the app again"}},
		{"a channel that is not there", func(w *world) { w.replace(`"#deploys"`, `"#deplyos"`) }, false, []string{"failed slack app: |no channel #deplyos|/invite"}},
		{"a pipeline's channel that is not there", func(w *world) { w.replace(`"#billing"`, `"#billings"`) }, false, []string{"failed slack app: |no channel #billings"}},
		{"an app token that is no good", func(w *world) {
			w.slack.Faults.Add(slackfake.On("apps.connections.open", slackfake.Refusal("invalid_auth", "")))
		}, false, []string{"failed slack Socket Mode: |slack.appToken (invalid_auth)"}},
		{"Slack away", func(w *world) { w.slack.Faults.Add(fault.Fault{Match: "/api/", Cut: true}) }, false, []string{"failed slack workspace: |cannot be asked"}},
		{"a GitHub token that is withdrawn", func(w *world) { os.Setenv("GITHUB_TOKEN", "ghp_very-secret-old") }, false, []string{"failed github token: |401|new token"}},
		{"a GitHub token without the scope", func(w *world) {
			w.github.SetAccount(githubfake.Account{Scopes: "read:org", Repositories: map[string][]githubfake.Hook{"acme/webshop": {{URL: hook, Events: []string{"push"}}}}})
		}, false, []string{"failed github token: |repo:status"}},
		{"a repository that is not seen", func(w *world) {
			w.github.SetAccount(githubfake.Account{Repositories: map[string][]githubfake.Hook{}})
		}, false, []string{"failed github acme/webshop: |404|access to it"}},
		{"no webhook", func(w *world) { w.hooks() }, true, []string{"warning github acme/webshop: |no webhook to " + hook}},
		{"a webhook that is off", func(w *world) { w.hooks(githubfake.Hook{URL: hook, Events: []string{"push"}, Inactive: true}) }, false, []string{"failed github acme/webshop: |switched off"}},
		{"a webhook without pushes", func(w *world) { w.hooks(githubfake.Hook{URL: hook, Events: []string{"issues"}}) }, false, []string{"failed github acme/webshop: |does not deliver pushes"}},
		{"a webhook without what pipelines wait for", func(w *world) {
			w.replace("webhookSecret:", "comments: [ACME/*], webhookSecret:")
			w.write("pipelines/released.yaml", "name: released\ntriggers: [{release: {}}, {mergeGroup: {}}, {pullRequest: {branches: main}}]\nstages:\n- name: Source\n  actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}]\n- name: Rest\n  actions: [{name: Pause, provider: Wait, configuration: {seconds: \"0\"}}]\n")
			w.hooks(githubfake.Hook{URL: hook, Events: []string{"push", "release"}})
		}, true, []string{"warning github acme/webshop: |does not deliver issue_comment, merge_group, pull_request, which|organization"}},
		{"a webhook with another secret", func(w *world) {
			w.hooks(githubfake.Hook{URL: hook, Events: []string{"*"}, Answered: 401})
		}, false, []string{"failed github acme/webshop: |answered with 401|webhookSecret"}},
		{"webhooks that may not be read", func(w *world) {
			w.github.SetAccount(githubfake.Account{Scopes: "-", NoHooks: true})
		}, true, []string{"unknown github acme/webshop: |not known|read:repo_hook"}},
		{"a Jira login that is no good", func(w *world) { os.Setenv("JIRA_TOKEN", "very-secret-old") }, false, []string{"failed jira login: |401|API token"}},
		{"a Jira project that is not there", func(w *world) { w.replace("project: OPS", "project: OPSX") }, false, []string{"failed jira project OPSX: |the key, not the name"}},
		{"an issue type that is not there", func(w *world) { w.replace("project: OPS", "project: OPS, issueType: Incident") }, false, []string{"failed jira project OPS: |no Incident|Bug, Task"}},
		{"a Jira permission that is missing", func(w *world) { w.jira.Forbid("TRANSITION_ISSUES") }, false, []string{"failed jira project OPS: |TRANSITION_ISSUES"}},
		{"Jira away", func(w *world) { w.jira.Faults.Add(fault.Fault{Cut: true}) }, false, []string{"failed jira login: |cannot be asked"}},
		{"a pipeline that AWS has not", func(w *world) { w.replace("billing-pipeline", "billing-pipelin") }, false, []string{"failed aws bridge prod, billing-pipelin: |no such pipeline|there are: billing-pipeline"}},
		{"an approval that AWS has not", func(w *world) {
			w.replace("as: billing", "as: billing, approvals: {Prod/Signoff: {required: 2}}")
		}, false, []string{"failed aws bridge prod, billing-pipeline: |Prod/Signoff|Prod/SignOff"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t)
			f.plant(w)
			file := filepath.Join(w.dir, "rollcall.yaml")
			if w.config != "" {
				w.write("rollcall.yaml", w.config)
			}
			before := w.files()
			report := doctor.Run(t.Context(), doctor.Options{Config: file})
			if after := w.files(); after != before {
				t.Errorf("it has changed files:\n%s\nwere\n%s", after, before)
			}
			var bad []string
			for _, c := range report.Checks {
				if c.Status != selftest.OK {
					bad = append(bad, fmt.Sprintf("%s %s: %s | %s", c.Status, strings.TrimSpace(c.Section+" "+c.About), c.Message, strings.Join(c.Fix, "; ")))
				}
			}
			if report.OK != f.ok {
				t.Errorf("ok is %v:\n%s", report.OK, strings.Join(bad, "\n"))
			}
			compare(t, bad, f.want)
			all, err := json.Marshal(report)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(all), "very-secret") {
				t.Errorf("it shows a secret: %s", all)
			}
			for _, c := range w.aws.Calls() {
				if c.Changes() && c.Operation != "CreatePipeline" {
					t.Errorf("%s would change something", c.Name())
				}
			}
			if n := len(w.jira.Issues()); n != 0 {
				t.Errorf("%d tickets were made", n)
			}
		})
	}
}

// build has the pipeline build on a project of CodeBuild; there is one named app.
func (w *world) build(project string) {
	awsfake.At[*codebuild.Service](w.aws, "111122223333", "eu-west-1").Projects(codebuild.Project{Name: "app"})
	w.write("pipelines/webshop.yaml", `name: webshop
channel: "#webshop"
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, namespace: Commit, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [App]}]
  - name: Build
    actions: [{name: Compile, provider: CodeBuild, configuration: {ProjectName: `+project+`, EnvironmentVariables: '[{"name":"COMMIT","value":"#{Commit.CommitId}"}]'}, inputArtifacts: [App]}]
`)
}

// artifacts has artifacts kept in a bucket; of four buckets one is as it should be.
func (w *world) artifacts(bucket string) {
	buckets := awsfake.At[*s3.Service](w.aws, "111122223333", "eu-west-1")
	for _, b := range []s3.Bucket{{Name: "acme-art"}, {Name: "acme-plain", Unversioned: true}, {Name: "acme-other", Owner: "999988887777"}, {Name: "acme-us", Region: "us-east-1"}} {
		b.Owner, b.Region = cmp.Or(b.Owner, "111122223333"), cmp.Or(b.Region, "eu-west-1")
		buckets.Create(b)
	}
	w.replace("aws: {region: eu-west-1,", "aws: {region: eu-west-1, artifacts: {bucket: "+bucket+", account: \"111122223333\"},")
}

// hooks gives the repository these webhooks.
func (w *world) hooks(list ...githubfake.Hook) {
	w.github.SetAccount(githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": list}})
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d checks are not ok, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i, w := range want {
		for part := range strings.SplitSeq(w, "|") {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s\ndoes not say %s", got[i], part)
			}
		}
	}
}
