package store_test

import (
	"path/filepath"
	"testing"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/storetest"
)

// small maps little and syncs nothing: for tests that open many files.
func small() store.Options { return store.Options{MapSize: 1 << 20, NoSync: true} }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) storetest.Store {
		db, err := store.Open(filepath.Join(dir, "rollcall.db"), small())
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}
