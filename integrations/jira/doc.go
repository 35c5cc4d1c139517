// Package jira turns failed executions into Jira tickets, and hears what
// becomes of them.
//
// [Tickets] is a journal follower: every event once, in order. A *failure* is
// an execution that failed by an action, in a stage that has an environment or
// that the definition lists; what people did not approve, and what an entry
// condition kept out, is none. Failures of the same action in the same stage
// belong to one *ticket* as long as it is open: the first opens it, later ones
// add a comment, a success says so. One that was closed less than
// ticket.reopenWithin ago is opened again; after that there is a successor.
//
// Our own memos decide which ticket that is, never a search alone. A create
// cannot be repeated safely, so a marker with a label that only this ticket
// will carry is durable before the call; when the call's outcome is not known,
// because either side fell over, the label is looked up before anything is
// created again. Jira being away costs time, never a ticket and never a second
// one; Jira refusing is put on the execution in Jira's own words.
//
// [Webhook] takes signed deliveries, so that a ticket which somebody closed is
// known to be closed.
package jira
