package build_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/build"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const project = "webshop"

// kind is a kind of a category; commands run on the project rollcall.
func kind(category, provider string) func() runner.Kind {
	return func() runner.Kind {
		for _, k := range append(build.Kinds(), build.Commands("rollcall")...) {
			if k.Category == category && k.Provider == provider {
				return k
			}
		}
		panic("there is no " + category + "/" + provider)
	}
}

func codeBuild(w *runnertest.World) *codebuild.Service {
	return awsfake.At[*codebuild.Service](w.AWS, runnertest.Account, runnertest.Region)
}

// given is a world with two projects and the artifact app; what is built leaves the artifact site.
func given(w *runnertest.World, scripts ...codebuild.Script) work.Task {
	w.Input("app", map[string]string{"main.go": "package main"})
	builds := codeBuild(w)
	builds.Projects(codebuild.Project{Name: project}, codebuild.Project{Name: "rollcall"})
	builds.Play(project, scripts...)
	builds.Play("rollcall", scripts...)
	t := w.Task(map[string]string{"ProjectName": project}, "app")
	t.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "site"}}
	return t
}

// A project as CodePipeline uses it builds the artifact, and leaves its artifact,
// its variables, its log and how its tests went.
func TestABuild(t *testing.T) {
	runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{Exported: map[string]string{"TAG": "1.4.0"}, Lines: map[string][]string{"BUILD": {"compiling", "done"}},
			Files:   map[string]map[string]string{"": {"index.html": "<html>"}},
			Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "A"}, {Name: "B"}, {Name: "C", Status: "FAILED"}}}}})
		task.Configuration["EnvironmentVariables"] = `[{"name":"STAGE","value":"prod"},{"name":"TOKEN","value":"/shop/token","type":"PARAMETER_STORE"}]`
		o := w.Run(task)
		if o.State != work.Succeeded || o.Outputs["TAG"] != "1.4.0" || !strings.HasPrefix(o.Outputs["BuildId"], project+":") || o.Summary != "2 passed, 1 failed" {
			t.Errorf("got %+v, error %+v", o, o.Error)
		}
		if !strings.Contains(w.Log(), "compiling\ndone\n") {
			t.Errorf("the log is %q", w.Log())
		}
		if want := "s3://acme-art/webshop/" + runner.TokenOf(task.ID) + "/site"; len(o.Artifacts) != 1 || !strings.HasPrefix(o.Artifacts[0].At, want) || len(o.Artifacts[0].Digest) != 64 {
			t.Errorf("artifacts %+v, want one at %s", o.Artifacts, want)
		}
		if o.EndedAt.IsZero() || !strings.Contains(o.ExternalURL, "/codesuite/codebuild/projects/webshop/build/webshop%3A") {
			t.Errorf("ended %v, page %s", o.EndedAt, o.ExternalURL)
		}
	})
}

