package inbound

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	deliveryPrefix = "delivery/" // KEY: a delivery whose pipelines are not all started
	printPrefix    = "print/"    // SOURCE/PRINT: what was signed
	pushPrefix     = "push/"     // HASH: a push that was acted on
	nameSource     = "name"      // of the receipts that only lead to another one

	samePush = 10 * time.Minute // within which the same push under another key is a repeat
)

// delivery is an outside request and the changes it reports; its JSON is what is
// needed to finish it after a crash.
type delivery struct {
	Receipt work.Receipt  `json:"receipt"`
	Changes []work.Change `json:"changes"`

	known  bool           // it has its receipt
	claims []record.Claim // its names that no other delivery has
}

// names are what a delivery is known by besides its key, each as a receipt that leads to it.
func (d *delivery) names(now time.Time) (all []record.Claim) {
	name := func(key string, since time.Time) {
		all = append(all, record.Claim{Receipt: work.Receipt{Key: key, Source: nameSource, At: now, Done: true, Result: []byte(d.Receipt.Key)}, Since: since})
	}
	if d.Receipt.Print != "" {
		name(printPrefix+d.Receipt.Source+"/"+d.Receipt.Print, time.Time{})
	}
	if len(d.Changes) == 1 {
		name(pushKey(d.Changes[0]), now.Add(-samePush).Add(1))
	}
	return all
}

// keys are everything that a delivery is known by.
func (d *delivery) keys() []string {
	keys := []string{d.Receipt.Key}
	for _, n := range d.names(d.Receipt.At) {
		keys = append(keys, n.Key)
	}
	return keys
}

// rows are the delivery's receipt as it stands, with the names that it claims.
// The receipt is inserted unless it is there, or replaced when it was found.
func (d *delivery) rows(now work.Receipt, memos ...record.Memo) record.Commit {
	c := record.Commit{Claims: d.claims, Memos: memos}
	if d.known {
		c.Receipts = []work.Receipt{now}
	} else {
		c.Claims = append(slices.Clone(c.Claims), record.Claim{Receipt: now})
	}
	return c
}

// unfinished is the memo of a delivery whose pipelines are not all started.
func (d *delivery) unfinished() record.Memo {
	return record.NewMemo(record.RuntimeOwner, deliveryPrefix+d.Receipt.Key, d)
}

// finished deletes that memo.
func (d *delivery) finished() record.Memo {
	return record.NewMemo(record.RuntimeOwner, deliveryPrefix+d.Receipt.Key, nil)
}

// pushKey names a push by what it says, from where to where: a commit that is
// pushed away and comes back is another push.
func pushKey(c work.Change) string {
	parts := []string{c.Provider, c.Event, c.PullEvent, c.Repository, c.Branch, c.Tag, c.Before, c.Commit, fmt.Sprint(c.Deleted)}
	if c.Number != 0 { // a fork's pull request of the same commit must not stand for another
		parts = append(parts, fmt.Sprint("#", c.Number))
	}
	if c.ID != "" {
		parts = append(parts, c.ID)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return pushPrefix + hex.EncodeToString(sum[:16])
}
