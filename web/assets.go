package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The pages as they were built from web/pages; committed, so that Go alone
// builds the whole program.
//
//go:embed all:dist
var dist embed.FS

// Page returns a built page ("demo.html", "workspace.html"); false when there
// is none of that name. What it needs beside itself is under /assets/.
func Page(name string) ([]byte, bool) {
	if path.Base(name) != name || path.Ext(name) != ".html" {
		return nil, false
	}
	page, err := dist.ReadFile("dist/" + name)
	return page, err == nil
}

// Assets serves what the pages need, under /assets/. The names carry no hash:
// browsers ask each time, and the strong ETag answers them with 304.
func Assets() http.Handler {
	assets := map[string]*asset{}
	err := fs.WalkDir(dist, "dist/assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		assets["/"+strings.TrimPrefix(name, "dist/")] = newAsset(name, data)
		return nil
	})
	if err != nil {
		panic("web: the files inside the program cannot be read: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			a.serve(w, r)
		}
	})
}

// asset is a file as it goes over the wire.
type asset struct {
	kind string
	tag  string // of the plain bytes, without quotes
	data []byte
	gz   []byte // nil when packing would not make it shorter
}

func newAsset(name string, data []byte) *asset {
	sum := sha256.Sum256(data)
	a := &asset{kind: contentType(path.Ext(name)), tag: hex.EncodeToString(sum[:12]), data: data}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return a
	}
	if _, err := z.Write(data); err != nil {
		return a
	}
	if err := z.Close(); err == nil && packed.Len() < len(data) {
		a.gz = packed.Bytes()
	}
	return a
}

// contentType does not ask the machine's own tables for what we ship.
func contentType(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if kind := mime.TypeByExtension(ext); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// serve answers a GET or HEAD. The packed form is another representation and
// so has another strong tag.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, tag := a.data, `"`+a.tag+`"`
	if a.gz != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = a.gz, `"`+a.tag+`-gz"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	if matches(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the browser has gone: nobody to tell
}

// acceptsGzip reads an Accept-Encoding header.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding = strings.TrimSpace(coding); !strings.EqualFold(coding, "gzip") && coding != "*" {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && weight > 0
	}
	return false
}

// matches reads an If-None-Match header, which compares weakly.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}
