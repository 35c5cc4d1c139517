package spec

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// catalogue is one action type per line: category, owner, provider, how many
// input and output artifacts, then the configuration keys; "*" follows a key
// that must be given, "-" means that keys are not checked: partners say which, or
// there is no such provider yet. Of several lines
// for a provider the first is what `provider: X` means. The category Rule is
// that of rules, which are looked up by it. A "+" before the category says that
// this version carries it out, or judges by it.
const catalogue = `
+Source   Rollcall   Git                         0-0  1-1  Repository* BranchName* PollForSourceChanges
+Source   Rollcall   GitHub                      0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn OAuthToken
+Source   ThirdParty GitHub                      0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn OAuthToken
+Source   Rollcall   Bitbucket                   0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges
+Source   Rollcall   GitLab                      0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges
+Source   AWS        CodeStarSourceConnection    0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn
+Source   ThirdParty CodeStarSourceConnection    0-0  1-1  FullRepositoryId* BranchName* DetectChanges PollForSourceChanges OutputArtifactFormat ConnectionArn
+Compute  AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
+Build    AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
+Test     AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
+Deploy   AWS        Commands                    0-10 0-5  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
+Approval AWS        Manual                      0-0  0-0  NotificationArn ExternalEntityLink CustomData
+Test     Rollcall   Wait                        0-10 0-5  seconds outcome outputVariables
 Invoke   Rollcall   HTTP                        0-5  0-5  -
+Invoke   Rollcall   GitHubWorkflow              0-5  0-0  FullRepositoryId* Workflow* Ref Inputs CorrelationInput CancelOnStop
+Build    Rollcall   GitHubWorkflow              0-5  0-0  FullRepositoryId* Workflow* Ref Inputs CorrelationInput CancelOnStop
+Test     Rollcall   GitHubWorkflow              0-5  0-0  FullRepositoryId* Workflow* Ref Inputs CorrelationInput CancelOnStop
+Deploy   Rollcall   GitHubWorkflow              0-5  0-0  FullRepositoryId* Workflow* Ref Inputs CorrelationInput CancelOnStop
+Source   AWS        S3                          0-0  1-1  S3Bucket* S3ObjectKey* PollForSourceChanges AllowOverrideForS3ObjectKey
+Source   AWS        CodeCommit                  0-0  1-1  RepositoryName* BranchName* PollForSourceChanges OutputArtifactFormat
+Source   AWS        ECR                         0-0  1-1  RepositoryName* ImageTag
+Build    AWS        CodeBuild                   1-5  0-5  ProjectName* PrimarySource BatchEnabled CombineArtifacts EnvironmentVariables
+Test     AWS        CodeBuild                   1-5  0-5  ProjectName* PrimarySource BatchEnabled CombineArtifacts EnvironmentVariables
+Build    AWS        ECRBuildAndPublish          1-1  0-0  ECRRepositoryName* DockerFilePath ImageTags RegistryType
 Test     AWS        DeviceFarm                  1-1  0-0  AppType* ProjectId* App* TestSpec AppiumVersion DevicePoolArn* TestType* Test RadioBluetoothEnabled RadioGpsEnabled RadioNfcEnabled RadioWifiEnabled RecordAppPerformanceData RecordVideo FuzzEventCount FuzzEventThrottle FuzzRandomizerSeed CustomHostMachineArtifacts CustomDeviceArtifacts UnmeteredDevicesOnly JobTimeoutMinutes Latitude Longitude
+Deploy   AWS        S3                          1-1  0-0  BucketName* Extract* ObjectKey KMSEncryptionKeyARN CannedACL CacheControl DistributionId
+Deploy   AWS        CloudFormation              0-10 0-1  ActionMode* StackName* Capabilities ChangeSetName RoleArn TemplatePath OutputFileName ParameterOverrides TemplateConfiguration
 Deploy   AWS        CloudFormationStackSet      1-3  0-0  StackSetName* TemplatePath* Description Parameters Capabilities PermissionModel AdministrationRoleArn ExecutionRoleName OrganizationsAutoDeployment DeploymentTargets Regions FailureTolerancePercentage MaxConcurrentPercentage
 Deploy   AWS        CloudFormationStackInstances 0-2 0-0  StackSetName* Regions* DeploymentTargets ParameterOverrides FailureTolerancePercentage MaxConcurrentPercentage
+Deploy   AWS        CodeDeploy                  1-1  0-0  ApplicationName* DeploymentGroupName*
+Deploy   AWS        CodeDeployToECS             1-5  0-0  ApplicationName* DeploymentGroupName* TaskDefinitionTemplateArtifact* AppSpecTemplateArtifact* AppSpecTemplatePath TaskDefinitionTemplatePath Image1ArtifactName Image1ContainerName Image2ArtifactName Image2ContainerName Image3ArtifactName Image3ContainerName Image4ArtifactName Image4ContainerName
+Deploy   AWS        ECS                         1-1  0-0  ClusterName* ServiceName* FileName DeploymentTimeout
 Deploy   AWS        EKS                         1-1  0-0  ClusterName* HelmReleaseName HelmChartLocation HelmValuesFiles ManifestFiles Namespace Subnets SecurityGroupIds
 Deploy   AWS        EC2                         1-1  0-0  InstanceTagKey* InstanceTagValue InstanceType* TargetDirectory DeploySpec MaxBatch MaxError TargetGroupNameList PreScript PostScript
+Deploy   AWS        Lambda                      0-1  0-0  FunctionName* FunctionAlias PublishedTargetVersion DeployStrategy Alarms
 Deploy   AWS        ElasticBeanstalk            1-1  0-0  ApplicationName* EnvironmentName*
 Deploy   AWS        AppConfig                   1-1  0-0  Application* Environment* ConfigurationProfile* InputArtifactConfigurationPath* DeploymentStrategy
 Deploy   AWS        OpsWorks                    1-1  0-0  Stack* App* Layer
 Deploy   AWS        ServiceCatalog              1-1  0-0  TemplateFilePath* ProductVersionName* ProductType* ProductId* ProductVersionDescription
 Deploy   ThirdParty AlexaSkillsKit              1-2  0-0  ClientId* ClientSecret* RefreshToken* SkillId*
+Invoke   AWS        Lambda                      0-5  0-5  FunctionName* UserParameters
+Invoke   AWS        StepFunctions               0-1  0-1  StateMachineArn* ExecutionNamePrefix InputType Input
+Invoke   Rollcall   SNS                         0-0  0-0  TopicArn* Message* Subject MessageGroupId
+Invoke   Rollcall   EventBridge                 0-0  0-0  DetailType* Detail Source EventBusName
+Invoke   AWS        CodePipeline                0-0  0-0  PipelineName* SourceRevisions Variables
 Invoke   AWS        InspectorScan               0-1  1-1  InspectorRunMode* ECRRepositoryName ImageTag CriticalThreshold HighThreshold MediumThreshold LowThreshold
 Invoke   ThirdParty Snyk                        1-1  1-1  -
 Test     ThirdParty GhostInspector              0-5  0-0  -
 Test     ThirdParty StormRunnerLoad             0-5  0-0  -
 Test     ThirdParty Nouvola                     0-5  0-0  -
 Test     ThirdParty Runscope                    0-5  0-0  -
+Rule     AWS        VariableCheck               0-0  0-0  Variable* Operator* Value*
+Rule     AWS        DeploymentWindow            0-0  0-0  Cron* TimeZone
+Rule     AWS        Commands                    0-10 0-0  EnvironmentType ComputeType VpcId Subnets SecurityGroupIds
+Rule     AWS        CloudWatchAlarm             0-0  0-0  AlarmName* AlarmStates WaitTime
+Rule     AWS        CodeBuild                   0-5  0-0  ProjectName* PrimarySource BatchEnabled CombineArtifacts EnvironmentVariables
+Rule     AWS        LambdaInvoke                0-5  0-0  FunctionName* UserParameters
`

