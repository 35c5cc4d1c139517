package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// feed follows the live feed and keeps when what was seen.
type feed struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, with everything seen
	started map[string]time.Time
	gates   int
	ended   int
	last    string // cursor of the newest event
	err     error  // why it ended
}

// follow reads the feed after a cursor; an empty one: what is yet to come.
func (v *service) follow(ctx context.Context, after string) (*feed, error) {
	if after == "" {
		after = "now"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+"/api/v1/events?after="+after, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := v.http.Do(req) //nolint:bodyclose // read closes it
	if err != nil {
		return nil, err
	}
	f := &feed{changed: make(chan struct{}), started: map[string]time.Time{}}
	lines := bufio.NewReaderSize(res.Body, 1<<16)
	if _, err := lines.ReadSlice('\n'); err != nil { // its greeting: from here on it hears everything
		return nil, errors.Join(err, res.Body.Close())
	}
	go func() {
		defer res.Body.Close()
		f.read(lines)
	}()
	return f, nil
}

// read takes events until the service ends. Only what is waited for is parsed,
// so that the reader takes little from the machine that is measured.
func (f *feed) read(lines *bufio.Reader) {
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.wake()
			f.mu.Unlock()
			return
		}
		if id, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			f.mu.Lock()
			f.last = string(bytes.TrimSpace(id))
			f.mu.Unlock()
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			f.take(data, time.Now())
		}
	}
}

func (f *feed) take(data []byte, now time.Time) {
	first := bytes.Contains(data, []byte(`"kind":"actionStarted"`)) && bytes.Contains(data, []byte(`"stage":"S0"`))
	opened, ended := bytes.Contains(data, []byte(`"kind":"gateOpened"`)), bytes.Contains(data, []byte(`"kind":"executionSucceeded"`))
	if !first && !opened && !ended {
		return
	}
	var e struct{ Execution string }
	if first && json.Unmarshal(data, &e) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case opened:
		f.gates++
	case ended:
		f.ended++
	case f.started[e.Execution].IsZero():
		f.started[e.Execution] = now
	}
	f.wake()
}

func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// until waits for so, which is called with the feed locked.
func (f *feed) until(ctx context.Context, so func() bool) error {
	for {
		f.mu.Lock()
		done, changed, err := so(), f.changed, f.err
		f.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endings waits until so many executions have ended.
func (f *feed) endings(ctx context.Context, n int) error {
	return f.until(ctx, func() bool { return f.ended >= n })
}

// firstAction waits for the first action behind the gate of an execution.
func (f *feed) firstAction(ctx context.Context, execution string) (at time.Time, err error) {
	err = f.until(ctx, func() bool { at = f.started[execution]; return !at.IsZero() })
	return at, err
}

func (f *feed) cursor() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}
