package store

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// version is the first byte of every row that is written today.
const version = 1

// wrap puts the version byte before a row's body.
func wrap(body []byte) []byte { return append([]byte{version}, body...) }

// unwrap takes the version byte off. The body shares the row's memory.
func unwrap(of bucket, row []byte) ([]byte, error) {
	switch {
	case len(row) == 0:
		return nil, fmt.Errorf("a row of %s is empty; the database is damaged", of)
	case row[0] != version:
		return nil, fmt.Errorf("a row of %s has version %d and this rollcall reads version %d; use the rollcall that wrote it, or a newer one", of, row[0], version)
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

// frameRow is the body of a log row. Its stored bytes are what the hash covers.
type frameRow struct {
	Pipeline string        `json:"pipeline"`
	Seq      uint64        `json:"seq"`
	Events   []event.Event `json:"events"`
	Prev     string        `json:"prev,omitempty"`
}

func hash(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:])
}

func decodeFrame(feed uint64, row []byte) (event.Frame, error) {
	var r frameRow
	if err := unwrapJSON(frames, row, &r); err != nil {
		return event.Frame{}, err
	}
	return event.Frame{Pipeline: r.Pipeline, Seq: r.Seq, Feed: feed, Events: r.Events, Prev: r.Prev, Hash: hash(row)}, nil
}

// headRow is the end of a pipeline's chain.
type headRow struct {
	Last uint64    `json:"last"`
	Hash string    `json:"hash,omitempty"`
	Due  time.Time `json:"due,omitzero"`
}

// checkpointRow stands in front of the state, on a line of its own: the state
// is kept byte for byte.
type checkpointRow struct {
	Seq uint64    `json:"seq"`
	Due time.Time `json:"due,omitzero"`
}

func encodeCheckpoint(c *work.Checkpoint) ([]byte, error) {
	row, err := wrapJSON(checkpointRow{Seq: c.Seq, Due: c.Due.UTC()})
	if err != nil {
		return nil, err
	}
	return slices.Concat(row, []byte{'\n'}, c.State), nil
}

func decodeCheckpoint(pipeline string, row []byte) (work.Checkpoint, error) {
	line, state, ok := bytes.Cut(row, []byte{'\n'})
	if !ok && len(row) > 0 && row[0] == version {
		return work.Checkpoint{}, errors.New("a row of checkpoints has no state; the database is damaged")
	}
	var r checkpointRow
	if err := unwrapJSON(checkpoints, line, &r); err != nil {
		return work.Checkpoint{}, err
	}
	return work.Checkpoint{Pipeline: pipeline, Seq: r.Seq, Due: r.Due, State: bytes.Clone(state)}, nil
}

// encodeLive gives the row of an execution that has not ended. Offers depend on
// who looks and are never kept.
func encodeLive(e workflows.Execution) ([]byte, error) {
	e.Offers = nil
	return wrapJSON(&e)
}

func decodeLive(row []byte) (e workflows.Execution, err error) {
	return e, unwrapJSON(live, row, &e)
}

// sealer deflates and inflates the rows of ended executions. It keeps what it
// works with: a new deflater is some 600 KB.
type sealer struct{ writers, readers sync.Pool }

func (s *sealer) encode(e workflows.Execution) ([]byte, error) {
	e.Offers = nil
	body, err := json.Marshal(&e)
	if err != nil {
		return nil, err
	}
	row := bytes.NewBuffer([]byte{version})
	z, ok := s.writers.Get().(*flate.Writer)
	if ok {
		z.Reset(row)
	} else if z, err = flate.NewWriter(row, flate.DefaultCompression); err != nil {
		return nil, err
	}
	defer s.writers.Put(z)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return row.Bytes(), nil
}

func (s *sealer) decode(row []byte) (e workflows.Execution, err error) {
	body, err := unwrap(ended, row)
	if err != nil {
		return e, err
	}
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
	return append([]byte{version, letter(status)}, id...)
}

func decodeNumber(row []byte) (status byte, id string, err error) {
	body, err := unwrap(numbers, row)
	if err != nil {
		return 0, "", err
	}
	if len(body) < 2 {
		return 0, "", errors.New("a row of numbers names no execution; the database is damaged")
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

func encodeUint(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{version}, n) }

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

// encodeTime orders as time does, over all of it.
func encodeTime(key []byte, t time.Time) []byte {
	key = binary.BigEndian.AppendUint64(key, uint64(t.Unix())^(1<<63))
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

// timeSize is how many bytes encodeTime adds.
const timeSize = 12

// maxNumber stands behind every number.
const maxNumber = math.MaxUint64
