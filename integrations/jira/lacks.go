package jira

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// unreadable says that Jira answered well, with what nobody can read.
type unreadable struct{ error }

// Unwrap is the cause.
func (u *unreadable) Unwrap() error { return u.error }

// lacks says that Jira, or what answers for it, is there and does not do this. What
// is only an addition goes on without it. A login that is refused, too many calls,
// a Jira that is away and trouble of our own are no such answers.
func lacks(err error) bool {
	var own *ownError
	var u *unreadable
	switch status := answered(err); {
	case errors.As(err, &own):
		return false
	case errors.As(err, &u):
		return true
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return false
	case status > 0:
		return status < 500 || serverFailed(err)
	}
	return final(err)
}

// unknownCall says that there is no such call, or nothing at its address.
func unknownCall(err error) bool {
	switch answered(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return true
	}
	return false
}

// goWithout says whether what was to be done beside a ticket is left. A server that
// fails may do better the next time; a job waits for that as often as for any call.
func goWithout(j *job, err error) bool {
	if serverFailed(err) && !unknownCall(err) {
		j.countServerFailure(false)
		return j.Reduced && j.ServerFailures >= maxServerFailures
	}
	return lacks(err)
}

// jiraID is an ID in an answer: a text or, of some servers and proxies, a number.
type jiraID string

// UnmarshalJSON takes a text or a number; null is none.
func (i *jiraID) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if err := json.Unmarshal(raw, (*string)(i)); err == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	*i = jiraID(n)
	return nil
}

// usable says whether the ID can be part of an address.
func (i jiraID) usable() bool {
	return i != "" && len(i) <= 64 && strings.Trim(string(i), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// isCloud says whether this is Jira Cloud, whose texts are documents. It is asked
// once; one that does not know the question is a server, and one that cannot answer
// gets texts that both know, and is asked again. The error is that Jira is away.
func (c *client) isCloud(ctx context.Context) (bool, error) {
	c.kindMu.Lock()
	known, cloud := c.kindKnown, c.cloud
	c.kindMu.Unlock()
	if known {
		return cloud, nil
	}
	var info struct {
		Deployment string `json:"deploymentType"`
	}
	err := c.call(ctx, http.MethodGet, "rest/api/2/serverInfo", nil, &info)
	switch {
	case err == nil:
		cloud = strings.EqualFold(info.Deployment, "Cloud")
	case !lacks(err):
		return false, err
	case answered(err) == 0, serverFailed(err) && !unknownCall(err):
		return false, nil
	}
	// Not locked while Jira is asked: that two ask at once does no harm, and nobody waits for a slow one.
	c.kindMu.Lock()
	defer c.kindMu.Unlock()
	c.kindKnown, c.cloud = true, cloud
	return cloud, nil
}
