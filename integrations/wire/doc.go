// Package wire is what all integrations share of speaking HTTP with a vendor.
//
// Inbound, a webhook goes through the same steps everywhere: [ReadBody] takes
// the raw body under a size limit, [Verify] proves who sent it, the
// integration makes a receipt of it, and [Answer] or [Refuse] tells the sender
// what became of it.
//
// Outbound, every client sits on a [Transport]: it bounds each try in time,
// spaces calls out, and does what Retry-After asks for as long as that is
// short. When it would be long, the caller gets a [*Later] and the runtime
// comes back; nothing sleeps for minutes. [Passing] is the one place that says
// which answers are worth another try. [Scrub] takes secrets out of errors.
package wire
