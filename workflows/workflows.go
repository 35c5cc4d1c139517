// Package workflows holds rollcall's nouns as plain values: what a release
// pipeline is, what an execution of it is, who acts, and what they ask for.
//
// The words are AWS CodePipeline V2's. A [Pipeline] is an ordered list of
// stages; a [Stage] holds actions that run by run order, equal numbers in
// parallel. An [Execution] carries one set of source revisions through the
// stages. A stage is locked by the one execution that is inside it; the next
// one waits before it (inbound) and is superseded by a newer arrival. An
// approval is an action that waits for people. A rollback is an execution of
// type ROLLBACK that runs one stage again with what an earlier execution, its
// target, ran there.
//
// Our own words: a [Principal] is who acts, verified at the border; an
// [Intent] is what they ask for; a [Problem] is a refusal in words; a lock is
// a disabled transition, set by people or by a rollback.
//
// Nothing here does I/O, reads a clock or starts a goroutine. The package is
// imported by everything and imports nothing of ours. JSON names are those of
// the HTTP API; the values are stored in the same form, so a field's meaning
// never changes once it has been released.
package workflows
