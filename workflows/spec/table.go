package spec

// table is every key of a pipeline file: what the reader knows, what the JSON
// Schema says and what docs/pipelines.md lists. A line with "=" begins a part
// of the file: its name, how messages call it, what it is. Each line below it
// is a key ("!" follows one that must be given), what it may hold, its default,
// and what it means. What a key may hold is one of several forms:
//
//	name          a word with rules of its own, see formats
//	text 0-200    any text, of so many characters; 1- is at least one
//	number 1-999  a whole number
//	flag          true or false
//	A/B           one of these words
//	{part}        keys and values, as that part says
//	[form] 1-8    a list of so many
//	<form> 0-50   free keys with such values
//	any           whatever: it is accepted and not used
const table = `
= pipeline | the pipeline | What runs, from the sources to production.
name! | name | | Unique in the service. A pipeline cannot be renamed: a file with another name is another pipeline.
executionMode | SUPERSEDED/QUEUED/PARALLEL | SUPERSEDED | How executions meet at a busy stage: the newest waits and replaces what waited (SUPERSEDED), all wait in line (QUEUED), nobody waits (PARALLEL).
channel | channel | the service's channel | Where the pipeline's messages are posted: "#name" in quotes, or the channel's ID.
logTail | number 0-50 | 10 | How many of the last lines of a failed action's log are posted in the channel; 0 for none. Everyone in the channel can read them, also without permission for logs; secrets are masked.
owners | [who] | nobody | Who is notified of problems with the pipeline itself.
ticket | {ticket} | the service's Jira settings | Where tickets for failures go.
jira | {jira} | nothing | What becomes of the issues that a deployment brings.
variables | [{variable}] 0-50 | | Parameters of a start, used as #{variables.NAME}.
triggers | [{trigger}] 0-50 | a push to the branch of a source action | What starts the pipeline automatically.
stages! | [{stage}] 2-50 | | The stages, in order. The first contains only source actions, and no other stage contains one.
pipelineType | V1/V2 | V2 | CodePipeline's. Everything here is V2; V1 with executionMode QUEUED or PARALLEL is refused.
artifactStore | {artifactStore} | | CodePipeline's. Where actions that run in AWS find artifacts; actions that run here do not need it.
artifactStores | <{artifactStore}> | | CodePipeline's: one store per Region, instead of artifactStore. It must list every Region that an action uses.
roleArn | text 0-1024 | the service's own | The default role of actions that run in AWS.
version | any | | CodePipeline's. Not used: rollcall numbers versions itself.

= template | the file | A file that others extend, or that extends one.
extends | text 1-255 | | Path of the template, relative to this file; it must be in the same folder or below.
parameters | <any> or [{parameter}] | | In a file that extends a template: the values, by name. In a template: its parameters.

= parameter | the parameter | A parameter of a template. It is used as ${{parameters.NAME}} inside any value of the template.
name! | variable | | Its name.
description | text 0-200 | | What it is for.
default | any | a value must be given | The value if the extending file gives none: text, a number, true or false, or a list of these.
pattern | text | anything | Regular expression (RE2) that the whole value must match; of a list, each entry.

= file | the file | What AWS wraps around a declaration (aws codepipeline get-pipeline); accepted unchanged.
pipeline! | {pipeline} | | The declaration.
metadata | any | | AWS's metadata. Only the Region of pipelineArn is used.
tags | any | | Not used.

= ticket | ticket | Where tickets for failures go; missing fields default to the service's Jira settings.
project | project | the service's | Key of the project.
issueType | text | the service's | Such as Bug.
labels | [word] | | Labels of new tickets.
components | [text] | | Names of components of new tickets.
priority | text | the project's | Name of the priority of new tickets.
fields | <any> 0-50 | | More fields of new tickets, by ID (customfield_10010) or by the name that Jira shows. A text or number takes the form that the field has in Jira (text, number, option, person, version, list); a mapping or list is passed as it is.
stages | [name] | those with an environment | Stages whose failures open tickets.
closeOnSuccess | text | it stays open | Status to which the ticket moves when the stage succeeds again.
reopenWithin | duration | | A ticket that was closed within this time is reopened instead of opening a new one.
logTail | number 0-200 | 10 | How many of the last lines of the log are in the ticket; 0 for none. Everyone who can see the ticket can read them, also without permission for logs; secrets are masked.
maxPerHour | number 1-1000 | 10 | How many tickets of the pipeline are opened in an hour at most; then one more that says so and counts the rest.

= jira | jira | What becomes of the Jira issues that commits, branches and pull requests of a deployment mention, once it has succeeded. Needs at least status or fixVersion.
stages | [name] | the last one with an environment | Stages whose success counts.
status | text 1-255 | they stay where they are | Status that the issues move to, where Jira offers a transition to it.
fixVersion | text 1-200 | none | Fix version that the issues get; it is made in their projects where there is none of that name. {number} is the number of the execution, {pipeline} the name of the pipeline.

= variable | the variable | A value that is fixed when an execution starts. Visible to everyone with view access; do not put secrets here.
name! | variable | | Referenced as #{variables.NAME}, except in source actions.
defaultValue | text 1-1000 | a start must give one | The value if a start gives none.
description | text 0-200 | | Shown in the form for a start.
pattern | text | anything | Regular expression (RE2) that the whole value must match.

= trigger | the trigger | What starts the pipeline: changes of one source action (push, pullRequest), a schedule, events of EventBridge, or events of GitHub (release, workflowRun, deployment, mergeGroup). One trigger with push and pullRequest per source action; it, or one by events of GitHub, replaces the default, which is every push to the action's branch.
schedule | {schedule} | | Starts on a schedule.
event | <any> 1- | | Starts for each event of EventBridge that fits this pattern, with the newest revisions of the sources: exact values, prefix, suffix, equals-ignore-case, anything-but, exists, numeric and $or, as in a rule of EventBridge.
release | {release} | | Starts when a release is published on GitHub, with the commit of its tag.
workflowRun | {workflowRun} | | Starts when a run of a GitHub Actions workflow has completed, with the commit that it ran on. Runs for forks, and of workflows that an action of the pipeline dispatches, start nothing.
deployment | {deployment} | | Starts when a deployment is created on GitHub, with its commit; never for one that rollcall created.
mergeGroup | {mergeGroup} | | Starts when GitHub's merge queue asks for checks, with the commit of the merge group.
variables | <text> | | Of a start by an event, by name: a text as it is, or a path of the event that begins with $, such as $.detail.image-tag or $.release.tag_name. If there is nothing at the path, the event starts nothing.
sourceActionName | name | the only source action | The source action it applies to: Git, GitHub or CodeStarSourceConnection; for events of GitHub one of the last two.
push | {push} or [{push}] 1-3 | | Pushes that start the pipeline; one matching filter is enough.
pullRequest | {pullRequest} or [{pullRequest}] 1-3 | | Pull requests that start the pipeline, with the head commit of their branch.
providerType | CodeStarSourceConnection/Git/GitHub/Bitbucket/GitLab | the source action's provider | CodePipeline's.
gitConfiguration | {git} | | CodePipeline's form, which contains sourceActionName, push and pullRequest.

= git | gitConfiguration | CodePipeline's form of a trigger's filters.
sourceActionName | name | the only source action | As above.
push | {push} or [{push}] 1-3 | | As above.
pullRequest | {pullRequest} or [{pullRequest}] 1-3 | | As above.

= push | the filter | A filter for pushes. Every key given must match. A push is of a branch or of a tag, never both.
branches | glob or [glob] 1-8 or {patterns} | any | Name of the branch.
filePaths | glob or [glob] 1-8 or {patterns} | any | Matched against the changed files; one match is enough. If the changed files are unknown, the pipeline starts.
tags | glob or [glob] 1-8 or {patterns} | no tag | Name of the tag.

= pullRequest | the filter | A filter for pull requests. Every key given must match.
events | [OPEN/UPDATED/CLOSED] 1-3 | all three | What happened to the pull request. Merging counts as CLOSED.
branches | glob or [glob] 1-8 or {patterns} | any | The target branch of the pull request.
filePaths | glob or [glob] 1-8 or {patterns} | any | Matched against the changed files; one match is enough. If the changed files are unknown, the pipeline starts.

= release | the filter | A filter for published releases. Every key given must match; {} is every release.
tags | glob or [glob] 1-8 or {patterns} | any | Name of the release's tag.
prerelease | flag | both | Only prereleases (true), or none (false).

= workflowRun | the filter | A filter for completed runs of GitHub Actions workflows. Every key given must match; {} is every run that ended in success.
workflows | glob or [glob] 1-8 or {patterns} | any | Name of the workflow, or path of its file, such as .github/workflows/ci.yml.
branches | glob or [glob] 1-8 or {patterns} | any | The branch that it ran on.
conclusions | [success/failure/cancelled/timed_out/action_required/neutral/skipped/stale/startup_failure] 1-9 | success | How the run ended.
events | [word] 1-8 | any | What started the run, as GitHub calls it: push, pull_request, schedule, workflow_dispatch and so on.

= deployment | the filter | A filter for deployments that somebody else than rollcall creates on GitHub. Every key given must match; {} is every deployment.
environments | glob or [glob] 1-8 or {patterns} | any | The environment that it is for.
refs | glob or [glob] 1-8 or {patterns} | any | The branch, tag or commit that it names.

= mergeGroup | the filter | A filter for groups of GitHub's merge queue; {} is every group.
branches | glob or [glob] 1-8 or {patterns} | any | The branch into which the group is to be merged.

= patterns | the patterns | Globs: * within one part of a name, ** across parts, ? [abc] [!a-c] {a,b}; \ escapes the next character. A plain list means includes.
includes | [glob] 0-8 | everything | At least one must match.
excludes | [glob] 0-8 | | None may match; excludes win over includes.

= schedule | the schedule | Starts the pipeline on a schedule, whether or not anything changed.
cron! | text 1- | | Five fields (minute hour day month weekday), EventBridge's six (with a year), or rate(N minutes), rate(N hours), rate(N days).
timezone | text 1- | UTC | Such as Europe/Berlin. A time that is skipped when the clocks change does not fire; one that occurs twice fires once.

= stage | the stage | A stage; at most one execution is in it at a time, except in PARALLEL mode.
name! | name | | Unique in the pipeline.
environment | text 0-255 | | Marks a stage that changes something people use, such as production: successes are announced, failures open tickets, and its actions are not restarted automatically.
beforeEntry | {entryCondition} or {entryConditions} | | Checked before the first action; the execution occupies the stage meanwhile.
actions! | [{action}] 1-50 | | What the stage does.
onSuccess | {successCondition} or {successConditions} | | Checked after all actions have succeeded.
onFailure | {onFailure} | nothing | What happens when the stage fails.
rollback | {rollback} | | How rollbacks of this stage behave.
announce | success/never | success where environment is set, otherwise never | Whether a success is announced in the channel.
blockers | [any] 0-0 | | CodePipeline's; reserved, must be empty.

= entryCondition | the condition | Takes effect when a rule fails.
result! | FAIL/SKIP | | Fail the stage or skip it; SKIP is possible with VariableCheck and LambdaInvoke rules only.
rules! | [{rule}] 1-5 | | All must succeed.

= entryConditions | beforeEntry | CodePipeline's form.
conditions! | [{entryCondition}] 0-1 | | One condition; none is the same as omitting the key.

= successCondition | the condition | Takes effect when a rule fails.
result! | ROLLBACK/FAIL | | Roll back to what the stage ran before, or fail the stage.
rules! | [{rule}] 1-5 | | All must succeed.

= successConditions | onSuccess | CodePipeline's form.
conditions! | [{successCondition}] 0-1 | | One condition; none is the same as omitting the key.

= onFailure | onFailure | What happens when the stage fails. Does not apply to rejected or expired approvals, or to missing artifacts or values.
result | ROLLBACK/RETRY | nothing | Roll back to what the stage ran before, or retry once.
retryMode | FAILED_ACTIONS/ALL_ACTIONS | FAILED_ACTIONS | With RETRY: which actions run again.
condition | {failureCondition} | | Applies its result only if its rules succeed.
retryConfiguration | {retry} | | CodePipeline's form of retryMode.
conditions | [{failureCondition}] 0-1 | | CodePipeline's form of condition.

= failureCondition | the condition | Takes effect when all rules succeed; if one fails, the stage stays failed and nothing else happens.
result! | ROLLBACK/RETRY | | Roll back to what the stage ran before, or retry once.
rules! | [{rule}] 1-5 | | All must succeed.

= retry | retryConfiguration | CodePipeline's form.
retryMode | FAILED_ACTIONS/ALL_ACTIONS | FAILED_ACTIONS | Which actions run again.

= rule | the rule | One check of a condition.
name! | name | | Unique in its condition.
provider | provider | | VariableCheck, DeploymentWindow, Commands, CloudWatchAlarm, LambdaInvoke or CodeBuild.
configuration | <text 1-10000> 0-200 | | Depends on the provider, see below. Variables are resolved.
commands | text or [text] | | Commands: the lines to run; the rule succeeds if all of them do.
inputArtifacts | [artifact or {input}] | | Commands: the input artifacts.
timeoutInMinutes | number 5-86400 | the provider's | How long the rule may take.
ruleTypeId | {ruleType} | | CodePipeline's form of provider.
region | region | the pipeline's own | The Region of a rule that runs in AWS.
roleArn | text 0-1024 | the pipeline's | The role that a rule in AWS assumes.

= ruleType | ruleTypeId | CodePipeline's form of a rule's provider.
category | Rule/ | Rule | 
owner | AWS/ | AWS | 
provider! | provider | | As above.
version | version | "1" | 

= rollback | rollback | How rollbacks of this stage behave.
lock | always/manual/never | always | Which rollbacks lock the stage afterwards, so that the next run does not redeploy the bad change: all, only manual ones, none.
eligible | any/sameVersion | any | Possible targets: any success in this stage, or only those of the current pipeline version (CodePipeline's rule).
approval | skipRecent/skip/require | skipRecent | Whether a rollback asks for approval again: except for the last 5 successes, never, always.
onAlarm | {onAlarm} | nothing is watched | Alarms that roll the stage back when one of them rings after a success.

= onAlarm | onAlarm | Watches alarms of CloudWatch after an execution succeeded in the stage. When one is in state ALARM the stage is rolled back automatically to what ran before. Needs the section aws of the configuration. Not in PARALLEL mode.
alarms! | [text 1-255] 1-10 | | Names of metric or composite alarms.
for | duration | 10m | For how long after the success, from 1m to 24h.
region | region | the pipeline's own | The Region of the alarms.
roleArn | text 0-1024 | the pipeline's | The role that looks at them.

= action | the action | One unit of work.
name! | name | | Unique in its stage.
provider | provider | | What runs the action, see below.
runOrder | number 1-999 | 1 | Actions with the same number run in parallel; the next number starts when all of them have succeeded.
configuration | <text 1-1000 or <text>> | | Depends on the provider, see below. Variables are resolved when the action starts. Only outputVariables of Wait and Inputs of GitHubWorkflow may have keys of their own.
namespace | namespace | none: its outputs cannot be used | Namespace for the action's outputs: #{namespace.KEY}. Unique, not the name of an artifact, not codepipeline or variables.
inputArtifacts | [artifact or {input}] | | Outputs of actions that are certain to have ended before.
outputArtifacts | [artifact or {output}] | | What the action produces; names are unique in the pipeline.
commands | text or [text] | | Commands: lines for sh -e, run in one shell.
outputVariables | [identifier] | | Commands: exported variables that become output variables.
environmentVariables | <text> or [{environmentVariable}] | | Commands: additional environment variables. Variables are resolved.
timeoutInMinutes | number 1-86400 | the provider's | Time limit of the action; at least 5 for approvals. Only for providers that run here.
approval | {approval} | one person with the permission approve | Manual: who may approve.
restartable | flag | true, in a stage with an environment false | Whether the action is restarted automatically when its outcome cannot be determined.
actionTypeId | {actionType} | | CodePipeline's form of provider.
region | region | the pipeline's own | The Region of an action that runs in AWS. A Region other than the pipeline's own needs a store in artifactStores; source actions cannot set one. If the whole file uses a single Region, that is the pipeline's own.
roleArn | text 0-1024 | the pipeline's | The role that an action in AWS assumes; use a role of another account to run there.

= input | the input artifact | CodePipeline's form of an input artifact.
name! | artifact | | Its name.

= output | the output artifact | An output artifact that is not the whole folder.
name! | artifact | | Its name.
files | [text] | the whole folder | Globs relative to the action's folder. A matching folder is included with its content, so dist/* includes everything below dist, hidden files too.

= actionType | actionTypeId | CodePipeline's form of an action's provider.
category | Source/Build/Test/Deploy/Approval/Invoke/Compute | the provider's | 
owner | text 1- | the provider's | AWS, ThirdParty, Custom or Rollcall.
provider! | provider | | As above.
version | version | "1" | 

= environmentVariable | the environment variable | CodePipeline's form of an environment variable.
name! | identifier | | Its name.
value! | text | | Its value.
type | PLAINTEXT/PARAMETER_STORE/SECRETS_MANAGER | PLAINTEXT | How value is read: as the value itself, as the name of a parameter of Systems Manager, or as a secret of Secrets Manager (NAME, or NAME:KEY:STAGE:VERSION as CodeBuild has it). Secrets are fetched when the action starts, by CodeBuild as the role of its project, or on this machine as the roleArn of the action or pipeline, and are masked in the log.

= approval | approval | Who may approve, and how many must. One rejection ends it.
from | [who] | everyone with the permission approve here | Who may approve.
ask | [who] | from | Who is mentioned.
required | number 1- | 1 | How many people must approve.
atLeast | <number 1-> | | How many of them must be members of a group: {"group:security": 1}.
requesterMayApprove | flag | false | Whether people may approve their own changes: those who started the execution, or who wrote, committed, pushed or merged any commit that it adds to what runs in this stage and in the following ones up to the next approval.
comment | optional/required | optional | Whether approving needs a comment.
remindAt | [percent] | | When to send reminders, as percentages of the time limit: 50%.
jira | {approvalJira} | only here and in chat | Answers in Jira count too. Needs jira in rollcall.yaml.

= approvalJira | jira | How an approval is answered in Jira.
issue | text 1- | an issue is opened for each approval | The key of the issue that is watched: OPS-12, or a variable that holds it. Variables are resolved when approval is requested.
status | text 1- | Approved | The status of an approval: whoever moves the issue there approves, if they are among the approvers.
rejectedStatus | text 1- | Declined | The status of a rejection.
change | flag | false | Whether the issue is a change request of Jira Service Management, whose decision is one answer.

= artifactStore | artifactStore | CodePipeline's: a bucket.
location | text 3-63 | | A bucket.
type | S3/ | S3 | 
encryptionKey | {encryptionKey} | | 

= encryptionKey | encryptionKey | CodePipeline's: the key of a bucket.
id! | text 1-400 | | 
type | KMS/ | KMS | 
`

