package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func codeDeployKind() runner.Kind { return codeDeployments()[0] }

// fleet is a world with the deployment group "prod" of the application "shop".
func fleet(w *runnertest.World) *codedeploy.Service {
	c := awsfake.At[*codedeploy.Service](w.AWS, runnertest.Account, runnertest.Region)
	c.Create(codedeploy.Group{Application: "shop", Name: "prod", RollsBack: true, Targets: []string{"i-0aa", "i-0bb"}})
	w.Files["Bundle"] = map[string]string{"appspec.yml": "version: 0.0"}
	return c
}

func onFleet(w *runnertest.World) work.Task {
	return w.Task(map[string]string{"ApplicationName": "shop", "DeploymentGroupName": "prod"}, "Bundle")
}

func TestCodeDeployDeploysTheArtifactAsItIs(t *testing.T) {
	runnertest.In(t, codeDeployKind(), func(w *runnertest.World) {
		c := fleet(w)
		o := w.Run(onFleet(w))
		if o.State != work.Succeeded || o.Outputs["DeploymentId"] != o.ExternalID || o.EndedAt.IsZero() || !strings.Contains(o.ExternalURL, "/codesuite/codedeploy/deployments/"+o.ExternalID) {
			t.Fatalf("%+v %+v", o, o.Error)
		}
		all := c.Revisions("shop", "prod")
		if len(all) != 1 {
			t.Fatalf("%d deployments", len(all))
		}
		at := all[0].In("s3Location")
		if got := fmt.Sprint(at.Text("bucket"), " ", at.Text("key"), " ", at.Text("version"), " ", at.Text("bundleType")); got != runnertest.Bucket+" Bundle v1 zip" {
			t.Errorf("it deployed %s", got)
		}
	})
}

func TestWhyACodeDeployDeploymentFailed(t *testing.T) {
	for _, c := range []struct {
		name                     string
		plan                     codedeploy.Plan
		code, class, title, says string // says: in cause, fix or evidence
		log                      string
	}{
		{name: "a hook's script fails", plan: codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Message: "The overall deployment failed because too many individual instances failed deployment.",
			Hook: codedeploy.Hook{Event: "ValidateService", Code: "ScriptFailed", Script: "scripts/smoke.sh", Message: "Script at specified location: scripts/smoke.sh failed with exit code 1", Log: "GET /health\n503 Service Unavailable\nsmoke test failed\n"}},
			code: "HEALTH_CONSTRAINTS", class: "CommandFailed", title: "the script scripts/smoke.sh of ValidateService failed", says: "503 Service Unavailable | smoke test failed", log: "503 Service Unavailable\nsmoke test failed\n"},
		{name: "a hook's script is missing", plan: codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Hook: codedeploy.Hook{Event: "BeforeInstall", Code: "ScriptMissing", Script: "stop.sh"}},
			code: "HEALTH_CONSTRAINTS", class: "CommandFailed", title: "stop.sh of BeforeInstall is not in the revision", says: "hooks.BeforeInstall"},
		{name: "a hook's script cannot be executed", plan: codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Hook: codedeploy.Hook{Event: "AfterInstall", Code: "ScriptNotExecutable", Script: "start.sh"}},
			code: "HEALTH_CONSTRAINTS", class: "CommandFailed", title: "cannot be executed", says: "chmod +x"},
		{name: "a hook takes too long", plan: codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Hook: codedeploy.Hook{Event: "ApplicationStart", Code: "ScriptTimedOut", Script: "start.sh"}},
			code: "HEALTH_CONSTRAINTS", class: "CommandFailed", title: "took too long", says: "raise its timeout"},
		{name: "an alarm", plan: codedeploy.Plan{Code: "ALARM_ACTIVE", Message: "One or more alarms have been activated: shop-5xx"}, code: "ALARM_ACTIVE", class: "HealthCheck", title: "an alarm stopped", says: "shop-5xx"},
		{name: "no appspec file", plan: codedeploy.Plan{Code: "INVALID_REVISION", Message: "no appspec.yml"}, code: "INVALID_REVISION", class: "Validation", title: "no usable appspec", says: "root of the artifact"},
		{name: "no instances", plan: codedeploy.Plan{Code: "NO_INSTANCES"}, code: "NO_INSTANCES", class: "NotFound", title: "no instance matches", says: "tags"},
		{name: "a code that nobody knows", plan: codedeploy.Plan{Code: "TIMEOUT", Message: "no answer"}, code: "TIMEOUT", class: "Timeout", title: "took too long", says: "still pending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runnertest.In(t, codeDeployKind(), func(w *runnertest.World) {
				fleet(w).Next("shop", "prod", c.plan)
				began := time.Now()
				o := w.Run(onFleet(w))
				if o.State != work.Failed || o.Error.Code != c.code || o.Error.Finding == nil {
					t.Fatalf("%s: %+v", o.State, o.Error)
				}
				f := o.Error.Finding
				if said := f.Cause + fmt.Sprint(f.Fix, f.Evidence); f.Class != c.class || !strings.Contains(f.Title, c.title) || !strings.Contains(said, c.says) {
					t.Errorf("finding %+v", f)
				}
				if len(f.Links) != 1 || !strings.Contains(f.Links[0].URL, o.ExternalID) || !strings.Contains(w.Log(), c.log) {
					t.Errorf("links %v, log:\n%s", f.Links, w.Log())
				}
				// It was followed to the end of CodeDeploy's own rollback, which is told with it.
				if took := time.Since(began); took < 40*time.Second || !strings.Contains(o.Error.Message, "CodeDeploy has rolled it back: d-000000002A") {
					t.Errorf("after %v: %s", took, o.Error.Message)
				}
			})
		})
	}
}

