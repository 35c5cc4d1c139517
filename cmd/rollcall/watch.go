package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

type watchCmd struct {
	service
	What string
}

func (c *watchCmd) command() *cobra.Command {
	cmd := command(c.Run, "watch", "Show events as they happen.", "rollcall watch webshop#42", c.eitherArg(&c.What))
	cmd.Long = "On a terminal it shows how things stand, and what happens below that. Of an execution: everything until it has ended. Status 0: it succeeded; 3: it ended otherwise."
	c.service.flags(cmd)
	return cmd
}

// errEnded stops watching an execution that has ended.
var errEnded = errors.New("ended")

// Run shows what happens from now on, of one execution everything until it has
// ended, and goes on after the connection was lost.
func (c *watchCmd) Run(ctx context.Context, o *output) error {
	cl, pipeline, execution, live := c.client(), c.What, "", !c.structured() && os.Getenv("TERM") != "dumb"
	if looksLikeExecution(c.What) {
		e, err := cl.Execution(ctx, c.What)
		if err != nil {
			return err
		}
		pipeline, execution, live = e.Pipeline, e.ID, live && !e.Status.Final()
	}
	out, restore := o.out, func() {}
	if f, ok := o.out.(*os.File); ok && terminal(f) && live {
		s := openScreen(ctx, f, func(w io.Writer) { c.draw(ctx, f, w, cmp.Or(execution, c.What)) })
		out, restore = s, s.close
	}
	defer func() { restore() }()
	err := c.events(ctx, cl, pipeline, execution, c.printEvents(ctx, cl, o.out, out))
	restore()
	restore = func() {}
	if err != nil || execution == "" {
		return err
	}
	e, err := cl.Execution(context.WithoutCancel(ctx), execution)
	switch {
	case err != nil:
		return err
	case !e.Status.Final():
		return &exit{exitInterrupted, "no longer watching; " + e.Ref() + " goes on"}
	}
	if out != o.out { // the screen is gone, and what it showed last stays
		c.draw(ctx, o.out, o.out, execution)
	}
	if e.Status != workflows.StatusSucceeded {
		return &exit{exitEndedBadly, client.Ending(&e)}
	}
	return nil
}

// draw prints how things stand, for the terminal to w.
func (c *watchCmd) draw(ctx context.Context, terminal, w io.Writer, what string) {
	v, err := c.view(ctx, what)
	if err != nil {
		fmt.Fprintln(w, clean.Text(err.Error()))
		return
	}
	p := c.printer(terminal)
	p.W = w
	v.table(p)
}

// printEvents prints events for the terminal to w, each with the numbers of the executions it names.
func (c *watchCmd) printEvents(ctx context.Context, cl *client.Client, terminal, w io.Writer) func(client.FeedEvent) error {
	numbers := map[string]int{}
	return func(e client.FeedEvent) error {
		if c.structured() {
			return c.printValue(w, e)
		}
		p := c.printer(terminal)
		p.W, p.Numbers = w, number(ctx, cl, numbers, &e)
		p.Event(e)
		return nil
	}
}

// events hands on what happens: of an execution everything until it has ended, else what is new.
func (c *watchCmd) events(ctx context.Context, cl *client.Client, pipeline, execution string, show func(client.FeedEvent) error) error {
	if execution == "" {
		return c.follow(ctx, cl, pipeline, "now", func(e client.FeedEvent) error {
			if e.IsHistory() {
				return nil
			}
			return show(e)
		})
	}
	return c.follow(ctx, cl, pipeline, "", func(e client.FeedEvent) error {
		if e.Execution != execution {
			return nil
		}
		if err := show(e); err != nil || !ends(e.Kind) {
			return err
		}
		if now, err := cl.Execution(ctx, execution); err == nil && now.Status.Final() { // a retry may have taken it up again
			return errEnded
		}
		return nil
	})
}

// number makes sure that the executions that an event names are known by their
// numbers; one that cannot be looked up stays known by the end of its ID.
func number(ctx context.Context, cl *client.Client, known map[string]int, e *client.FeedEvent) map[string]int {
	ids := []string{e.Execution}
	if e.Started != nil {
		known[e.Started.ID] = e.Started.Number
	}
	if e.Transition != nil {
		ids = append(ids, e.Transition.Only)
	}
	if e.Planned != nil {
		ids = append(ids, e.Planned.Target)
	}
	for _, id := range ids {
		if _, ok := known[id]; ok || id == "" {
			continue
		}
		if x, err := cl.Execution(ctx, id); err == nil {
			known[id] = x.Number
		}
	}
	return known
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
		case errors.As(err, &refused) && (after == "" || after == "now" || refused.Code != client.Unreachable):
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
