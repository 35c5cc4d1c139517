package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostBuilds = 100 // that BatchGetBuilds takes
	// taskVariable is the environment variable by which a build is found again.
	taskVariable = "ROLLCALL_TASK"
)

// builds is CodeBuild as a kind of action.
type builds struct {
	plan    func(a *runner.Attempt) (plan, error)
	list    *runner.List[types.Build]
	batches *runner.List[types.BuildBatch]
}

// plan is what of an action becomes which build.
type plan struct {
	project   string
	buildspec string // in place of the project's own; empty: that one
	primary   string // the input artifact that is built; the others lie beside it
	batch     bool
	variables []types.EnvironmentVariable
	// exported are the variables that the action leaves; nil: all that the build exports.
	exported []string
}

func kindsOf(provider string, of func(a *runner.Attempt) (plan, error), needs func(a *workflows.Action, at policy.Place) []policy.Statement, categories ...string) []runner.Kind {
	b := &builds{plan: of, list: runner.NewList(mostBuilds, getBuilds), batches: runner.NewList(mostBuilds, getBatches)}
	var kinds []runner.Kind
	for _, category := range categories {
		kinds = append(kinds, runner.Kind{Category: category, Provider: provider, Start: b.start, Find: b.find, Poll: b.poll, Cancel: b.cancel, Needs: needs, Service: projectOf, Check: checkProject, Optional: seeProject, Subject: runner.Subject{Setting: "ProjectName", Changed: "UpdateProject", Deleted: "DeleteProject"}})
	}
	return kinds
}

func codeBuilds() []runner.Kind { return kindsOf("CodeBuild", planned, needs, "Build", "Test", "Rule") }

// planned is the plan of a CodeBuild action: a build of the user's project.
func planned(a *runner.Attempt) (plan, error) {
	variables, err := variables(a)
	return plan{project: a.Setting("ProjectName"), primary: a.Setting("PrimarySource"), batch: a.Setting("BatchEnabled") == "true", variables: variables}, err
}

func getBuilds(ctx context.Context, c aws.Config, ids []string) (map[string]types.Build, error) {
	out, err := codebuild.NewFromConfig(c).BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: ids})
	if err != nil {
		return nil, err
	}
	all := make(map[string]types.Build, len(out.Builds))
	for _, b := range out.Builds {
		all[aws.ToString(b.Id)] = b
	}
	return all, nil
}

// start begins a build, whatever the project's own source and artifacts are: the
// action's take their place, as in CodePipeline.
func (b *builds) start(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	p, err := b.plan(a)
	if err != nil {
		return work.Outcome{}, err
	}
	in, err := request(ctx, a, p)
	if err != nil {
		return work.Outcome{}, err
	}
	if p.batch {
		return startBatch(ctx, a, in)
	}
	out, err := codebuild.NewFromConfig(a.Config).StartBuild(ctx, in)
	if err != nil {
		return work.Outcome{}, limited(err)
	}
	id := aws.ToString(out.Build.Id)
	return work.Outcome{State: work.Running, Handle: id, ExternalID: id, ExternalURL: page(a, id)}, a.Logf("CodeBuild began the build %s", id)
}

// limited has a start at the account's limit of concurrent builds tried again.
func limited(err error) error {
	if code := runner.Code(err); code == "AccountLimitExceeded" {
		return runner.Later("CodeBuild has as many builds under way as the account's quota of concurrent builds allows")
	}
	return err
}

// request lays out what is built.
func request(ctx context.Context, a *runner.Attempt, p plan) (*codebuild.StartBuildInput, error) {
	in := &codebuild.StartBuildInput{ProjectName: &p.project, IdempotencyToken: aws.String(a.Token), EnvironmentVariablesOverride: p.variables}
	if p.buildspec != "" {
		in.BuildspecOverride = &p.buildspec
	}
	if err := sources(ctx, a, p.primary, in); err != nil {
		return nil, err
	}
	return in, outputs(a, in)
}

// sources are the action's input artifacts: one is what is built, the others lie beside it.
func sources(ctx context.Context, a *runner.Attempt, primary string, in *codebuild.StartBuildInput) error {
	names := a.Task.Action.InputArtifacts
	if len(names) == 0 {
		in.SourceTypeOverride = types.SourceTypeNoSource
		return nil
	}
	for _, name := range names {
		o, err := a.Input(ctx, name)
		if err != nil {
			return err
		}
		location := o.Bucket + "/" + o.Key
		if name == cmp.Or(primary, names[0]) {
			in.SourceTypeOverride, in.SourceLocationOverride, in.SourceVersion = types.SourceTypeS3, &location, version(o)
			continue
		}
		in.SecondarySourcesOverride = append(in.SecondarySourcesOverride, types.ProjectSource{Type: types.SourceTypeS3, Location: &location, SourceIdentifier: aws.String(identifier(name))})
		if v := version(o); v != nil {
			in.SecondarySourcesVersionOverride = append(in.SecondarySourcesVersionOverride, types.ProjectSourceVersion{SourceIdentifier: aws.String(identifier(name)), SourceVersion: v})
		}
	}
	if in.SourceLocationOverride == nil {
		return &runner.SettingsError{Text: "PrimarySource " + primary + " is none of the action's input artifacts: " + strings.Join(names, ", ")}
	}
	return nil
}

