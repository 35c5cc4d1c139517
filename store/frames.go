package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

// A row of the log is, behind version and checksum,
//
//	back   how far before this one, in the feed, the pipeline's frame before it
//	       lies; 0: there is none
//	prev   the hash of that frame, 32 bytes; absent when there is none
//	body   pipeline, sequence, and the events, packed
//
// The body is the same whatever is committed beside it, so that it is made
// before the commit is. The hash covers the row as it is stored.

// hashSize is how many bytes a hash has.
const hashSize = sha256.Size

// indexEvery: of so many frames of a pipeline one is in the index. The others
// are found by going back from that, or from the pipeline's last one.
const indexEvery = 16

func hash(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:])
}

// appendHash appends a hash that is spelled in hex; none is 32 zero bytes.
func appendHash(row []byte, spelled string) ([]byte, error) {
	if spelled == "" {
		return append(row, make([]byte, hashSize)...), nil
	}
	row, err := hex.AppendDecode(row, []byte(spelled))
	if err != nil || len(spelled) != 2*hashSize {
		return nil, fmt.Errorf("%q is no hash; the database is damaged", spelled)
	}
	return row, nil
}

func spelledHash(raw []byte) string {
	for _, b := range raw {
		if b != 0 {
			return hex.EncodeToString(raw)
		}
	}
	return ""
}

// encodeFrame makes the body of a frame's row.
func (c *codec) encodeFrame(f *event.Frame) ([]byte, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	w := eventWriter{kinds: c.kinds, out: make([]byte, 0, 512)}
	if err := w.events(f.Events); err != nil {
		return nil, fmt.Errorf("frame %d of %s: %w", f.Seq, f.Pipeline, err)
	}
	events := w.out
	w.out = make([]byte, 0, len(f.Pipeline)+len(events)+16)
	w.text(f.Pipeline)
	return c.packFrom(eventsFrom, binary.AppendUvarint(w.out, f.Seq), events)
}

// chained completes a frame's row: its place in the chain goes before the body.
func chained(back uint64, prev string, body []byte) (row []byte, err error) {
	row = binary.AppendUvarint(blank(binary.MaxVarintLen64+hashSize+len(body)), back)
	if back > 0 {
		if row, err = appendHash(row, prev); err != nil {
			return nil, err
		}
	}
	return complete(append(row, body...)), nil
}

func (c *codec) decodeFrame(feed uint64, row []byte) (event.Frame, error) {
	v, body, err := verified(frames, row)
	if err != nil {
		return event.Frame{}, err
	}
	if v == first {
		var r frameRow
		if err := unwrapJSON(frames, row, &r); err != nil {
			return event.Frame{}, err
		}
		return event.Frame{Pipeline: r.Pipeline, Seq: r.Seq, Feed: feed, Events: r.Events, Prev: r.Prev, Hash: hash(row)}, nil
	}
	f := event.Frame{Feed: feed, Hash: hash(row)}
	r := eventReader{in: body}
	if r.uint() > 0 {
		f.Prev = spelledHash(r.bytes(hashSize))
	}
	f.Pipeline, f.Seq = r.text(), r.uint()
	if r.err == nil {
		r.in, r.err = c.unpack(r.in)
	}
	if r.err == nil {
		f.Events, r.err = r.events()
	}
	if r.err != nil {
		return event.Frame{}, fmt.Errorf("a row of %s does not decode: %w", frames, r.err)
	}
	return f, nil
}

// errNoFrame is the reason why a frame is not found.
var errNoFrame = errors.New("the log has a gap; the database is damaged")

// backOf returns where in the feed the frame before one lies that is not the first.
func backOf(tx *bbolt.Tx, pipeline string, seq, feed uint64, row []byte) (uint64, error) {
	v, body, err := verified(frames, row)
	if err != nil {
		return 0, err
	}
	if v == first { // before version 2 every frame was in the index
		return indexed(tx, pipeline, seq-1)
	}
	back, size := binary.Uvarint(body)
	if size <= 0 || back == 0 || back >= feed {
		return 0, errNoFrame
	}
	return feed - back, nil
}

// indexed returns where in the feed a frame lies that is in the index.
func indexed(tx *bbolt.Tx, pipeline string, seq uint64) (uint64, error) {
	row := sequence.in(tx).Get(numbered(seq, pipeline))
	if row == nil {
		return 0, errNoFrame
	}
	return decodeUint(sequence, row)
}

