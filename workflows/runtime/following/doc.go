// Package following lets others follow what was committed, and never makes
// anything happen in a pipeline.
//
// The [Feed] is the log of all pipelines in commit order; its newest frames are
// in memory. [ReadModels] are states of pipelines for readers, folded from
// committed frames only: no reader ever waits for a decision. [Followers] take
// each [Follower] along the feed: a follower keeps part of the outside world in
// step with what was committed. How far one has come is its *position*: up to
// there everything is accepted, or noted in the *retry row* of a pipeline in
// which it is behind. Positions and rows are memos that somebody else's commit
// takes along ([Followers.Positions]); the lane of a pipeline is what its
// follower has been brought and has not accepted yet.
//
// The package knows neither the engine nor who decides: it is given [Log],
// [States], [Memos], [Commits], [Timers] and a function that starts goroutines.
//
// Imports: event, machine, record, work.
package following
