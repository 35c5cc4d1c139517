package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

type accessCmd struct{}

func (accessCmd) command() *cobra.Command {
	return parent(&cobra.Command{Use: "access COMMAND", Short: "Explain who may do what.", Example: "rollcall access explain ana@acme.example approve webshop/Production"}, new(accessExplainCmd))
}

type accessExplainCmd struct {
	service
	Who, Verb, What string
}

func (c *accessExplainCmd) command() *cobra.Command {
	cmd := command(c.Run, "explain", "Say whether somebody may do something, and why.",
		"rollcall access explain ana@acme.example approve webshop/Production\nrollcall access explain token:ci start webshop",
		one(&c.Who, "WHO", "An e-mail address, or token:NAME."),
		one(&c.Verb, "VERB", "What they want to do.").from(fixed(verbs()...)),
		one(&c.What, "WHAT", "A pipeline, or a stage of one: webshop/Production.").from(c.pipelines))
	cmd.Long = "About others than yourself it needs the right audit."
	c.service.flags(cmd)
	return cmd
}

// Run asks the service, who knows the rules and the groups.
func (c *accessExplainCmd) Run(ctx context.Context, o *output) error {
	pipeline, stage, _ := strings.Cut(c.What, "/")
	answer, err := c.client().Access(ctx, say.AccessQuestion{Who: c.Who, Verb: workflows.Verb(c.Verb), Pipeline: pipeline, Stage: stage})
	return c.show(o, answer, err, func() []string { return answer.Holders }, func(p client.Printer) { p.Access(&answer) })
}

// verbs are the rights that a question can be about.
func verbs() (all []string) {
	for _, v := range access.Rights() {
		all = append(all, string(v))
	}
	return append(all, string(workflows.Reject))
}
