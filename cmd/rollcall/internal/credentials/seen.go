package credentials

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// firstSeen is the memo of a secret: when it was first used. Of its value only a
// salted digest is kept.
type firstSeen struct {
	Salt, Digest []byte
	At           time.Time
}

func (s firstSeen) of(secret string) bool { return hmac.Equal(s.digest(secret), s.Digest) }

func (s firstSeen) digest(secret string) []byte {
	h := hmac.New(sha256.New, s.Salt)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// FirstSeen is when a secret was first in the configuration under that name: now,
// where another one was before.
func FirstSeen(ctx context.Context, notes Notes, name, secret string) (time.Time, error) {
	var seen firstSeen
	raw, ok, err := notes.Memo(ctx, "seen/"+name)
	if err == nil && ok {
		err = json.Unmarshal(raw, &seen)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when %s was first seen: %w", name, err)
	}
	if ok && seen.of(secret) {
		return seen.At, nil
	}
	seen = firstSeen{Salt: make([]byte, 32), At: time.Now().UTC()}
	_, _ = rand.Read(seen.Salt) // crypto/rand never fails
	seen.Digest = seen.digest(secret)
	if raw, err = json.Marshal(seen); err == nil {
		err = notes.Note(ctx, "seen/"+name, raw)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("noting when %s was first seen: %w", name, err)
	}
	return seen.At, nil
}

// seenFile is where, in the data folder, the doctor reads while the service has the database.
func seenFile(dir, name string) string { return filepath.Join(dir, name+".seen") }

// Show writes into a data folder, for [Shown], when the secret of that name was first seen.
func Show(ctx context.Context, notes Notes, dir, name string) error {
	raw, ok, err := notes.Memo(ctx, "seen/"+name)
	if err != nil || !ok {
		return err
	}
	path := seenFile(dir, name)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, raw) {
		return nil
	}
	if err = os.WriteFile(path+".new", raw, 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing when %s was first seen: %w", name, err)
	}
	return nil
}

// Shown is when the service that uses a data folder first saw a secret; ok is false
// when it has not yet.
func Shown(dir, name, secret string) (at time.Time, ok bool) {
	var seen firstSeen
	raw, err := os.ReadFile(seenFile(dir, name))
	if err != nil || json.Unmarshal(raw, &seen) != nil || !seen.of(secret) {
		return time.Time{}, false
	}
	return seen.At, true
}