func version(o artifacts.Object) *string {
	if o.Version == "" {
		return nil
	}
	return &o.Version
}

// identifier is an artifact's name as CodeBuild takes it for a secondary source.
func identifier(name string) string {
	return strings.NewReplacer("-", "_", ".", "_", "@", "_").Replace(name)
}

// outputs are the action's output artifacts: the first is the build's main artifact.
func outputs(a *runner.Attempt, in *codebuild.StartBuildInput) error {
	in.ArtifactsOverride = &types.ProjectArtifacts{Type: types.ArtifactsTypeNoArtifacts}
	for i, out := range a.Task.Action.OutputArtifacts {
		o, err := a.Output(out.Name)
		if err != nil {
			return err
		}
		if o.KMSKey != "" { // the project's own key is one that others may not use
			in.EncryptionKeyOverride = aws.String(o.KMSKey)
		}
		folder, name := "", o.Key
		if cut := strings.LastIndexByte(o.Key, '/'); cut >= 0 {
			folder, name = o.Key[:cut], o.Key[cut+1:]
		}
		one := types.ProjectArtifacts{Type: types.ArtifactsTypeS3, Location: aws.String(o.Bucket), Path: aws.String(folder), Name: aws.String(name),
			NamespaceType: types.ArtifactNamespaceNone, Packaging: types.ArtifactPackagingZip, OverrideArtifactName: aws.Bool(false)}
		if i == 0 {
			in.ArtifactsOverride = &one
			continue
		}
		one.ArtifactIdentifier = aws.String(identifier(out.Name))
		in.SecondaryArtifactsOverride = append(in.SecondaryArtifactsOverride, one)
	}
	return nil
}

// variables are how a build is found again and told what it is for, and those of
// the action's configuration.
func variables(a *runner.Attempt) ([]types.EnvironmentVariable, error) {
	all := []types.EnvironmentVariable{{Name: aws.String(taskVariable), Value: aws.String(a.Token), Type: types.EnvironmentVariableTypePlaintext}}
	names := a.Task.Names()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, plain(name, names[name]))
	}
	text := a.Setting("EnvironmentVariables")
	if text == "" {
		return all, nil
	}
	var given []struct{ Name, Value, Type string }
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return nil, &runner.SettingsError{Text: "EnvironmentVariables is no JSON array of {name, value, type}: " + err.Error()}
	}
	for _, v := range given {
		kind := types.EnvironmentVariableType(cmp.Or(v.Type, string(types.EnvironmentVariableTypePlaintext)))
		all = append(all, types.EnvironmentVariable{Name: aws.String(v.Name), Value: aws.String(v.Value), Type: kind})
	}
	return all, nil
}

func plain(name, value string) types.EnvironmentVariable {
	return types.EnvironmentVariable{Name: &name, Value: &value, Type: types.EnvironmentVariableTypePlaintext}
}

// poll says how a build stands, and takes over its log.
func (b *builds) poll(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	if strings.HasPrefix(a.Handle(), batchMark) {
		return b.pollBatch(ctx, a)
	}
	build, known, err := b.list.Look(ctx, a, a.Handle())
	if err != nil {
		return work.Outcome{}, err
	}
	running := work.Outcome{State: work.Running, Handle: a.Handle(), ExternalID: a.Handle(), ExternalURL: page(a, a.Handle())}
	if !known {
		return running, nil
	}
	all, err := tail(ctx, a, build)
	if err != nil {
		return work.Outcome{}, err
	}
	if build.BuildStatus == types.StatusTypeInProgress || build.BuildStatus == "" || !all {
		return running, nil
	}
	p, err := b.plan(a)
	if err != nil {
		return work.Outcome{}, err
	}
	return ended(ctx, a, p, build)
}

func tail(ctx context.Context, a *runner.Attempt, build types.Build) (all bool, err error) {
	if build.Logs == nil {
		return true, nil
	}
	return a.Tail(ctx, aws.ToString(build.Logs.GroupName), aws.ToString(build.Logs.StreamName))
}

