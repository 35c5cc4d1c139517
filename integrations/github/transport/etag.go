package transport

import (
	"bytes"
	"container/list"
	"io"
	"maps"
	"net/http"
	"sync"
)

const (
	maxKept    = 256 << 10 // bytes of one answer that is kept
	maxAllKept = 8 << 20   // of all, with what is kept beside them
)

// answers are those that can be asked for again with their ETag, by what was asked
// and by whom. The least used goes first.
type answers struct {
	mu    sync.Mutex
	all   map[question]*list.Element
	order *list.List // of *keptAnswer, the newest first
	bytes int
}

// question is a request as far as its answer depends on it.
type question struct {
	by          credential
	url, accept string
}

// keptAnswer is an answer of status 200.
type keptAnswer struct {
	question
	etag   string
	header http.Header
	body   []byte
}

func newAnswers() *answers { return &answers{all: map[question]*list.Element{}, order: list.New()} }

func questionOf(by credential, req *http.Request) question {
	return question{by, req.URL.String(), req.Header.Get("Accept")}
}

// conditional says whether a request may be asked conditionally by us.
func conditional(req *http.Request) bool {
	return req.Method == http.MethodGet && req.Header.Get("If-None-Match") == "" && req.Header.Get("If-Modified-Since") == "" && req.Header.Get("Range") == ""
}

// of is the answer that is kept for a request; nil: none.
func (a *answers) of(by credential, req *http.Request) *keptAnswer {
	if !conditional(req) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.all[questionOf(by, req)]
	if e == nil {
		return nil
	}
	a.order.MoveToFront(e)
	return e.Value.(*keptAnswer)
}

// keep remembers an answer that has an ETag and is not large. It reads that one to its end.
func (a *answers) keep(by credential, req *http.Request, resp *http.Response) error {
	etag := resp.Header.Get("ETag")
	if etag == "" || resp.StatusCode != http.StatusOK || req.Method != http.MethodGet || resp.ContentLength > maxKept {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKept+1))
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	if len(body) > maxKept {
		resp.Body = rest{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
		return nil
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	q := questionOf(by, req)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(a.all[q])
	a.all[q] = a.order.PushFront(&keptAnswer{q, etag, resp.Header.Clone(), body})
	for a.bytes += a.all[q].Value.(*keptAnswer).size(); a.bytes > maxAllKept; {
		a.drop(a.order.Back())
	}
	return nil
}

func (a *answers) drop(e *list.Element) {
	if e == nil {
		return
	}
	k := e.Value.(*keptAnswer)
	a.order.Remove(e)
	delete(a.all, k.question)
	a.bytes -= k.size()
}

// size is about how many bytes an answer takes, which of a short one is more than its body.
func (k *keptAnswer) size() int {
	const rest = 1 << 10 // maps, lists, digests
	n := rest + len(k.body) + len(k.url) + len(k.accept)
	for name, values := range k.header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// answer turns "not modified" into the answer that was kept, with what is new in its header.
func (k *keptAnswer) answer(resp *http.Response) {
	_ = resp.Body.Close()
	header := k.header.Clone()
	maps.Copy(header, resp.Header)
	header.Del("Content-Length")
	header["Content-Type"] = k.header["Content-Type"]
	resp.Status, resp.StatusCode, resp.Header = "200 OK", http.StatusOK, header
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(k.body)), int64(len(k.body))
}

// rest is a body of which the beginning was read.
type rest struct {
	io.Reader
	io.Closer
}
