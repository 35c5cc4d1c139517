// Package simulation holds no code, only a test: it runs the engine, a store,
// runners, followers and people in a bubble of synthetic time, lets everything
// go wrong that can, by a seed, and checks what must hold all the same.
//
//	go test ./workflows/runtime/simulation                      as many seeds as fit into a moment
//	ROLLCALL_SEEDS=10000 go test -timeout 1h ./workflows/runtime/simulation
//	ROLLCALL_SEED=7 go test -v ./workflows/runtime/simulation   one of them, with every step
//
// A *world* is one seed. Whatever the engine asks of it (make this commit, start
// that task, tell this follower, who is in that group) is a *call*, and every
// call is *parked* until the scheduler answers it. The scheduler is one
// goroutine: it waits until nothing moves, draws one *move* (answer a call, let
// somebody ask for something, let time pass, set the clock, kill the process),
// makes it and waits again. How an answer ends is its *fate*: a commit is
// written or not, and answered at once, late or not, a start reaches the outside
// or not and is answered or not. So all chance is drawn in one place, and the
// same seed tells the same story: the same moves, the same log, byte for byte
// but for random IDs, which count by when they first appear. A test tells seeds
// twice to prove it.
//
// What the scheduler cannot decide is in which order goroutines go on that one
// move has woken together. So a story runs on one thread, with one decide loop
// and without the garbage collector, and look-ups in the store are parked too
// and answered one after the other. What is left is the operating system, which
// may stop a thread for so long that Go turns to another goroutine: rare, and
// then the replay of a seed takes another turn. The race detector has goroutines
// run in any order on purpose; under it no seed replays. A parent divides the
// seeds over child processes, one per processor.
//
// The *ledger* sees every commit as it becomes durable. It folds the log for
// itself and judges each frame; the *outside* counts what was really begun
// there and knows whether that was durable first. After the storm everything
// works again: the world is drained, people decide what waits for them, and
// everything must come to its end.
package simulation
