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
	// bbolt locks its file, so that members take turns. What it is opened with
	// does not depend on who opens it.
	storetest.Run(t, storetest.Factory{Open: func(t testing.TB, dir, _ string) storetest.Store {
		db, err := store.Open(filepath.Join(dir, "rollcall.db"), small())
		if err != nil {
			t.Fatal(err)
		}
		return db
	}})
}
