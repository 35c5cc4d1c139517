package jira

import (
	"context"
	"net/http"
	"strings"
)

// isCloud says whether this is Jira Cloud, whose texts are documents. It is asked
// once; one that does not know the question is a server. The error is that Jira is away.
func (c *client) isCloud(ctx context.Context) (bool, error) {
	c.kindMu.Lock()
	defer c.kindMu.Unlock()
	if c.kindKnown {
		return c.cloud, nil
	}
	var info struct {
		Deployment string `json:"deploymentType"`
	}
	err := c.call(ctx, http.MethodGet, "rest/api/2/serverInfo", nil, &info)
	switch {
	case err != nil && !final(err) && answered(err) != http.StatusNotFound && answered(err) != http.StatusForbidden:
		return false, err
	case err == nil:
		c.cloud = strings.EqualFold(info.Deployment, "Cloud")
	}
	c.kindKnown = true
	return c.cloud, nil
}

// asServer notes that texts are taken as wiki markup, whatever Jira calls itself.
func (c *client) asServer() {
	c.kindMu.Lock()
	defer c.kindMu.Unlock()
	c.kindKnown, c.cloud = true, false
}

// works says whether Jira answers at all: a call that it failed at is to blame then.
func (c *client) works(ctx context.Context) bool {
	err := c.call(ctx, http.MethodGet, "rest/api/2/myself", nil, nil)
	return err == nil || answered(err) > 0 && answered(err) < 500
}
