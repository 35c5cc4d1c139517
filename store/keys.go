package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// bucket is one of the file's buckets.
type bucket string

// The buckets, with what leads to what. Names in keys end with a NUL, numbers
// are big endian, so that bytes order as people count.
const (
	meta        bucket = "meta"        // "format" -> the file's version; "restored" -> the backup it comes from
	frames      bucket = "log"         // feed -> frame
	sequence    bucket = "sequence"    // pipeline, seq -> feed; of every 16th frame
	heads       bucket = "heads"       // pipeline -> end of its chain, due
	checkpoints bucket = "checkpoints" // pipeline -> newest state
	live        bucket = "live"        // id -> execution
	ended       bucket = "ended"       // id -> execution
	numbers     bucket = "numbers"     // pipeline, number -> status letter, id
	endings     bucket = "endings"     // id, backwards -> nothing; AWS's, backwards, id -> nothing
	successes   bucket = "successes"   // pipeline, stage, number -> nothing; the number leads on
	receipts    bucket = "receipts"    // key -> receipt
	pending     bucket = "pending"     // source, time, key -> nothing; receipts to carry out
	done        bucket = "done"        // time, key -> nothing; receipts to forget one day
	memos       bucket = "memos"       // owner, key -> value
)

const (
	keyFormat = "format"
	keyProved = "proved" // its row says nothing; that it was written does
)

func buckets() []bucket {
	return []bucket{meta, frames, sequence, heads, checkpoints, live, ended, numbers, endings, successes, receipts, pending, done, memos}
}

// newest is the version of a bucket's rows as they are written today.
func (b bucket) newest() byte {
	switch b {
	case meta, frames, heads, checkpoints, live, ended, numbers, successes, memos:
		return version
	}
	return first
}

// in returns the bucket in a transaction; every file that was admitted has it.
func (b bucket) in(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte(b)) }

// How full a page is left that is split in two. Rows that come in the order of
// their keys never return to it. Others do, and fuller pages would soon be split
// again: at 0.9 two thirds of an index over many pipelines would be empty.
const (
	inOrder   = 0.9
	scattered = 0.65
)

// filling is in, for a bucket that rows are added to.
func (b bucket) filling(tx *bbolt.Tx) *bbolt.Bucket {
	rows := b.in(tx)
	rows.FillPercent = scattered
	if b == ended {
		rows.FillPercent = inOrder
	}
	return rows
}

// named begins a key with names, each ended by a NUL.
func named(names ...string) []byte {
	var key []byte
	for _, n := range names {
		key = append(append(key, n...), 0)
	}
	return key
}

// numbered is a key of names and a number behind them.
func numbered(n uint64, names ...string) []byte {
	return binary.BigEndian.AppendUint64(named(names...), n)
}

func feedKey(feed uint64) []byte { return binary.BigEndian.AppendUint64(nil, feed) }

// backwards is an ID from its end to its start, so that the end of an ID is the beginning of a key.
func backwards(id string) []byte {
	b := []byte(id)
	slices.Reverse(b)
	return b
}

func pendingKey(source, key string, at time.Time) []byte {
	return append(encodeTime(named(source), at), key...)
}

func doneKey(key string, at time.Time) []byte { return append(encodeTime(nil, at), key...) }

// usable refuses a name that would make keys ambiguous.
func usable(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a row to store has no %s", what)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("the %s %q holds a NUL byte", what, name)
	}
	return nil
}

// ascend calls visit for the keys with prefix, from first on, until it answers false.
func ascend(b *bbolt.Bucket, prefix, first []byte, visit func(k, v []byte) (bool, error)) error {
	c := b.Cursor()
	for k, v := c.Seek(first); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if more, err := visit(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}

// last goes to the last key below before, which need not be there.
func last(c *bbolt.Cursor, before []byte) (k, v []byte) {
	if at, _ := c.Seek(before); at != nil {
		return c.Prev()
	}
	return c.Last() // before lies behind everything
}

// descend calls visit for the keys with prefix, below the key before, downwards, until it answers false.
func descend(b *bbolt.Bucket, prefix, before []byte, visit func(k, v []byte) (bool, error)) error {
	c := b.Cursor()
	for k, v := last(c, before); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		if more, err := visit(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}
