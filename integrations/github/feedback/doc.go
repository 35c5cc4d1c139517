// Package feedback shows executions on GitHub.
//
// Its parts are followers, mirrors of executions: [Statuses] keeps commit statuses, the
// pipeline's "rollcall/PIPELINE" and one per stage, on the commits that an execution's
// GitHub sources brought in; [CheckRuns] shows the stages in a check run where an App may;
// [Deployments] keeps one deployment per execution and environment; [PullComments] says on
// pull requests where they run; [Records] notes which images run where. The other way
// round, [Facts] notes on an execution what GitHub knows of what people approve.
//
// What should be on GitHub is derived from the execution each time. What it does not take
// now waits in a queue per pipeline, which is tried again by the clock and delays nothing else.
package feedback
