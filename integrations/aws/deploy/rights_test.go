package deploy

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a deployment is enough, and nothing of it is too much.
func TestRightsOfDeployments(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:111122223333:key/1"
	for name, c := range map[string]runnertest.Case{
		"S3": {Kind: s3Kind, Given: func(w *runnertest.World) work.Task {
			store, _ := siteWorld(w)
			store.Create(s3.Bucket{Name: site, Owner: runnertest.Account, Region: runnertest.Region, ACLs: true})
			return w.Task(map[string]string{"BucketName": site, "Extract": "true", "DistributionId": "E2QWRUHAPOMQZL", "CannedACL": "public-read", "KMSEncryptionKeyARN": key}, "web")
		}},
		"S3, the artifact as it is": {Kind: s3Kind, Given: func(w *runnertest.World) work.Task { return wholeArtifact(w, false) },
			Ways: []runnertest.Way{{Name: "a bucket without versions", Ends: work.Succeeded, Given: func(w *runnertest.World) work.Task { return wholeArtifact(w, true) }}}},
		"ECS": {Kind: rollingKind, Once: []string{"ecs:RegisterTaskDefinition", "ecs:UpdateService"},
			Given: func(w *runnertest.World) work.Task {
				shop(w).Next("shop", "web", ecs.Plan{Takes: 20 * time.Second})
				return deployment(w)
			},
			Ways: []runnertest.Way{{Name: "a circuit breaker that opens", Given: func(w *runnertest.World) work.Task {
				shop(w).Next("shop", "web", ecs.Plan{Takes: 20 * time.Second, Breaks: true,
					Stopped: ecs.Stop{Code: "EssentialContainerExited", Reason: "Essential container in task exited", Container: "web", ExitCode: 1, Log: []string{"no database"}}})
				return deployment(w)
			}}}},
		"CodeDeploy": {Kind: codeDeployKind, Once: []string{"codedeploy:CreateDeployment"}, Ways: []runnertest.Way{{Name: "a script that fails", Given: func(w *runnertest.World) work.Task {
			fleet(w).Next("shop", "prod", codedeploy.Plan{Code: "HEALTH_CONSTRAINTS", Hook: codedeploy.Hook{Event: "ValidateService", Code: "ScriptFailed"}})
			return onFleet(w)
		}}}, Given: func(w *runnertest.World) work.Task {
			fleet(w).Next("shop", "prod", codedeploy.Plan{Takes: 20 * time.Second})
			return onFleet(w)
		}},
		"CodeDeployToECS": {Kind: toECSKind, Once: []string{"ecs:RegisterTaskDefinition", "codedeploy:CreateDeployment"}, Ways: []runnertest.Way{{Name: "a hook that fails", Given: func(w *runnertest.World) work.Task {
			blueGreen(w).Next("shop", "web", codedeploy.Plan{Code: "HOOK_EXECUTION_FAILURE", Hook: codedeploy.Hook{Event: "AfterAllowTestTraffic", Code: "UnknownError"}})
			return toECS(w)
		}}}, Given: func(w *runnertest.World) work.Task {
			blueGreen(w).Next("shop", "web", codedeploy.Plan{Takes: 20 * time.Second})
			return toECS(w)
		}},
		"Lambda": {Kind: lambdaKind, Once: []string{"lambda:UpdateFunctionCode"}, Given: func(w *runnertest.World) work.Task {
			awsfake.At[*cloudwatch.Service](w.AWS, runnertest.Account, runnertest.Region).Set(cloudwatch.Metric, "shop-5xx", cloudwatch.OK, "")
			_, task := lambdaShop(w, map[string]string{"DeployStrategy": "Canary10Percent5Minutes", "Alarms": "shop-5xx"})
			return task
		}},
		"Lambda, a version that is there": {Kind: lambdaKind, Given: func(w *runnertest.World) work.Task {
			_, task := lambdaShop(w, nil)
			if o := w.Run(task); o.State != work.Succeeded {
				w.T.Fatalf("%+v", o.Error)
			}
			task.Configuration["PublishedTargetVersion"], task.ID = "1", "back to the first version"
			return task
		}},
	} {
		t.Run(name, func(t *testing.T) { runnertest.Rights(t, c) })
	}
}

// wholeArtifact is a task that deploys an artifact as one object.
func wholeArtifact(w *runnertest.World, unversioned bool) work.Task {
	siteWorld(w)
	w.S3.Create(s3.Bucket{Name: runnertest.Bucket, Owner: runnertest.Account, Region: runnertest.Region, Unversioned: unversioned})
	w.Input("web", map[string]string{"index.html": "<html>"})
	return w.Task(map[string]string{"BucketName": site, "Extract": "false", "ObjectKey": "web.zip"}, "web")
}
