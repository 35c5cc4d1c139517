package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
)

type compareCmd struct {
	service
	A, B string
}

func (c *compareCmd) command() *cobra.Command {
	cmd := command(c.Run, "compare", "Show what differs between two executions.", "rollcall compare webshop#41 webshop#42",
		one(c.refers(&c.A, nil), "EXECUTION", executionNames).from(c.executions), one(c.refers(&c.B, nil), "EXECUTION", "The execution to compare with it.").from(c.executions))
	c.service.flags(cmd)
	return cmd
}

// Run shows what differs between two executions.
func (c *compareCmd) Run(ctx context.Context, o *output) error {
	diff, err := c.client().Compare(ctx, c.A, c.B)
	return c.show(o, diff, err, func() []string { return []string{diff.A.Ref(), diff.B.Ref()} }, func(p client.Printer) { p.Comparison(&diff) })
}

type whyCmd struct {
	service
	Execution string
	Lines     int
}

func (c *whyCmd) command() *cobra.Command {
	cmd := command(c.Run, "why", "Say why an execution failed, or what it waits for.", "rollcall why webshop#42", c.executionArg(&c.Execution))
	cmd.Long = "Of each failed action: its error and what is known of the cause, the end of its log, and what is different from the last success of its stage. Of what waits: for what, and what helps."
	cmd.Flags().IntVar(&c.Lines, "lines", 10, "This `NUMBER` of lines of the logs of what failed, at most 1000.")
	c.service.flags(cmd)
	return cmd
}

// Run says why an execution failed, or what it waits for.
func (c *whyCmd) Run(ctx context.Context, o *output) error {
	why, err := c.client().Why(ctx, c.Execution, min(max(c.Lines, 0), 1000))
	return c.show(o, why, err, func() []string { return []string{why.Ref} }, func(p client.Printer) { p.Why(&why) })
}
