package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

type exportCmd struct {
	service
	Pipelines, Files                        []string
	Version                                 int
	Dir, To, RoleArn, Bucket, ConnectionArn string
}

func (c *exportCmd) command() *cobra.Command {
	cmd := command(c.Run, "export", "Print current pipeline definitions as files.", "rollcall export webshop > webshop.yaml\nrollcall export --dir pipelines",
		several(&c.Pipelines, "PIPELINE", "The pipelines; default all.").orNone().from(c.pipelines))
	f := cmd.Flags()
	f.IntVar(&c.Version, "version", 0, "The `NUMBER` of an earlier version, of one pipeline.")
	f.StringVar(&c.Dir, "dir", "", "Write a file for each pipeline into this `FOLDER`.")
	f.Var(oneOf(&c.To, "yaml", "yaml", "codepipeline", "cloudformation"), "to", "The `FORM`: yaml is a pipeline file, codepipeline the input of aws codepipeline create-pipeline, cloudformation a template.")
	f.StringArrayVar(&c.Files, "file", nil, "A pipeline `FILE`, instead of the current definitions of a service; may be repeated.")
	group(cmd, "Pipelines in AWS CodePipeline", func(f *pflag.FlagSet) {
		f.StringVar(&c.RoleArn, "role-arn", "", "With --to: `ARN` of the role of the pipelines in AWS.")
		f.StringVar(&c.Bucket, "bucket", "", "With --to: the `BUCKET` for their artifacts.")
		f.StringVar(&c.ConnectionArn, "connection-arn", "", "With --to: `ARN` of the connection to their repositories.")
	})
	c.service.flags(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { return c.validate() }
	return cmd
}

// validate refuses what cannot be meant, before anything is asked for.
func (c *exportCmd) validate() error {
	if c.Version < 0 || c.Version > 0 && len(c.Pipelines) != 1 {
		return errors.New("--version: name one pipeline and one of its versions")
	}
	if len(c.Files) > 0 && len(c.Pipelines) > 0 {
		return errors.New("--file: name files or pipelines of the service, not both")
	}
	return nil
}

// Run prints the current definitions as pipeline files, or in a form of AWS.
func (c *exportCmd) Run(ctx context.Context, o *output) error {
	all, err := c.inForce(ctx, o)
	if err != nil {
		return err
	}
	if c.Dir != "" {
		return c.write(o, all)
	}
	if c.format() == "json" && c.To == "yaml" && len(all) != 1 {
		return c.printValue(o.out, map[string]any{"pipelines": all})
	}
	if c.To != "yaml" && len(all) != 1 {
		return &workflows.Problem{Message: fmt.Sprintf("there are %d pipelines, and AWS takes one at a time", len(all)), Hint: "name one of them, or write a file for each with --dir DIR"}
	}
	for i, p := range all {
		text, err := c.text(o, p)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(o.out, "---")
		}
		if _, err := o.out.Write(text); err != nil {
			return fmt.Errorf("print %s: %w", p.Name, err)
		}
	}
	return nil
}

// inForce asks for the definitions that are wanted, or reads them.
func (c *exportCmd) inForce(ctx context.Context, o *output) ([]*workflows.Pipeline, error) {
	if len(c.Files) > 0 {
		read, err := readDefinitions(o.err, c.Files...)
		var all []*workflows.Pipeline
		for _, d := range read {
			if d.pipeline != nil { // a template is exported with what extends it
				all = append(all, d.pipeline)
			}
		}
		return all, err
	}
	var views []workflows.PipelineView
	if len(c.Pipelines) == 0 {
		all, err := c.client().Pipelines(ctx)
		if err != nil {
			return nil, err
		}
		views = all
	}
	for _, name := range c.Pipelines {
		v, err := c.client().Version(ctx, name, c.Version)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	all := []*workflows.Pipeline{}
	for _, v := range views {
		if v.Definition == nil {
			return nil, &workflows.Problem{Message: "the service does not say how " + v.Name + " is defined", Hint: "is it as new as this rollcall?"}
		}
		all = append(all, v.Definition)
	}
	return all, nil
}

// text is a definition as a pipeline file, or in a form of AWS: then what has no
// match there is reported.
func (c *exportCmd) text(o *output, p *workflows.Pipeline) ([]byte, error) {
	form := map[string]func(*workflows.Pipeline, codepipeline.Known) ([]byte, []codepipeline.Note, error){"codepipeline": codepipeline.Declaration, "cloudformation": codepipeline.Template}[c.To]
	switch {
	case form == nil && c.format() == "json":
		return spec.PrintJSON(p), nil
	case form == nil:
		return spec.Print(p), nil
	}
	text, notes, err := form(p, codepipeline.Known{RoleArn: c.RoleArn, Bucket: c.Bucket, ConnectionArn: c.ConnectionArn})
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		fmt.Fprintln(o.err, clean.Line(fmt.Sprintf("%s: %s: %s: %s", p.Name, n.Fit, n.Where, n.Text)))
		if n.Todo != "" {
			fmt.Fprintln(o.err, "  "+clean.Line(n.Todo))
		}
	}
	return text, nil
}

// write never replaces a file: it may hold comments, or a template.
func (c *exportCmd) write(o *output, all []*workflows.Pipeline) error {
	extension := map[string]string{"codepipeline": ".json", "cloudformation": ".template.yaml"}[c.To]
	if extension == "" {
		extension = map[bool]string{true: ".json", false: ".yaml"}[c.structured()]
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // pipeline files are no secret
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, p := range all {
		text, err := c.text(o, p)
		if err != nil {
			return err
		}
		if err := newFile(o.out, filepath.Join(c.Dir, filepath.Base(p.Name+extension)), text); err != nil {
			return err
		}
	}
	return nil
}
