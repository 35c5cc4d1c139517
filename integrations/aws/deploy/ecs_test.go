package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// webDefinition is a task definition with everything that a shop's may have: two
// containers, volumes, secrets, logs.
func webDefinition() map[string]any {
	var d map[string]any
	err := json.Unmarshal([]byte(`{
		"family": "web", "taskRoleArn": "arn:aws:iam::111122223333:role/web", "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
		"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "512", "memory": "1024", "pidMode": "task",
		"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}, "ephemeralStorage": {"sizeInGiB": 30}, "enableFaultInjection": true,
		"volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}}],
		"containerDefinitions": [
			{"name": "web", "image": "shop:1", "essential": true, "cpu": 256, "memoryReservation": 512, "stopTimeout": 30, "readonlyRootFilesystem": true,
			 "portMappings": [{"containerPort": 8080, "protocol": "tcp", "name": "http", "appProtocol": "http2"}],
			 "environment": [{"name": "TZ", "value": "UTC"}], "secrets": [{"name": "DB", "valueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db"}],
			 "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": false}], "dependsOn": [{"containerName": "proxy", "condition": "START"}],
			 "healthCheck": {"command": ["CMD", "true"], "interval": 10, "retries": 3}, "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
			 "linuxParameters": {"initProcessEnabled": true, "capabilities": {"drop": ["ALL"]}}, "restartPolicy": {"enabled": true, "restartAttemptPeriod": 60}, "versionConsistency": "enabled",
			 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "web", "awslogs-region": "eu-west-1"}}},
			{"name": "proxy", "image": "envoy:3", "essential": false}],
		"tags": [{"key": "team", "value": "shop"}, {"key": "rollcall:task", "value": "rc-of-an-older-deployment"}]}`), &d)
	if err != nil {
		panic(err)
	}
	return d
}

// shop is a world with the service "web" of the cluster "shop", which runs web:1.
func shop(w *runnertest.World) *ecs.Service {
	e := awsfake.At[*ecs.Service](w.AWS, runnertest.Account, runnertest.Region)
	e.Create("shop", "web", e.Define(webDefinition()))
	w.Files["Image"] = map[string]string{"imagedefinitions.json": `[{"name": "web", "imageUri": "shop:2"}]`}
	w.Pass(time.Hour) // what the service runs is older than the attempt
	return e
}

func deployment(w *runnertest.World) work.Task {
	return w.Task(map[string]string{"ClusterName": "shop", "ServiceName": "web"}, "Image")
}

func rollingKind() runner.Kind { return ecsRolling()[0] }

func TestAnECSDeploymentChangesTheImageAndNothingElse(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		o := w.Run(deployment(w))
		if o.State != work.Succeeded {
			t.Fatalf("%s: %+v", o.State, o.Error)
		}
		all := e.Definitions("web")
		if len(all) != 2 || e.Runs("shop", "web") != o.Outputs["TaskDefinitionArn"] || !strings.HasSuffix(o.Outputs["TaskDefinitionArn"], "task-definition/web:2") {
			t.Fatalf("%d revisions, the service runs %s, outputs %v", len(all), e.Runs("shop", "web"), o.Outputs)
		}
		want := webDefinition()
		want["containerDefinitions"].([]any)[0].(map[string]any)["image"] = "shop:2"
		want["tags"] = []any{map[string]any{"key": "team", "value": "shop"}, map[string]any{"key": "rollcall:task", "value": runner.TokenOf(deployment(w).ID)}}
		if !reflect.DeepEqual(all[1], want) {
			t.Errorf("registered\n%v\nwant\n%v", all[1], want)
		}
		if o.ExternalID == "" || !strings.Contains(o.ExternalURL, "/ecs/v2/clusters/shop/services/web/deployments?region=eu-west-1") || o.EndedAt.IsZero() {
			t.Errorf("outcome %+v", o)
		}
	})
}

