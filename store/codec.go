package store

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

// dictionary 1 holds what typical rows have in common: names of fields, kinds,
// whole executions and states. It is part of the format and never changes; a
// better one gets the next number, which every compressed row carries.
//
//go:embed dictionary/1.zstd-dict
var dictionary []byte

const (
	packFrom   = 160       // bytes below which compressing gains nothing
	eventsFrom = 320       // the same for events, whose form is compact already: they come in every commit
	packWindow = 128 << 10 // how far back a match may lie, in bytes
	largestRow = 1 << 30   // no row unpacks to more; a larger one is damaged
	// mostEncoders compress side by side; each keeps its memory.
	mostEncoders = 4
)

// The form of what may be compressed is a byte in front of it.
const (
	formPlain = 0
	formZstd  = 1
)

// codec turns values into rows and back. What it works with is made when it is
// first used and kept: an encoder is some 600 KB. Its methods may be called from
// any goroutine. Every store has its own: its parts wait for one another, so in a
// test they belong to the bubble in which they were made.
type codec struct {
	deflater deflater // rows of version 1
	once     sync.Once
	encoder  *zstd.Encoder
	decoder  *zstd.Decoder
	kinds    map[event.Kind]byte
	failed   error
}

// ready makes what the codec works with.
func (c *codec) ready() error {
	c.once.Do(func() {
		cores := min(runtime.GOMAXPROCS(0), runtime.NumCPU()) // each encoder and decoder keeps its memory
		c.encoder, c.failed = zstd.NewWriter(nil, zstd.WithEncoderDict(dictionary), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(packWindow),
			zstd.WithEncoderConcurrency(min(cores, mostEncoders)), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
		if c.failed == nil {
			c.decoder, c.failed = zstd.NewReader(nil, zstd.WithDecoderDicts(dictionary), zstd.WithDecoderConcurrency(cores), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(largestRow))
		}
		c.kinds = make(map[event.Kind]byte, len(kindCodes))
		for code, kind := range kindCodes {
			c.kinds[kind] = byte(code)
		}
	})
	return c.failed
}

// pack appends plain to row, compressed where that makes it smaller.
func (c *codec) pack(row, plain []byte) ([]byte, error) { return c.packFrom(packFrom, row, plain) }

func (c *codec) packFrom(from int, row, plain []byte) ([]byte, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if len(plain) >= from {
		packed := c.encoder.EncodeAll(plain, append(slices.Grow(row, len(plain)/4), formZstd))
		if len(packed)-len(row) <= len(plain) {
			return packed, nil
		}
	}
	return append(append(row, formPlain), plain...), nil
}

// unpack returns what pack was given. It may share the memory of packed.
func (c *codec) unpack(packed []byte) ([]byte, error) {
	switch {
	case len(packed) > 0 && packed[0] == formPlain:
		return packed[1:], nil
	case len(packed) > 0 && packed[0] == formZstd:
		if err := c.ready(); err != nil {
			return nil, err
		}
		return c.decoder.DecodeAll(packed[1:], nil)
	}
	return nil, fmt.Errorf("it is packed in no known way")
}

// headSize is how many bytes stand before the body of a row of version 2 that has
// a checksum: the version, and CRC-32C of the body, big endian.
const headSize = 5

func crc(body []byte) uint32 { return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) }

// blank is the beginning of a row of about so many bytes; its head is for complete to fill in.
func blank(size int) []byte { return make([]byte, headSize, headSize+size) }

// complete fills in the head of a row that began as blank.
func complete(row []byte) []byte {
	row[0] = version
	binary.BigEndian.PutUint32(row[1:headSize], crc(row[headSize:]))
	return row
}

// verified returns a row's version and what stands behind the version and, from
// version 2 on, the checksum. The body shares the row's memory.
func verified(of bucket, row []byte) (v byte, body []byte, err error) {
	if body, err = unwrap(of, row); err != nil || row[0] == 1 {
		return 1, body, err
	}
	if len(row) < headSize || binary.BigEndian.Uint32(row[1:headSize]) != crc(row[headSize:]) {
		return 0, nil, fmt.Errorf("a row of %s is not as it was written; the database is damaged", of)
	}
	return row[0], row[headSize:], nil
}
