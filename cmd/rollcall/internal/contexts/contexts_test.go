package contexts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContextsAreKept(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	path := Path()
	if want := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "rollcall", "config.yaml"); path != want {
		t.Fatalf("the file is %s, want %s", path, want)
	}
	var none Contexts
	if c, err := Read(path); err != nil || len(c.All) > 0 {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	none.Put(Context{Name: "prod", URL: "https://rollcall.acme.example", Token: "one"})
	none.Put(Context{Name: "test", URL: "http://127.0.0.1:8484", Token: "two"})
	none.Put(Context{Name: "prod", URL: "https://rollcall.acme.example", Token: "three"})
	if err := none.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	c, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Names(), " "); got != "test prod" {
		t.Errorf("kept are %s", got)
	}
	if now, err := c.Find(""); err != nil || now.Name != "prod" || now.Token != "three" {
		t.Errorf("the current one is %+v, %v", now, err)
	}
	if _, err := c.Find("stage"); err == nil || !strings.Contains(err.Error(), "no context stage") {
		t.Errorf("one that is not kept: %v", err)
	}
	c.Remove("prod")
	if now, err := c.Find(""); err != nil || now != (Context{}) {
		t.Errorf("after the current one was removed it is %+v, %v", now, err)
	}
}

// What cannot be read is named, and a token in it is not repeated.
func TestABrokenFileOfContexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("contexts: {token: hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Read(path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
