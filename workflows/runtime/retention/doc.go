// Package retention removes what has been kept long enough: executions, logs
// and artifacts, each after its own [Age].
//
// Three looks do it, each at what is durable, never at something remembered:
//
//   - rows: of every pipeline the ended executions that are older than
//     Executions and that [Needed] does not name. They go in small commits
//     through the one writer, with the memos that followers keep of them, and
//     their logs after that;
//   - logs: of executions that ended longer ago than Logs, or that are gone;
//   - artifacts: mark and sweep. A file that was stored longer ago than
//     Artifacts goes, unless an execution refers to it that has not ended, that is
//     needed, or that ended less long ago.
//
// When there is something to look at next is computed from the oldest that is
// there, and from commits that end an execution; one timer wakes the one
// goroutine, and while nothing can be due nothing wakes it. A pass is paced:
// most of the time it waits.
//
// Whoever takes up an execution that has ended, for a retry or a rollback,
// reserves it until that is decided ([Retention.Reserve]). So nothing goes
// between the moment at which it is read and the commit that makes it needed.
//
// Frames, the audit record, are never removed.
//
// Imports: workflows, age, event, identity, machine, record, work.
package retention
