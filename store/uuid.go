package store

import (
	"encoding/hex"
	"strings"
)

// uuidSize is how many bytes a UUID has when it is not spelled out.
const uuidSize = 16

const (
	uuidShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	hexDigits = "0123456789abcdef"
)

// rawUUID appends the bytes of a UUID in lower case; ok is false for everything else.
func rawUUID(to []byte, s string) (raw []byte, ok bool) {
	if len(s) != len(uuidShape) {
		return to, false
	}
	var digits [2 * uuidSize]byte
	n := 0
	for i := range len(s) {
		switch {
		case uuidShape[i] == '-' && s[i] != '-', uuidShape[i] != '-' && strings.IndexByte(hexDigits, s[i]) < 0:
			return to, false
		case uuidShape[i] != '-':
			digits[n] = s[i]
			n++
		}
	}
	raw, err := hex.AppendDecode(to, digits[:])
	return raw, err == nil
}

// spelledUUID is a UUID as it is usually written. It needs 16 bytes.
func spelledUUID(raw []byte) string {
	var digits [2 * uuidSize]byte
	hex.Encode(digits[:], raw[:uuidSize])
	d := digits[:]
	return string(d[:8]) + "-" + string(d[8:12]) + "-" + string(d[12:16]) + "-" + string(d[16:20]) + "-" + string(d[20:])
}
