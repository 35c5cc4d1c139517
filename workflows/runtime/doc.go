// Package runtime drives the pure core (package machine): it has decisions made
// and made durable, has them carried out, and recovers.
//
// An [Engine] is the entry point; its packages know neither it nor each other.
// What is asked takes one way. [Engine.Submit] resolves the names in an intent,
// asks who may (package access), and hands it to the decider, which decides,
// commits, and then answers. The commit wakes the others: acting carries out the
// tasks that are open now, following brings the frames to followers and readers,
// and inbound, which takes in news from outside, learns which pipelines follow
// what. What they find out comes back the same way, as an outcome or an intent.
//
//	decider    loops and the one writer: decide, commit, answer
//	acting     tasks, run folders, logs, runners
//	inbound    receipts, polled sources, what starts what, freezes
//	contents   pull requests and issues of a release, remembered
//	following  feed, followers, read models
//	retention  removes what has been kept long enough
//
// Nothing that matters is remembered here only. What should be happening is
// derived from the durable state, at a start as after a failure: open tasks are
// compared with what is under way, due times go into one heap of timers, and a
// pipeline in which nothing happens is written down and dropped from memory.
//
// Readers never wait for a decision: they read states that are folded from what
// has been committed. A *judge* knows what one principal may, and looks up
// outside, once, what that depends on.
//
// The package declares what it needs from others: Store, History, Inbox, Memos,
// Runs and Objects keep; Runner and Source act; Follower follows; Directory and
// People know who somebody is. Those that only one of its packages uses are
// declared there.
//
// Imports: workflows, access, bridged, changes, checkpoint, clean, event, gate, identity, ledger, machine, record, runtime/acting, runtime/contents, runtime/decider, runtime/following, runtime/inbound, runtime/retention, say, subject, words, work.
package runtime
