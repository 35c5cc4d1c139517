// Package audit says what the record proves.
//
// The log of every pipeline is a chain: each record holds the hash of the one
// before it. A [Verifier] recomputes the chain of a copy and names the first
// record that does not fit. What a chain cannot prove by itself, that its end was
// not cut off or all of it rewritten, an [record.Anchor] proves: position and hash of a
// record, written down outside the database while it was new.
//
// A [Line] is a record as it is exported, with the stored bytes that its hash
// covers, so that a copy is verified without a database and without a service. A
// [Trail] is what the record says of one execution: what ran, who let it, by which rule.
//
// The package is pure: it is given records and gives back sentences.
package audit
