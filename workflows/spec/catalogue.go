package spec

import (
	"slices"
	"strings"
)

// catalogue is one action type per line: category, owner, provider, how many
// input and output artifacts, then the configuration keys; "*" follows a key
// that must be given, "-" means that keys are not checked. Of several lines
// for a provider the first is what `provider: X` means. The category Rule is
// that of rules, which are looked up by it.
const catalogue = `
Source   Rollcall   Git                         0-0  1-1  Repository* BranchName* PollForSourceChanges
Source   Rollcall   GitHub                      0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn OAuthToken
Source   ThirdParty GitHub                      0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn OAuthToken
Source   AWS        CodeStarSourceConnection    0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn
Source   ThirdParty CodeStarSourceConnection    0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn
Compute  AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
Build    AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
Test     AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
Deploy   AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
Approval AWS        Manual                      0-0  0-0  NotificationArn ExternalEntityLink CustomData
Test     Rollcall   Wait                        0-10 0-5  seconds outcome outputVariables
Invoke   Rollcall   HTTP                        0-5  0-5  -
Invoke   Rollcall   GitHubWorkflow              0-5  0-5  -
Source   AWS        S3                          0-0  1-1  -
Source   AWS        CodeCommit                  0-0  1-1  -
Source   AWS        ECR                         0-0  1-1  -
Build    AWS        CodeBuild                   1-5  0-5  -
Test     AWS        CodeBuild                   1-5  0-5  -
Build    AWS        ECRBuildAndPublish          1-1  0-0  -
Test     AWS        DeviceFarm                  1-1  0-0  -
Deploy   AWS        S3                          1-1  0-0  -
Deploy   AWS        CloudFormation              0-10 0-1  -
Deploy   AWS        CloudFormationStackSet      1-3  0-0  -
Deploy   AWS        CloudFormationStackInstances 0-2 0-0  -
Deploy   AWS        CodeDeploy                  1-1  0-0  -
Deploy   AWS        CodeDeployToECS             1-5  0-0  -
Deploy   AWS        ECS                         1-1  0-0  -
Deploy   AWS        EKS                         1-1  0-0  -
Deploy   AWS        EC2                         1-1  0-0  -
Deploy   AWS        Lambda                      0-1  0-0  -
Deploy   AWS        ElasticBeanstalk            1-1  0-0  -
Deploy   AWS        AppConfig                   1-1  0-0  -
Deploy   AWS        OpsWorks                    1-1  0-0  -
Deploy   AWS        ServiceCatalog              1-1  0-0  -
Deploy   ThirdParty AlexaSkillsKit              1-2  0-0  -
Invoke   AWS        Lambda                      0-5  0-5  -
Invoke   AWS        StepFunctions               0-1  0-1  -
Invoke   AWS        CodePipeline                0-0  0-0  PipelineName* SourceRevisions Variables
Invoke   AWS        InspectorScan               0-1  1-1  -
Invoke   ThirdParty Snyk                        1-1  1-1  -
Test     ThirdParty GhostInspector              0-5  0-0  -
Test     ThirdParty StormRunnerLoad             0-5  0-0  -
Test     ThirdParty Nouvola                     0-5  0-0  -
Test     ThirdParty Runscope                    0-5  0-0  -
Rule     AWS        VariableCheck               0-0  0-0  Variable* Operator* Value*
Rule     AWS        DeploymentWindow            0-0  0-0  Cron* TimeZone
Rule     AWS        Commands                    0-10 0-0  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
Rule     AWS        CloudWatchAlarm             0-0  0-0  AlarmName* AlarmStates WaitTime
Rule     AWS        LambdaInvoke                0-5  0-0  FunctionName* UserParameters
Rule     AWS        CodeBuild                   0-5  0-0  ProjectName* PrimarySource BatchEnabled CombineArtifacts EnvironmentVariables
`

// runners are the providers that this version can carry out, judges the rules.
const (
	runners = "Git GitHub CodeStarSourceConnection Commands Manual Wait CodePipeline"
	judges  = "VariableCheck DeploymentWindow Commands"
)

func hasRunner(provider string) bool { return slices.Contains(strings.Fields(runners), provider) }
func hasJudge(provider string) bool  { return slices.Contains(strings.Fields(judges), provider) }

// row is a line of the catalogue.
type row struct {
	category, owner, provider    string
	minIn, maxIn, minOut, maxOut int
	keys, required               []string
	anyKey                       bool
}

// rules is the category of what judges a condition.
const rules = "Rule"

// lookup finds an action type; an empty category or owner fits any, but no
// rule: that is looked up by its category.
func lookup(provider, category, owner string) (row, bool) {
	for line := range strings.Lines(catalogue) {
		f := strings.Fields(line)
		if len(f) == 0 || f[2] != provider || category != "" && f[0] != category || owner != "" && f[1] != owner || f[0] == rules && category != rules {
			continue
		}
		r := row{category: f[0], owner: f[1], provider: f[2], anyKey: f[5] == "-"}
		r.minIn, r.maxIn = span(f[3])
		r.minOut, r.maxOut = span(f[4])
		for _, key := range f[5:] {
			name, must := strings.CutSuffix(key, "*")
			r.keys = append(r.keys, name)
			if must {
				r.required = append(r.required, name)
			}
		}
		return r, true
	}
	return row{}, false
}

// providers lists every provider of the catalogue, of actions or of rules,
// ours first.
func providers(ofRules bool) (names []string) {
	for line := range strings.Lines(catalogue) {
		if f := strings.Fields(line); len(f) > 0 && (f[0] == rules) == ofRules && !slices.Contains(names, f[2]) {
			names = append(names, f[2])
		}
	}
	return names
}
