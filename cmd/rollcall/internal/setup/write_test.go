package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// tree is every path below a folder.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// When one file cannot be written, those before it are taken back, and what was there stays.
func TestHalfASetupIsTakenBack(t *testing.T) {
	files := Answers{}.Defaults().Files()
	for _, c := range []struct {
		about string
		files []File
		there string // a file that is in the way
		want  string
	}{
		{"a file where the pipelines' folder should be", files, "pipelines", "pipelines"},
		{"the same file twice", append(slices.Clone(files), files[0]), "", "rollcall.yaml is there already"},
		{"a name that no file system takes", append(slices.Clone(files), File{strings.Repeat("x", 300), ""}), "", "x"},
	} {
		dir := t.TempDir()
		if c.there != "" {
			if err := os.WriteFile(filepath.Join(dir, c.there), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, dir)
		if err := Write(dir, c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.about, err)
		}
		if after := tree(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: %v became %v", c.about, before, after)
		}
	}
}

// Whatever is at the place of a file is in the way, and is named with what to do.
func TestWhatIsInTheWay(t *testing.T) {
	files := Answers{}.Defaults().Files()
	for about, put := range map[string]func(string) error{
		"an empty file":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a folder":          func(path string) error { return os.Mkdir(path, 0o755) },
		"a link to nowhere": func(path string) error { return os.Symlink("nowhere", path) },
		"a link to itself":  func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		dir := t.TempDir()
		if err := Vacant(dir, files); err != nil {
			t.Errorf("an empty folder: %v", err)
		}
		path := filepath.Join(dir, "slack-app-manifest.yaml")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		var no *workflows.Problem
		if err := Vacant(dir, files); !errors.As(err, &no) || no.Code != workflows.CodeConflict || no.Message != path+" is there already; nothing was written" || no.Hint != "name another folder: rollcall init FOLDER" {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// A name for the pipeline comes out of every repository's, and can be used.
func TestPipelineNames(t *testing.T) {
	for repository, want := range map[string]string{
		"acme/WebShop": "webshop", "acme/web.shop": "web-shop", "git@git.acme.example:web/shop.git": "shop", "git@git.acme.example:shop.git": "shop",
		"https://git.acme.example/web/shop.git": "shop", "ssh://git@h.example:22/a/b": "b", "acme/.git": "webshop", "https://h.example/": "webshop", "acme/a..b": "a-b", "acme/.github": "github", "acme/..": "webshop",
	} {
		a := Answers{Admin: "ana@acme.example", Repository: repository}.Defaults()
		if a.Pipeline != want {
			t.Errorf("%s: %q, want %q", repository, a.Pipeline, want)
		}
	}
}

// Answers that would be read as more than text, or as something else, are refused by their flag.
func TestAnswersThatWouldBeReadAsMore(t *testing.T) {
	for _, c := range []struct {
		field string
		a     Answers
	}{
		{"admin", Answers{Admin: `ana@acme.example", "eve@evil.example`}},
		{"admin", Answers{Admin: "ana@acme.example\nadmins: [eve@evil.example]"}},
		{"admin", Answers{Admin: "everyone"}},
		{"admin", Answers{Admin: "group:sre"}},
		{"channel", Answers{Channel: "#"}},
		{"channel", Answers{Channel: "#a\nb"}},
		{"channel", Answers{Channel: "#" + strings.Repeat("é", 81)}},
		{"repository", Answers{Repository: "acme/shop#{x}"}},
		{"repository", Answers{Repository: "acme/shop\nname: x"}},
		{"branch", Answers{Branch: "--upload-pack=x"}},
		{"branch", Answers{Branch: "#{variables.x}"}},
		{"name", Answers{Pipeline: ".hidden"}},
		{"name", Answers{Pipeline: "a/b"}},
		{"name", Answers{Pipeline: strings.Repeat("x", 101)}},
		{"command", Answers{Command: "/Deploy"}},
		{"command", Answers{Command: "/" + strings.Repeat("x", 32)}},
		{"listen", Answers{Listen: "127.0.0.1"}},
		{"listen", Answers{Listen: "127.0.0.1:http"}},
		{"data", Answers{Data: "/data\"\nadmins: []"}},
		{"http", Answers{HTTP: "https://"}},
		{"http", Answers{HTTP: "https://h.example?x=1"}},
		{"http", Answers{HTTP: "https://h.example/#x"}},
		{"http", Answers{HTTP: "javascript:alert(1)"}},
	} {
		var wrong *workflows.Problem
		if err := c.a.Defaults().Check(); !errors.As(err, &wrong) || wrong.Field != c.field || wrong.Code != workflows.CodeValidation {
			t.Errorf("%+v: %v, want a fault of %s", c.a, err, c.field)
		}
	}
}
