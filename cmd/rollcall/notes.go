package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
)

type notesCmd struct {
	service
	Pipeline string
	Stage    string
	Since    string
}

func (c *notesCmd) command() *cobra.Command {
	cmd := command(c.Run, "notes", "Print release notes of what a stage runs.", "rollcall notes webshop Production --since webshop#41", c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	cmd.Long = "Issues that commits, branches and pull requests mention, by their type, each with who worked on it; then the commits without an issue. In Markdown."
	cmd.Flags().StringVar(&c.Since, "since", "", "Since this `EXECUTION`; without it, since what ran there before.")
	c.service.flags(cmd)
	return cmd
}

// Run prints release notes.
func (c *notesCmd) Run(ctx context.Context, o *output) error {
	n, err := c.client().Notes(ctx, c.Pipeline, c.Stage, c.Since)
	return c.show(o, n, err, func() []string { return []string{n.Title} }, func(p client.Printer) { p.Text(n.Text) })
}
