package store

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// version is the first byte of the rows that have changed since version 1:
// frames, heads, checkpoints, executions, long memos, and the two indexes that
// lead to executions. Other rows are still of version 1 (first).
const (
	first   = 1
	version = 2
)

// wrap puts a version byte before a row's body that is as in version 1.
func wrap(body []byte) []byte { return append([]byte{first}, body...) }

// unwrap takes the version byte off. The body shares the row's memory.
func unwrap(of bucket, row []byte) ([]byte, error) {
	switch newest := of.newest(); {
	case len(row) == 0:
		return nil, fmt.Errorf("a row of %s is empty; the database is damaged", of)
	case row[0] == 0 || row[0] > newest:
		return nil, fmt.Errorf("a row of %s has version %d and this rollcall reads version %d; use the rollcall that wrote it, or a newer one", of, row[0], newest)
	}
	return row[1:], nil
}

func wrapJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return wrap(b), nil
}

func unwrapJSON(of bucket, row []byte, v any) error {
	body, err := unwrap(of, row)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("a row of %s does not decode: %w", of, err)
	}
	return nil
}

// frameRow is the body of a log row of version 1. Its stored bytes are what the hash covers.
type frameRow struct {
	Pipeline string        `json:"pipeline"`
	Seq      uint64        `json:"seq"`
	Events   []event.Event `json:"events"`
	Prev     string        `json:"prev,omitempty"`
}

// headRow is the end of a pipeline's chain.
type headRow struct {
	Last uint64    `json:"last"`
	Hash string    `json:"hash,omitempty"`
	Due  time.Time `json:"due,omitzero"`
	Feed uint64    `json:"-"` // of the last frame; 0: the index knows it
}

func encodeHead(h *headRow) ([]byte, error) {
	row := binary.AppendUvarint(blank(80), h.Last)
	row = binary.AppendUvarint(row, h.Feed)
	row, err := appendHash(row, h.Hash)
	return complete(appendDue(row, h.Due)), err
}

func decodeHead(row []byte) (h headRow, err error) {
	h, raw, err := readHead(row)
	if raw != nil {
		h.Hash = spelledHash(raw)
	}
	return h, err
}

// readHead leaves the hash of a row of version 2 as it is: a list of all
// pipelines does not need it.
func readHead(row []byte) (h headRow, raw []byte, err error) {
	v, body, err := verified(heads, row)
	switch {
	case err != nil:
		return h, nil, err
	case v == first:
		return h, nil, unwrapJSON(heads, row, &h)
	}
	r := eventReader{in: body}
	h.Last, h.Feed = r.uint(), r.uint()
	raw = r.bytes(hashSize)
	h.Due = r.due()
	return h, raw, r.err
}

// checkpointRow stands in front of the state in rows of version 1, on a line of its own.
type checkpointRow struct {
	Seq uint64    `json:"seq"`
	Due time.Time `json:"due,omitzero"`
}

// encodeCheckpoint keeps the state byte for byte.
func (c *codec) encodeCheckpoint(p *record.Checkpoint) ([]byte, error) {
	row, err := c.pack(appendDue(binary.AppendUvarint(blank(1024), p.Seq), p.Due), p.State)
	if err != nil {
		return nil, err
	}
	return complete(row), nil
}

func (c *codec) decodeCheckpoint(pipeline string, row []byte) (record.Checkpoint, error) {
	v, body, err := verified(checkpoints, row)
	switch {
	case err != nil:
		return record.Checkpoint{}, err
	case v == first:
		return decodeFirstCheckpoint(pipeline, row)
	}
	r := eventReader{in: body}
	p := record.Checkpoint{Pipeline: pipeline, Seq: r.uint(), Due: r.due()}
	if r.err != nil {
		return record.Checkpoint{}, r.err
	}
	state, err := c.unpack(r.in)
	p.State = bytes.Clone(state)
	return p, err
}

func decodeFirstCheckpoint(pipeline string, row []byte) (record.Checkpoint, error) {
	line, state, ok := bytes.Cut(row, []byte{'\n'})
	if !ok {
		return record.Checkpoint{}, errors.New("a row of checkpoints has no state; the database is damaged")
	}
	var r checkpointRow
	if err := unwrapJSON(checkpoints, line, &r); err != nil {
		return record.Checkpoint{}, err
	}
	return record.Checkpoint{Pipeline: pipeline, Seq: r.Seq, Due: r.Due, State: bytes.Clone(state)}, nil
}

