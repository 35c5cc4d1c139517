package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/rollcall-bot/rollcall/workflows/audit"
)

// RecordQuery says which records are wanted; the zero value is all.
type RecordQuery struct{ Pipeline, Execution, After string }

// Records calls fn for every record of the service's log, a line of JSON.
func (c *Client) Records(ctx context.Context, q RecordQuery, fn func(line []byte) error) error {
	v := url.Values{}
	for name, value := range map[string]string{"pipeline": q.Pipeline, "execution": q.Execution, "after": q.After} {
		if value != "" {
			v.Set(name, value)
		}
	}
	res, err := c.send(ctx, http.MethodGet, "audit?"+v.Encode(), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return Lines(res.Body, fn)
}

// Trail returns what the record says of the execution that somebody names.
func (c *Client) Trail(ctx context.Context, name string) (t audit.Answer, err error) {
	err = c.Do(ctx, http.MethodGet, "audit/"+seg(name), nil, &t)
	return t, err
}

// Lines calls fn for every line of a copy of the record, with its line break.
func Lines(in io.Reader, fn func(line []byte) error) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			if err := fn(line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the record broke off: %w", err)
		}
	}
}
