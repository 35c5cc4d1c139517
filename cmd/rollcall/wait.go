package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Exit statuses beyond 0, 1 and 2.
const (
	exitEndedBadly  = 3   // what was waited for failed, was not approved, stopped or superseded
	exitTimeout     = 4   // --timeout is over
	exitUnreachable = 5   // there is no service
	exitInterrupted = 130 // Ctrl-C while waiting
)

// exit is a status that a command ends with; the sentence goes to stderr.
type exit struct {
	status   int
	sentence string
}

func (e *exit) Error() string { return e.sentence }

// goal is what --wait waits for: end, approval, or the name of a stage.
type goal string

func (g *goal) String() string { return string(*g) }
func (*goal) Type() string     { return "" } // the value that may be left out says enough

func (g *goal) Set(word string) error {
	if word == "" {
		return errors.New("give end, approval or a stage: --wait=approval")
	}
	*g = goal(word)
	return nil
}

// waiting are the flags of a command that begins work.
type waiting struct {
	Wait    goal
	Timeout time.Duration

	// verb is what AWS was asked to do with an execution that had ended, and ended
	// when that was: until AWS has taken it up again it stands as it did.
	verb  workflows.Verb
	ended *time.Time
}

func (w *waiting) flags(cmd *cobra.Command, s *service) {
	f := cmd.Flags()
	f.Var(&w.Wait, "wait", "Wait until it has ended, waits for an approval, or has succeeded in a stage: --wait, --wait=approval, --wait=STAGE.")
	f.Lookup("wait").NoOptDefVal = "end"
	f.DurationVar(&w.Timeout, "timeout", 0, "With --wait: give up after this `TIME`, such as 10m, with status 4.")
	must(cmd.RegisterFlagCompletionFunc("wait", offer(s.goals)))
	checkFirst(cmd, func() error {
		if w.Timeout < 0 || w.Timeout > 0 && w.Wait == "" {
			return errors.New("--timeout: give a positive time, and --wait")
		}
		return nil
	})
}

// check refuses a stage that the pipeline does not have, before anything is asked for.
func (w *waiting) check(ctx context.Context, cl *client.Client, pipeline string) error {
	if w.Wait == "" || w.Wait == "end" || w.Wait == "approval" {
		return nil
	}
	v, err := cl.Pipeline(ctx, pipeline)
	if err != nil {
		return err
	}
	if _, ok := v.Stage(string(w.Wait)); ok {
		return nil
	}
	var names []string
	for _, s := range v.Stages {
		names = append(names, s.Name)
	}
	return &exit{2, fmt.Sprintf("--wait: %s has no stage %s%s", pipeline, w.Wait, nearest(string(w.Wait), names))}
}

// reached says whether the goal is reached, and how it ended if it never will be.
func (w *waiting) reached(e *workflows.Execution) (bool, error) {
	switch refused := client.RefusedByAWS(e, w.verb); {
	case refused != "":
		return false, &exit{1, refused}
	case w.asIsWas(e):
		return false, nil
	case w.Wait == "approval" && client.WaitsForApproval(e):
		return true, nil
	case e.Status == workflows.StatusSucceeded:
		return true, nil
	}
	if st, ok := e.Stage(string(w.Wait)); ok && (st.Status == workflows.StatusSucceeded || st.Status == workflows.StatusSkipped) {
		return true, nil
	}
	if e.Status.Final() {
		return false, &exit{exitEndedBadly, client.Ending(e)}
	}
	return false, nil
}

// asIsWas says whether AWS has not yet begun with what it was asked to do.
func (w *waiting) asIsWas(e *workflows.Execution) bool {
	return client.Unanswered(e, w.verb) || w.ended != nil && e.EndedAt != nil && e.EndedAt.Equal(*w.ended)
}

// pace is how often an execution is looked at that is waited for.
const pace = 500 * time.Millisecond

