// Package runtime makes decisions durable, carries them out and recovers.
//
// An [Engine] drives the pure core (package machine). What is asked of it takes
// one way: an *ask* goes to the *decide loop* of its pipeline, which alone
// holds the pipeline's state; the loop decides and gathers events in a *draft*;
// when the one *writer* is free, every loop *seals* its drafts, and all of them
// become one commit. Only after that commit anybody is answered, tasks are
// carried out and followers hear of it. A commit that fails has an unknown end:
// callers are told so, the store is opened again, and all state is read anew.
//
// Nothing that matters is remembered here only. What should be happening is
// derived from the durable state: its tasks are compared with what is under
// way, its due time goes into one heap of timers, and a pipeline in which
// nothing happens is *parked*: written down and dropped from memory.
//
// Readers never touch a loop. They look at *replicas*: states folded from what
// has been committed, and kept up to date with the log while somebody looks.
//
// The package declares what it needs from others: Store, History, Inbox, Memos
// and Blobs for keeping, Runner and Source for acting, Follower for telling,
// Directory for asking who belongs to what.
package runtime
