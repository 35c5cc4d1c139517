package deploy

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostAtOnce = 25 // that BatchGetDeployments and BatchGetDeploymentTargets take
	mostPages  = 20 // of a group's deployments since the attempt began
)

// deployments are CodeDeploy's as kinds of action.
type deployments struct {
	list *runner.List[types.DeploymentInfo]
}

func codeDeployments() []runner.Kind {
	d := &deployments{list: runner.NewList(mostAtOnce, getCodeDeployments)}
	return []runner.Kind{
		{Category: "Deploy", Provider: "CodeDeploy", Start: d.start, Find: d.find, Poll: d.poll, Cancel: d.cancel, Needs: codeDeployNeeds, Check: checkGroup, Optional: readGroup, Subject: runner.Subject{Setting: "DeploymentGroupName", Changed: "StopDeployment", Deleted: "DeleteDeploymentGroup"}},
		{Category: "Deploy", Provider: "CodeDeployToECS", Start: d.startECS, Find: d.find, Poll: d.poll, Cancel: d.cancel, Needs: toECSNeeds, Check: checkGroup, Optional: readGroup, Subject: runner.Subject{Setting: "DeploymentGroupName", Changed: "StopDeployment", Deleted: "DeleteDeploymentGroup"}},
	}
}

func getCodeDeployments(ctx context.Context, c aws.Config, ids []string) (map[string]types.DeploymentInfo, error) {
	out, err := codedeploy.NewFromConfig(c).BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: ids})
	if err != nil {
		return nil, err
	}
	all := make(map[string]types.DeploymentInfo, len(out.DeploymentsInfo))
	for _, d := range out.DeploymentsInfo {
		all[aws.ToString(d.DeploymentId)] = d
	}
	return all, nil
}

// start deploys the action's input artifact.
func (d *deployments) start(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	o, err := a.Input(ctx, a.Task.Action.InputArtifacts[0])
	if err != nil {
		return work.Outcome{}, err
	}
	at := &types.S3Location{Bucket: aws.String(o.Bucket), Key: aws.String(o.Key), BundleType: types.BundleTypeZip}
	if o.Version != "" {
		at.Version = aws.String(o.Version)
	}
	return create(ctx, a, &types.RevisionLocation{RevisionType: types.RevisionLocationTypeS3, S3Location: at})
}

// create begins the deployment of a revision.
func create(ctx context.Context, a *runner.Attempt, revision *types.RevisionLocation) (work.Outcome, error) {
	execution := workflows.Execution{Pipeline: a.Task.Pipeline, Number: a.Task.Number}
	out, err := codedeploy.NewFromConfig(a.Config).CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: aws.String(a.Setting("ApplicationName")),
		DeploymentGroupName: aws.String(a.Setting("DeploymentGroupName")), Revision: revision, Description: aws.String("rollcall " + execution.Ref() + " " + a.Token)})
	if runner.Code(err) == "DeploymentLimitExceeded" {
		return work.Outcome{}, runner.Later("the deployment group %s takes one deployment at a time: waiting for %s", a.Setting("DeploymentGroupName"), deploymentIn(err.Error()))
	}
	if err != nil {
		return work.Outcome{}, err
	}
	id := aws.ToString(out.DeploymentId)
	return deploying(a, id, ""), a.Logf("CodeDeploy began the deployment %s", id)
}

// deploymentIn is the ID of a deployment that a text names, else words for one.
func deploymentIn(text string) string {
	for word := range strings.FieldsSeq(text) {
		if word = strings.Trim(word, `'",.;:`); strings.HasPrefix(word, "d-") {
			return word
		}
	}
	return "another one"
}

// deploying is the outcome of a deployment on its way.
func deploying(a *runner.Attempt, id, summary string) work.Outcome {
	return work.Outcome{State: work.Running, Handle: id, ExternalID: id, ExternalURL: deploymentPage(a, id), Summary: summary}
}

// find looks a deployment up by its description, among those since the attempt began.
func (d *deployments) find(ctx context.Context, a *runner.Attempt) (work.Outcome, bool, error) {
	in := &codedeploy.ListDeploymentsInput{ApplicationName: aws.String(a.Setting("ApplicationName")), DeploymentGroupName: aws.String(a.Setting("DeploymentGroupName"))}
	if began := a.Began(); !began.IsZero() {
		in.CreateTimeRange = &types.TimeRange{Start: aws.Time(began.Add(-clocksDiffer))}
	}
	api := codedeploy.NewFromConfig(a.Config)
	pages := accounts.Pages(func(token *string) (*codedeploy.ListDeploymentsOutput, error) {
		in.NextToken = token
		return api.ListDeployments(ctx, in)
	}, func(out *codedeploy.ListDeploymentsOutput) *string { return out.NextToken })
	looked := 0
	for page, err := range pages {
		if err != nil {
			return work.Outcome{}, false, err
		}
		for ids := page.Deployments; len(ids) > 0; ids = ids[min(mostAtOnce, len(ids)):] {
			all, err := getCodeDeployments(ctx, a.Config, ids[:min(mostAtOnce, len(ids))])
			if err != nil {
				return work.Outcome{}, false, err
			}
			for id, one := range all {
				if strings.HasSuffix(aws.ToString(one.Description), a.Token) {
					return deploying(a, id, ""), true, nil
				}
			}
		}
		if looked++; looked == mostPages {
			break
		}
	}
	return work.Outcome{}, false, nil
}

