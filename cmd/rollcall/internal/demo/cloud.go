package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
)

// The local AWS: where it is mounted, and whose account it is.
const (
	awsMount    = "/aws"
	awsRegion   = "eu-west-1"
	awsAccount  = "444455556666"
	bridgeRole  = "arn:aws:iam::" + awsAccount + ":role/rollcall-bridge"
	consoleUser = "arn:aws:iam::" + awsAccount + ":user/bob"
	webPipeline = "webshop-pipeline"
	payPipeline = "payments-pipeline"
	deployBuild = "payments-deploy:5b1f7a52-0c3e-4a57-9d58-2f1d0f7a9c11" // the one that fails
	deployGroup = "/aws/codebuild/payments-deploy"
)

// cloud is the local AWS with two pipelines that stay there: one waits for
// approval when the visitor comes, the other one will fail.
type cloud struct {
	aws    *awsfake.Server
	beat   time.Duration
	logged atomic.Bool  // the failure's log has been written
	back   atomic.Int64 // how far the clock is behind while the past is made, in nanoseconds
}

func openCloud(beat time.Duration) *cloud {
	c := &cloud{beat: beat}
	c.aws = awsfake.NewForPipelines(awsfake.Options{Now: c.now, Keep: 500})
	c.aws.Roles(awsfake.Role{ARN: bridgeRole})
	// The base credentials are those of the account with the queue.
	c.aws.Forward(awsAccount, awsRegion, c.aws.Queue(awsAccount, awsRegion, "rollcall"))
	return c
}

func (c *cloud) now() time.Time { return time.Now().Add(-time.Duration(c.back.Load())) }

func (c *cloud) pipelines() *codepipeline.Service { return c.aws.Pipelines(awsAccount, awsRegion) }

func (c *cloud) console() *awsfake.Console { return c.aws.Console(consoleUser, awsRegion) }

// begin makes the past: what the visitor's colleagues did in AWS before they had rollcall.
func (c *cloud) begin() error {
	p := c.pipelines()
	ok := codepipeline.Script{Takes: 2 * c.beat, ExternalID: "d-8KX2PQ41", Summary: "Deployment d-8KX2PQ41 succeeded"}
	bad := codepipeline.Script{Takes: 2 * c.beat, ExternalID: deployBuild, LogStreamARN: c.failure(), Fail: &codepipeline.Failure{
		Code: "JobFailed", Message: "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: ./deploy.sh. Reason: exit status 1"}}
	fine := codepipeline.Script{Takes: 2 * c.beat, ExternalID: "payments-deploy:7d0c2c9e-5f0b-4d0e-8f35-1f6f0c1d2e33"}
	once, past := codepipeline.Script{}, codepipeline.Script{ExternalID: "d-7HG5FD30", Summary: "Deployment d-7HG5FD30 succeeded"}
	c.back.Store(int64(26 * time.Hour))
	defer c.back.Store(0)
	p.Play(webPipeline, "Production", "Deploy", past, ok)
	p.Play(payPipeline, "Production", "Deploy", once, once, bad, fine)
	p.Play(webPipeline, "Build", "Compile", once, once, codepipeline.Script{Takes: c.beat})
	p.Play(payPipeline, "Build", "Compile", once, once, codepipeline.Script{Takes: c.beat})
	c.push(webPipeline, "Add Rooibos")
	c.push(payPipeline, "Retry refunds")
	for _, d := range []string{declared(webPipeline, true), declared(payPipeline, false)} {
		if err := c.console().Do("CreatePipeline", json.RawMessage(d), nil); err != nil {
			return err
		}
	}
	if err := c.answer(webPipeline, "Production", "SignOff", "Approved", "looks good"); err != nil {
		return err
	}
	c.back.Store(int64(3 * time.Hour))
	c.push(payPipeline, "Show the fee before paying")
	if _, err := p.Start(payPipeline, "WebhookV2", "push to main"); err != nil {
		return err
	}
	c.back.Store(int64(4 * time.Minute))
	c.push(webPipeline, "Add gift boxes")
	_, err := p.Start(webPipeline, "WebhookV2", "push to main")
	return err
}

