package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// leastEnd is how many characters of its end are enough to name an execution.
const leastEnd = 6

// looksLikeExecution tells webshop#42 and IDs from the name of a pipeline.
func looksLikeExecution(s string) bool { return strings.Contains(s, "#") || len(s) == 36 }

type statusCmd struct {
	service
	What string
}

func (c *statusCmd) command() *cobra.Command {
	cmd := command(c.Run, "status", "Show all pipelines, one pipeline, or one execution.", "rollcall status\nrollcall status webshop#42", c.eitherArg(&c.What))
	c.service.flags(cmd)
	return cmd
}

// Run shows how things stand.
func (c *statusCmd) Run(ctx context.Context, o *output) error {
	v, err := c.view(ctx, c.What)
	return c.show(o, v.value, err, func() []string { return v.names }, v.table)
}

// view is what there is to see: for programs, by name, and for people.
type view struct {
	value any
	names []string
	table func(client.Printer)
}

// view looks up all pipelines, one, or an execution.
func (s *service) view(ctx context.Context, what string) (view, error) {
	cl := s.client()
	if what == "" {
		all, err := cl.Pipelines(ctx)
		return view{all, pipelineNames(all), func(p client.Printer) {
			p.Numbers = s.numbers(ctx, all)
			p.Pipelines(all)
		}}, err
	}
	v, e, err := find(ctx, cl, what)
	if e == nil {
		return view{v, []string{v.Name}, func(p client.Printer) {
			p.Numbers = s.numbers(ctx, []workflows.PipelineView{v})
			p.Pipeline(v)
		}}, err
	}
	return view{e, []string{e.Ref()}, func(p client.Printer) {
		p.Freezes = s.freezes(ctx, e.Pipeline, *e)
		if e.ExternalID != "" { // whether it is seen, the pipeline knows
			p.View, _ = cl.Pipeline(ctx, e.Pipeline)
		}
		p.Execution(e)
	}}, err
}

// find looks up what is named: a pipeline, or an execution, which may be the end of its ID.
func find(ctx context.Context, cl *client.Client, what string) (v workflows.PipelineView, found *workflows.Execution, err error) {
	if !looksLikeExecution(what) {
		v, err = cl.Pipeline(ctx, what)
		var p *workflows.Problem
		if err == nil || !errors.As(err, &p) || p.Code != workflows.CodePipelineNotFound || len(what) < leastEnd {
			return v, nil, err
		}
	}
	e, missing := cl.Execution(ctx, what)
	if missing != nil {
		return v, nil, cmp.Or(err, missing)
	}
	return v, &e, nil
}

