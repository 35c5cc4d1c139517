// Package wire is what all integrations share of speaking HTTP with a vendor.
//
// Inbound, a request goes the same way everywhere. An [Endpoint] reads the raw
// body under a size limit and verifies who sent it; an [Inbox] makes it durable
// as a receipt and queues it; only then is it acknowledged, and a worker of the
// inbox processes it and finishes the receipt. What arrives in another way than
// by HTTP (Socket Mode, a message queue) goes to the inbox directly.
//
// Outbound, every client sits on a [Guard]: credentials never go where a
// redirect points, and no answer fills the memory. Most have it inside a
// [Transport], which bounds each try in time, spaces calls out, and does what
// Retry-After asks for as long as that is short. When it would be long, the
// caller gets a [*Later] and the runtime comes back; nothing sleeps for minutes.
// [KindOf] is the one place that decides which answers are transient, which
// somebody can fix and which are permanent, and [Final] which errors are permanent.
// [Scrub] takes secrets out of errors.
package wire
