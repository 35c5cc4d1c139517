// Package jira turns failed executions into Jira tickets and follows their
// status.
//
// [Tickets] is a journal follower: every event once, in order. A *failure* is
// an execution that failed by an action, in a stage that has an environment or
// that the definition lists; a missing approval and a failed entry condition
// are none. Failures of the same *kind* (stage, action, code, and the message
// without what differs each time, see printOf) belong to one ticket as long as it is open:
// the first opens it, later ones are counted in a comment that is edited in place, a
// success says so. One that was closed less than ticket.reopenWithin ago is opened
// again; after that there is a successor, which is linked with it. A pipeline gets
// ticket.maxPerHour new tickets an hour; one more counts what gets none.
//
// Our own memos decide which ticket that is, never a search alone. A create
// cannot be repeated safely, so a marker with a label that only this ticket
// will carry is durable before the call; when the call's outcome is not known,
// because either side crashed, the label is looked up before anything is
// created again, for longer than Jira's search lags behind. Jira being away costs
// time, never a ticket and never a second one.
//
// What Jira has not taken waits in a durable queue of its pipeline, failures of a
// kind together, and is tried by the clock; it delays nothing else. What a ticket
// counts is durable before it is shown. [kindOf] alone decides whether an error
// is transient, can be fixed by somebody, or is final: the execution has a note
// about the first two until the ticket is there, and keeps a note with Jira's own
// words about the last. What Jira answers with 5xx is tried without optional
// fields and without characters that an old database cannot store.
//
// [Deployments] is a mirror follower: issues say in one remote link and one comment
// for each environment where they are deployed, and [Panel] says it to Jira's Deployments API.
// [Approvals] has gates answered in Jira: whoever moves the issue of a gate, as its
// changelog says, has answered, and so has a change request that was decided.
//
// [Account] signs calls as a service account.
//
// [Issues] says which of the keys that people mention are issues.
//
// [Webhook] takes signed deliveries, so that a ticket which somebody closed is
// known to be closed.
package jira
