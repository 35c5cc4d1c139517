package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

func printJSON(w io.Writer, v any) error {
	text, err := jsonText(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

func jsonText(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return out.Bytes(), err
}

// show prints v for machines, or calls the table for people.
func (s *service) show(o *output, v any, err error, table func(client.Printer)) error {
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(o.out, v)
	}
	table(client.Printer{W: o.out, Now: time.Now()})
	return nil
}

// looksLikeExecution tells webshop#42 and IDs from the name of a pipeline.
func looksLikeExecution(s string) bool { return strings.Contains(s, "#") || len(s) == 36 }

type statusCmd struct {
	service
	What string `arg:"" optional:"" help:"A pipeline or an execution."`
}

// Run shows how things stand.
func (c *statusCmd) Run(ctx context.Context, o *output) error {
	cl := c.client()
	if c.What == "" {
		all, err := cl.Pipelines(ctx)
		return c.show(o, all, err, func(p client.Printer) {
			p.Numbers = c.numbers(ctx, all)
			p.Pipelines(all)
		})
	}
	if !looksLikeExecution(c.What) {
		v, err := cl.Pipeline(ctx, c.What)
		var p *workflows.Problem
		if err == nil || !errors.As(err, &p) || p.Code != workflows.CodePipelineNotFound || len(c.What) < 6 {
			return c.show(o, v, err, func(p client.Printer) {
				p.Numbers = c.numbers(ctx, []workflows.PipelineView{v})
				p.Pipeline(v)
			})
		}
		if e, err := cl.Execution(ctx, c.What); err == nil {
			return c.execution(ctx, o, &e)
		}
		return err
	}
	e, err := cl.Execution(ctx, c.What)
	if err != nil {
		return err
	}
	return c.execution(ctx, o, &e)
}

func (c *statusCmd) execution(ctx context.Context, o *output, e *workflows.Execution) error {
	return c.show(o, e, nil, func(p client.Printer) {
		p.Freezes = c.freezes(ctx, e.Pipeline, *e)
		p.Execution(e)
	})
}

// numbers looks up how people name those who wait at doors. Without it they are named by the end of their IDs.
func (s *service) numbers(ctx context.Context, views []workflows.PipelineView) map[string]int {
	numbers := map[string]int{}
	for _, v := range views {
		if !slices.ContainsFunc(v.Stages, func(s workflows.StageView) bool { return len(s.Inbound) > 0 || s.Transition.Only != "" }) {
			continue
		}
		unfinished, err := s.client().Executions(ctx, workflows.ExecutionQuery{Pipeline: v.Name, Status: workflows.StatusInProgress, Limit: 100})
		if err != nil {
			continue
		}
		for _, e := range unfinished {
			numbers[e.ID] = e.Number
		}
	}
	return numbers
}

// freezes looks up until when the executions wait that a freeze keeps out.
func (s *service) freezes(ctx context.Context, pipeline string, all ...workflows.Execution) []workflows.Freeze {
	for _, e := range all {
		if e.WaitsFor != nil && e.WaitsFor.For == workflows.WaitsForFreeze {
			v, err := s.client().Pipeline(ctx, pipeline)
			if err != nil {
				return nil
			}
			return v.Freezes
		}
	}
	return nil
}

type executionsCmd struct {
	service
	Pipeline string `arg:"" help:"The pipeline."`
	Limit    int    `help:"How many." default:"20"`
	Before   int    `help:"Only numbers below this one."`
	Status   string `help:"Only this status: InProgress, Succeeded, Failed, …"`
}

// Run lists executions.
func (c *executionsCmd) Run(ctx context.Context, o *output) error {
	all, err := c.client().Executions(ctx, workflows.ExecutionQuery{Pipeline: c.Pipeline, Limit: c.Limit, Before: c.Before, Status: workflows.Status(c.Status)})
	return c.show(o, all, err, func(p client.Printer) {
		p.Freezes = c.freezes(ctx, c.Pipeline, all...)
		p.Executions(all)
	})
}

type targetsCmd struct {
	service
	Pipeline string `arg:"" help:"The pipeline."`
	Stage    string `arg:"" help:"The stage."`
}

// Run lists rollback targets.
func (c *targetsCmd) Run(ctx context.Context, o *output) error {
	all, err := c.client().Targets(ctx, c.Pipeline, c.Stage)
	return c.show(o, all, err, func(p client.Printer) { p.Targets(c.Pipeline, all) })
}

type logsCmd struct {
	service
	Execution string `arg:"" help:"webshop#42, an ID, or the end of one."`
	Action    string `arg:"" optional:"" help:"The action; default the one that runs, or ran last."`
	Stage     string `help:"The stage, when two have an action of that name."`
	Attempt   int    `help:"Which attempt; default the latest."`
	Follow    bool   `short:"f" help:"Go on printing until the action ends."`
}

// Run prints a log.
func (c *logsCmd) Run(ctx context.Context, o *output) error {
	cl, offset := c.client(), int64(0)
	for {
		e, err := cl.Execution(ctx, c.Execution)
		if err != nil {
			return err
		}
		stage, a := c.find(&e)
		if a == nil {
			return &workflows.Problem{Message: e.Ref() + " has no such action that has run", Hint: "see rollcall status " + e.Ref()}
		}
		if offset, err = cl.Log(ctx, e.ID, stage, a.Name, c.Attempt, offset, o.out); err != nil {
			return err
		}
		if !c.Follow || a.Status != workflows.StatusInProgress {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// find picks the action or rule that is meant: by name, else the one running, else the last that ran anything.
func (c *logsCmd) find(e *workflows.Execution) (stage string, found *workflows.ActionExecution) {
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range ran(s) {
			if c.Stage != "" && s.Name != c.Stage || c.Action != "" && a.Name != c.Action || c.Action == "" && silent(a) {
				continue
			}
			if found == nil || found.Status != workflows.StatusInProgress {
				stage, found = s.Name, a
			}
		}
	}
	return stage, found
}

// ran are the actions and rules of a stage that have begun, in order.
func ran(s *workflows.StageExecution) (all []*workflows.ActionExecution) {
	take := func(list []workflows.ActionExecution) {
		for i := range list {
			if list[i].Attempt > 0 {
				all = append(all, &list[i])
			}
		}
	}
	for _, kind := range []string{workflows.BeforeEntry, "", workflows.OnSuccess, workflows.AfterFailed} {
		if kind == "" {
			take(s.Actions)
		} else if c := s.Condition(kind); c != nil {
			take(c.Rules)
		}
	}
	return all
}

// silent says whether an action prints nothing, so that its log is never meant without being named.
func silent(a *workflows.ActionExecution) bool {
	return a.Approval != nil || strings.Contains(a.Name, ":") && a.Provider != "Commands"
}

type watchCmd struct {
	service
	What string `arg:"" optional:"" help:"A pipeline or an execution."`
}

// errEnded stops watching an execution that has ended.
var errEnded = errors.New("ended")

// Run prints what happens from now on, of one execution everything until it
// has ended, and goes on after the connection was lost.
func (c *watchCmd) Run(ctx context.Context, o *output) error {
	cl, pipeline, execution := c.client(), c.What, ""
	if looksLikeExecution(c.What) {
		e, err := cl.Execution(ctx, c.What)
		if err != nil {
			return err
		}
		pipeline, execution = e.Pipeline, e.ID
	}
	print := func(e client.FeedEvent) error {
		if execution != "" && e.Execution != execution {
			return nil
		}
		if c.JSON {
			return printJSON(o.out, e)
		}
		client.Printer{W: o.out, Now: time.Now()}.Event(e)
		return nil
	}
	if execution == "" {
		return c.follow(ctx, cl, pipeline, "now", print)
	}
	return c.follow(ctx, cl, pipeline, "", func(e client.FeedEvent) error {
		if err := print(e); err != nil {
			return err
		}
		if !ends(e.Kind) {
			return nil
		}
		if now, err := cl.Execution(ctx, execution); err == nil && now.Status.Final() { // a retry may have taken it up again
			return errEnded
		}
		return nil
	})
}

func ends(k event.Kind) bool {
	switch k {
	case event.ExecutionSucceeded, event.ExecutionFailed, event.ExecutionStopped, event.ExecutionSuperseded, event.ExecutionCancelled:
		return true
	}
	return false
}

func (c *watchCmd) follow(ctx context.Context, cl *client.Client, pipeline, after string, fn func(client.FeedEvent) error) error {
	for {
		next, err := cl.Watch(ctx, pipeline, after, fn)
		var refused *workflows.Problem
		switch {
		case errors.Is(err, errEnded), ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) && (after == "" || after == "now" || refused.Code != "Unreachable"):
			return err
		}
		after = next
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