// lastOf returns where in the feed a pipeline's last frame lies.
func (h *headRow) lastOf(tx *bbolt.Tx, pipeline string) (uint64, error) {
	if h.Feed > 0 || h.Last == 0 {
		return h.Feed, nil
	}
	return indexed(tx, pipeline, h.Last)
}

// place is a row of the log.
type place struct {
	seq, feed uint64
	row       []byte // nil: it is missing
}

// places returns the rows of a pipeline after a sequence, at most limit (0: all),
// in order. A row that is damaged is among them; one that is missing is not.
func (c *codec) places(tx *bbolt.Tx, pipeline string, after uint64, limit int) (ps []place, err error) {
	row := heads.in(tx).Get([]byte(pipeline))
	if row == nil {
		return nil, nil
	}
	h, err := decodeHead(row)
	if err != nil || h.Last <= after {
		return nil, err
	}
	upTo := h.Last
	if limit > 0 && h.Last-after > uint64(limit) {
		upTo = after + uint64(limit)
	}
	log := frames.in(tx)
	for p, ok := c.behind(tx, pipeline, upTo, &h); ok && p.seq > after; {
		if p.row = log.Get(feedKey(p.feed)); p.row != nil && p.seq <= upTo {
			ps = append(ps, p)
		}
		if p.seq == after+1 {
			break
		}
		feed, err := backOf(tx, pipeline, p.seq, p.feed, p.row)
		if err == nil {
			p.seq, p.feed = p.seq-1, feed
		} else {
			p, ok = c.lost(log, pipeline, p.feed, p.seq)
		}
	}
	slices.Reverse(ps)
	return ps, nil
}

// behind returns the first frame from seq on whose place is known: it is in the
// index, or it is the last one. ok is false when there is none.
func (c *codec) behind(tx *bbolt.Tx, pipeline string, seq uint64, h *headRow) (p place, ok bool) {
	if h.Last-seq >= indexEvery || h.Feed == 0 {
		prefix := named(pipeline)
		err := ascend(sequence.in(tx), prefix, numbered(seq, pipeline), func(k, v []byte) (bool, error) {
			feed, err := decodeUint(sequence, v)
			if ok = err == nil && len(k) == len(prefix)+8; ok {
				p = place{seq: binary.BigEndian.Uint64(k[len(prefix):]), feed: feed}
			}
			return false, err
		})
		if err == nil && ok {
			return p, true
		}
	}
	if feed, err := h.lastOf(tx, pipeline); err == nil {
		return place{seq: h.Last, feed: feed}, true
	}
	return c.lost(frames.in(tx), pipeline, maxNumber, maxNumber)
}

// lost looks for a pipeline's frame in front of a place in the feed where
// nothing leads to it any more. It reads the log, back to where that is.
func (c *codec) lost(log *bbolt.Bucket, pipeline string, feed, seq uint64) (p place, ok bool) {
	at := log.Cursor()
	for k, row := last(at, feedKey(feed)); k != nil; k, row = at.Prev() {
		if len(k) != 8 {
			continue
		}
		there := binary.BigEndian.Uint64(k)
		if f, err := c.decodeFrame(there, row); err == nil && f.Pipeline == pipeline && f.Seq < seq {
			return place{seq: f.Seq, feed: there}, true
		}
	}
	return place{}, false
}

// readFrames returns a pipeline's frames after a sequence, at most limit; 0: all.
func (c *codec) readFrames(tx *bbolt.Tx, pipeline string, after uint64, limit int) ([]event.Frame, error) {
	ps, err := c.places(tx, pipeline, after, limit)
	if err != nil || len(ps) == 0 {
		return nil, err
	}
	fs := make([]event.Frame, len(ps))
	for i, p := range ps {
		f, err := c.decodeFrame(p.feed, p.row)
		if err == nil && (f.Pipeline != pipeline || f.Seq != after+uint64(i)+1) {
			err = errNoFrame
		}
		if err != nil {
			return nil, fmt.Errorf("frame %d of %s: %w", after+uint64(i)+1, pipeline, err)
		}
		fs[i] = f
	}
	return fs, nil
}
