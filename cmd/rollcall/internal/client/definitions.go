package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// declaration is a body that is sent as it is: a pipeline file in YAML.
type declaration []byte

// Edited is a pipeline with what an edit did to it.
type Edited struct {
	workflows.PipelineView
	Changed  bool             `json:"changed"`  // false: it was so already
	Weakened []event.Weakened `json:"weakened"` // the gates that ask for less than before
	Cancels  []string         `json:"cancels"`  // the executions that it ends ("webshop#42")
}

// Put puts a declaration, in YAML, in force.
func (c *Client) Put(ctx context.Context, name string, yaml []byte) (e Edited, err error) {
	err = c.Do(ctx, http.MethodPut, "pipelines/"+seg(name), declaration(yaml), &e)
	return e, err
}

// Version returns a pipeline with the definition of an earlier version; 0 is the one in force.
func (c *Client) Version(ctx context.Context, name string, version int) (p workflows.PipelineView, err error) {
	path := "pipelines/" + seg(name)
	if version > 0 {
		path += "?version=" + strconv.Itoa(version)
	}
	err = c.Do(ctx, http.MethodGet, path, nil, &p)
	return p, err
}

// Start starts an execution with the pipeline's defaults.
func (c *Client) Start(ctx context.Context, pipeline string) (e workflows.Execution, err error) {
	err = c.Do(ctx, http.MethodPost, "pipelines/"+seg(pipeline)+"/executions", struct{}{}, &e)
	return e, err
}
