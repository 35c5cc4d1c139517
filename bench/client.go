package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// call asks the API; out is filled unless it is nil. Anything but a 2xx is an error.
func (v *service) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, v.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := v.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, res.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// gate is an open approval.
type gate struct{ execution, pipeline, token string }

// gates lists the open ones, by the order of the API: the oldest first.
func (v *service) gates(ctx context.Context) ([]gate, error) {
	var r struct {
		Approvals []struct {
			Execution, Pipeline string
			Approval            struct{ Token string }
		}
	}
	if err := v.call(ctx, "GET", "/api/v1/approvals", nil, &r); err != nil {
		return nil, err
	}
	all := make([]gate, len(r.Approvals))
	for i, a := range r.Approvals {
		all[i] = gate{a.Execution, a.Pipeline, a.Approval.Token}
	}
	return all, nil
}

// approve answers a gate.
func (v *service) approve(ctx context.Context, g gate) error {
	return v.call(ctx, "POST", "/api/v1/approvals/"+g.token, map[string]any{"answer": "approve"}, nil)
}

// approveAll answers gates from several connections at once.
func (v *service) approveAll(ctx context.Context, gates []gate) error {
	return parallel(32, len(gates), func(i int) error { return v.approve(ctx, gates[i]) })
}

// reading times a GET so many times, one after the other.
func (v *service) reading(ctx context.Context, n int, path string) ([]time.Duration, error) {
	var all []time.Duration
	for range n {
		began := time.Now()
		if err := v.call(ctx, "GET", path, nil, nil); err != nil {
			return nil, err
		}
		all = append(all, time.Since(began))
	}
	return all, nil
}

// parallel does n things, k at a time, and returns the first error.
func parallel(k, n int, do func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, k)
	for range k {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}
