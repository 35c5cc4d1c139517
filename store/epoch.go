package store

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/workflows/event"
)

// keyRestored leads, in meta, to the newest restore that the file comes from.
const keyRestored = "restored"

// Restored says from which backup the file was restored; the zero value: from none.
func (db *DB) Restored(ctx context.Context) (r event.Restored, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		r, err = epoch(tx)
		return err
	})
	return r, err
}

func epoch(tx *bbolt.Tx) (r event.Restored, err error) {
	row := meta.in(tx).Get([]byte(keyRestored))
	if row == nil {
		return r, nil
	}
	return r, unwrapJSON(meta, row, &r)
}

// MarkRestored begins the next epoch: all that the file holds is from a backup
// that was made at one time and restored at another. Whoever opens the file next
// takes that up before anything else.
func (db *DB) MarkRestored(ctx context.Context, token string, backup, at time.Time) (r event.Restored, err error) {
	err = db.update(ctx, func(tx *bbolt.Tx) error {
		before, err := epoch(tx)
		if err != nil {
			return err
		}
		r = event.Restored{Epoch: before.Epoch + 1, Token: token, Backup: backup.UTC(), At: at.UTC()}
		row, err := wrapJSON(r)
		if err != nil {
			return err
		}
		return meta.in(tx).Put([]byte(keyRestored), row)
	})
	if err != nil {
		return r, fmt.Errorf("marking %s as restored: %w", db.path, err)
	}
	return r, nil
}
