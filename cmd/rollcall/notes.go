package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/integrations/github"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
)

type notesCmd struct {
	service
	Pipeline   string
	Stage      string
	Since      string
	Release    string
	Repository string
	Publish    bool
}

func (c *notesCmd) command() *cobra.Command {
	cmd := command(c.Run, "notes", "Print release notes of what a stage runs.", "rollcall notes webshop Production --since webshop#41", c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	cmd.Long = "Issues that commits, branches and pull requests mention, by the headings of the configuration or their type, each with who worked on it; then the commits without an issue. In Markdown. " +
		"With --github-release the notes become the text of a release on GitHub, as you: the token in GITHUB_TOKEN needs the permission \"Contents: write\"."
	cmd.Flags().StringVar(c.refers(&c.Since, &c.Pipeline), "since", "", "Since this `EXECUTION`; without it, since what ran there before.")
	cmd.Flags().StringVar(&c.Release, "github-release", "", "Also make them the text of the release of this `TAG` on GitHub; a new one is a draft.")
	cmd.Flags().StringVar(&c.Repository, "repository", "", "With --github-release: `OWNER/NAME`; without it, the pipeline's.")
	cmd.Flags().BoolVar(&c.Publish, "publish", false, "With --github-release: publish it.")
	c.service.flags(cmd)
	return cmd
}

// Run prints release notes, and puts them on GitHub where that is asked for.
func (c *notesCmd) Run(ctx context.Context, o *output) error {
	if c.Release == "" && (c.Publish || c.Repository != "") {
		return &workflows.Problem{Code: workflows.CodeValidation, Message: "--publish and --repository belong to --github-release", Hint: "name the tag of the release: --github-release v1.2"}
	}
	n, err := c.client().Notes(ctx, c.Pipeline, c.Stage, c.Since)
	if err == nil && c.Release != "" {
		err = c.release(ctx, o, &n)
	}
	return c.show(o, n, err, func() []string { return []string{n.Title} }, func(p client.Printer) { p.Text(n.Text) })
}

// release makes the notes the text of a release on GitHub.
func (c *notesCmd) release(ctx context.Context, o *output, n *changes.Notes) error {
	token := cmp.Or(os.Getenv("GITHUB_TOKEN"), os.Getenv("GH_TOKEN"))
	if token == "" {
		return &workflows.Problem{Code: workflows.CodeValidation, Message: "no token of GitHub is in the environment", Hint: "set GITHUB_TOKEN to one with the permission \"Contents: write\" on the repository"}
	}
	page, draft, err := github.PutRelease(ctx, github.ReleaseOptions{APIURL: os.Getenv("GITHUB_API_URL"), Token: token},
		github.Release{Repository: cmp.Or(c.Repository, n.Repository), Tag: c.Release, Target: n.Revision, Title: c.Release, Body: n.Text, Publish: c.Publish})
	if err != nil {
		return err
	}
	state := "published"
	if draft {
		state = "a draft"
	}
	_, err = fmt.Fprintf(o.err, "The release %s is %s: %s\n", c.Release, state, page)
	return err
}
