// Package simulation holds no code, only a test: it runs the engine, a store,
// runners, followers and people in a bubble of synthetic time, lets everything
// go wrong that can, by a seed, and checks what must hold all the same.
//
// A *world* is one seed. Whatever the engine asks of it (make this commit,
// start that task, tell this follower, who is in that group) is a *call*, and
// every call is *parked* until the scheduler answers it. The scheduler is one
// goroutine: it waits until nothing moves, draws one *move* (answer a call,
// let somebody ask for something, let time pass, set the clock, kill the
// process), makes it and waits again. What an answer is, is a *fate*: a commit
// is written or not and answered or not, a start reaches the outside or not and
// is answered or not. So all chance is drawn in one place, and the same seed
// tells the same story: the same moves, the same log, byte for byte. That is
// proved for a few seeds by telling them twice. What is left to the Go
// scheduler is the order of goroutines between two moves; the bubble runs with
// GOMAXPROCS=1 and thus one decide loop, so that nothing depends on it. The
// story is divided over the processors by processes.
//
// The *ledger* sees every commit as it becomes durable. It folds the log for
// itself and judges each frame; the *outside* counts what was really begun
// there and knows whether that was durable first. After the storm everything
// works again: the world is drained, people decide what waits for them, and
// everything must come to its end.
package simulation
