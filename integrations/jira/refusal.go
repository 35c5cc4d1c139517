package jira

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/andygrunwald/go-jira"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// refusal is an answer that is not a success, with what Jira says about it.
type refusal struct {
	status int
	says   string   // may be empty
	whole  string   // that, not cut
	fields []string // at fault; may be empty
}

// Error is the status and Jira's words.
func (r *refusal) Error() string {
	if r.says == "" {
		return fmt.Sprintf("Jira answers %d %s", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("Jira answers %d: %s", r.status, r.says)
}

// kindOf says what becomes of a failed call if it is made again. No answer at
// all may pass. After a 400 somebody can fix a field that the configuration
// names, such as the project, or that the project demands; nobody can fix the
// texts that are ours.
func kindOf(err error) wire.Kind {
	var own *ownError
	var r *refusal
	switch {
	case errors.As(err, &own), wire.Final(err):
		return wire.Permanent
	case !errors.As(err, &r):
		return wire.Transient
	case r.status == http.StatusBadRequest && slices.ContainsFunc(r.fields, func(f string) bool {
		return f != "summary" && f != "description" && f != "labels" && f != "comment"
	}):
		return wire.Fixable
	}
	return wire.KindOf(r.status)
}

// final says that it is no use to make the call again.
func final(err error) bool { return kindOf(err) == wire.Permanent }

// serverFailed says that Jira is there and answered that it failed: the request
// may hold what it cannot process.
func serverFailed(err error) bool {
	switch status := answered(err); status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	default:
		return status >= 500
	}
}

// answered is the status of Jira's refusal; 0: it was none.
func answered(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// toRefusal turns the library's error into a refusal, reading the body that the library leaves unread.
func toRefusal(resp *jira.Response, err error) error {
	if resp == nil || resp.Response == nil || resp.StatusCode < 300 {
		return wire.Scrub(err)
	}
	defer resp.Body.Close()
	r := &refusal{status: resp.StatusCode}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return r
	}
	var said struct {
		Messages []string       `json:"errorMessages"`
		Errors   map[string]any `json:"errors"`
	}
	if json.Unmarshal(body, &said) == nil {
		parts := said.Messages
		r.fields = slices.Sorted(maps.Keys(said.Errors))
		for _, field := range r.fields {
			parts = append(parts, fmt.Sprintf("%s: %v", field, said.Errors[field]))
		}
		r.whole = strings.Join(parts, "; ")
		r.says = words.Cut(clean.Line(r.whole), 500)
	}
	if r.says == "" && resp.StatusCode < 400 {
		r.says = "it sends us to another address; check jira.url"
	}
	return r
}