// formats are the words of the table that have rules of their own: least and
// most characters, a regular expression, and the rule in words.
const formats = `
name       1-100 ^[A-Za-z0-9.@_-]+$           letters, digits and . @ - _
artifact   1-100 ^[A-Za-z0-9_-]+$             letters, digits and _ -
namespace  1-100 ^[A-Za-z0-9@_-]+$            letters, digits and @ - _
variable   1-128 ^[A-Za-z0-9@_-]+$            letters, digits and @ - _
provider   1-35  ^[A-Za-z0-9_-]+$             letters, digits and _ -
version    1-9   ^[A-Za-z0-9_-]+$             letters, digits and _ -
identifier 1-    ^[A-Za-z_][A-Za-z0-9_]*$     letters, digits and _, not beginning with a digit
project    1-    ^[A-Z0-9_]+$                 capital letters, digits and _
region     4-30  ^[a-z0-9-]+$                 a Region such as eu-west-1
word       1-    ^[^\s]+$                     one word
duration   1-    [0-9](h|m|s)                 a time such as 168h
channel    1-    ^(#[^\s#<>,]+|[CGD][A-Z0-9]{5,})$ "#name" or an ID
percent    2-3   ^[1-9][0-9]?%$               a part such as 50%
glob       1-255 .                            a glob, see patterns
who        1-    .                            an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone
`
