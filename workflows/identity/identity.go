// Package identity makes and knows the IDs of executions: UUIDs of version 7, so
// that they sort by time. Pure: what is random comes from outside.
package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// New makes an ID: the time, and then what the seed and a
// counter give. The same input gives the same ID.
func New(at time.Time, seed [16]byte, count uint64) string {
	var from [24]byte
	copy(from[:], seed[:])
	binary.BigEndian.PutUint64(from[16:], count)
	sum := sha256.Sum256(from[:])
	var u [16]byte
	copy(u[:], sum[:])
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Valid says whether a text has the form of an execution's ID.
func Valid(text string) bool {
	return len(text) == 36 && strings.Count(text, "-") == 4 && strings.Trim(text, "0123456789abcdef-") == ""
}

// Time is when an ID was made; ok is false for a text that is no such ID.
func Time(id string) (at time.Time, ok bool) {
	if !Valid(id) || id[14] != '7' {
		return at, false
	}
	ms, err := strconv.ParseUint(id[:8]+id[9:13], 16, 64)
	return time.UnixMilli(int64(ms)).UTC(), err == nil
}
