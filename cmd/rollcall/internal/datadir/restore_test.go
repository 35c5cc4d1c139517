package datadir

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// backedUp is a backup of folder's.
func backedUp(t *testing.T) (archive []byte, digest string) {
	t.Helper()
	dir, digest := folder(t)
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out bytes.Buffer
	if err := Backup(t.Context(), dir, db, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), digest
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.tar")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tree lists what is in a folder, and what the files hold.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			all = append(all, name+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		if filepath.Base(path) == database {
			data = []byte("database")
		}
		all = append(all, name+"="+string(data))
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// A restored folder holds what the backup held, in the next epoch; what lay there stays.
func TestRestore(t *testing.T) {
	archive, digest := backedUp(t)
	for name, c := range map[string]struct {
		there map[string]string
		want  string
	}{
		"into nothing": {nil, "artifacts/ artifacts/" + digest + ".tar.gz=archive logs/ logs/e1/ logs/e1/Build/ logs/e1/Build/1.log=it works rollcall.db=database"},
		"beside what is left": {map[string]string{"artifacts/" + digest + ".tar.gz": "archive", "logs/e1/Build/1.log": "it works, and ends", "logs/e2/Build/1.log": "later", "host": "build-1", "runs/t1/script": "make", "sources/x/HEAD": "ref"},
			"artifacts/ artifacts/" + digest + ".tar.gz=archive host=build-1 logs/ logs/e1/ logs/e1/Build/ logs/e1/Build/1.log=it works, and ends logs/e2/ logs/e2/Build/ logs/e2/Build/1.log=later" +
				" rollcall.db=database runs.before-TOKEN-12/ runs.before-TOKEN-12/t1/ runs.before-TOKEN-12/t1/script=make sources/ sources/x/ sources/x/HEAD=ref"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "srv", "data")
			for name, text := range c.there {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			for epoch := 1; epoch <= 2; epoch++ { // and once more, from a backup of what was restored
				r, err := Restore(t.Context(), dir, file(t, archive), "TOKEN-123456", noon)
				if err != nil {
					t.Fatal(err)
				}
				if got := tree(t, dir); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				if r.Epoch != epoch || r.Pipelines != 1 || time.Since(r.Backup) > time.Hour || !r.At.Equal(noon) {
					t.Errorf("restored %+v", r)
				}
				archive = again(t, dir)
				if err := os.Remove(filepath.Join(dir, database)); err != nil {
					t.Fatal(err)
				}
			}
		})
		archive, _ = backedUp(t)
	}
}

// again checks a restored folder, and backs it up.
func again(t *testing.T, dir string) []byte {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if faults, err := Check(t.Context(), dir, db, Elsewhere{}); err != nil || len(faults) > 0 {
		t.Errorf("the restored folder is damaged: %q %v", faults, err)
	}
	for path, mode := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, filepath.Join(dir, database): 0o600, filepath.Join(dir, "artifacts"): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	var out bytes.Buffer
	if err := Backup(t.Context(), dir, db, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is no sound backup is refused, and nothing is left behind; a database that is there stays.
func TestNoSoundBackupIsRestored(t *testing.T) {
	whole, digest := backedUp(t)
	changed := func(change func(name string, data []byte) []byte) []byte {
		var out bytes.Buffer
		in, w := tar.NewReader(bytes.NewReader(whole)), tar.NewWriter(&out)
		for {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			data, readErr := io.ReadAll(in)
			if data = change(h.Name, data); data == nil {
				continue
			}
			h.Size = int64(len(data))
			if err := errors.Join(err, readErr, w.WriteHeader(h)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	database := func(change func(data []byte) []byte) []byte {
		return changed(func(name string, data []byte) []byte {
			if name == "rollcall.db" {
				return change(data)
			}
			return data
		})
	}
	named := func(name string, flag byte) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Typeflag: flag, Linkname: "/etc/passwd"}), w.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for name, c := range map[string]struct {
		backup []byte
		want   string
	}{
		"empty":             {nil, "was cut off, or is no archive"},
		"something else":    {bytes.Repeat([]byte("hello "), 4000), "was cut off, or is no archive"},
		"zeros":             {make([]byte, 4096), "holds no rollcall.db"},
		"cut between files": {whole[:len(whole)-1024], "was cut off"},
		"cut at one block":  {whole[:len(whole)-512], "was cut off"},
		"cut in a file":     {append(bytes.Clone(whole[:20_000]), make([]byte, 1024)...), "was cut off in rollcall.db"},
		"without a database": {changed(func(name string, data []byte) []byte {
			return map[bool][]byte{true: nil, false: data}[name == "rollcall.db"]
		}), "holds no rollcall.db"},
		"an empty database":     {database(func([]byte) []byte { return []byte{} }), "is empty"},
		"a short database":      {database(func(data []byte) []byte { return data[:len(data)/2] }), "its database cannot be opened"},
		"a database of nothing": {database(func(data []byte) []byte { return bytes.Repeat([]byte("x"), len(data)) }), "damaged"},
		"a newer database":      {database(func(data []byte) []byte { return edited(t, data, "meta", "format", "\x63") }), "version 99"},
		"an edited log":         {database(func(data []byte) []byte { return edited(t, data, "heads", "shop", "\x01{\"last\":7}") }), "the log ends with frame 2"},
		"a changed artifact": {changed(func(name string, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte("archive"), []byte("archivE"))
		}), "artifact " + digest + " was changed"},
		"a file out of the folder":   {named("artifacts/../../x", tar.TypeReg), "which no backup does"},
		"a file from elsewhere":      {named("/etc/passwd", tar.TypeReg), "which no backup does"},
		"a file that is not kept":    {named("runs/t1/script", tar.TypeReg), "which no backup does"},
		"a link in its place":        {named("rollcall.db", tar.TypeSymlink), "which no backup does"},
		"artifacts without a folder": {named("artifacts", tar.TypeReg), ""},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := Restore(t.Context(), filepath.Join(parent, "srv", "data"), file(t, c.backup), "t", noon)
			var no *notSoundError
			if !errors.As(err, &no) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if left := tree(t, parent); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
	t.Run("over a database", func(t *testing.T) {
		dir, _ := folder(t)
		before := tree(t, dir)
		_, err := Restore(t.Context(), dir, file(t, whole), "t", noon)
		if err == nil || !strings.Contains(err.Error(), "is there already, and a backup is never restored over a database") {
			t.Errorf("got %v", err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("it was\n%s\nand is\n%s", before, after)
		}
	})
	t.Run("there is no file", func(t *testing.T) {
		parent := t.TempDir()
		_, err := Restore(t.Context(), filepath.Join(parent, "data"), filepath.Join(parent, "none.tar"), "t", noon)
		if left := tree(t, parent); !errors.Is(err, fs.ErrNotExist) || left != "" {
			t.Errorf("got %v, left behind %q", err, left)
		}
	})
}

// edited is a database with one row changed.
func edited(t *testing.T, data []byte, bucket, key, value string) []byte {
	t.Helper()
	path := file(t, data)
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte(value)) })
	data, readErr := os.ReadFile(path)
	if err := errors.Join(err, b.Close(), readErr); err != nil {
		t.Fatal(err)
	}
	return data
}
