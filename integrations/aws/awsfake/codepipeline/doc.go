// Package codepipeline is the engine of the fake AWS CodePipeline: pipelines and their
// versions, executions in the modes SUPERSEDED, QUEUED and PARALLEL, stage locks and
// inbound executions, transitions, approvals with tokens, conditions, retries, rollbacks.
//
// [Service.Do] carries out an operation of AWS's API by its name, with input and output in AWS's
// wire form. What the actions do is the owner's: a [Script] says it beforehand, [Service.Finish] at the moment.
// Time is the owner's clock, read at each call; what was due in between happens at its own time.
// Nothing runs in the background.
package codepipeline