// poll says how a deployment stands; one that failed is followed until CodeDeploy
// has rolled it back.
func (d *deployments) poll(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	id := a.Handle()
	info, known, err := d.list.Look(ctx, a, id)
	if err != nil || !known {
		return deploying(a, id, ""), err
	}
	switch info.Status {
	case types.DeploymentStatusSucceeded:
		o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: deploymentPage(a, id), Outputs: map[string]string{"DeploymentId": id}}
		if info.CompleteTime != nil {
			o.EndedAt = *info.CompleteTime
		}
		return o, nil
	case types.DeploymentStatusFailed, types.DeploymentStatusStopped:
		return d.ended(ctx, a, info)
	case types.DeploymentStatusReady:
		return deploying(a, id, "the new instances are ready: CodeDeploy waits until somebody reroutes traffic"), nil
	case types.DeploymentStatusBaking:
		return deploying(a, id, "CodeDeploy watches the alarms"), nil
	}
	return deploying(a, id, count(info.DeploymentOverview)), nil
}

// ended waits for the rollback of a deployment that failed, then tells both.
func (d *deployments) ended(ctx context.Context, a *runner.Attempt, info types.DeploymentInfo) (work.Outcome, error) {
	id, back := aws.ToString(info.DeploymentId), ""
	if info.RollbackInfo != nil {
		back = aws.ToString(info.RollbackInfo.RollbackDeploymentId)
	}
	if back == "" {
		if awaitsRollback(a, info) {
			return deploying(a, id, "the deployment failed; CodeDeploy is to roll it back"), nil
		}
		return codeDeployFailed(ctx, a, info, "", "")
	}
	b, known, err := d.list.Look(ctx, a, back)
	if err != nil {
		return work.Outcome{}, err
	}
	if !known || b.Status != types.DeploymentStatusSucceeded && b.Status != types.DeploymentStatusFailed && b.Status != types.DeploymentStatusStopped {
		return deploying(a, id, "the deployment failed; CodeDeploy rolls it back: "+back), nil
	}
	return codeDeployFailed(ctx, a, info, back, b.Status)
}

// rollbackComes is how long after its end a deployment may be without the one that rolls it back.
const rollbackComes = 30 * time.Second

// awaitsRollback says whether a deployment that failed a moment ago is still to be rolled back by itself.
func awaitsRollback(a *runner.Attempt, info types.DeploymentInfo) bool {
	rolls := info.AutoRollbackConfiguration != nil && info.AutoRollbackConfiguration.Enabled
	said := info.RollbackInfo != nil && (info.RollbackInfo.RollbackMessage != nil || info.RollbackInfo.RollbackTriggeringDeploymentId != nil)
	return rolls && !said && info.CompleteTime != nil && a.Now().Before(info.CompleteTime.Add(rollbackComes))
}

// cancel stops a deployment, and has CodeDeploy roll back what it did.
func (d *deployments) cancel(ctx context.Context, a *runner.Attempt) error {
	_, err := codedeploy.NewFromConfig(a.Config).StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: aws.String(a.Handle()), AutoRollbackEnabled: aws.Bool(true)})
	if runner.Code(err) == "DeploymentAlreadyCompleted" {
		return nil
	}
	return err
}

// deploymentPage is a deployment in the console.
func deploymentPage(a *runner.Attempt, id string) string {
	return a.URL("codesuite/codedeploy/deployments/"+url.PathEscape(id), "")
}

// codeDeployNeeds are the permissions of the calls above.
func codeDeployNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	application := action.Configuration["ApplicationName"]
	colon := func(kind, name string) string { return at.ARN("codedeploy", kind+":"+name) }
	return []policy.Statement{
		{Sid: "Deploy", Comment: "begin deployments of the group, and watch them", Actions: []string{"codedeploy:CreateDeployment", "codedeploy:BatchGetDeployments", "codedeploy:ListDeployments"},
			Resources: []string{colon("deploymentgroup", application+"/"+action.Configuration["DeploymentGroupName"])}},
		{Sid: "RegisterRevisions", Comment: "what a new deployment registers", Actions: []string{"codedeploy:RegisterApplicationRevision", "codedeploy:GetApplicationRevision"}, Resources: []string{colon("application", application)}},
		{Sid: "ReadDeploymentConfig", Comment: "how the group deploys", Actions: []string{"codedeploy:GetDeploymentConfig"}, Resources: []string{colon("deploymentconfig", "*")}},
		{Sid: "StopAndExplain", Comment: "stop a deployment, and read which lifecycle event failed; CodeDeploy knows no resource for these",
			Actions: []string{"codedeploy:StopDeployment", "codedeploy:ListDeploymentTargets", "codedeploy:BatchGetDeploymentTargets"}, Resources: []string{"*"}},
	}
}
