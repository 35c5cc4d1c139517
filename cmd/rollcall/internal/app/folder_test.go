package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

// dataFolder is a service's data folder, and how to start a service on it.
type dataFolder struct {
	t   *testing.T
	dir string
}

func (d dataFolder) start(fresh bool) error {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "admins: [ana@acme.example]\nlisten: 127.0.0.1:0\ndataDir: %s\n", d.dir), 0o600); err != nil {
		d.t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		d.t.Fatal(err)
	}
	a, err := New(c, slog.New(slog.DiscardHandler), Extras{New: fresh})
	if err != nil {
		return err
	}
	return a.db.Close()
}

func (d dataFolder) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// C7: only an explicit beginning makes an empty store. Whatever has become of
// the database, and whatever lies beside it: the service starts with what
// there was, or says in a sentence why it does not.
func TestAnEmptyStoreTakesNoLostOnesPlace(t *testing.T) {
	beside := map[string]func(d dataFolder){
		"nothing":                   func(dataFolder) {},
		"folders with nothing":      func(d dataFolder) { _ = os.MkdirAll(filepath.Join(d.dir, "runs", "task-1"), 0o700) },
		"an artifact":               func(d dataFolder) { d.write("artifacts/ab12", "zip") },
		"a log":                     func(d dataFolder) { d.write("logs/e1/Build/Test/1.log", "ok") },
		"the folder of a run":       func(d dataFolder) { d.write("runs/task-1/script", "make") },
		"repositories, which cache": func(d dataFolder) { d.write("sources/app/HEAD", "ref") },
	}
	database := map[string]func(path string) error{
		"there":  func(string) error { return nil },
		"gone":   os.Remove,
		"empty":  func(path string) error { return os.Truncate(path, 0) },
		"cut":    func(path string) error { return os.Truncate(path, 10000) },
		"a page": func(path string) error { return os.Truncate(path, 4096) },
	}
	for what, lay := range beside {
		lost := strings.HasPrefix(what, "a") || strings.HasPrefix(what, "the ")
		for state, damage := range database {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s beside %s, new %v", state, what, fresh), func(t *testing.T) {
					d := dataFolder{t, filepath.Join(t.TempDir(), "data")}
					if err := d.start(false); err != nil {
						t.Fatalf("the first start in no folder at all: %v", err)
					}
					lay(d)
					path := filepath.Join(d.dir, "rollcall.db")
					if err := damage(path); err != nil {
						t.Fatal(err)
					}
					before, _ := os.ReadFile(path)
					err := d.start(fresh)
					want := ""
					switch {
					case state == "gone" && lost && !fresh:
						want = "rollcall.db is missing"
					case state == "gone":
					case fresh:
						want = "is there already"
					case state == "empty":
						want = "rollcall.db is empty; restore a backup"
					case state != "there":
						want = "restore a backup"
					}
					if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
						t.Errorf("got %v, want %q", err, want)
					}
					if after, _ := os.ReadFile(path); want != "" && string(after) != string(before) {
						t.Error("the refused start has changed the file")
					}
				})
			}
		}
	}
}

// D12: a data folder that was made by somebody else is closed, or said to be open.
func TestADataFolderIsClosed(t *testing.T) {
	for _, c := range []struct {
		mode    os.FileMode
		passing bool // commands run as an account of their own
		want    os.FileMode
	}{
		{0o700, false, 0o700}, {0o755, false, 0o700}, {0o777, false, 0o700}, {0o711, false, 0o700}, {0o750, false, 0o700},
		{0o711, true, 0o711}, {0o755, true, 0o711}, {0o700, true, 0o700},
	} {
		d := dataFolder{t, filepath.Join(t.TempDir(), "data")}
		d.write("logs/e1/1.log", "secret")
		d.write("rollcall.db", "rows")
		for path, mode := range map[string]os.FileMode{"": c.mode, "logs": c.mode, "rollcall.db": c.mode &^ 0o111} {
			if err := os.Chmod(filepath.Join(d.dir, path), mode); err != nil {
				t.Fatal(err)
			}
		}
		notes := tighten(d.dir, c.passing)
		for path, want := range map[string]os.FileMode{"": c.want, "logs": 0o700, "rollcall.db": 0o600} {
			if info, err := os.Stat(filepath.Join(d.dir, path)); err != nil || info.Mode().Perm() != want {
				t.Errorf("mode %o, passing %v: %q has %v, want %o (%v)", c.mode, c.passing, path, info.Mode().Perm(), want, err)
			}
		}
		if again := tighten(d.dir, c.passing); (len(notes) > 0) != (c.mode != 0o700) || len(again) > 0 {
			t.Errorf("mode %o: told %q, and again %q", c.mode, notes, again)
		}
	}
}
