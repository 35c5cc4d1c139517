package deploy

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// lambdas is Lambda as a kind of action: new code, a version of it, and an alias
// that is moved to that version at once or step by step.
//
// The alias is only ever changed by a poll, whose handle says what it was before.
// How far the move has come is read from the alias itself, so that a restart at
// any point neither repeats a step nor leaves one out.
func lambdas() []runner.Kind {
	return []runner.Kind{{Category: "Deploy", Provider: "Lambda", Start: startLambda, Poll: pollLambda, Cancel: cancelLambda, Needs: lambdaNeeds, Check: checkFunction,
		Subject: runner.Subject{Setting: "FunctionName", Changed: "UpdateAlias20150331", Deleted: "DeleteFunction20150331"}}}
}

// release is a deployment on its way: the handle of its action.
type release struct {
	Code   string    `json:"code,omitempty"`   // hash of the code that is to become a version
	Target string    `json:"target,omitempty"` // the version; empty: it is not published yet
	From   string    `json:"from,omitempty"`   // the version that the alias had
	Weight int       `json:"weight,omitempty"` // percent of the alias's calls that go to Target
	Since  time.Time `json:"since,omitzero"`   // since when they do
	// Abort is why the alias goes back. It is durable before that is done: who is
	// killed in between still knows why.
	Abort *abort `json:"abort,omitempty"`
}

type abort struct {
	Alarm string `json:"alarm,omitempty"` // the one that rang
	Code  string `json:"code,omitempty"`  // of what AWS refused
	Text  string `json:"text"`
}

// strategyOf is the action's strategy, after its other settings were looked at.
func strategyOf(a *runner.Attempt) (strategy, error) {
	alias, version := a.Setting("FunctionAlias"), a.Setting("PublishedTargetVersion")
	s, err := parseStrategy(a.Setting("DeployStrategy"))
	switch {
	case err != nil:
		return s, err
	case alias == "" && (a.Setting("DeployStrategy") != "" || version != "" || a.Setting("Alarms") != ""):
		return s, &runner.SettingsError{Text: "DeployStrategy, PublishedTargetVersion and Alarms need a FunctionAlias: the traffic of an alias is what they are about"}
	case version == "" && len(a.Task.Action.InputArtifacts) == 0:
		return s, &runner.SettingsError{Text: "there is nothing to deploy: give the action an input artifact, or PublishedTargetVersion"}
	case len(alarmsOf(a)) > mostAlarms:
		return s, &runner.SettingsError{Text: fmt.Sprintf("Alarms names %d alarms, and at most %d are possible", len(alarmsOf(a)), mostAlarms)}
	}
	return s, nil
}

// startLambda gives the function its new code. Repeating it is safe: code that is
// there already is not sent again, and the function's revision keeps others' changes.
func startLambda(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	if _, err := strategyOf(a); err != nil {
		return work.Outcome{}, err
	}
	api, name, r := lambda.NewFromConfig(a.Config), a.Setting("FunctionName"), release{Target: a.Setting("PublishedTargetVersion")}
	if alias := a.Setting("FunctionAlias"); alias != "" {
		is, err := api.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &name, Name: &alias})
		switch {
		case err != nil:
			return work.Outcome{}, err
		case is.RoutingConfig != nil && len(is.RoutingConfig.AdditionalVersionWeights) > 0:
			return work.Outcome{}, runner.Later("the alias %s of the function %s sends calls to two versions: another deployment is under way", alias, name)
		}
		r.From = aws.ToString(is.FunctionVersion)
	}
	if r.Target != "" {
		return r.running(a, time.Millisecond), a.Logf("the alias %s of %s moves from version %s to %s", a.Setting("FunctionAlias"), name, r.From, r.Target)
	}
	o, err := a.Input(ctx, a.Task.Action.InputArtifacts[0])
	if err != nil {
		return work.Outcome{}, err
	}
	if r.Code, err = upload(ctx, a, api, o); err != nil {
		return work.Outcome{}, err
	}
	return r.running(a, time.Second), a.Logf("the function %s has the code of %s (%s)", name, a.Task.Action.InputArtifacts[0], r.Code)
}

