// Package decider decides about pipelines and makes the decisions durable.
//
// A [Request] is one thing to decide about in one pipeline: an intent, an
// outcome, or the passing of time. It goes to the *loop* of its pipeline, which
// alone has the pipeline's state in memory (a *unit*). The loop decides, with
// package machine, and gathers what follows: the events that are *pending*, and
// who waits for them. When the one *writer* is free, every loop *flushes* what
// is pending, one frame per pipeline, into a *commit request*, and all commit
// requests become one commit. Only after that commit anybody is answered and
// anything is done.
//
// What a decision rests on and only the outside knows is asked for by the
// machine (machine.NeedFacts): the facts are resolved without blocking the loop,
// and the request is decided again.
//
// A commit ends in one of four ways. It is durable. It is *refused by a
// conflict*: nothing was written, so only the pipelines concerned are read anew,
// and what is safe is decided again. It is *fenced*: another process has taken
// over, nothing was written and nothing will be; this one ends. Or its end is
// *unknown*: everybody is told so, the store is opened again, and all state is
// read anew.
//
// Every pipeline that must be looked at later has one entry in the heap of
// [Timers]. A pipeline in which nothing happens is *parked*: it leaves memory. A
// *checkpoint* of its state is written now and then, so that few frames need be
// folded to have it again.
//
// The package knows neither the engine nor what follows from a decision: it is
// given [Log], [Heads], [Facts], [Tasks], [Observer] and [Positions].
//
// Imports: workflows, clean, event, machine, record, words, work.
package decider
