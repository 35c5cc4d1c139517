// Package acting carries out what was decided: it has runners start, poll and
// cancel actions, and takes their answers to where they are decided about.
//
// A *task* is one thing the outside must do now (work.Task). A *runner* carries
// out one kind of action. [Tasks] keeps one *job* per open task: how far this
// process has come with it. After each commit and each load the open tasks of a
// pipeline are *reconciled* with the jobs; all that is
// kept here can be derived again from durable state. The calls into one provider share a *lane*, which
// bounds how many run side by side.
//
// A *run folder* is where a task works on this host. It is removed after the
// outcome is durable; [Collector] removes what a crash in between left.
//
// [Invoker] is the runner of the provider CodePipeline: an action that starts
// an execution of another pipeline and ends as that one does.
//
// The package knows neither the engine nor how a decision is made: it is given
// [Outcomes], [Timers], [Unfinished], [Pipelines], [Executions] and [Memos].
//
// Imports: workflows, clean, event, machine, record, rule, words, work.
package acting