func TestCodeDeployTakesOneDeploymentAtATime(t *testing.T) {
	runnertest.In(t, codeDeployKind(), func(w *runnertest.World) {
		fleet(w).Next("shop", "prod", codedeploy.Plan{Takes: 20 * time.Minute})
		other := w.Task(map[string]string{"ApplicationName": "shop", "DeploymentGroupName": "prod"}, "Bundle")
		other.ID = "019cadfd-8900-7744-98aa-2786dd0d8947/Stage/Act/1"
		if o, err := w.Begin(other); err != nil || o.State != work.Running {
			t.Fatalf("%+v, %v", o, err)
		}
		_, err := w.Begin(onFleet(w))
		if err == nil || err.Error() != "the deployment group prod takes one deployment at a time: waiting for d-000000001A" {
			t.Errorf("people see: %v", err)
		}
		if o := w.Run(onFleet(w)); o.State != work.Succeeded || o.ExternalID != "d-000000002A" {
			t.Errorf("%s %s: %+v", o.ExternalID, o.State, o.Error)
		}
	})
}

func TestStoppingACodeDeployDeployment(t *testing.T) {
	runnertest.In(t, codeDeployKind(), func(w *runnertest.World) {
		fleet(w).Next("shop", "prod", codedeploy.Plan{Stuck: true})
		o := w.Stop(onFleet(w), 2*time.Minute)
		if o.State != work.Cancelled || w.Called("codedeploy:StopDeployment") != 1 {
			t.Errorf("%+v: stopped %d times", o, w.Called("codedeploy:StopDeployment"))
		}
	})
}

func TestSomebodyStopsACodeDeployDeployment(t *testing.T) {
	runnertest.In(t, codeDeployKind(), func(w *runnertest.World) {
		fleet(w).Next("shop", "prod", codedeploy.Plan{Code: "MANUAL_STOP"})
		if o := w.Run(onFleet(w)); o.State != work.Failed || !strings.Contains(o.Error.Message, "d-000000001A") {
			t.Errorf("%s: %+v", o.State, o.Error)
		}
	})
}

func TestEveryFaultOfACodeDeployDeployment(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: codeDeployKind, Once: []string{"codedeploy:CreateDeployment"},
		Given: func(w *runnertest.World) work.Task {
			fleet(w).Next("shop", "prod", codedeploy.Plan{Takes: 4 * time.Second})
			return onFleet(w)
		}})
}

func toECSKind() runner.Kind { return codeDeployments()[1] }

// blueGreen is a world with the ECS deployment group "web" and what its action reads.
func blueGreen(w *runnertest.World) *codedeploy.Service {
	c := awsfake.At[*codedeploy.Service](w.AWS, runnertest.Account, runnertest.Region)
	c.Create(codedeploy.Group{Application: "shop", Name: "web", Platform: "ECS", RollsBack: true, Targets: []string{"shop:web"}})
	w.Files["Source"] = map[string]string{
		"taskdef.json": `{"family": "web", "executionRoleArn": "arn:aws:iam::111122223333:role/exec", "containerDefinitions": [{"name": "web", "image": "<WEB>", "essential": true}, {"name": "proxy", "image": "<PROXY>"}], "revision": 3, "status": "ACTIVE"}`,
		"appspec.yaml": "Resources:\n  - TargetService:\n      Properties:\n        TaskDefinition: <TASK_DEFINITION>\n",
	}
	w.Files["Web"] = map[string]string{"imageDetail.json": `{"ImageURI": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:abc", "ImageTags": ["v2"]}`}
	w.Files["Proxy"] = map[string]string{"imageDetail.json": `{"ImageURI": "envoy@sha256:def"}`}
	return c
}

func toECS(w *runnertest.World) work.Task {
	return w.Task(map[string]string{"ApplicationName": "shop", "DeploymentGroupName": "web", "TaskDefinitionTemplateArtifact": "Source", "AppSpecTemplateArtifact": "Source",
		"Image1ArtifactName": "Web", "Image1ContainerName": "WEB", "Image2ArtifactName": "Proxy", "Image2ContainerName": "PROXY"}, "Source", "Web", "Proxy")
}

