// Package client speaks to a rollcall service over its HTTP API, for the
// command line: one method per intent and per thing to look at.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Client is a service and who calls it.
type Client struct {
	URL   string // of the service, without /api
	Token string
	HTTP  *http.Client
}

// Do sends one request and decodes the answer into out (nil: not wanted). A
// refusal comes back as *workflows.Problem in the service's own words.
func (c *Client) Do(ctx context.Context, method, path string, body, out any) error {
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.URL, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case declaration:
		r, kind = bytes.NewReader(body), "application/yaml"
	default:
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+"/api/v1/"+path, r)
	if err != nil {
		return nil, fmt.Errorf("ROLLCALL_URL is not an address: %w", err)
	}
	req.Header.Set("Content-Type", kind)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, &workflows.Problem{Code: "Unreachable", Message: fmt.Sprintf("cannot reach rollcall at %s: %s", c.URL, reason(err)), Hint: "is it running? set ROLLCALL_URL to its address"}
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, problem(res)
}

// reason is the innermost sentence of a failed call; the outer ones repeat the address.
func reason(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return err.Error()
}

func problem(res *http.Response) error {
	var p struct {
		workflows.Problem
		Title       string `json:"title"`
		Diagnostics []struct {
			Line    int    `json:"line"`
			Column  int    `json:"column"`
			Message string `json:"message"`
		} `json:"diagnostics"`
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err := json.Unmarshal(text, &p); err != nil || p.Message == "" {
		return &workflows.Problem{Code: "Unreachable", Message: fmt.Sprintf("the service answered %s, not as rollcall does", res.Status), Hint: "is ROLLCALL_URL the address of rollcall?"}
	}
	if p.Code == "Unauthorized" {
		p.Hint = "set ROLLCALL_TOKEN to a token of the service's api.tokens"
	}
	for _, d := range p.Diagnostics {
		p.Hint += fmt.Sprintf("\n  line %d, column %d: %s", d.Line, d.Column, d.Message)
	}
	return &p.Problem
}

func seg(s string) string { return url.PathEscape(s) }

// Execution returns one execution; ref is webshop#42, an ID or the end of one.
func (c *Client) Execution(ctx context.Context, ref string) (e workflows.Execution, err error) {
	err = c.Do(ctx, http.MethodGet, "executions/"+seg(ref), nil, &e)
	return e, err
}

// Executions lists executions of a pipeline, newest first.
func (c *Client) Executions(ctx context.Context, q workflows.ExecutionQuery) ([]workflows.Execution, error) {
	v := url.Values{}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Before > 0 {
		v.Set("before", strconv.Itoa(q.Before))
	}
	if q.Status != "" {
		v.Set("status", string(q.Status))
	}
	if q.SucceededInStage != "" {
		v.Set("succeededInStage", q.SucceededInStage)
	}
	var out struct {
		Executions []workflows.Execution `json:"executions"`
	}
	err := c.Do(ctx, http.MethodGet, "pipelines/"+seg(q.Pipeline)+"/executions?"+v.Encode(), nil, &out)
	return out.Executions, err
}

// Pipelines lists the pipelines as they stand.
func (c *Client) Pipelines(ctx context.Context) ([]workflows.PipelineView, error) {
	var out struct {
		Pipelines []workflows.PipelineView `json:"pipelines"`
	}
	err := c.Do(ctx, http.MethodGet, "pipelines", nil, &out)
	return out.Pipelines, err
}

// Pipeline returns one pipeline as it stands.
func (c *Client) Pipeline(ctx context.Context, name string) (p workflows.PipelineView, err error) {
	return c.Version(ctx, name, 0)
}

// Targets lists what a stage could be rolled back to, newest first.
func (c *Client) Targets(ctx context.Context, pipeline, stage string) ([]workflows.Target, error) {
	var out struct {
		Targets []workflows.Target `json:"targets"`
	}
	err := c.Do(ctx, http.MethodGet, "pipelines/"+seg(pipeline)+"/stages/"+seg(stage)+"/targets", nil, &out)
	return out.Targets, err
}

// Log copies the log of an attempt from an offset to w and returns the new offset.
func (c *Client) Log(ctx context.Context, ref, stage, action string, attempt int, offset int64, w io.Writer) (int64, error) {
	v := url.Values{"stage": {stage}, "action": {action}, "attempt": {strconv.Itoa(attempt)}, "offset": {strconv.FormatInt(offset, 10)}}
	res, err := c.send(ctx, http.MethodGet, "executions/"+seg(ref)+"/log?"+v.Encode(), nil)
	if err != nil {
		return offset, err
	}
	defer res.Body.Close()
	n, err := io.Copy(w, res.Body)
	if err != nil {
		return offset + n, fmt.Errorf("read the log: %w", err)
	}
	return offset + n, nil
}

// FeedEvent is an event of the live feed with where it stands.
type FeedEvent struct {
	Cursor   string `json:"cursor"`
	Pipeline string `json:"pipeline"`
	event.Event
}

// Watch calls fn for every event after the cursor, until ctx ends, fn fails or
// the connection does; it returns the last cursor.
func (c *Client) Watch(ctx context.Context, pipeline, after string, fn func(FeedEvent) error) (string, error) {
	v := url.Values{"after": {after}, "pipeline": {pipeline}}
	res, err := c.send(ctx, http.MethodGet, "events?"+v.Encode(), nil)
	if err != nil {
		return after, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e FeedEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return after, fmt.Errorf("read the live feed: %w", err)
		}
		after = e.Cursor
		if err := fn(e); err != nil {
			return after, err
		}
	}
	return after, lines.Err()
}
