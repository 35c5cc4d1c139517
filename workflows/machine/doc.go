// Package machine decides what happens in one pipeline. It is pure: it reads no
// clock, draws no randomness, does no I/O and starts nothing.
//
// [State.Decide] takes an [Input] (an intent, an outcome of outside work, or
// only that time has passed) and answers with events, or refuses with a
// [*workflows.Problem] and nothing has happened, or asks with [*NeedFacts] and
// wants to be called again. [State.Evolve] is the only writer of [State]:
// applying the events, in order, is what makes them true. [State.Tasks] says
// what the outside must do now, and [State.Due] when to look again.
//
// A decision is made on a scratch copy: each event is applied to it as soon as
// it is found, so later steps of the same decision see the earlier ones. After
// the input itself is dealt with, the decision runs to a fixpoint: actions start, stages
// close, executions move on and enter what has become free, until nothing
// more follows. So one decision always leads from one fixpoint to another.
//
// Words. A stage is *occupied* by the execution inside it, and *locked* when its transition is disabled. An execution that has
// arrived at a stage *waits before it*, in the stage's one slot; the newer
// of two that meet there supersedes the older. What a stage *runs* is the
// execution whose content last succeeded in it. An *orphan* is outside work of
// an action that has ended, whose cancel nobody has confirmed. A *planned
// rollback* is a rollback that waits for its stage to be free.
package machine