// never are the providers that will not be carried out here: "!" before those
// that AWS itself has ended, then why, and what does their work instead.
const never = `
!OpsWorks       AWS ended it on 26 May 2024                                         | deploy with CodeDeploy, or with Commands
ServiceCatalog  rollcall makes no products of Service Catalog                       | run "aws servicecatalog create-provisioning-artifact" in a Commands action
AlexaSkillsKit  rollcall has no client of the Alexa Skills Kit                      | run "ask deploy" in a Commands action
Snyk            a partner of AWS carries it out, and has no address for anyone else | run "snyk test" in a Commands action
GhostInspector  a partner of AWS carries it out, and has no address for anyone else | call the partner's API in a Commands action
StormRunnerLoad a partner of AWS carries it out, and has no address for anyone else | call the partner's API in a Commands action
Nouvola         a partner of AWS carries it out, and has no address for anyone else | call the partner's API in a Commands action
Runscope        a partner of AWS carries it out, and has no address for anyone else | call the partner's API in a Commands action
`

// Never says why a provider's actions will not be carried out here, what does
// their work instead, and whether AWS itself has retired them; empty: they are, or may be one day.
func Never(provider string) (why, instead string, retired bool) {
	for line := range strings.Lines(never) {
		row, alternative, _ := strings.Cut(line, "|")
		name, reason, _ := strings.Cut(row, " ")
		name, retired = strings.CutPrefix(name, "!")
		if name == provider {
			return strings.TrimSpace(reason), strings.TrimSpace(alternative), retired
		}
	}
	return "", "", false
}