func TestWhyAnECSDeploymentFailed(t *testing.T) {
	for _, c := range []struct {
		name                     string
		plan                     ecs.Plan
		with                     func(*ecs.Service)
		code, class, title, says string // says: in cause or fix
		runs                     string
		log                      string
	}{
		{name: "the circuit breaker falls back", plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Essential container in task exited", Container: "web", ExitCode: 1, Log: []string{"listening", "panic: no database"}}},
			code: "DeploymentRolledBack", class: "ExternalRollback", title: "circuit breaker", says: "the container web", runs: "web:1", log: "panic: no database"},
		{name: "the circuit breaker opens and nothing falls back", plan: ecs.Plan{Breaks: true}, with: func(e *ecs.Service) { e.KeepBroken("shop", "web") },
			code: "DeploymentFailed", class: "HealthCheck", title: "circuit breaker", says: "stopped tasks", runs: "web:2"},
		{name: "an alarm rings", plan: ecs.Plan{Alarm: "shop-5xx"}, code: "DeploymentRolledBack", class: "ExternalRollback", title: "the alarm shop-5xx", says: "shop-5xx", runs: "web:1"},
		{name: "the image is not there", plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "TaskFailedToStart", Reason: "CannotPullContainerError: shop:2: not found", Container: "web"}},
			code: "DeploymentRolledBack", class: "ExternalRollback", title: "circuit breaker", says: "check that the image and its tag exist", runs: "web:1"},
		{name: "memory is short", plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Essential container in task exited", Container: "web", ContainerReason: "OutOfMemoryError: Container killed due to memory usage", ExitCode: 137}},
			code: "DeploymentRolledBack", class: "ExternalRollback", title: "circuit breaker", says: "more memory", runs: "web:1"},
		{name: "the load balancer is not content", plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "ServiceSchedulerInitiated", Reason: "Task failed ELB health checks in (target-group arn:tg)", Container: "web"}},
			code: "DeploymentRolledBack", class: "ExternalRollback", title: "circuit breaker", says: "grace period", runs: "web:1"},
		{name: "the execution role lacks a permission", plan: ecs.Plan{Breaks: true, Stopped: ecs.Stop{Code: "TaskFailedToStart", Container: "web",
			Reason: "ResourceInitializationError: unable to pull secrets: User: arn:aws:sts::111122223333:assumed-role/exec/1 is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:111122223333:secret:db because no identity-based policy allows the secretsmanager:GetSecretValue action"}},
			code: "DeploymentRolledBack", class: "AccessDenied", title: "circuit breaker", says: "role/exec lacks secretsmanager:GetSecretValue", runs: "web:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runnertest.In(t, rollingKind(), func(w *runnertest.World) {
				e := shop(w)
				e.Next("shop", "web", c.plan)
				if c.with != nil {
					c.with(e)
				}
				o := w.Run(deployment(w))
				if o.State != work.Failed || o.Error.Code != c.code || o.Error.Finding == nil {
					t.Fatalf("%s: %+v", o.State, o.Error)
				}
				f := o.Error.Finding
				if said := f.Cause + fmt.Sprint(f.Fix); f.Class != c.class || !strings.Contains(f.Title, c.title) || !strings.Contains(said, c.says) || f.Retry != "afterFix" {
					t.Errorf("finding %+v", f)
				}
				if len(f.Links) != 1 || !strings.Contains(f.Links[0].URL, "/services/web/") || len(f.Evidence) < 2 {
					t.Errorf("links %v, evidence %v", f.Links, f.Evidence)
				}
				if !strings.HasSuffix(e.Runs("shop", "web"), c.runs) || !strings.Contains(w.Log(), c.log) {
					t.Errorf("it runs %s, log:\n%s", e.Runs("shop", "web"), w.Log())
				}
			})
		})
	}
}

// A service on the old task definition is stable, and no success.
func TestSomebodyElseDeploysTheService(t *testing.T) {
	for _, old := range []bool{false, true} {
		runnertest.In(t, rollingKind(), func(w *runnertest.World) {
			e := shop(w)
			if old {
				e.Old("shop", "web")
			}
			other := e.Define(webDefinition())
			e.Next("shop", "web", ecs.Plan{Takes: 10 * time.Minute})
			go func() {
				w.Pass(3 * time.Minute)
				e.Deploy("shop", "web", other, ecs.Plan{})
			}()
			o := w.Run(deployment(w))
			if o.State != work.Failed || o.Error.Code != "ExternallyStopped" || !strings.Contains(o.Error.Message, "web:2") {
				t.Errorf("%s: %+v", o.State, o.Error)
			}
		})
	}
}

