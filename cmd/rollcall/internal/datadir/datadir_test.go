package datadir

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// folder is a data folder with two decisions, an artifact and a log.
func folder(t *testing.T) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 2; seq++ {
		err = errors.Join(err, db.Commit(t.Context(), &record.Commit{Frames: []event.Frame{{Pipeline: "shop", Seq: seq, Events: []event.Event{
			{Kind: event.IntentRefused, At: time.Unix(int64(seq), 0), By: workflows.EnginePrincipal(), Refused: &event.Refused{}},
		}}}}))
	}
	sum := sha256.Sum256([]byte("archive"))
	digest = hex.EncodeToString(sum[:])
	for name, text := range map[string]string{"artifacts/" + digest + ".tar.gz": "archive", "artifacts/.partial-1": "half", "logs/e1/Build/1.log": "it works", "host": "build-1-0a1b2c3d", "runs/t1/script": "make"} {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, digest
}

// T17: what was changed after it was written is found, and what is whole is said to be.
func TestCheckFindsWhatWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir, digest string)
		want   string // empty: all is well
	}{
		"whole": {func(*testing.T, string, string) {}, ""},
		"an artifact": {func(t *testing.T, dir, digest string) {
			if err := os.WriteFile(filepath.Join(dir, "artifacts", digest+".tar.gz"), []byte("archivE"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "was changed after it was written"},
		"a zip": {func(t *testing.T, dir, digest string) {
			if err := os.WriteFile(filepath.Join(dir, "artifacts", digest+".zip"), []byte("PK"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "was changed after it was written"},
		"a decision": {func(t *testing.T, dir, _ string) {
			rows(t, dir, func(log *bbolt.Bucket) error {
				k, v := log.Cursor().First()
				return log.Put(k, bytes.Replace(v, []byte(`"refused"`), []byte(`"refuseD"`), 1))
			})
		}, "is not as it was written"},
		"a decision, and its checksum": {func(t *testing.T, dir, _ string) {
			rows(t, dir, func(log *bbolt.Bucket) error {
				k, v := log.Cursor().First()
				v = bytes.Replace(v, []byte(`"refused"`), []byte(`"refuseD"`), 1)
				binary.BigEndian.PutUint32(v[1:], crc32.Checksum(v[5:], crc32.MakeTable(crc32.Castagnoli)))
				return log.Put(k, v)
			})
		}, "does not continue frame 1"},
		"the last decision": {func(t *testing.T, dir, _ string) {
			rows(t, dir, func(log *bbolt.Bucket) error {
				k, _ := log.Cursor().Last()
				return log.Delete(k)
			})
		}, "the log ends with frame 1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, digest := folder(t)
			c.damage(t, dir, digest)
			db, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			faults, err := Check(t.Context(), dir, db, Elsewhere{})
			if all := strings.Join(texts(faults), "\n"); err != nil || c.want == "" && all != "" || !strings.Contains(all, c.want) {
				t.Errorf("found %q, %v; want %q", all, err, c.want)
			}
		})
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a database was made where there was none to look at")
	}
}

func texts(faults []Fault) (all []string) {
	for _, f := range faults {
		all = append(all, f.What)
	}
	return all
}

func rows(t *testing.T, dir string, change func(log *bbolt.Bucket) error) {
	t.Helper()
	b, err := bbolt.Open(filepath.Join(dir, "rollcall.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte("log"))) })
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
}

// T17: a backup holds what is kept, can be opened, and leaves nothing behind.
func TestABackupIsADataFolder(t *testing.T) {
	dir, digest := folder(t)
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var archive bytes.Buffer
	if err := Backup(t.Context(), dir, db, &archive); err != nil {
		t.Fatal(err)
	}
	to, names := t.TempDir(), map[string]bool{}
	for in := tar.NewReader(&archive); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		path := filepath.Join(to, h.Name)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		names[h.Name] = true
	}
	if len(names) != 4 || !names["host"] || !names["rollcall.db"] || !names["artifacts/"+digest+".tar.gz"] || !names["logs/e1/Build/1.log"] {
		t.Errorf("it holds %v", names)
	}
	copied, err := Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if problems, err := Check(t.Context(), to, copied, Elsewhere{}); err != nil || len(problems) > 0 {
		t.Errorf("the copy is damaged: %q %v", problems, err)
	}
	if frames, err := copied.Frames(t.Context(), "shop", 0, 10); err != nil || len(frames) != 2 {
		t.Errorf("the copy has %d decisions: %v", len(frames), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, leftover)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