// ended is the outcome of a build that is over.
func ended(ctx context.Context, a *runner.Attempt, p plan, build types.Build) (work.Outcome, error) {
	id := aws.ToString(build.Id)
	o := work.Outcome{State: work.Succeeded, ExternalID: id, ExternalURL: page(a, id)}
	if build.EndTime != nil {
		o.EndedAt = *build.EndTime
	}
	reports, err := reportLine(ctx, a, build.ReportArns)
	if err != nil {
		return work.Outcome{}, err
	}
	o.Summary = reports
	if build.BuildStatus != types.StatusTypeSucceeded {
		o.State, o.Error = work.Failed, whyFailed(a, build, reports)
		return o, repeatLines(a, build)
	}
	o.Outputs = map[string]string{}
	if p.exported == nil {
		o.Outputs = map[string]string{"BuildId": id, "BuildNumber": strconv.FormatInt(aws.ToInt64(build.BuildNumber), 10), "ResolvedSourceVersion": aws.ToString(build.ResolvedSourceVersion)}
	}
	for _, v := range build.ExportedEnvironmentVariables {
		if name := aws.ToString(v.Name); p.exported == nil || slices.Contains(p.exported, name) {
			o.Outputs[name] = aws.ToString(v.Value)
		}
	}
	for i, out := range a.Task.Action.OutputArtifacts {
		one, err := written(ctx, a, build, i, out.Name)
		if err != nil {
			return work.Outcome{}, err
		}
		o.Artifacts = append(o.Artifacts, one)
	}
	return o, nil
}

// written is an artifact that the build has stored.
func written(ctx context.Context, a *runner.Attempt, build types.Build, i int, name string) (workflows.Artifact, error) {
	at, err := a.Output(name)
	if err != nil {
		return workflows.Artifact{}, err
	}
	stored := build.Artifacts
	if i > 0 {
		stored = nil
		for k := range build.SecondaryArtifacts {
			if aws.ToString(build.SecondaryArtifacts[k].ArtifactIdentifier) == identifier(name) {
				stored = &build.SecondaryArtifacts[k]
			}
		}
	}
	sum := ""
	if stored != nil {
		sum = aws.ToString(stored.Sha256sum)
	}
	return a.Adopt(ctx, name, at, sum)
}

// cancel stops a build.
func (b *builds) cancel(ctx context.Context, a *runner.Attempt) error {
	if strings.HasPrefix(a.Handle(), batchMark) {
		return stopBatch(ctx, a)
	}
	_, err := codebuild.NewFromConfig(a.Config).StopBuild(ctx, &codebuild.StopBuildInput{Id: aws.String(a.Handle())})
	return err
}

// page is a build in the console.
func page(a *runner.Attempt, id string) string {
	id, isBatch := strings.CutPrefix(id, batchMark)
	kind := "build"
	if isBatch {
		kind = "batch"
	}
	project, _, _ := strings.Cut(id, ":")
	return a.URL(fmt.Sprintf("codesuite/codebuild/projects/%s/%s/%s", project, kind, url.QueryEscape(id)), "")
}

// needs are the permissions of the calls above.
func needs(action *workflows.Action, at policy.Place) []policy.Statement {
	return projectNeeds(action.Configuration["ProjectName"], action.Configuration["BatchEnabled"] == "true", true, at)
}

// projectNeeds are those on a project: batch when its builds run in batches, which
// have neither log nor reports of their own, reports when what is built may have some.
func projectNeeds(name string, batch, reports bool, at policy.Place) []policy.Statement {
	run := policy.Statement{Sid: "RunBuilds", Comment: "start, watch and stop builds of the project", Resources: []string{at.ARN("codebuild", "project/"+name)},
		Actions: []string{"codebuild:StartBuild", "codebuild:BatchGetBuilds", "codebuild:StopBuild", "codebuild:ListBuildsForProject"}}
	if batch {
		run.Actions = []string{"codebuild:StartBuildBatch", "codebuild:BatchGetBuildBatches", "codebuild:StopBuildBatch", "codebuild:ListBuildBatchesForProject"}
		return []policy.Statement{run}
	}
	all := []policy.Statement{run}
	if reports {
		all = append(all, policy.Statement{Sid: "ReadReports", Comment: "how many tests passed", Actions: []string{"codebuild:BatchGetReports"}, Resources: []string{at.ARN("codebuild", "report-group/"+name+"-*")}})
	}
	return append(all, policy.Statement{Sid: "ReadBuildLogs", Comment: "the build's lines in the action's log", Actions: []string{"logs:GetLogEvents"}, Resources: []string{at.ARN("logs", "log-group:/aws/codebuild/"+name+":log-stream:*")}})
}