// upload gives the function the code, unless it has it, and returns the code's hash.
func upload(ctx context.Context, a *runner.Attempt, api *lambda.Client, o artifacts.Object) (string, error) {
	name, code := a.Setting("FunctionName"), codeHash(o.Digest)
	is, err := api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	switch {
	case err != nil:
		return "", err
	case is.PackageType == types.PackageTypeImage:
		return "", &runner.SettingsError{Text: "the function " + name + " is a container image; this action deploys functions that are zips"}
	case code != "" && aws.ToString(is.CodeSha256) == code:
		return code, nil
	case is.LastUpdateStatus == types.LastUpdateStatusInProgress:
		return "", runner.Later("another update of the function %s is under way", name)
	}
	in := &lambda.UpdateFunctionCodeInput{FunctionName: &name, S3Bucket: &o.Bucket, S3Key: &o.Key, RevisionId: is.RevisionId}
	if o.Version != "" {
		in.S3ObjectVersion = &o.Version
	}
	out, err := api.UpdateFunctionCode(ctx, in)
	switch runner.Code(err) {
	case "PreconditionFailed", "ResourceConflict": // also when the answer to ours was lost: then the code is there the next time
		return "", runner.Later("somebody else has just changed the function %s", name)
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.CodeSha256), nil
}

// codeHash is a digest as Lambda tells it of code; empty: it is not known.
func codeHash(digest string) string {
	sum, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil || len(sum) == 0 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// running is the outcome of a deployment that goes on.
func (r release) running(a *runner.Attempt, again time.Duration) work.Outcome {
	handle, err := json.Marshal(r)
	if err != nil {
		panic(err) // it is made of plain values
	}
	o := work.Outcome{State: work.Running, Handle: string(handle), PollAfter: again, ExternalID: functionName(a.Setting("FunctionName")), ExternalURL: functionPage(a)}
	if r.Weight > 0 {
		o.Summary = fmt.Sprintf("%d %% of %s is on version %s", r.Weight, a.Setting("FunctionAlias"), r.Target)
	}
	return o
}

// succeeded is the outcome of a deployment that is over.
func (r release) succeeded(a *runner.Attempt, summary string) work.Outcome {
	outputs := map[string]string{"FunctionVersion": r.Target}
	if r.From != "" {
		outputs["PreviousVersion"] = r.From
	}
	return work.Outcome{State: work.Succeeded, Summary: summary, Outputs: outputs, ExternalID: functionName(a.Setting("FunctionName")), ExternalURL: functionPage(a)}
}

func releaseOf(a *runner.Attempt) (r release, err error) {
	if err = json.Unmarshal([]byte(a.Handle()), &r); err != nil {
		err = fmt.Errorf("the handle of the deployment cannot be read: %w", err)
	}
	return r, err
}

func pollLambda(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	r, err := releaseOf(a)
	if err != nil {
		return work.Outcome{}, err
	}
	switch {
	case a.Task.Kind == work.Cancel:
		return r.cancelled(ctx, a)
	case r.Abort != nil:
		return r.goBack(ctx, a)
	case r.Target == "":
		return r.publish(ctx, a)
	case r.Weight == 0:
		if o, ready, err := r.await(ctx, a); err != nil || !ready {
			return o, err
		}
	}
	switch {
	case a.Setting("FunctionAlias") == "":
		return r.succeeded(a, "version "+r.Target), nil
	case r.From == r.Target:
		return r.succeeded(a, "the alias was on version "+r.Target+" already"), nil
	}
	return r.shift(ctx, a)
}

// publish makes a version of the new code once it has arrived. AWS makes no second
// one of the same code and configuration: repeating it is safe.
func (r release) publish(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	api, name := lambda.NewFromConfig(a.Config), a.Setting("FunctionName")
	is, err := api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	switch {
	case err != nil:
		return work.Outcome{}, err
	case is.LastUpdateStatus == types.LastUpdateStatusInProgress:
		return r.running(a, 0), nil
	case aws.ToString(is.CodeSha256) != r.Code:
		return runner.Fail("PreconditionFailed", "somebody else gave the function "+name+" other code meanwhile; no version was made of this one", displaced(a, "the function "+name+" was given other code while this was deployed")), nil
	case is.LastUpdateStatus == types.LastUpdateStatusFailed:
		code, said := string(is.LastUpdateStatusReasonCode), aws.ToString(is.LastUpdateStatusReason)
		return failedFunction(a, "the function "+name+" cannot run the new code", code, said), nil
	}
	out, err := api.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &name, CodeSha256: &r.Code})
	if runner.Code(err) == "ResourceConflict" {
		return r.running(a, 0), nil // an update of its configuration, by somebody else
	}
	if err != nil {
		return work.Outcome{}, err
	}
	r.Target = aws.ToString(out.Version)
	return r.running(a, time.Millisecond), a.Logf("version %s of the function %s is published", r.Target, name)
}

