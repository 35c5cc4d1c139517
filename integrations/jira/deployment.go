package jira

import (
	"context"
	"net/http"
)

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