// failure makes the build that fails, with its log, and returns the log's ARN. Neither is part of a snapshot.
func (c *cloud) failure() string {
	_, stream, _ := strings.Cut(deployBuild, ":")
	c.aws.CodeBuild(awsAccount, awsRegion).Add(codebuild.Build{ID: deployBuild, Status: "FAILED", LogGroup: deployGroup, LogStream: stream, Phases: []codebuild.Phase{
		{Type: "SUBMITTED", Status: "SUCCEEDED"}, {Type: "PROVISIONING", Status: "SUCCEEDED"}, {Type: "DOWNLOAD_SOURCE", Status: "SUCCEEDED"},
		{Type: "BUILD", Status: "FAILED", Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: ./deploy.sh. Reason: exit status 1"},
	}})
	if c.logged.Swap(true) {
		return c.aws.Log(awsAccount, awsRegion, deployGroup, stream)
	}
	return c.aws.Log(awsAccount, awsRegion, deployGroup, stream, "[Container] Running command ./deploy.sh", "installing payments 2.4.0 on 3 instances", "starting payments",
		"health: GET http://10.0.3.17:8080/health", "health: 503 payment provider: certificate has expired", "deploy.sh: 2 of 3 instances are not healthy, giving up",
		"[Container] Command did not exit successfully ./deploy.sh exit status 1", "[Container] Phase complete: BUILD State: FAILED")
}

// push puts a commit where the source action finds it.
func (c *cloud) push(pipeline, title string) {
	id := madeUp(pipeline + title)
	c.pipelines().Push(pipeline, "Checkout", codepipeline.Revision{ID: id, Summary: title, URL: "https://" + awsRegion + ".console.aws.amazon.com/codesuite/codecommit/repositories/" + pipeline + "/commit/" + id})
}

// declared is a pipeline as AWS's own tools write it.
func declared(name string, approval bool) string {
	repository := strings.TrimSuffix(name, "-pipeline")
	action := func(name, category, provider, more string) string {
		return fmt.Sprintf(`{"name":%q,"actionTypeId":{"category":%q,"owner":"AWS","provider":%q,"version":"1"}%s}`, name, category, provider, more)
	}
	var production []string
	if approval {
		production = append(production, action("SignOff", "Approval", "Manual", `,"configuration":{"CustomData":"Is the shop fine on staging?"}`))
	}
	deploy := action("Deploy", "Build", "CodeBuild", fmt.Sprintf(`,"runOrder":2,"inputArtifacts":[{"name":"Image"}],"configuration":{"ProjectName":"%s-deploy"}`, repository))
	if approval {
		deploy = action("Deploy", "Deploy", "CodeDeploy", fmt.Sprintf(`,"runOrder":2,"inputArtifacts":[{"name":"Image"}],"configuration":{"ApplicationName":%q,"DeploymentGroupName":"production"}`, repository))
	}
	production = append(production, deploy)
	return fmt.Sprintf(`{"pipeline":{"name":%q,"roleArn":"arn:aws:iam::%s:role/codepipeline","pipelineType":"V2","executionMode":"SUPERSEDED","artifactStore":{"type":"S3","location":"tea-artifacts"},"stages":[
{"name":"Source","actions":[%s]},{"name":"Build","actions":[%s]},{"name":"Production","actions":[%s]}]}}`, name, awsAccount,
		action("Checkout", "Source", "CodeCommit", fmt.Sprintf(`,"configuration":{"RepositoryName":%q,"BranchName":"main"},"outputArtifacts":[{"name":"Source"}]`, repository)),
		action("Compile", "Build", "CodeBuild", fmt.Sprintf(`,"configuration":{"ProjectName":%q},"inputArtifacts":[{"name":"Source"}],"outputArtifacts":[{"name":"Image"}]`, repository)),
		strings.Join(production, ","))
}

// execution is what the demo reads of ListPipelineExecutions.
type cloudExecution struct {
	ID     string `json:"pipelineExecutionId"`
	Status string `json:"status"`
	Type   string `json:"executionType"`
}

// executions of a pipeline, newest first.
func (c *cloud) executions(pipeline string) ([]cloudExecution, error) {
	var out struct {
		All []cloudExecution `json:"pipelineExecutionSummaries"`
	}
	err := c.console().Do("ListPipelineExecutions", map[string]any{"pipelineName": pipeline}, &out)
	return out.All, err
}

// answer answers an approval as AWS's console does: with the token that it shows.
func (c *cloud) answer(pipeline, stage, action, status, summary string) error {
	states, err := c.states(pipeline)
	if err != nil {
		return err
	}
	for _, st := range states {
		for _, a := range st.Actions {
			if st.Name == stage && a.Name == action && a.Latest.Token != "" {
				return c.console().Do("PutApprovalResult", map[string]any{"pipelineName": pipeline, "stageName": stage, "actionName": action, "token": a.Latest.Token,
					"result": map[string]string{"status": status, "summary": summary}}, nil)
			}
		}
	}
	return fmt.Errorf("%s of %s waits for no answer in AWS", action, pipeline)
}

// start has the next change arrive, as the source's push does.
func (c *cloud) start(pipeline string) error {
	all, err := c.executions(pipeline)
	if err != nil {
		return err
	}
	titles := map[string][]string{webPipeline: {"Add matcha", "Add lemon grass", "Add oolong", "Add white peony"}, payPipeline: {"Switch to the new payment provider", "Renew the certificate", "Log refunds"}}[pipeline]
	n := len(slices.DeleteFunc(all, func(x cloudExecution) bool { return x.Type == "ROLLBACK" }))
	c.push(pipeline, titles[(n-2)%len(titles)])
	_, err = c.pipelines().Start(pipeline, "WebhookV2", "push to main")
	return err
}

// configure adds the bridge to the service's configuration.
func (c *cloud) configure(config map[string]any, base string) {
	pipeline := func(name string, more map[string]any) map[string]any {
		p := map[string]any{"name": name, "as": strings.TrimSuffix(name, "-pipeline"), "channel": "#deploys", "owners": []string{"group:release-managers"}, "environments": map[string]string{"Production": "production"}}
		for k, v := range more {
			p[k] = v
		}
		return p
	}
	delete(config, "github")
	delete(config, "runners")
	delete(config, "sources")
	config["aws"] = map[string]any{"region": awsRegion, "endpointURL": base + awsMount, "events": map[string]any{"queueURL": c.aws.Queue(awsAccount, awsRegion, "rollcall")}}
	config["bridges"] = []any{map[string]any{
		"name": "tea", "region": awsRegion, "roleArn": bridgeRole, "mode": "act", "poll": "3s",
		"pipelines": []any{
			pipeline(webPipeline, map[string]any{"approvals": map[string]any{"Production/SignOff": map[string]any{"from": []string{"group:release-managers"}, "required": 2}}}),
			pipeline(payPipeline, nil),
		},
	}}
}

// Environment is what the service's process needs to know itself in the local AWS:
// credentials, and no file or address where others could be. Nil without AWS.
func (d *Demo) Environment() map[string]string {
	if d.cloud == nil {
		return nil
	}
	return map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIADEMO", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": d.place.path("none"), "AWS_SHARED_CREDENTIALS_FILE": d.place.path("none"), "AWS_EC2_METADATA_DISABLED": "true",
	}
}
