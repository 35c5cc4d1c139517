// Package store makes decisions durable, in one bbolt file.
//
// The log is the truth: one frame per pipeline and commit, each holding the
// hash of the one before it, so that the frames of a pipeline form a chain. A
// frame lies at its feed position, which rises over all pipelines; it leads to
// the one before it, and a small index finds every 16th. A head is the end of a
// pipeline's chain: last sequence, its hash and place, and when the pipeline is
// due. A checkpoint is a pipeline's state after one of its frames, so that
// loading folds a few frames and not the whole log.
//
// Executions have rows to answer questions with, the ended ones in a bucket of
// their own, which grows at its end and therefore stays dense. Indexes lead to
// them by number, by the end of the ID, and by the stages they succeeded in.
// Receipts and memos have rows too.
//
// Every row begins with a version byte. A version that was ever released is
// read forever (testdata); a newer one is refused with a sentence.
//
// One Commit is one transaction and one fsync: whoever calls gathers what
// belongs together. The file is never opened by two processes at once.
package store
