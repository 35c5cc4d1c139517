package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Records returns the records of all pipelines after a feed position, as they
// lie in the file, at most limit; below 1, limit is 1000. One that cannot be
// read is among them, with its Damage.
func (db *DB) Records(ctx context.Context, after uint64, limit int) (rs []record.Stored, err error) {
	if after == maxNumber {
		return nil, nil
	}
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		page := recordPage{codec: &db.codec, tx: tx, heads: map[string]headRow{}}
		return ascend(frames.in(tx), nil, feedKey(after+1), func(k, v []byte) (bool, error) {
			if len(k) != 8 {
				return false, fmt.Errorf("the log has a key of %d bytes; the database is damaged", len(k))
			}
			r, err := page.read(binary.BigEndian.Uint64(k), v)
			rs = append(rs, r)
			return len(rs) < limit && err == nil, err
		})
	})
	return rs, err
}

// RecordsOf returns the records of one pipeline after a number, like Records.
func (db *DB) RecordsOf(ctx context.Context, pipeline string, after uint64, limit int) (rs []record.Stored, err error) {
	if after == maxNumber {
		return nil, nil
	}
	limit = orDefault(limit)
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		page := recordPage{codec: &db.codec, tx: tx, heads: map[string]headRow{}}
		ps, err := db.codec.places(tx, pipeline, after, limit)
		for _, p := range ps {
			r, err := page.read(p.feed, p.row)
			if err != nil {
				return err
			}
			rs = append(rs, r)
		}
		return err
	})
	return rs, err
}

// Newest returns the newest record of each pipeline that has one after a feed
// position, in the order of the pipelines' names.
func (db *DB) Newest(ctx context.Context, after uint64) (rs []record.Stored, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		page, log := recordPage{codec: &db.codec, tx: tx, heads: map[string]headRow{}}, frames.in(tx)
		return ascend(heads.in(tx), nil, nil, func(k, v []byte) (bool, error) {
			h, err := decodeHead(v)
			if err != nil || h.Last == 0 {
				return err == nil, err
			}
			feed, err := h.lastOf(tx, string(k))
			if err != nil || feed <= after {
				return err == nil, err
			}
			r, err := page.read(feed, log.Get(feedKey(feed)))
			rs = append(rs, r)
			return err == nil && ctx.Err() == nil, cmp.Or(err, ctx.Err())
		})
	})
	return rs, err
}

// recordPage reads records in one transaction.
type recordPage struct {
	codec *codec
	tx    *bbolt.Tx
	heads map[string]headRow // of the pipelines met
}

func (p *recordPage) read(feed uint64, row []byte) (record.Stored, error) {
	r, err := p.codec.readRecord(row)
	r.Feed = feed
	if err != nil {
		r.Damage = err
		return r, nil
	}
	h, ok := p.heads[r.Pipeline]
	if !ok {
		// A record may name a pipeline that has no head: then nothing vouches for its end.
		if head := heads.in(p.tx).Get([]byte(r.Pipeline)); head != nil {
			var err error
			if h, err = decodeHead(head); err != nil {
				return r, fmt.Errorf("pipeline %s: %w", r.Pipeline, err)
			}
		}
		p.heads[r.Pipeline] = h
	}
	if r.Number == h.Last {
		r.Hash = h.Hash
	}
	return r, nil
}

// ReadRecord reads the stored bytes of one record, of every version that was ever
// written; Hash is what they give. It needs no database.
func ReadRecord(stored []byte) (record.Stored, error) { return shared.readRecord(stored) }

// shared is the codec of those who have no database.
var shared codec

func (c *codec) readRecord(stored []byte) (record.Stored, error) {
	r := record.Stored{Hash: hash(stored), Bytes: append([]byte(nil), stored...)}
	f, err := c.decodeFrame(0, r.Bytes)
	if err != nil {
		return r, err
	}
	if r.Events, err = json.Marshal(f.Events); err != nil {
		return r, fmt.Errorf("the events of %s record %d: %w", f.Pipeline, f.Seq, err)
	}
	r.Pipeline, r.Number, r.Prev = f.Pipeline, f.Seq, f.Prev
	var at time.Time
	for _, e := range f.Events {
		if at = e.At; !at.IsZero() {
			break
		}
	}
	r.At = at
	return r, nil
}