// until looks at an execution until the goal is reached. Once it has been seen,
// a service that is away is waited for: the execution goes on without us.
func (w *waiting) until(ctx context.Context, cl *client.Client, ref string) (e workflows.Execution, err error) {
	var over <-chan time.Time
	if w.Timeout > 0 {
		over = time.After(w.Timeout)
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for seen := false; ; {
		now, err := cl.Execution(ctx, ref)
		var refused *workflows.Problem
		switch {
		case err == nil:
			e, seen, ref = now, true, now.Ref()
			if ok, err := w.reached(&e); ok || err != nil {
				return e, err
			}
		case ctx.Err() != nil:
		case !seen || !errors.As(err, &refused) || refused.Code != client.Unreachable:
			return e, err
		}
		select {
		case <-ctx.Done():
			return e, &exit{exitInterrupted, "no longer waiting; " + ref + " goes on"}
		case <-over:
			return e, &exit{exitTimeout, fmt.Sprintf("%s has not come so far within %s; it goes on (%s)", ref, w.Timeout, client.Sentence(&e))}
		case <-tick.C:
		}
	}
}

// finish waits if that is wanted and prints the execution, or what was done, once.
func (s *service) finish(ctx context.Context, o *output, w *waiting, e *workflows.Execution, done string) error {
	if !s.structured() && s.format() != "name" {
		fmt.Fprintln(o.out, clean.Line(done))
	}
	var ended error
	if w.verb != "" && e.ExternalID != "" {
		w.ended = e.EndedAt
	}
	if w.Wait != "" {
		var now workflows.Execution
		if now, ended = w.until(ctx, s.client(), e.ID); now.ID != "" {
			e = &now
		}
	}
	var how *exit
	if ended != nil && !errors.As(ended, &how) {
		return ended
	}
	switch {
	case s.structured():
		if err := s.printValue(o.out, e); err != nil {
			return err
		}
	case s.format() == "name":
		fmt.Fprintln(o.out, clean.Line(e.Ref()))
	case w.Wait != "" && ended == nil:
		fmt.Fprintln(o.out, clean.Line(client.Sentence(e)))
	}
	return ended
}

type waitCmd struct {
	service
	Execution, For string
	Timeout        time.Duration
}

func (c *waitCmd) command() *cobra.Command {
	cmd := command(c.Run, "wait", "Wait for an execution; the exit status says how it ended.", "rollcall wait webshop#42 --timeout 30m", c.executionArg(&c.Execution))
	cmd.Long = "Status 0: it succeeded; 3: it ended otherwise; 4: out of time; 5: no service."
	f := cmd.Flags()
	f.StringVar(&c.For, "for", "end", "The `GOAL`: end, approval, or a stage.")
	f.DurationVar(&c.Timeout, "timeout", 0, "Give up after this `TIME`, such as 10m, with status 4.")
	must(cmd.RegisterFlagCompletionFunc("for", offer(c.goals)))
	c.service.flags(cmd)
	return cmd
}

// Run waits for an execution.
func (c *waitCmd) Run(ctx context.Context, o *output) error {
	if c.Timeout < 0 {
		return &exit{2, "--timeout: give a positive time, such as 10m"}
	}
	cl := c.client()
	e, err := cl.Execution(ctx, c.Execution)
	if err != nil {
		return err
	}
	w := waiting{Wait: goal(c.For), Timeout: c.Timeout}
	if err := w.check(ctx, cl, e.Pipeline); err != nil {
		return err
	}
	e, err = w.until(ctx, cl, e.ID)
	var how *exit
	if err != nil && (!errors.As(err, &how) || e.ID == "") {
		return err
	}
	table := func(p client.Printer) {
		if err == nil { // else the error says how it ended
			p.Line(client.Sentence(&e))
		}
	}
	if shown := c.show(o, e, nil, func() []string { return []string{e.Ref()} }, table); shown != nil {
		return shown
	}
	return err
}
