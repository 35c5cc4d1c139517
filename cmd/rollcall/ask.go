package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
)

// service is which rollcall a client command speaks to.
type service struct {
	URL   string `help:"The service's address." env:"ROLLCALL_URL" default:"http://127.0.0.1:8484"`
	Token string `help:"An API token; better in the environment." env:"ROLLCALL_TOKEN" placeholder:"TOKEN"`
	JSON  bool   `help:"Print JSON for machines." name:"json"`
}

func (s *service) client() *client.Client {
	return &client.Client{URL: s.URL, Token: s.Token, HTTP: &http.Client{}}
}

// ask sends an intent and prints the execution or the transition that came of it.
func (s *service) ask(ctx context.Context, o *output, path string, body any, done string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var answer map[string]any
	if err := s.client().Do(ctx, http.MethodPost, path, body, &answer); err != nil {
		return err
	}
	if s.JSON {
		return printJSON(o.out, answer)
	}
	ref := ""
	if p, ok := answer["pipeline"].(string); ok && answer["number"] != nil {
		ref = fmt.Sprintf(" %s#%.0f", p, answer["number"])
	}
	fmt.Fprintf(o.out, "%s%s\n", done, ref)
	return nil
}

type startCmd struct {
	service
	Pipeline  string   `arg:"" help:"The pipeline."`
	Variables []string `arg:"" optional:"" name:"variable" help:"Pipeline variables, NAME=VALUE."`
	Revision  []string `help:"Use this revision of a source action." placeholder:"ACTION=REV"`
}

// Run starts an execution.
func (c *startCmd) Run(ctx context.Context, o *output) error {
	variables := map[string]string{}
	for _, v := range c.Variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return &workflows.Problem{Message: v + " is not NAME=VALUE", Hint: "write variables as NAME=VALUE"}
		}
		variables[name] = value
	}
	var revisions []workflows.RevisionOverride
	for _, r := range c.Revision {
		action, rev, ok := strings.Cut(r, "=")
		if !ok {
			return &workflows.Problem{Message: r + " is not ACTION=REV", Hint: "write revisions as ACTION=COMMIT"}
		}
		revisions = append(revisions, workflows.RevisionOverride{ActionName: action, RevisionType: "COMMIT_ID", RevisionValue: rev})
	}
	return c.ask(ctx, o, "pipelines/"+url.PathEscape(c.Pipeline)+"/executions", map[string]any{"variables": variables, "sourceRevisions": revisions}, "started")
}

type stopCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Abandon   bool   `help:"Do not wait for what is running."`
	Reason    string `short:"m" help:"Why."`
}

// Run stops an execution.
func (c *stopCmd) Run(ctx context.Context, o *output) error {
	return c.ask(ctx, o, "executions/"+url.PathEscape(c.Execution)+"/stop", map[string]any{"abandon": c.Abandon, "reason": c.Reason}, "stopping")
}

type retryCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Stage     string `help:"The stage; default the one that failed."`
	All       bool   `help:"All actions of the stage, not only the failed ones."`
}

// Run retries a stage.
func (c *retryCmd) Run(ctx context.Context, o *output) error {
	mode := "FAILED_ACTIONS"
	if c.All {
		mode = "ALL_ACTIONS"
	}
	return c.ask(ctx, o, "executions/"+url.PathEscape(c.Execution)+"/retry", map[string]any{"stage": c.Stage, "mode": mode}, "retrying")
}

type rollbackCmd struct {
	service
	Pipeline string `arg:"" help:"The pipeline."`
	Stage    string `arg:"" help:"The stage."`
	To       string `help:"The execution to return to." placeholder:"EXECUTION"`
	AsIs     bool   `help:"Run the stage as it is defined today, not as it was."`
	Reason   string `short:"m" help:"Why."`
	Stop     bool   `help:"Stop what runs in the stage first."`
}

// Run rolls a stage back; without a target it says which there are.
func (c *rollbackCmd) Run(ctx context.Context, o *output) error {
	cl := c.client()
	if c.To == "" {
		targets, err := cl.Targets(ctx, c.Pipeline, c.Stage)
		if err != nil {
			return err
		}
		client.Printer{W: o.err, Now: time.Now()}.Targets(c.Pipeline, targets)
		hint := "nothing there can be rolled back to"
		for _, t := range targets {
			if t.Preselected {
				hint = fmt.Sprintf("the last good one: rollcall rollback %s %s --to %s#%d", c.Pipeline, c.Stage, c.Pipeline, t.Number)
			}
		}
		return &workflows.Problem{Message: "say which execution to return to, with --to", Hint: hint}
	}
	target, err := cl.Execution(ctx, c.To)
	if err != nil {
		return err
	}
	definition := "asWas"
	if c.AsIs {
		definition = "asIs"
	}
	return c.ask(ctx, o, "pipelines/"+url.PathEscape(c.Pipeline)+"/stages/"+url.PathEscape(c.Stage)+"/rollback",
		map[string]any{"target": target.ID, "definition": definition, "reason": c.Reason, "stopRunning": c.Stop}, "rolling back "+c.Stage+" to "+target.Ref()+":")
}

type approveCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Action    string `arg:"" optional:"" help:"The approval action, when several are open."`
	Comment   string `short:"m" help:"A comment."`
}

// Run approves.
func (c *approveCmd) Run(ctx context.Context, o *output) error {
	return c.answer(ctx, o, c.Execution, c.Action, "approve", c.Comment)
}

type rejectCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Action    string `arg:"" optional:"" help:"The approval action, when several are open."`
	Comment   string `short:"m" required:"" help:"Why." placeholder:"WHY"`
}

// Run rejects.
func (c *rejectCmd) Run(ctx context.Context, o *output) error {
	return c.answer(ctx, o, c.Execution, c.Action, "reject", c.Comment)
}

// answer finds the gate that is meant and answers it.
func (s *service) answer(ctx context.Context, o *output, ref, action, answer, comment string) error {
	e, err := s.client().Execution(ctx, ref)
	if err != nil {
		return err
	}
	token, open := "", []string{}
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			if a.Approval == nil || action != "" && a.Name != action {
				continue
			}
			if token == "" {
				token = a.Approval.Token // a gate that has closed answers for itself
			}
			if a.Approval.Closed == "" {
				open = append(open, a.Name)
				token = a.Approval.Token
			}
		}
	}
	switch {
	case token == "":
		return &workflows.Problem{Message: e.Ref() + " has no gate to answer", Hint: "see rollcall status " + e.Ref()}
	case len(open) > 1:
		return &workflows.Problem{Message: e.Ref() + " has several open gates: " + strings.Join(open, ", "), Hint: "name the action"}
	}
	return s.ask(ctx, o, "approvals/"+url.PathEscape(token), map[string]any{"answer": answer, "comment": comment}, map[string]string{"approve": "approved", "reject": "rejected"}[answer])
}

type enableCmd struct {
	service
	Pipeline string `arg:"" help:"The pipeline."`
	Stage    string `arg:"" help:"The stage."`
	Only     string `help:"Let only this execution in." placeholder:"EXECUTION"`
}

// Run opens a door.
func (c *enableCmd) Run(ctx context.Context, o *output) error {
	body, done := map[string]any{"enabled": true}, c.Stage+" is open"
	if c.Only != "" {
		e, err := c.client().Execution(ctx, c.Only)
		if err != nil {
			return err
		}
		body["only"], done = e.ID, e.Ref()+" may enter "+c.Stage
	}
	return c.ask(ctx, o, "pipelines/"+url.PathEscape(c.Pipeline)+"/stages/"+url.PathEscape(c.Stage)+"/transition", body, done)
}

type disableCmd struct {
	service
	Pipeline string `arg:"" help:"The pipeline."`
	Stage    string `arg:"" help:"The stage."`
	Reason   string `short:"m" help:"Why."`
}

// Run closes a door.
func (c *disableCmd) Run(ctx context.Context, o *output) error {
	return c.ask(ctx, o, "pipelines/"+url.PathEscape(c.Pipeline)+"/stages/"+url.PathEscape(c.Stage)+"/transition",
		map[string]any{"enabled": false, "reason": c.Reason}, "nothing enters "+c.Stage+" now")
}

type overrideCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Stage     string `arg:"" help:"The stage."`
	Action    string `help:"The approval action, when several are open." placeholder:"ACTION"`
	Condition string `help:"BEFORE_ENTRY, ON_SUCCESS or APPROVAL; default what stands in the way." placeholder:"CHECK" enum:",BEFORE_ENTRY,ON_SUCCESS,APPROVAL" default:""`
	Reason    string `short:"m" required:"" help:"Why. Everybody will read it." placeholder:"WHY"`
}

// Run sets a gate or a condition aside.
func (c *overrideCmd) Run(ctx context.Context, o *output) error {
	return c.ask(ctx, o, "executions/"+url.PathEscape(c.Execution)+"/override", map[string]any{"stage": c.Stage, "action": c.Action, "condition": c.Condition, "reason": c.Reason}, "overridden in "+c.Stage+":")
}

type resolveCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Action    string `arg:"" help:"The action that is in doubt."`
	As        string `arg:"" enum:"succeeded,failed,again" help:"What became of it."`
	Reason    string `short:"m" help:"How you know."`
}

// Run resolves an action that is in doubt.
func (c *resolveCmd) Run(ctx context.Context, o *output) error {
	e, err := c.client().Execution(ctx, c.Execution)
	if err != nil {
		return err
	}
	stage := ""
	for _, st := range e.Stages {
		if a, ok := st.Action(c.Action); ok && (stage == "" || a.Needs == workflows.NeedsResolve) {
			stage = st.Name
		}
	}
	return c.ask(ctx, o, "executions/"+url.PathEscape(e.ID)+"/resolve", map[string]any{"stage": stage, "action": c.Action, "as": c.As, "reason": c.Reason}, "resolved")
}