// encodeExecution gives the row of an execution. Offers depend on who looks and are never kept.
func (c *codec) encodeExecution(e workflows.Execution) ([]byte, error) {
	e.Offers = nil
	body, err := json.Marshal(&e)
	if err != nil {
		return nil, err
	}
	row, err := c.pack(blank(1024), body)
	if err != nil {
		return nil, err
	}
	return complete(row), nil
}

func (c *codec) decodeExecution(of bucket, row []byte) (e workflows.Execution, err error) {
	v, body, err := verified(of, row)
	switch {
	case err != nil:
		return e, err
	case v == first && of == ended:
		return c.deflater.decode(body)
	case v == first:
		return e, unwrapJSON(of, row, &e)
	}
	plain, err := c.unpack(body)
	if err == nil {
		err = json.Unmarshal(plain, &e)
	}
	if err != nil {
		return workflows.Execution{}, fmt.Errorf("a row of %s does not decode: %w", of, err)
	}
	return e, nil
}

// encodeMemo leaves short values as they are.
func (c *codec) encodeMemo(value []byte) ([]byte, error) {
	if len(value) < packFrom {
		return wrap(value), nil
	}
	row, err := c.pack(blank(256), value)
	if err != nil {
		return nil, err
	}
	return complete(row), nil
}

func (c *codec) decodeMemo(row []byte) ([]byte, error) {
	v, body, err := verified(memos, row)
	if err != nil || v == first {
		return bytes.Clone(body), err
	}
	value, err := c.unpack(body)
	return bytes.Clone(value), err
}

// deflater inflates the rows of ended executions of version 1. It keeps what it works with.
type deflater struct{ readers sync.Pool }

func (s *deflater) decode(body []byte) (e workflows.Execution, err error) {
	r, ok := s.readers.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReader(nil)
	}
	defer s.readers.Put(r)
	if err = r.(flate.Resetter).Reset(bytes.NewReader(body), nil); err != nil {
		return e, err
	}
	plain, err := io.ReadAll(r)
	if err == nil {
		err = json.Unmarshal(plain, &e)
	}
	if err != nil {
		return workflows.Execution{}, fmt.Errorf("a row of %s does not decode: %w", ended, err)
	}
	return e, nil
}

// encodeNumber leads from a number to an ID. The letter lets a listing by status
// pass over rows without reading them.
func encodeNumber(status workflows.Status, id string) []byte {
	row, ok := rawUUID([]byte{version, letter(status)}, id)
	if !ok {
		row = append([]byte{first, letter(status)}, id...)
	}
	return row
}

func decodeNumber(row []byte) (status byte, id string, err error) {
	body, err := unwrap(numbers, row)
	switch {
	case err != nil:
		return 0, "", err
	case len(body) < 2 || row[0] != first && len(body) != 1+uuidSize:
		return 0, "", errors.New("a row of numbers names no execution; the database is damaged")
	case row[0] != first:
		return body[0], spelledUUID(body[1:]), nil
	}
	return body[0], string(body[1:]), nil
}

// letter is a status in one byte. Letters are part of the format: none changes its meaning.
func letter(s workflows.Status) byte {
	switch s {
	case workflows.StatusInProgress:
		return 'i'
	case workflows.StatusStopping:
		return 'g'
	case workflows.StatusStopped:
		return 't'
	case workflows.StatusSucceeded:
		return 's'
	case workflows.StatusSuperseded:
		return 'u'
	case workflows.StatusFailed:
		return 'f'
	case workflows.StatusCancelled:
		return 'c'
	}
	return '?' // unknown: the row itself must be looked at
}

func encodeUint(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{first}, n) }

func decodeUint(of bucket, row []byte) (uint64, error) {
	body, err := unwrap(of, row)
	if err != nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, fmt.Errorf("a row of %s has %d bytes; the database is damaged", of, len(row))
	}
	return binary.BigEndian.Uint64(body), nil
}

// appendDue appends a time that may be missing: 0, or 1 and encodeTime.
func appendDue(row []byte, due time.Time) []byte {
	if due.IsZero() {
		return append(row, 0)
	}
	return encodeTime(append(row, 1), due)
}

func (r *eventReader) due() time.Time {
	if has := r.bytes(1); has == nil || has[0] == 0 {
		return time.Time{}
	}
	t := r.bytes(timeSize)
	if t == nil {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(t)^(1<<63)), int64(binary.BigEndian.Uint32(t[8:]))).UTC()
}

// encodeTime orders as time does, over all of it.
func encodeTime(key []byte, t time.Time) []byte {
	key = binary.BigEndian.AppendUint64(key, uint64(t.Unix())^(1<<63))
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

// timeSize is how many bytes encodeTime adds.
const timeSize = 12

// maxNumber stands behind every number.
const maxNumber = math.MaxUint64