// What ECS calls successful is none when the service has moved on since.
func TestAnECSDeploymentThatWasReplacedAtOnce(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		other := e.Define(webDefinition())
		e.Next("shop", "web", ecs.Plan{Takes: time.Second})
		go func() {
			w.Pass(2 * time.Second)
			e.Deploy("shop", "web", other, ecs.Plan{})
		}()
		o := w.Run(deployment(w))
		if o.State != work.Failed || o.Error.Code != "ExternallyStopped" || !strings.Contains(o.Error.Message, "is to run web:2, not web:3: somebody else deployed it (it was deployed, and replaced)") {
			t.Errorf("%s: %+v", o.State, o.Error)
		}
	})
}

func TestAServiceThatIsDeletedWhileItIsDeployed(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		e.Next("shop", "web", ecs.Plan{Stuck: true})
		go func() {
			w.Pass(time.Minute)
			e.Delete("shop", "web")
		}()
		if o := w.Run(deployment(w)); o.Error == nil || o.Error.Code != "ServiceNotActive" {
			t.Errorf("%s: %+v", o.State, o.Error)
		}
	})
}

func TestAPlaceWithoutServiceDeployments(t *testing.T) {
	for want, plan := range map[string]ecs.Plan{work.Succeeded: {}, "DeploymentRolledBack": {Breaks: true}} {
		runnertest.In(t, rollingKind(), func(w *runnertest.World) {
			e := shop(w)
			e.Old("shop", "web")
			e.Next("shop", "web", plan)
			o := w.Run(deployment(w))
			if got := o.State; o.Error == nil && got != want || o.Error != nil && o.Error.Code != want {
				t.Errorf("%s: %+v, want %s", got, o.Error, want)
			}
		})
	}
}

// What was known of a service before its deployment began does not speak of it.
func TestAnAnswerFromBeforeTheDeploymentIsNoRollback(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		e.Old("shop", "web")
		task := deployment(w)
		o, err := w.Begin(task)
		if err != nil {
			t.Fatal(err)
		}
		e.Deploy("shop", "web", parseHandle(o.Handle).before, ecs.Plan{Takes: time.Millisecond}) // as it stood
		w.Pass(time.Second)
		task.Handle = o.Handle
		if o, err = w.Begin(task); err != nil || o.State != work.Running {
			t.Errorf("%s: %+v, %v", o.State, o.Error, err)
		}
		if o = w.Run(task); o.Error == nil || o.Error.Code != "DeploymentRolledBack" {
			t.Errorf("later %s: %+v", o.State, o.Error)
		}
	})
}

func TestWhatAnECSDeploymentIsNotBegunFor(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		images   string
		with     func(*ecs.Service)
		says     string
	}{
		"a container that is not there": {images: `[{"name": "api", "imageUri": "shop:2"}]`, says: "name the container api, but the task definition web:1 has web, proxy"},
		"no JSON":                       {images: `web=shop:2`, says: "imagedefinitions.json is no JSON array"},
		"no rows":                       {images: `[]`, says: "names no container"},
		"a file that is not there":      {settings: map[string]string{"FileName": "images.json"}, says: "has no file images.json"},
		"a file that is too large":      {images: `[` + strings.Repeat(" ", mostImages) + `]`, says: "larger than 100 KB"},
		"a service that is not there":   {settings: map[string]string{"ServiceName": "api"}, says: "the cluster shop has no service api"},
		"a service of CodeDeploy":       {with: func(e *ecs.Service) { e.Control("shop", "web", "CODE_DEPLOY") }, says: "CodeDeployToECS those of CODE_DEPLOY"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, rollingKind(), func(w *runnertest.World) {
				e := shop(w)
				if c.with != nil {
					c.with(e)
				}
				if c.images != "" {
					w.Files["Image"]["imagedefinitions.json"] = c.images
				}
				task := deployment(w)
				maps.Copy(task.Configuration, c.settings)
				o := w.Run(task)
				if o.State != work.Failed || o.Error.Code != "ConfigurationInvalid" || !strings.Contains(o.Error.Message, c.says) {
					t.Errorf("%s: %+v", o.State, o.Error)
				}
				if n := len(e.Definitions("web")); n != 1 || w.Called("ecs:UpdateService") != 0 {
					t.Errorf("%d revisions, and the service was updated %d times", n, w.Called("ecs:UpdateService"))
				}
			})
		})
	}
}