// The phase in which a build failed says what is wrong, and what to do.
func TestWhyABuildFailed(t *testing.T) {
	for name, c := range map[string]struct {
		fail  codebuild.Failure
		class string
		says  string
	}{
		"a command":      {codebuild.Failure{Phase: "BUILD", Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: make test. Reason: exit status 2"}, "CommandFailed", "BUILD of the build failed: Error while executing command: make test"},
		"the buildspec":  {codebuild.Failure{Phase: "DOWNLOAD_SOURCE", Code: "YAML_FILE_ERROR", Message: "YAML file does not exist"}, "BuildSpec", "YAML file does not exist"},
		"the artifact":   {codebuild.Failure{Phase: "DOWNLOAD_SOURCE", Code: "CLIENT_ERROR", Message: "NoSuchKey: The specified key does not exist. status code: 404"}, "MissingArtifact", "NoSuchKey"},
		"the image":      {codebuild.Failure{Phase: "PROVISIONING", Code: "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", Message: "Unable to pull customer's container image"}, "NotFound", "Unable to pull"},
		"install":        {codebuild.Failure{Phase: "INSTALL", Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: npm ci. Reason: exit status 1"}, "CommandFailed", "INSTALL"},
		"pre-build":      {codebuild.Failure{Phase: "PRE_BUILD", Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: login. Reason: exit status 1"}, "CommandFailed", "PRE_BUILD"},
		"post-build":     {codebuild.Failure{Phase: "POST_BUILD", Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: push. Reason: exit status 1"}, "CommandFailed", "POST_BUILD"},
		"the upload":     {codebuild.Failure{Phase: "UPLOAD_ARTIFACTS", Code: "CLIENT_ERROR", Message: "no matching artifact paths found"}, "Validation", "no matching artifact paths"},
		"a fault":        {codebuild.Failure{Phase: "PROVISIONING", Status: "FAULT", Code: "INTERNAL_ERROR", Message: "An internal error occurred"}, "ServiceFault", "internal error"},
		"the time limit": {codebuild.Failure{Phase: "BUILD", Status: "TIMED_OUT", Code: "BUILD_TIMED_OUT", Message: "Build has timed out."}, "Timeout", "timed out"},
		"the queue":      {codebuild.Failure{Phase: "QUEUED", Status: "TIMED_OUT", Code: "INSUFFICIENT_SUBNET", Message: "no addresses are left"}, "Quota", "no addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
				o := w.Run(given(w, codebuild.Script{Fail: &c.fail, Lines: map[string][]string{"BUILD": {"the last line"}}}))
				if o.State != work.Failed || o.Error.Code != "BuildFailed" || !strings.Contains(o.Error.Message, c.says) {
					t.Fatalf("got %s, %+v", o.State, o.Error)
				}
				f := o.Error.Finding
				if f == nil || f.Class != c.class || f.Title == "" || len(f.Fix) == 0 || len(f.Links) == 0 {
					t.Errorf("finding %+v, want class %s", f, c.class)
				}
				if c.fail.Phase == "BUILD" && !strings.HasSuffix(w.Log(), "the phase BUILD ended with:\nthe last line\n") {
					t.Errorf("people are shown the end of a log, which is\n%s", w.Log())
				}
			})
		})
	}
}

// Somebody stops the build in AWS; and people stop the action here.
func TestStops(t *testing.T) {
	runnertest.In(t, kind("Test", "CodeBuild")(), func(w *runnertest.World) {
		o := w.Run(given(w, codebuild.Script{Fail: &codebuild.Failure{Status: "STOPPED"}}))
		if o.State != work.Failed || o.Error.Code != "ExternallyStopped" {
			t.Errorf("stopped outside: %s, %+v", o.State, o.Error)
		}
	})
	runnertest.In(t, kind("Test", "CodeBuild")(), func(w *runnertest.World) {
		o := w.Stop(given(w, codebuild.Script{Hold: "BUILD"}), 5*time.Minute)
		if o.State != work.Cancelled || w.Called("codebuild:StopBuild") != 1 {
			t.Errorf("stopped here: %s, %+v", o.State, o.Error)
		}
	})
}

// An account at its limit of concurrent builds makes an action wait, not fail.
func TestALimitIsWaitedFor(t *testing.T) {
	runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{})
		w.AWS.Faults(awsfake.Fault{Operation: "codebuild:StartBuild", Trouble: awsfake.Refuse, Code: "AccountLimitExceededException", Message: "Cannot have more than 1 builds in queue", Times: 5})
		if o := w.Run(task); o.State != work.Succeeded {
			t.Errorf("got %s, %+v", o.State, o.Error)
		}
	})
}

// What cannot be built says so before anything is called.
func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		with map[string]string
		code string
		says string
	}{
		"a source that is none":   {map[string]string{"PrimarySource": "other"}, "ConfigurationInvalid", "PrimarySource other is none of the action's input artifacts: app"},
		"variables that are none": {map[string]string{"EnvironmentVariables": "A=B"}, "ConfigurationInvalid", "EnvironmentVariables is no JSON array"},
		"no such project":         {map[string]string{"ProjectName": "gone"}, "ResourceNotFound", "CodeBuild StartBuild"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
				task := given(w, codebuild.Script{})
				for k, v := range c.with {
					task.Configuration[k] = v
				}
				if o := w.Run(task); o.State != work.Failed || o.Error.Code != c.code || !strings.Contains(o.Error.Message, c.says) {
					t.Errorf("got %s, %+v", o.State, o.Error)
				}
			})
		})
	}
}

// An artifact that is gone ends the action before it begins.
func TestAnArtifactThatIsGone(t *testing.T) {
	runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{})
		for _, o := range w.S3.Objects(runnertest.Bucket) {
			w.S3.Delete(runnertest.Bucket, o.Key, o.Version)
		}
		o := w.Run(task)
		if o.State != work.Failed || o.Error.Code != "ArtifactMissing" || !strings.Contains(o.Error.Message, "s3://acme-art/webshop/app/") || w.Called("codebuild:StartBuild") != 0 {
			t.Errorf("got %s, %+v", o.State, o.Error)
		}
	})
}

