// Package runner carries out CodePipeline's actions by AWS's own services.
//
// A [Kind] is one kind of action: it makes the calls that start, look up, poll
// and cancel it. The [Frame] does what all kinds share: who calls where, the
// token that makes a start repeatable, what an error means, the log, links into
// the console. A [List] asks about many things of one kind in one call.
//
// An [Attempt] is one attempt of an action on its way. What is known of it
// between two calls is in its handle and in AWS: a restart changes nothing.
package runner