// here are the providers whose actions rollcall carries out itself: it says which
// settings and variables they have. The others work in AWS, which says so.
const here = "Git GitHub Bitbucket GitLab CodeStarSourceConnection Commands Manual Wait CodePipeline GitHubWorkflow"

// local are those that need nothing of AWS though AWS made them up.
const local = "CodeStarSourceConnection Commands Manual CodePipeline VariableCheck DeploymentWindow"

// ours are the other way round: rollcall made them up, and they work in AWS.
const ours = "SNS EventBridge"

// NeedsAWS lists the providers of a pipeline's actions and rules that work in
// AWS, each once, in the order of the file: without the configuration's section
// aws nobody knows where and as whom.
func NeedsAWS(p *workflows.Pipeline) (names []string) {
	add := func(t workflows.ActionType) {
		if InAWS(t) && !slices.Contains(names, t.Provider) {
			names = append(names, t.Provider)
		}
	}
	rules := func(c *workflows.Condition) {
		for i := 0; c != nil && i < len(c.Rules); i++ {
			add(c.Rules[i].RuleType)
		}
	}
	for _, s := range p.Stages {
		rules(s.BeforeEntry)
		for _, a := range s.Actions {
			add(a.ActionType)
		}
		rules(s.OnSuccess)
		if s.OnFailure != nil {
			rules(s.OnFailure.Condition)
		}
		if len(s.Rollback.OnAlarm.Alarms) > 0 {
			add(workflows.ActionType{Owner: "AWS", Provider: "CloudWatchAlarm"})
		}
	}
	return names
}

// InAWS says whether actions of that type, or rules of it, work in AWS.
func InAWS(t workflows.ActionType) bool {
	return t.Owner == "AWS" && !isWordOf(local, t.Provider) || t.Owner == "Rollcall" && isWordOf(ours, t.Provider)
}

func runsHere(provider string) bool { return isWordOf(here, provider) }

func isWordOf(list, word string) bool {
	for one := range strings.FieldsSeq(list) {
		if one == word {
			return true
		}
	}
	return false
}

// row is a line of the catalogue.
type row struct {
	category, owner, provider    string
	minIn, maxIn, minOut, maxOut int
	keys, required               []string
	anyKey                       bool
	runs                         bool // this version carries it out
}

// rules is the category of what judges a condition.
const rules = "Rule"

// lookup finds an action type; an empty category or owner fits any, but no
// rule: that is looked up by its category.
func lookup(provider, category, owner string) (row, bool) {
	for line := range strings.Lines(catalogue) {
		if !strings.Contains(line, provider) {
			continue // most lines, and this is asked several times for every action
		}
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		runs := false
		f[0], runs = strings.CutPrefix(f[0], "+")
		if f[2] != provider || category != "" && f[0] != category || owner != "" && f[1] != owner || f[0] == rules && category != rules {
			continue
		}
		r := row{category: f[0], owner: f[1], provider: f[2], anyKey: f[5] == "-", runs: runs, keys: make([]string, 0, len(f)-5)}
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
		if f := strings.Fields(line); len(f) > 0 && (strings.TrimPrefix(f[0], "+") == rules) == ofRules && !slices.Contains(names, f[2]) {
			names = append(names, f[2])
		}
	}
	return names
}

// Runs says whether this version carries out actions of that type, or judges rules of it.
func Runs(t workflows.ActionType) bool {
	if t.Owner == "Custom" {
		return false
	}
	r, _ := lookup(t.Provider, t.Category, t.Owner)
	return r.runs
}

// Known says whether AWS or rollcall has an action type, or rule type, of that name.
func Known(t workflows.ActionType) bool {
	_, ok := lookup(t.Provider, t.Category, t.Owner)
	return ok
}

// Entry is what the catalogue knows of an action type or rule type.
type Entry struct {
	Type            workflows.ActionType
	Inputs, Outputs [2]int // artifacts, at least and at most
	Keys, Required  []string
}

// Catalogue are all action types and rule types that AWS or rollcall has, in the manual's order.
func Catalogue() (all []Entry) {
	for line := range strings.Lines(catalogue) {
		if f := strings.Fields(line); len(f) > 0 {
			r, _ := lookup(f[2], strings.TrimPrefix(f[0], "+"), f[1])
			all = append(all, Entry{workflows.ActionType{Category: r.category, Owner: r.owner, Provider: r.provider, Version: "1"}, [2]int{r.minIn, r.maxIn}, [2]int{r.minOut, r.maxOut}, r.keys, r.required})
		}
	}
	return all
}
