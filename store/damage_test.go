package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// filled is a closed file with n commits in it.
func filled(t *testing.T, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "data", "rollcall.db")
	db, err := store.Open(path, small())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := db.Commit(context.Background(), crashCommit(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecondProcess(t *testing.T) {
	path := filled(t, 1)
	first, err := store.Open(path, small())
	if err != nil {
		t.Fatal(err)
	}
	o := small()
	o.LockTimeout = time.Millisecond
	_, err = store.Open(path, o)
	if want := "another rollcall uses " + path + "; stop it or choose another dataDir"; err == nil || err.Error() != want {
		t.Errorf("second opening: %v\nwant %s", err, want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(path, o)
	if err != nil {
		t.Fatalf("opening after the first one closed: %v", err)
	}
	again.Close()
}

func TestModes(t *testing.T) {
	path := filled(t, 1)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// The whole 64 GiB are only address space: a fresh file stays small, and where
// the system does not give as much, less does.
func TestMapSize(t *testing.T) {
	for _, size := range []int64{0, 1 << 46, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rollcall.db")
			db, err := store.Open(path, store.Options{MapSize: size, NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Commit(context.Background(), crashCommit(1)); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() > 32<<20 {
				t.Errorf("the file has %d bytes: %v", info.Size(), err)
			}
		})
	}
}

func TestDamagedFile(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut in the middle":     func(path string) error { return os.Truncate(path, 5*4096) },
		"cut to one page":       func(path string) error { return os.Truncate(path, 4096) },
		"cut to a few bytes":    func(path string) error { return os.Truncate(path, 10) },
		"not a database at all": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("hello ", 9000)), 0o600) },
		"both beginnings gone": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(make([]byte, 2*4096))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t, 50)
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(path, small())
			if err == nil {
				db.Close()
				t.Fatal("a damaged file was opened")
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}

// A file that lost its end, where opening it does not even look, is refused: a
// page that is mapped and not there would end the process much later.
func TestCutShort(t *testing.T) {
	path := filled(t, 50)
	file, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	var used int64
	err = file.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	if err := errors.Join(err, file.Close(), os.Truncate(path, used-1)); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path, small())
	if want := fmt.Sprintf("%s is cut short: it has %d bytes and needs %d; restore a backup", path, used-1, used); err == nil || err.Error() != want {
		t.Errorf("Open = %v\nwant %s", err, want)
	}
	if err == nil {
		db.Close()
	}
}

// A file in which any byte is flipped never takes the process down: it is
// refused, or answers with an error, or the byte meant nothing.
func TestFlippedBytes(t *testing.T) {
	whole, err := os.ReadFile(filled(t, 30))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "rollcall.db")
	noticed := 0
	for range 150 {
		bad := append([]byte(nil), whole...)
		for range 20 {
			bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(255))
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if !survives(path) {
			noticed++
		}
	}
	t.Logf("%d of 150 damaged files were noticed", noticed)
	if noticed == 0 {
		t.Error("no damage was ever noticed")
	}
}

// survives says whether nothing wrong was noticed; it fails by not returning.
func survives(path string) bool {
	ctx := context.Background()
	db, err := store.Open(path, small())
	if err != nil {
		return false
	}
	defer db.Close()
	problems, err := db.Check(ctx)
	_, _, loading := db.Load(ctx, "webshop")
	_, listing := db.Feed(ctx, 0, 0)
	return err == nil && len(problems) == 0 && loading == nil && listing == nil
}

// A commit that the disk refuses is an unknown one: the error comes back, and
// after Reopen the store shows what is durable and goes on.
func TestReopenAfterFailure(t *testing.T) {
	ctx := context.Background()
	db, err := store.Open(filled(t, 3), small())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := crashCommit(4)
	c.Memos = append(c.Memos, record.Memo{Owner: "too long", Key: strings.Repeat("k", 1<<16), Value: []byte("v")})
	if err := db.Commit(ctx, c); err == nil {
		t.Fatal("an impossible row was committed")
	}
	if err := db.Reopen(ctx); err != nil {
		t.Fatal(err)
	}
	if heads, err := db.Pipelines(ctx); err != nil || heads[0].Last != 3 {
		t.Fatalf("%+v %v", heads, err)
	}
	if err := db.Commit(ctx, crashCommit(4)); err != nil {
		t.Fatal(err)
	}
}
