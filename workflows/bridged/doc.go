// Package bridged decides about pipelines that stay in AWS CodePipeline, where
// package machine decides about those that run here.
//
// AWS decides there what happens next, so there are two things to do. What a look
// at the pipeline saw (work.Snapshot) is told by its differences to the state, in
// the kinds of events that tell of every pipeline: [Decision.Observe]. What people ask
// for is a request, which a bridge carries to AWS and which is closed with AWS's
// answer: [Decision.Ask], [Decision.Answer]. Rights, votes and the rules of targets are
// those of every pipeline.
//
// A [Decision] is part of one of the machine: each event that it emits is true
// at once. What AWS says beyond what events can tell one by one, because nobody saw
// it happen, is told by the whole row (executionObserved), so that after each look
// the row shows what AWS shows. A fact that is absent from a look erases nothing. A
// look that sees nothing new makes no event.
//
// Beside it stands what else differs for a pipeline by who keeps it: [Keeps], [Keeper],
// and [OnlyAnswered] for those that decide for environments of GitHub Actions.
//
// [Memory] is what the state keeps for it: requests, and whether AWS is seen. Pure.
package bridged
