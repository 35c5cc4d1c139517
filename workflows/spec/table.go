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
name! | name | | What people call it; unique in the service. A pipeline is never renamed: another name is another pipeline.
executionMode | SUPERSEDED/QUEUED/PARALLEL | SUPERSEDED | How executions meet at a stage that is taken: the newest waits and replaces what waited (SUPERSEDED), all wait in line (QUEUED), nobody waits (PARALLEL).
channel | channel | the service's channel | Where the pipeline's messages are posted: "#name" in quotes, or the channel's ID.
owners | [who] | nobody | Who is told when something is wrong with the pipeline itself.
ticket | {ticket} | the service's Jira settings | Where a failure's ticket goes.
variables | [{variable}] 0-50 | | Values that a start may give, used as #{variables.NAME}.
triggers | [{trigger}] 0-50 | a push to the branch of a source action | What starts the pipeline by itself.
stages! | [{stage}] 2-50 | | The steps, in order. The first holds source actions only, and no other stage holds one.
pipelineType | V1/V2 | V2 | CodePipeline's. Everything here is V2; V1 with executionMode QUEUED or PARALLEL is refused.
artifactStore | {artifactStore} | | CodePipeline's. Not used: artifacts are kept by rollcall itself.
artifactStores | <{artifactStore}> | | CodePipeline's, a store per Region, in place of artifactStore. Not used, but every Region that an action names must be in it.
roleArn | text 0-1024 | | CodePipeline's. Not used.
version | any | | CodePipeline's. Not used: versions are counted here.

= template | the file | A file that others extend, or that extends one.
extends | text 1-255 | | The template that this file builds on, relative to this file; it must lie in the same folder or below.
parameters | <any> or [{parameter}] | | In a file that extends: the values, by name. In a template: the list of what may be given.

= parameter | the parameter | What a template lets others decide. It is used as ${{parameters.NAME}} inside any value of the template.
name! | variable | | Its name.
description | text 0-200 | | What it is for.
default | any | a value must be given | The value where the extending file gives none: text, a number, true or false, or a list of these.
pattern | text | anything | Regular expression (RE2) that the whole value must match; of a list, each entry.

= file | the file | What AWS wraps around a declaration (aws codepipeline get-pipeline): accepted as it is.
pipeline! | {pipeline} | | The declaration.
metadata | any | | Where it was read. Only the Region of pipelineArn is looked at.
tags | any | | Not used.

= ticket | ticket | Where a failure's ticket goes; empty fields take the service's Jira settings.
project | project | the service's | Key of the project.
issueType | text | the service's | Such as Bug.
labels | [word] | | Labels of new tickets.
stages | [name] | those with an environment | Which stages make tickets.
closeOnSuccess | text | it stays open | Status that the ticket is moved to when the stage succeeds again.
reopenWithin | duration | | A ticket closed no longer ago than this is reopened rather than repeated.
logTail | number 0-200 | 10 | How many of the last lines of the log are in the ticket.

= variable | the variable | A value that is fixed when an execution starts. Everybody who may look can see it: no secrets.
name! | variable | | It is used as #{variables.NAME}, not in source actions.
defaultValue | text 1-1000 | a start must give one | The value when a start gives none.
description | text 0-200 | | Shown where a start is asked for.
pattern | text | anything | Regular expression (RE2) that the whole value must match.

= trigger | the trigger | What starts the pipeline: changes of one source action (push, pullRequest), or a schedule. One trigger per source action; it replaces the default, which is every push to the action's branch.
schedule | {schedule} | | Start by the clock.
sourceActionName | name | the only source action | Which source action it follows: Git, GitHub or CodeStarSourceConnection.
push | {push} or [{push}] 1-3 | | Pushes that start it; one filter that matches is enough.
pullRequest | {pullRequest} or [{pullRequest}] 1-3 | | Pull requests that start it; they run the commit of the request's own branch.
providerType | CodeStarSourceConnection/Git/GitHub | the source action's provider | CodePipeline's.
gitConfiguration | {git} | | CodePipeline's form: sourceActionName, push and pullRequest may stand in it.

= git | gitConfiguration | CodePipeline's form of a trigger's filters.
sourceActionName | name | the only source action | As above.
push | {push} or [{push}] 1-3 | | As above.
pullRequest | {pullRequest} or [{pullRequest}] 1-3 | | As above.

