package record

import (
	"encoding/json"
	"time"
)

// Stored is one record of the log, a frame, as it lies in the store: what an
// audit shows and proves. Hash and Prev chain the records of a pipeline.
type Stored struct {
	Feed     uint64 // place over all pipelines; given by the store, no hash covers it
	Pipeline string
	Number   uint64 // Seq of the frame: per pipeline, from 1, without gaps
	At       time.Time
	Events   json.RawMessage
	Prev     string // hash of the pipeline's record before, as Bytes say it
	// Hash is what the hash should be: of the newest record of a pipeline what its
	// head says, else what Bytes give. Whoever verifies computes it anew.
	Hash  string
	Bytes []byte // what the hash covers
	// Damage is why Bytes cannot be read; then only Feed, Hash and Bytes are known.
	Damage error
}

// Selection says which records are wanted. The zero value is all.
type Selection struct {
	Pipeline  string // only this one's
	Execution string // only those that name this execution: webshop#42, its ID, or the end of it
	After     uint64 // only behind this place in the feed
	// Since: only what happened later. Behind: only what lies behind this record, "webshop@42".
	Since  time.Time
	Behind string
}

// Anchor is a record's place and hash, written down outside the store.
type Anchor struct {
	Pipeline string    `json:"pipeline"`
	Record   uint64    `json:"record"`
	Hash     string    `json:"hash"`
	At       time.Time `json:"at,omitzero"`
}