// await says whether the version can be called.
func (r release) await(ctx context.Context, a *runner.Attempt) (o work.Outcome, ready bool, err error) {
	name := a.Setting("FunctionName")
	is, err := lambda.NewFromConfig(a.Config).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: &r.Target})
	switch {
	case err != nil:
		return o, false, err
	case is.State == types.StatePending:
		return r.running(a, 0), false, nil
	case is.State == types.StateFailed:
		return failedFunction(a, "version "+r.Target+" of the function "+name+" cannot be called", string(is.StateReasonCode), aws.ToString(is.StateReason)), false, nil
	}
	return o, true, nil
}

func failedFunction(a *runner.Attempt, what, code, said string) work.Outcome {
	f := diagnose.Function(code, said, a.Again())
	return runner.Fail(cmp.Or(code, "UpdateFailed"), what+": "+cmp.Or(said, code, "Lambda does not say why"), &f)
}

// functionName is the name of a function that is named by its ARN, or by its name.
func functionName(function string) string {
	if _, name, ok := strings.Cut(function, ":function:"); ok {
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	return function
}

func functionPage(a *runner.Attempt) string {
	page := "/functions/" + functionName(a.Setting("FunctionName"))
	if alias := a.Setting("FunctionAlias"); alias != "" {
		page += "/aliases/" + alias
	}
	return a.URL("lambda/home", page)
}

// lambdaNeeds are the permissions of the calls here.
func lambdaNeeds(action *workflows.Action, at policy.Place) []policy.Statement {
	function := action.Configuration["FunctionName"]
	if !strings.HasPrefix(function, "arn:") {
		function = at.ARN("lambda", "function:"+function)
	}
	calls := []string{"lambda:GetFunctionConfiguration"}
	if action.Configuration["PublishedTargetVersion"] == "" {
		calls = append(calls, "lambda:UpdateFunctionCode", "lambda:PublishVersion")
	}
	if action.Configuration["FunctionAlias"] != "" {
		calls = append(calls, "lambda:GetAlias", "lambda:UpdateAlias")
	}
	var all []policy.Statement
	if action.Configuration["PublishedTargetVersion"] == "" {
		all = at.ReadArtifacts("Lambda fetches the code of the input artifact in the name of this role")
	}
	all = append(all, policy.Statement{Sid: "DeployFunction", Comment: "give the function new code and move its alias", Actions: calls, Resources: []string{function, function + ":*"}})
	if len(splitAlarms(action.Configuration["Alarms"])) > 0 { // AWS tells of composite alarms only to who may look at all
		all = append(all, policy.Statement{Sid: "WatchAlarms", Comment: "stop the deployment when an alarm rings", Actions: []string{"cloudwatch:DescribeAlarms"}, Resources: []string{"*"}})
	}
	return all
}