= push | the filter | A filter of pushes. Every key that is given must match: a push is of a branch or of a tag, never both.
branches | glob or [glob] 1-8 or {patterns} | any | Name of the branch.
filePaths | glob or [glob] 1-8 or {patterns} | any | One changed file that matches is enough.
tags | glob or [glob] 1-8 or {patterns} | no tag | Name of the tag.

= pullRequest | the filter | A filter of pull requests. Every key that is given must match.
events | [OPEN/UPDATED/CLOSED] 1-3 | all three | What happened to the request. Merging counts as CLOSED.
branches | glob or [glob] 1-8 or {patterns} | any | The branch it is to be merged into.
filePaths | glob or [glob] 1-8 or {patterns} | any | One changed file that matches is enough.

= patterns | the patterns | Globs: * within one part of a name, ** across parts, ? [abc] [!a-c] {a,b}; \ takes the next character as it is. A bare list is the includes.
includes | [glob] 0-8 | everything | One must match.
excludes | [glob] 0-8 | | None may match: an exclude wins.

= schedule | the schedule | Starts the pipeline by the clock, whether or not anything changed.
cron! | text 1- | | Five fields (minute hour day month weekday), EventBridge's six (with a year), or rate(N minutes), rate(N hours), rate(N days).
timezone | text 1- | UTC | Such as Europe/Berlin. A time that the change of clocks skips does not fire; one that comes twice fires once.

= stage | the stage | One step; at most one execution is inside it, except in PARALLEL mode.
name! | name | | Unique in the pipeline.
environment | text 0-255 | | Says that the stage changes something people use, such as production: announced, tickets, GitHub deployments; its actions do not start again by themselves.
beforeEntry | {entryCondition} or {entryConditions} | | Checked before the first action, with the stage taken.
actions! | [{action}] 1-50 | | What the stage does.
onSuccess | {successCondition} or {successConditions} | | Checked after all actions have succeeded.
onFailure | {onFailure} | nothing | What follows when the stage has failed.
rollback | {rollback} | | How rollbacks of this stage behave.
announce | success/never | success where environment is set, otherwise never | Whether a success is told to everybody.
blockers | [any] 0-0 | | CodePipeline's, reserved: must be empty.

= entryCondition | the condition | Engages when a rule fails.
result! | FAIL/SKIP | | Fail the stage, or pass it by; SKIP goes with VariableCheck and LambdaInvoke rules only.
rules! | [{rule}] 1-5 | | All must succeed.

= entryConditions | beforeEntry | CodePipeline's form.
conditions! | [{entryCondition}] 1-1 | | Exactly one.

= successCondition | the condition | Engages when a rule fails.
result! | ROLLBACK/FAIL | | Return to what the stage ran before, or fail the stage.
rules! | [{rule}] 1-5 | | All must succeed.

= successConditions | onSuccess | CodePipeline's form.
conditions! | [{successCondition}] 1-1 | | Exactly one.

= onFailure | onFailure | What follows a failure of the stage. People who reject and gates that expire are no failures.
result | ROLLBACK/RETRY | nothing | Return to what the stage ran before, or try once more.
retryMode | FAILED_ACTIONS/ALL_ACTIONS | FAILED_ACTIONS | With RETRY: what runs again.
condition | {failureCondition} | | Decides whether its own result follows.
retryConfiguration | {retry} | | CodePipeline's form of retryMode.
conditions | [{failureCondition}] 0-1 | | CodePipeline's form of condition.

= failureCondition | the condition | Engages when all rules succeed. RETRY cannot have one.
result! | ROLLBACK/ | | Return to what the stage ran before.
rules! | [{rule}] 1-5 | | All must succeed.

= retry | retryConfiguration | CodePipeline's form.
retryMode | FAILED_ACTIONS/ALL_ACTIONS | FAILED_ACTIONS | What runs again.

= rule | the rule | One check of a condition.
name! | name | | Unique in its condition.
provider | provider | | What checks it: VariableCheck, DeploymentWindow or Commands. CloudWatchAlarm, LambdaInvoke and CodeBuild are read, but cannot run yet.
configuration | <text 1-10000> 0-200 | | As the provider needs it, see below. Variables are filled in.
commands | text or [text] | | Commands: the lines to run; the rule succeeds when all do.
inputArtifacts | [artifact or {input}] | | Commands: what the lines work on.
timeoutInMinutes | number 5-86400 | the provider's | How long the rule may take.
ruleTypeId | {ruleType} | | CodePipeline's form of provider.
region | region | | CodePipeline's. Not used.
roleArn | text 0-1024 | | CodePipeline's. Not used.

