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
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Client is a service and who calls it.
type Client struct {
	URL   string // of the service, without /api
	Token string
	HTTP  *http.Client
}

// Unreachable is the code of a Problem that is not the service's: nothing
// answered, or something else than rollcall did.
const Unreachable = "Unreachable"

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
		return fmt.Errorf("read the answer of %s: %w", c.address(), err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	return c.sendWith(ctx, method, path, body)
}

// sendWith sends a request with further headers, a name and a value each.
func (c *Client) sendWith(ctx context.Context, method, path string, body any, header ...string) (*http.Response, error) {
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
		return nil, fmt.Errorf("ROLLCALL_URL is not an address: %s", innermost(err))
	}
	req.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.HTTP.Do(req)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled): // the service is not to blame
		return nil, fmt.Errorf("ask rollcall: %w", ctx.Err())
	case err != nil:
		return nil, &workflows.Problem{Code: Unreachable, Message: fmt.Sprintf("cannot reach rollcall at %s: %s", c.address(), innermost(err)), Hint: "is it running? set ROLLCALL_URL to its address, or sign in with rollcall login URL"}
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, c.problem(res)
}

// address is where the service is, for people: without a password in it.
func (c *Client) address() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "ROLLCALL_URL"
	}
	return u.Redacted()
}

// innermost is the last sentence of a failed call; the outer ones repeat the address.
func innermost(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return err.Error()
}

func (c *Client) problem(res *http.Response) error {
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
		return &workflows.Problem{Code: Unreachable, Message: fmt.Sprintf("the service answered %s, not as rollcall does", res.Status), Hint: "is ROLLCALL_URL the address of rollcall?"}
	}
	if p.Code == "Unauthorized" {
		return c.unauthorized(&p.Problem)
	}
	for _, d := range p.Diagnostics {
		p.Hint += fmt.Sprintf("\n  line %d, column %d: %s", d.Line, d.Column, d.Message)
	}
	return &p.Problem
}

// unauthorized says which of the two it is: no token was sent, or one that the service does not know.
func (c *Client) unauthorized(p *workflows.Problem) error {
	if c.Token == "" {
		p.Message, p.Hint = "no API token was given", "sign in with rollcall login "+c.address()+", or set ROLLCALL_TOKEN to a token of the service's api.tokens"
	} else {
		p.Message, p.Hint = "the API token is not known to "+c.address(), "it must be one of the service's api.tokens: check ROLLCALL_TOKEN and ROLLCALL_URL, or sign in with rollcall login "+c.address()
	}
	return p
}

// WhoAmI returns who the service takes the client for.
func (c *Client) WhoAmI(ctx context.Context) (p workflows.Principal, err error) {
	err = c.Do(ctx, http.MethodGet, "whoami", nil, &p)
	return p, err
}

// Access asks whether somebody may do something, and why.
func (c *Client) Access(ctx context.Context, q say.AccessQuestion) (a say.AccessAnswer, err error) {
	values := url.Values{"who": {q.Who}, "verb": {string(q.Verb)}, "pipeline": {q.Pipeline}, "stage": {q.Stage}}
	err = c.Do(ctx, http.MethodGet, "access?"+values.Encode(), nil, &a)
	return a, err
}

// Backup writes what the service keeps, a tar archive, to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	res, err := c.send(ctx, http.MethodGet, "backup", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the backup broke off: %w", err)
	}
	return nil
}

func seg(s string) string { return url.PathEscape(s) }

// Execution returns one execution; ref is webshop#42, an ID or the end of one.
func (c *Client) Execution(ctx context.Context, ref string) (e workflows.Execution, err error) {
	err = c.Do(ctx, http.MethodGet, "executions/"+seg(ref), nil, &e)
	return e, err
}

// Executions lists executions of a pipeline, newest first.
func (c *Client) Executions(ctx context.Context, q record.Query) ([]workflows.Execution, error) {
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
func (c *Client) Targets(ctx context.Context, pipeline, stage string) ([]ledger.Target, error) {
	var out struct {
		Targets []ledger.Target `json:"targets"`
	}
	err := c.Do(ctx, http.MethodGet, "pipelines/"+seg(pipeline)+"/stages/"+seg(stage)+"/targets", nil, &out)
	return out.Targets, err
}

// Notes are the release notes of what a stage runs, since an execution; empty: since what ran before.
func (c *Client) Notes(ctx context.Context, pipeline, stage, since string) (n changes.Notes, err error) {
	err = c.Do(ctx, http.MethodGet, "pipelines/"+seg(pipeline)+"/stages/"+seg(stage)+"/notes?"+url.Values{"since": {since}}.Encode(), nil, &n)
	return n, err
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
