package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/doctor"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

type doctorCmd struct {
	JSON      bool
	Principal []string
	Config    string
}

func (c *doctorCmd) command() *cobra.Command {
	cmd := command(c.Run, "doctor", "Check connections, tokens and permissions, with a fix per line.", "rollcall doctor --config /etc/rollcall/rollcall.yaml")
	cmd.Long = "Looks at the configuration, the folders, Slack, GitHub, Jira and AWS. It needs no running service and changes nothing. Exit status 1 when something does not work."
	f := cmd.Flags()
	f.BoolVar(&c.JSON, "json", false, "Print a JSON document.")
	f.StringArrayVar(&c.Principal, "principal", nil, "`ARN` of a user or role that should not be able to answer approvals in AWS; may be repeated.")
	configFlag(f, &c.Config, "The configuration `FILE`.")
	return cmd
}

// Run looks at everything and says what must be mended.
func (c *doctorCmd) Run(ctx context.Context, o *output) error {
	r := doctor.Run(ctx, doctor.Options{Config: c.Config, Principals: c.Principal})
	if c.JSON {
		e := json.NewEncoder(o.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	} else {
		printReport(o, r)
	}
	if !r.OK {
		return errReported
	}
	return nil
}

// printReport prints a line per check, and below it what to do.
func printReport(o *output, r doctor.Report) {
	for _, c := range r.Checks {
		about := c.Section
		if c.About != "" {
			about += " " + c.About
		}
		fmt.Fprintf(o.out, "%-8s %s: %s\n", c.Status, clean.Line(about), clean.Line(c.Message))
		if c.Finding != nil && c.Finding.Cause != "" && c.Finding.Cause != c.Message {
			fmt.Fprintf(o.out, "         %s\n", clean.Line(c.Finding.Cause))
		}
		for _, step := range c.Fix {
			fmt.Fprintf(o.out, "         fix: %s\n", clean.Line(step))
		}
		if c.Finding != nil && len(c.Finding.Statement) > 0 {
			fmt.Fprintf(o.out, "         statement: %s\n", strings.TrimSpace(string(c.Finding.Statement)))
		}
	}
}