= ruleType | ruleTypeId | CodePipeline's form of a rule's provider.
category | Rule/ | Rule | 
owner | AWS/ | AWS | 
provider! | provider | | As above.
version | version | "1" | 

= rollback | rollback | How rollbacks of this stage behave.
hold | always/manual/never | always | Which rollbacks hold the stage afterwards, so that the next change does not walk back in: all, those that people ask for, none.
eligible | any/sameVersion | any | To what one may return: any success in this stage, or only successes of the present version (CodePipeline's rule).
approval | skipRecent/skip/require | skipRecent | Whether approvals are asked again inside a rollback: not for the last 5 successes, never, always.

= action | the action | One unit of work.
name! | name | | Unique in its stage.
provider | provider | | What carries it out, see below.
runOrder | number 1-999 | 1 | Actions with the same number run together, the next number when all of them have succeeded.
configuration | <text 1-1000 or <text>> | | As the provider needs it, see below. Variables are filled in when the action starts. Only outputVariables of Wait may hold keys of its own.
namespace | namespace | none: its outputs cannot be used | Name by which later actions use the outputs: #{namespace.KEY}. Unique, not that of an artifact, not codepipeline or variables.
inputArtifacts | [artifact or {input}] | | What it works on: outputs of actions that have certainly ended.
outputArtifacts | [artifact or {output}] | | What it leaves behind, under names that are unique in the pipeline.
commands | text or [text] | | Commands: lines for sh -e, all in one shell.
outputVariables | [output] | | Commands: exported variables that become outputs.
environmentVariables | <text> or [{environmentVariable}] | | Commands: what the lines find in their environment. Variables are filled in.
timeoutInMinutes | number 1-86400 | the provider's | How long it may take; of approvals at least 5. Only for providers that run here.
approval | {approval} | anybody with the right approve, once | Manual: who may answer.
restartable | flag | true, in a stage with an environment false | Whether it may start again by itself when nobody can know how it ended.
actionTypeId | {actionType} | | CodePipeline's form of provider.
region | region | | CodePipeline's. Not used, but checked: another Region needs its store in artifactStores, and source actions cannot have one.
roleArn | text 0-1024 | | CodePipeline's. Not used.

= input | the input artifact | CodePipeline's form of an input artifact.
name! | artifact | | Its name.

= output | the output artifact | An output artifact that is not the whole folder.
name! | artifact | | Its name.
files | [text] | the whole folder | Globs below the action's folder, such as dist/**.

= actionType | actionTypeId | CodePipeline's form of an action's provider.
category | Source/Build/Test/Deploy/Approval/Invoke/Compute | the provider's | 
owner | text 1- | the provider's | AWS, ThirdParty, Custom or Rollcall.
provider! | provider | | As above.
version | version | "1" | 

= environmentVariable | the environment variable | CodePipeline's form of an environment variable.
name! | identifier | | Its name.
value! | text | | Its value.
type | PLAINTEXT/ | PLAINTEXT | The other types of CodePipeline are refused: let the command fetch the secret itself.

= approval | approval | Who may answer a gate, and how many must. One rejection ends it.
from | [who] | whoever may approve here | Who may answer.
ask | [who] | from | Who is mentioned.
required | number 1- | 1 | How many different people must approve.
atLeast | <number 1-> | | How many of them must be of a group: {"group:security": 1}.
requesterMayApprove | flag | false | Whether those may who started the execution, or wrote, pushed or merged what is in it.
comment | optional/required | optional | Whether approving needs a comment.
remindAt | [percent] | | When to remind, in parts of the time limit: 50%.

= artifactStore | artifactStore | CodePipeline's. Not used.
location | text 3-63 | | A bucket.
type | S3/ | S3 | 
encryptionKey | {encryptionKey} | | 

= encryptionKey | encryptionKey | CodePipeline's. Not used.
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
output     1-    ^[A-Za-z0-9@_-]+$             letters, digits and @ - _
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