func TestCodeDeployShiftsAnECSServiceToTheTemplatesOfItsArtifacts(t *testing.T) {
	runnertest.In(t, toECSKind(), func(w *runnertest.World) {
		c := blueGreen(w)
		e := awsfake.At[*ecs.Service](w.AWS, runnertest.Account, runnertest.Region)
		if o := w.Run(toECS(w)); o.State != work.Succeeded {
			t.Fatalf("%s: %+v", o.State, o.Error)
		}
		defined := e.Definitions("web")
		if len(defined) != 1 {
			t.Fatalf("%d revisions", len(defined))
		}
		containers := api.Input(defined[0]).List("containerDefinitions")
		if got := containers[0].Text("image") + " " + containers[1].Text("image"); got != "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:abc envoy@sha256:def" {
			t.Errorf("images %s", got)
		}
		content := c.Revisions("shop", "web")[0].In("appSpecContent")
		sum := sha256.Sum256([]byte(content.Text("content")))
		if !strings.Contains(content.Text("content"), "TaskDefinition: arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1\n") || content.Text("sha256") != hex.EncodeToString(sum[:]) {
			t.Errorf("appspec %v", content)
		}
	})
}

func TestWhatCodeDeployToECSIsNotBegunFor(t *testing.T) {
	for name, c := range map[string]struct {
		artifact, file, text string
		settings             map[string]string
		says                 string
	}{
		"no place for the task definition": {artifact: "Source", file: "appspec.yaml", text: "version: 0.0", says: "has no <TASK_DEFINITION>"},
		"no place for the image":           {artifact: "Source", file: "taskdef.json", text: `{"family": "web"}`, says: "has no <WEB>, which Image1ContainerName names"},
		"no JSON":                          {artifact: "Source", file: "taskdef.json", text: `family: <WEB> <PROXY>`, says: "taskdef.json is no JSON"},
		"no family":                        {artifact: "Source", file: "taskdef.json", text: `{"containerDefinitions": [{"image": "<WEB> <PROXY>"}]}`, says: "taskdef.json names no family"},
		"a key that nobody knows":          {artifact: "Source", file: "taskdef.json", text: `{"family": "<WEB> <PROXY>", "warpDrive": 9}`, says: `taskdef.json has "warpDrive"`},
		"no task definition":               {artifact: "Source", file: "taskdef.json", text: `{"family": "<WEB> <PROXY>", "memory": 9}`, says: "taskdef.json is no task definition"},
		"no image":                         {artifact: "Web", file: "imageDetail.json", text: `{}`, says: "imageDetail.json of the artifact Web is no"},
		"half of an image":                 {settings: map[string]string{"Image3ContainerName": "API"}, says: "Image3ArtifactName and Image3ContainerName belong together"},
		"a file that is not there":         {settings: map[string]string{"AppSpecTemplatePath": "deploy/appspec.yaml"}, says: "the artifact Source has no file deploy/appspec.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, toECSKind(), func(w *runnertest.World) {
				blueGreen(w)
				if c.artifact != "" {
					w.Files[c.artifact][c.file] = c.text
				}
				task := toECS(w)
				maps.Copy(task.Configuration, c.settings)
				o := w.Run(task)
				if o.State != work.Failed || o.Error.Code != "ConfigurationInvalid" || !strings.Contains(o.Error.Message, c.says) {
					t.Errorf("%s: %+v", o.State, o.Error)
				}
				if w.Called("ecs:RegisterTaskDefinition")+w.Called("codedeploy:CreateDeployment") > 0 {
					t.Error("something was begun")
				}
			})
		})
	}
}

func TestAHookOfABlueGreenDeploymentFails(t *testing.T) {
	runnertest.In(t, toECSKind(), func(w *runnertest.World) {
		blueGreen(w).Next("shop", "web", codedeploy.Plan{Code: "HOOK_EXECUTION_FAILURE", Message: "The lifecycle hook did not succeed", Hook: codedeploy.Hook{Event: "AfterAllowTestTraffic", Code: "UnknownError", Message: "the function said Failed"}})
		o := w.Run(toECS(w))
		if o.Error == nil || o.Error.Finding.Class != "CommandFailed" || !strings.Contains(o.Error.Finding.Title, "AfterAllowTestTraffic") || !strings.Contains(o.Error.Finding.Cause, "shop:web: UnknownError: the function said Failed") {
			t.Errorf("%+v", o.Error)
		}
	})
}

func TestEveryFaultOfABlueGreenDeployment(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: toECSKind, Once: []string{"ecs:RegisterTaskDefinition", "codedeploy:CreateDeployment"},
		Given: func(w *runnertest.World) work.Task {
			blueGreen(w).Next("shop", "web", codedeploy.Plan{Takes: 4 * time.Second})
			return toECS(w)
		}})
}
