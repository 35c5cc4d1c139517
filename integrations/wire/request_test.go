package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The vector is the one that GitHub and Atlassian publish.
const (
	vectorSecret = "It's a Secret to Everybody"
	vectorBody   = "Hello, World!"
	vectorHeader = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func TestVerify(t *testing.T) {
	if got := Sign([]byte(vectorSecret), []byte(vectorBody)); got != vectorHeader {
		t.Errorf("Sign = %s, want %s", got, vectorHeader)
	}
	for name, c := range map[string]struct {
		secret, body, header string
		want                 bool
	}{
		"the published vector":       {vectorSecret, vectorBody, vectorHeader, true},
		"another body":               {vectorSecret, "Hello, World?", vectorHeader, false},
		"another secret":             {"guess", vectorBody, vectorHeader, false},
		"no header":                  {vectorSecret, vectorBody, "", false},
		"no prefix":                  {vectorSecret, vectorBody, strings.TrimPrefix(vectorHeader, "sha256="), false},
		"sha1 is no fallback":        {vectorSecret, vectorBody, "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", false},
		"cut short":                  {vectorSecret, vectorBody, vectorHeader[:len(vectorHeader)-2], false},
		"not hex":                    {vectorSecret, vectorBody, "sha256=zz", false},
		"an empty secret opens none": {"", vectorBody, Sign(nil, []byte(vectorBody)), false},
	} {
		if got := Verify([]byte(c.secret), []byte(c.body), c.header); got != c.want {
			t.Errorf("%s: Verify = %v, want %v", name, got, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorBody, vectorHeader)
	f.Add("", "sha256=")
	f.Fuzz(func(t *testing.T, body, header string) {
		secret := []byte(vectorSecret)
		if Verify(secret, []byte(body), header) && !strings.EqualFold(header, Sign(secret, []byte(body))) {
			t.Errorf("%q passed as the signature of %q", header, body)
		}
	})
}

func TestReadBody(t *testing.T) {
	const limit = 8
	for _, c := range []struct {
		name   string
		body   io.Reader // a plain reader hides its length, as a chunked request does
		status int       // 0: the body comes back
	}{
		{"at the limit", strings.NewReader("12345678"), 0},
		{"above it, announced", strings.NewReader("123456789"), http.StatusRequestEntityTooLarge},
		{"above it, chunked", io.MultiReader(strings.NewReader("12345"), strings.NewReader("6789")), http.StatusRequestEntityTooLarge},
		{"broken off", io.MultiReader(strings.NewReader("1"), broken{}), http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, err := ReadBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/", c.body), limit)
			if c.status == 0 {
				if err != nil || len(body) != limit {
					t.Errorf("ReadBody = %q, %v", body, err)
				}
				return
			}
			if err == nil || BodyStatus(err) != c.status {
				t.Errorf("error %v answers %d, want %d", err, BodyStatus(err), c.status)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the sender went away") }

func TestRefuse(t *testing.T) {
	w := httptest.NewRecorder()
	id := Refuse(w, http.StatusServiceUnavailable, "Unavailable", "come back")
	var p problem
	if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&p); err != nil {
		t.Fatal(err)
	}
	want := problem{Title: "Service Unavailable", Status: 503, Detail: "come back", Code: "Unavailable", ID: id}
	if p != want || id == "" {
		t.Errorf("answer = %+v, want %+v", p, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if got := w.Header().Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After = %q, want 5", got)
	}
}
