// Package commands carries out actions of the provider Commands: lines of
// shell on this machine, under a supervisor that outlives the service.
//
// A run folder belongs to one task. The [Runner] lays it out, takes its lock
// and starts the supervisor, the same binary again (see [Supervise]), which
// inherits the lock; so there is no moment between the two at which somebody
// else could start. The supervisor gets its job over standard input. It
// makes a mark, started, durable before anything runs, and writes an ending
// when everything has ended. From these three every question is answered:
//
//	ending                          over, and how
//	lock taken, started             running
//	lock taken, not started         being started; ask again
//	lock free, started, no ending   in doubt: the supervisor or the machine died
//	lock free, not started          certainly did not run and will not
//
// The supervisor needs no service: it ends the commands at their deadline,
// masks secrets in the log, bounds the log, and leaves no process behind. If
// it is itself killed, the kernel kills the shell, and the outcome is in doubt.
//
// Layout of the run folder (artifact names begin with no dot):
//
//	.run/    lock, started, cancel, ending, supervisor.log; the service's own
//	.home/   HOME of the commands
//	NAME/    the first input artifact, where the commands run (no input: work/)
//	OTHER/   every other input artifact
package commands