// The lines of a Commands action run as a build, with its variables and files.
func TestCommands(t *testing.T) {
	runnertest.In(t, kind("Compute", "Commands")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{Exported: map[string]string{"VERSION": "7", "OTHER": "not asked for"}})
		task.Commands = []string{"make", "export VERSION=7"}
		task.Action.EnvironmentVariables = []workflows.EnvironmentVar{{Name: "STAGE", Value: "prod"}, {Name: "TOKEN", Value: "#{variables.T}", Type: "PARAMETER_STORE"}, {Name: "DB", Value: "shop/db:password", Type: "SECRETS_MANAGER"}}
		task.Environment = map[string]string{"STAGE": "prod", "TOKEN": "/shop/token", "DB": "shop/db:password", "ROLLCALL_EXECUTION": "webshop#42"}
		task.Action.OutputVariables = []string{"VERSION"}
		task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "site", Files: []string{"dist/**"}}}
		o := w.Run(task)
		if o.State != work.Succeeded || cmp.Diff(o.Outputs, map[string]string{"VERSION": "7"}) != "" || len(o.Artifacts) != 1 {
			t.Errorf("got %+v, %+v", o, o.Error)
		}
		for _, c := range w.AWS.Calls() {
			if c.Operation == "StartBuild" && !strings.Contains(string(c.Input), `{\"version\":\"0.2\",\"env\":{\"exported-variables\":[\"VERSION\"]},\"phases\":{\"build\":{\"commands\":[\"make\",\"export VERSION=7\"]}},\"artifacts\":{\"files\":[\"dist/**\"]}}`) {
				t.Errorf("the build was started with %s", c.Input)
			}
			for _, want := range []string{`"name":"STAGE","type":"PLAINTEXT","value":"prod"`, `"name":"TOKEN","type":"PARAMETER_STORE","value":"/shop/token"`, `"name":"DB","type":"SECRETS_MANAGER","value":"shop/db:password"`} {
				if c.Operation == "StartBuild" && !strings.Contains(string(c.Input), want) {
					t.Errorf("the build was started without %s: %s", want, c.Input)
				}
			}
			if c.Service == "ssm" || c.Service == "secretsmanager" {
				t.Errorf("rollcall itself called %s", c.Name())
			}
		}
	})
}

// Builds run in batches, and images are built, the same way.
func TestBatchesAndImages(t *testing.T) {
	runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
		task := given(w)
		codeBuild(w).Projects(codebuild.Project{Name: project, BatchRole: "arn:aws:iam::111122223333:role/batch"})
		codeBuild(w).PlayBatch(project, codebuild.Group{ID: "linux"}, codebuild.Group{ID: "windows", DependsOn: []string{"linux"}, Script: codebuild.Script{Fail: &codebuild.Failure{}}})
		task.Configuration["BatchEnabled"] = "true"
		task.Action.OutputArtifacts = nil
		if o := w.Run(task); o.State != work.Failed || !strings.Contains(o.Error.Message, "windows FAILED") {
			t.Errorf("got %s, %+v", o.State, o.Error)
		}
	})
	runnertest.In(t, kind("Build", "ECRBuildAndPublish")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{Exported: map[string]string{"ECRImageDigestId": "sha256:1", "ECRRepositoryName": "shop"}})
		task.Configuration = map[string]string{"ECRRepositoryName": "shop"}
		task.Action.OutputArtifacts = nil
		task.Action.EnvironmentVariables = []workflows.EnvironmentVar{{Name: "NPM_TOKEN", Value: "shop/npm", Type: "SECRETS_MANAGER"}}
		task.Environment = map[string]string{"NPM_TOKEN": "shop/npm", "ROLLCALL_EXECUTION": "webshop#42"}
		if o := w.Run(task); o.State != work.Succeeded || o.Outputs["ECRImageDigestId"] != "sha256:1" {
			t.Errorf("got %+v, %+v", o, o.Error)
		}
		for _, c := range w.AWS.Calls() {
			text := string(c.Input)
			if c.Operation == "StartBuild" && (!strings.Contains(text, `"name":"NPM_TOKEN","type":"SECRETS_MANAGER","value":"shop/npm"`) || strings.Count(text, `"name":"ROLLCALL_EXECUTION"`) != 1) {
				t.Errorf("the build was started with %s", text)
			}
		}
	})
}

// Whatever goes wrong with a call, the action ends in a defined state and builds once.
func TestBuildsOnce(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: kind("Build", "CodeBuild"), Started: func(w *runnertest.World) int { return len(codeBuild(w).Started()) },
		Given: func(w *runnertest.World) work.Task {
			return given(w, codebuild.Script{Lines: map[string][]string{"BUILD": {"x"}}, Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "A"}}}}})
		}})
}

// A start whose answer was lost is found again after CodeBuild has forgotten its token.
func TestABuildIsFoundLater(t *testing.T) {
	runnertest.In(t, kind("Build", "CodeBuild")(), func(w *runnertest.World) {
		task := given(w, codebuild.Script{Takes: map[string]time.Duration{"BUILD": 30 * time.Minute}})
		time.AfterFunc(10*time.Minute, func() { w.AWS.Faults() })
		w.AWS.Faults(awsfake.Fault{Operation: "codebuild:StartBuild", Trouble: awsfake.CutAfter, Times: 1}, awsfake.Fault{Operation: "codebuild:StartBuild", Trouble: awsfake.ServerError})
		w.Restart = true
		if o := w.Run(task); o.State != work.Succeeded || len(codeBuild(w).Started()) != 1 {
			t.Errorf("got %s, %+v, builds %v", o.State, o.Error, codeBuild(w).Started())
		}
	})
}