// What a newer ECS says of a task definition must not get lost.
func TestAKeyThatTheSDKDoesNotKnowEndsTheDeployment(t *testing.T) {
	d := definition{"family": "web", "revision": json.Number("7"), "containerDefinitions": []any{map[string]any{"name": "web", "image": "shop:1", "warpDrive": map[string]any{"factor": 9}}}}
	body, err := json.Marshal(map[string]any{"taskDefinition": d, "tags": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	newer := &runner.Attempt{Config: aws.Config{Region: runnertest.Region, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""), HTTPClient: &http.Client{Transport: answer(body)}}}
	if d, _, err = described(t.Context(), newer, "web:7"); err != nil {
		t.Fatal(err)
	}
	_, err = d.with([]image{{"web", "shop:2"}})
	if err == nil || !strings.Contains(err.Error(), `the task definition web:7 has "warpDrive", which this version of rollcall does not know`) {
		t.Errorf("%v", err)
	}
}

// answer is an AWS that always says the same.
type answer []byte

// RoundTrip implements http.RoundTripper.
func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a)), Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Request: r}, nil
}

func TestStoppingAnECSDeploymentRollsItBack(t *testing.T) {
	for name, c := range map[string]struct {
		old   bool
		calls string
	}{"by its record": {false, "ecs:StopServiceDeployment"}, "by the task definition before": {true, "ecs:UpdateService"}} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, rollingKind(), func(w *runnertest.World) {
				e := shop(w)
				if c.old {
					e.Old("shop", "web")
				}
				e.Next("shop", "web", ecs.Plan{Stuck: true})
				if o := w.Stop(deployment(w), 2*time.Minute); o.State != work.Cancelled || !strings.HasSuffix(e.Runs("shop", "web"), "web:1") {
					t.Errorf("%+v %+v; the service runs %s", o, o.Error, e.Runs("shop", "web"))
				}
				if n := w.Called(c.calls); n != 1 && !c.old || c.old && n != 2 {
					t.Errorf("%s was called %d times", c.calls, n)
				}
			})
		})
	}
}

func TestAnECSDeploymentThatTakesTooLong(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		shop(w).Next("shop", "web", ecs.Plan{Stuck: true})
		task := deployment(w)
		task.Configuration["DeploymentTimeout"] = "20"
		began := time.Now()
		o := w.Run(task)
		if took := time.Since(began); o.Error == nil || o.Error.Code != "ActionTimedOut" || !strings.Contains(o.Error.Message, "within 20 minutes") || took > 21*time.Minute {
			t.Errorf("after %v %s: %+v", took, o.State, o.Error)
		}
	})
}

// ECS may have given a deployment up before its lost start is looked up.
func TestADeploymentThatFellBackBeforeItWasFound(t *testing.T) {
	runnertest.In(t, rollingKind(), func(w *runnertest.World) {
		e := shop(w)
		e.Next("shop", "web", ecs.Plan{Takes: time.Millisecond, Breaks: true})
		w.AWS.Faults(awsfake.Fault{Operation: "ecs:UpdateService", Trouble: awsfake.CutAfter, Times: 1})
		o := w.Run(deployment(w))
		if o.State != work.Failed || o.Error.Code != "DeploymentRolledBack" || w.Called("ecs:UpdateService") != 1 || len(e.Definitions("web")) != 2 {
			t.Errorf("%s: %+v; %d updates, %d revisions", o.State, o.Error, w.Called("ecs:UpdateService"), len(e.Definitions("web")))
		}
	})
}

func TestEveryFaultOfAnECSDeployment(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: rollingKind, Once: []string{"ecs:RegisterTaskDefinition", "ecs:UpdateService"},
		Given: func(w *runnertest.World) work.Task {
			shop(w).Next("shop", "web", ecs.Plan{Takes: 4 * time.Second})
			return deployment(w)
		}})
}
