package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answering is a GitHub that always gives the same answer.
type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// What is kept is bounded, and what is too large for it still arrives whole.
func TestWhatIsKeptOfAnswersIsBounded(t *testing.T) {
	size := maxKept
	hub := answering(func() *http.Response {
		return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"1"`}}, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}
	})
	tr := New(hub)
	get := func(path string) {
		t.Helper()
		req, _ := http.NewRequest("GET", "https://api.github.com/"+path, nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || len(b) != size || resp.Body.Close() != nil {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	for n := range 40 {
		get(fmt.Sprint(n))
	}
	if n := len(tr.cached.all); tr.cached.bytes > maxAllKept || n < maxAllKept/maxKept-1 || n > maxAllKept/maxKept || tr.cached.order.Len() != len(tr.cached.all) {
		t.Errorf("%d bytes of %d answers are kept", tr.cached.bytes, len(tr.cached.all))
	}
	size = 2 // "[]" of a list that is empty
	for n := range 20_000 {
		get(fmt.Sprint("short/", n))
	}
	if n := len(tr.cached.all); n > maxAllKept>>10 || n < 1000 || tr.cached.order.Len() != n {
		t.Errorf("%d short answers are kept", n)
	}
	size = maxKept + 1
	get("large")
	if tr.cached.all[question{url: "https://api.github.com/large", by: credentialOf("")}] != nil {
		t.Error("a large answer is kept")
	}
}
