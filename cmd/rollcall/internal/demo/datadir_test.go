package demo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes files below a folder, each with its own name as its text.
func put(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// list is what a folder holds at its top.
func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// begun is a folder in which a demo has been, with what it noted.
func begun(t *testing.T, o Options) note {
	t.Helper()
	p, err := openDataDir(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.opened("127.0.0.1:8484"); err != nil {
		t.Fatal(err)
	}
	if err := p.leave(); err != nil {
		t.Fatal(err)
	}
	return p.known()
}

// A demo takes no folder that holds anything else, and leaves it as it was: a
// reset removes what is in its folder.
func TestTheDemoTakesNoOtherFolder(t *testing.T) {
	for _, c := range []struct {
		about string
		files []string
		taken bool
	}{
		{"an empty folder", nil, true},
		{"one that a demo began and left at once", []string{"lock", ".gitignore"}, true},
		{"one in which only files were played", []string{"lock", "files/shop/demo.json"}, true},
		{"somebody's notes", []string{"notes.txt"}, false},
		{"a repository", []string{".git/HEAD", ".gitignore", "README.md"}, false},
		{"a folder of files beside others", []string{"files/a.txt", "thesis.tex"}, false},
		{"a lock of something else", []string{"lock", "mailbox"}, false},
		{"a service's data", []string{"rollcall.yaml", "pipelines/shop.yaml", "data/rollcall.db"}, false},
	} {
		dir := t.TempDir()
		put(t, dir, c.files...)
		before := list(t, dir)
		p, err := openDataDir(Options{Data: dir})
		if (err == nil) != c.taken {
			t.Errorf("%s: %v", c.about, err)
		}
		if err == nil {
			_ = p.leave()
			continue
		}
		if !strings.Contains(err.Error(), dir+" holds other things") || !strings.Contains(err.Error(), "--data DIR") {
			t.Errorf("%s: it does not say what to do: %v", c.about, err)
		}
		if after := list(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: %v became %v", c.about, before, after)
		}
	}
}

// Who may come in is the same the next time, differs between demos, and is for the owner's eyes.
func TestKeysStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "demo")
	first := begun(t, Options{Data: dir})
	keys := []string{first.Key, first.BotToken, first.Signing, first.GitHub, first.Hook, first.Jira}
	again, other := begun(t, Options{Data: dir}), begun(t, Options{Data: t.TempDir()})
	if !slices.Equal(keys, []string{again.Key, again.BotToken, again.Signing, again.GitHub, again.Hook, again.Jira}) {
		t.Errorf("%+v became %+v", first, again)
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 6 || len(first.Key) < 20 || first.Key == other.Key || first.Jira == other.Jira {
		t.Errorf("the keys can be guessed from each other: %+v, %+v", first, other)
	}
	for _, path := range []string{"demo.json", "lock", ".gitignore"} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v, %v", path, info, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("keys could be committed: .gitignore is %q, %v", text, err)
	}
}

// Two demos do not share a folder, and the second says where the first is.
func TestOneDemoAFolder(t *testing.T) {
	dir := t.TempDir()
	p, err := openDataDir(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.opened("127.0.0.1:9999"); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(Options{Data: dir}); err == nil || !strings.Contains(err.Error(), "another demo runs in "+dir+", at http://127.0.0.1:9999") {
		t.Errorf("the second: %v", err)
	}
	if err := p.leave(); err != nil {
		t.Fatal(err)
	}
	begun(t, Options{Data: dir}) // the first has ended
}

// A folder belongs to one pipeline file, or to the shop.
func TestAFolderBelongsToOneFile(t *testing.T) {
	shop, played := t.TempDir(), t.TempDir()
	begun(t, Options{Data: shop})
	begun(t, Options{Data: played, File: "/x/web.yaml"})
	begun(t, Options{Data: played, File: "/x/./web.yaml"}) // the same one
	for _, c := range []struct{ about, dir, file, want string }{
		{"a file in the shop's", shop, "/x/web.yaml", shop + " belongs to the demo of the web shop"},
		{"the shop in a file's", played, "", played + " belongs to the demo of /x/web.yaml"},
		{"another file of that name", played, "/y/web.yaml", played + " belongs to the demo of /x/web.yaml"},
	} {
		if _, err := openDataDir(Options{Data: c.dir, File: c.file}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.about, err)
		}
	}
	put(t, shop, "demo.json")
	if _, err := openDataDir(Options{Data: shop}); err == nil || !strings.Contains(err.Error(), "demo.json is damaged") || !strings.Contains(err.Error(), "remove the folder "+shop) {
		t.Errorf("damaged notes: %v", err)
	}
	begun(t, Options{Data: t.TempDir()}) // and a refusal keeps no lock of others
}

// Where no folder is named, files of different names are played in different ones.
func TestFoldersOfTheirOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	for file, want := range map[string]string{"": ".rollcall-demo", "a/web.yaml": ".rollcall-demo/files/web", "api.v2.yml": ".rollcall-demo/files/api.v2"} {
		begun(t, Options{File: file})
		if _, err := os.Stat(filepath.Join(want, "demo.json")); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// A reset leaves who may come in, and the demos of files; it happens once.
func TestAResetBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	first := begun(t, Options{Data: dir})
	put(t, dir, "rollcall.yaml", "data/rollcall.db", "git/HEAD", "slack.snapshot", "files/web/demo.json")
	begun(t, Options{Data: dir})
	if got := list(t, dir); !slices.Contains(got, "data") || !slices.Contains(got, "slack.snapshot") {
		t.Fatalf("without a reset there are only %v", got)
	}
	p, err := openDataDir(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(func(n *note) { n.Reset = true }); err != nil {
		t.Fatal(err)
	}
	if err := p.leave(); err != nil {
		t.Fatal(err)
	}
	if again := begun(t, Options{Data: dir}); again.Key != first.Key || again.Reset {
		t.Errorf("after the reset: %+v", again)
	}
	if got, want := list(t, dir), []string{".gitignore", "demo.json", "files", "lock"}; !slices.Equal(got, want) {
		t.Errorf("after the reset there are %v, want %v", got, want)
	}
	put(t, dir, "data/rollcall.db")
	begun(t, Options{Data: dir})
	if !slices.Contains(list(t, dir), "data") {
		t.Error("it is reset at every start")
	}
}

// Nobody but this machine reaches the demo.
func TestLoopbackOnly(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:8484": true, "127.8.8.8:0": true, "[::1]:8484": true,
		"0.0.0.0:8484": false, ":8484": false, "[::]:8484": false, "192.168.1.2:8484": false, "localhost:8484": false, "127.0.0.1": false, "::1": false, "8484": false, "": false,
	} {
		if err := loopback(listen); (err == nil) != ok {
			t.Errorf("%q: %v", listen, err)
		}
	}
}