// pipelineNames are the names, sorted.
func pipelineNames(all []workflows.PipelineView) (names []string) {
	for _, v := range all {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}

type pipelinesCmd struct{ service }

func (c *pipelinesCmd) command() *cobra.Command {
	cmd := command(c.Run, "pipelines", "List the pipelines.", "rollcall pipelines -o name")
	c.service.flags(cmd)
	return cmd
}

// Run lists the pipelines.
func (c *pipelinesCmd) Run(ctx context.Context, o *output) error {
	all, err := c.client().Pipelines(ctx)
	return c.show(o, all, err, func() []string { return pipelineNames(all) }, func(p client.Printer) { p.Names(all) })
}

// numbers looks up how people name those who wait before stages. Without it they are named by the end of their IDs.
func (s *service) numbers(ctx context.Context, views []workflows.PipelineView) map[string]int {
	numbers := map[string]int{}
	for _, v := range views {
		if !slices.ContainsFunc(v.Stages, func(s workflows.StageView) bool { return len(s.Inbound) > 0 || s.Transition.Only != "" }) {
			continue
		}
		unfinished, err := s.client().Executions(ctx, record.Query{Pipeline: v.Name, Status: workflows.StatusInProgress, Limit: 100})
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
	Pipeline, Status string
	Limit, Before    int
}

func (c *executionsCmd) command() *cobra.Command {
	cmd := command(c.Run, "executions", "List executions of a pipeline, newest first.", "rollcall executions webshop --status Failed", c.pipelineArg(&c.Pipeline))
	f := cmd.Flags()
	f.IntVar(&c.Limit, "limit", 20, "At most this `NUMBER` of them; 100 is the limit.")
	f.IntVar(&c.Before, "before", 0, "Only those with a number below `N`.")
	f.Var(oneOf(&c.Status, "", "InProgress", "Stopping", "Stopped", "Succeeded", "Superseded", "Failed", "Cancelled"), "status", "Only this `STATUS`: InProgress, Stopping, Stopped, Succeeded, Superseded, Failed or Cancelled.")
	c.service.flags(cmd)
	return cmd
}

// Run lists executions.
func (c *executionsCmd) Run(ctx context.Context, o *output) error {
	all, err := c.client().Executions(ctx, record.Query{Pipeline: c.Pipeline, Limit: c.Limit, Before: c.Before, Status: workflows.Status(c.Status)})
	names := func() (refs []string) {
		for i := range all {
			refs = append(refs, all[i].Ref())
		}
		return refs
	}
	return c.show(o, all, err, names, func(p client.Printer) {
		if v, err := c.client().Pipeline(ctx, c.Pipeline); err == nil && len(all) > 0 {
			p.View, p.Freezes = v, v.Freezes
		}
		p.Executions(all)
	})
}

type targetsCmd struct {
	service
	Pipeline, Stage string
}

func (c *targetsCmd) command() *cobra.Command {
	cmd := command(c.Run, "targets", "List what a stage could be rolled back to.", "rollcall targets webshop Production", c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	c.service.flags(cmd)
	return cmd
}

// Run lists rollback targets.
func (c *targetsCmd) Run(ctx context.Context, o *output) error {
	all, err := c.client().Targets(ctx, c.Pipeline, c.Stage)
	names := func() (refs []string) {
		for _, t := range all {
			refs = append(refs, fmt.Sprintf("%s#%d", c.Pipeline, t.Number))
		}
		return refs
	}
	return c.show(o, all, err, names, func(p client.Printer) { p.Targets(c.Pipeline, all) })
}

type logsCmd struct {
	service
	Execution, Action, Stage string
	Attempt                  int
	Follow                   bool
}

func (c *logsCmd) command() *cobra.Command {
	cmd := command(c.Run, "logs", "Print the log of an action.", "rollcall logs -f webshop#42", c.executionArg(&c.Execution), c.actionArg(&c.Action, "The action; default the one that runs, failed, or ran last.").orNone())
	f := cmd.Flags()
	f.StringVar(&c.Stage, "stage", "", "The `STAGE`, when two have an action of that name.")
	f.IntVar(&c.Attempt, "attempt", 0, "The `NUMBER` of the attempt; default the latest.")
	f.BoolVarP(&c.Follow, "follow", "f", false, "Go on printing until the action ends.")
	must(cmd.RegisterFlagCompletionFunc("stage", offer(c.stages)))
	c.service.flags(cmd)
	return cmd
}

// Run prints a log.
func (c *logsCmd) Run(ctx context.Context, o *output) (err error) {
	cl, offset, out := c.client(), int64(0), o.out
	if terminal(o.out) {
		shown := &client.Terminal{W: o.out}
		defer func() { err = errors.Join(err, shown.Close()) }()
		out = shown
	}
	for {
		e, err := cl.Execution(ctx, c.Execution)
		if err != nil {
			return err
		}
		stage, a := c.find(&e)
		if a == nil {
			return &workflows.Problem{Message: e.Ref() + " has no such action that has run", Hint: "see rollcall status " + e.Ref()}
		}
		if offset, err = cl.Log(ctx, e.ID, stage, a.Name, c.Attempt, offset, out); err != nil {
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

// find picks the action or rule that is meant: by name, else the one running,
// else one that failed, else the last that ran anything.
func (c *logsCmd) find(e *workflows.Execution) (stage string, found *workflows.ActionExecution) {
	rank := func(a *workflows.ActionExecution) int {
		switch a.Status {
		case workflows.StatusInProgress:
			return 2
		case workflows.StatusFailed, workflows.StatusAbandoned:
			return 1
		}
		return 0
	}
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range ran(s) {
			if c.Stage != "" && s.Name != c.Stage || c.Action != "" && a.Name != c.Action || c.Action == "" && silent(a) {
				continue
			}
			if found == nil || rank(a) >= rank(found) {
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
