// Package inbound takes in what comes from outside and starts pipelines for it.
//
// A *delivery* is one webhook request: a receipt and the changes in it. Its
// *names* identify it: its key, the fingerprint of what was signed and, when it
// reports one push, that push. [Receipts] claims the names in the commit that
// acts on the delivery: of two deliveries that report the same thing one acts,
// whichever process they reach.
//
// The [Catalogue] lists every pipeline with what starts it, without its state. The
// [Starter] starts pipelines for changes: when a webhook and a poll report the
// same commit, the second gets the execution of the first. What a pipeline has
// last seen of a branch is its *head*. [Sources] polls branches and starts what
// has a new head.
//
// A *range* is what lies between two revisions of a repository; [Ranges] knows
// the commits in it and who pushed them, and [Notes] writes on an execution what
// it changes in a stage. [Freezes] keeps the freezes in the pipelines' states equal
// to those of the configuration.
//
// The package knows neither the engine nor how a decision is made: it is given
// [Decider], [Commits], [Inbox], [Memos], [Timers], [Executions] and
// [Definitions], and finds its repositories by [Source],
// [Differ], [Comparer] and [Keyed].
//
// Imports: workflows, changes, document, event, ledger, machine, record, scope, source, trigger, work.
package inbound
