package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// post sends a request as the API does and returns status and body.
func (w *fixture) post(path string, body any) (int, map[string]any) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.request(http.MethodPost, path, b)
}

// as does something with another token than the story's.
func (w *fixture) as(other string, do func()) {
	own := w.api.Token
	w.api.Token = other
	defer func() { w.api.Token = own }()
	do()
}

// patient does not send a body before it is asked for, when it says that it waits.
var patient = &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}

// request sends a body with header lines, each a name and a value.
func (w *fixture) request(method, path string, body []byte, header ...string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+w.addr+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.api.Token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if len(body) > 1<<20 {
		req.Header.Set("Expect", "100-continue") // an answer beats the body, which nobody reads
	}
	res, err := patient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var out map[string]any
	_ = json.Unmarshal(text, &out)
	return res.StatusCode, out
}
