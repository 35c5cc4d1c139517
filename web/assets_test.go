package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/web"
)

var (
	pages     = []string{"demo.html", "workspace.html"}
	reference = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
)

func fetch(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	web.Assets().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOnlyPagesArePages(t *testing.T) {
	for _, name := range pages {
		if page, ok := web.Page(name); !ok || !bytes.Contains(page, []byte("<!doctype html>")) {
			t.Errorf("%s is not there, or no page: %.60s", name, page)
		}
	}
	for _, name := range []string{"", ".", "..", "nothing.html", "assets/demo.js", "../web.go", "demo.html/", "assets"} {
		if page, ok := web.Page(name); ok {
			t.Errorf("%q is a page: %.60s", name, page)
		}
	}
}

// A content security policy without exceptions holds, and no page asks another origin for anything.
func TestPagesNeedOnlyTheirOwnAssets(t *testing.T) {
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	for _, name := range pages {
		page, _ := web.Page(name)
		if inline := regexp.MustCompile(`(?s)<script[^>]*>[^<]|<style| style=| on[a-z]+=`).Find(page); inline != nil {
			t.Errorf("%s has something inline that the policy forbids: %s", name, inline)
		}
		scripts := 0
		for _, m := range reference.FindAllSubmatch(page, -1) {
			path := string(m[1])
			if !strings.HasPrefix(path, "/assets/") {
				t.Errorf("%s refers to %s", name, path)
				continue
			}
			r := fetch(t, http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.9")
			want := types[path[strings.LastIndex(path, "."):]]
			if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != want || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %s is answered with %d %v", name, path, r.StatusCode, r.Header)
			}
			if data := body(t, r.Body); strings.HasSuffix(path, ".js") {
				scripts += len(data)
			}
			data := body(t, fetch(t, http.MethodGet, path).Body)
			if strings.HasSuffix(path, ".css") && regexp.MustCompile(`url\(|@import`).Match(data) {
				t.Errorf("%s asks for something", path)
			}
		}
		if scripts == 0 || scripts > 60_000 {
			t.Errorf("the first view of %s takes %d bytes of packed JavaScript; up to 60000 are fast", name, scripts)
		}
	}
}

func TestAssetsAreTaggedAndPacked(t *testing.T) {
	const path = "/assets/demo.js"
	plain, packed := fetch(t, http.MethodGet, path), fetch(t, http.MethodGet, path, "Accept-Encoding", "gzip")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encodings are %q and %q", plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body(t, z), body(t, plain.Body)) {
		t.Error("packed and plain are not the same")
	}
	tags := map[string]bool{}
	for _, r := range []*http.Response{plain, packed} {
		tag := r.Header.Get("ETag")
		if !strings.HasPrefix(tag, `"`) || tags[tag] {
			t.Errorf("%s is no strong tag of its own", tag)
		}
		tags[tag] = true
		if r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("caches would go wrong: %v", r.Header)
		}
	}
	for _, c := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"the same", http.MethodGet, path, []string{"If-None-Match", `"x", ` + plain.Header.Get("ETag")}, http.StatusNotModified},
		{"the same, packed", http.MethodGet, path, []string{"Accept-Encoding", "gzip", "If-None-Match", packed.Header.Get("ETag")}, http.StatusNotModified},
		{"the plain one when the packed one is asked for", http.MethodGet, path, []string{"Accept-Encoding", "gzip", "If-None-Match", plain.Header.Get("ETag")}, http.StatusOK},
		{"gzip refused", http.MethodGet, path, []string{"Accept-Encoding", "gzip;q=0", "If-None-Match", plain.Header.Get("ETag")}, http.StatusNotModified},
		{"head", http.MethodHead, path, nil, http.StatusOK},
		{"post", http.MethodPost, path, nil, http.StatusMethodNotAllowed},
		{"missing", http.MethodGet, "/assets/nothing.js", nil, http.StatusNotFound},
		{"the folder", http.MethodGet, "/assets/", nil, http.StatusNotFound},
		{"a page", http.MethodGet, "/demo.html", nil, http.StatusNotFound},
		{"out of the folder", http.MethodGet, "/assets/../demo.html", nil, http.StatusNotFound},
	} {
		r := fetch(t, c.method, c.path, c.header...)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, r.StatusCode, c.status)
		}
		if data := body(t, r.Body); len(data) > 0 && (c.status == http.StatusNotModified || c.method == http.MethodHead) {
			t.Errorf("%s: has a body of %d bytes", c.name, len(data))
		}
	}
}

// The composer completes what the bot understands, and explains it in the same words.
func TestTheComposerKnowsEveryCommand(t *testing.T) {
	type line struct{ Name, Args, Does string }
	data, err := os.ReadFile("pages/src/lib/commands.json")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []line
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, u := range command.All() {
		want = append(want, line{string(u.Name), u.Args, u.Does})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("web/pages/src/lib/commands.json differs from the commands; bring it up to date and run npm run build (-want +got):\n%s", diff)
	}
}
