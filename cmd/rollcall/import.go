package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/pipelines"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/codepipeline"
)

type importCmd struct {
	Source, Output, Dir, Pipeline, Name, Role, Config string
	Parameters                                        []string // NAME=VALUE
	Quiet                                             bool
}

func (c *importCmd) command() *cobra.Command {
	cmd := command(c.Run, "import", "Make a pipeline file of one of AWS CodePipeline.", "rollcall import pipeline.json -o webshop.yaml\nrollcall import arn:aws:codepipeline:eu-west-1:111122223333:webshop",
		one(&c.Source, "SOURCE", "What aws codepipeline get-pipeline prints, a CloudFormation, SAM or CDK template (- reads it from a pipe), or the ARN of a pipeline."))
	f := cmd.Flags()
	f.StringVarP(&c.Output, "output", "o", "", "Write the pipeline `FILE` here instead of printing it.")
	f.StringVar(&c.Dir, "dir", "", "Write a file for each pipeline into this `FOLDER`.")
	f.StringVar(&c.Pipeline, "pipeline", "", "Of a template with several pipelines: the one of this `NAME` or logical ID.")
	f.StringVar(&c.Name, "name", "", "The `NAME` of the pipeline here.")
	f.StringArrayVarP(&c.Parameters, "parameter", "p", nil, "`NAME=VALUE` of a template's parameter, such as Stage=prod or AWS::Region=eu-west-1.")
	f.StringVar(&c.Role, "role", "", "With an ARN: the `ARN` of a role to read it with.")
	f.StringVar(&c.Config, "config", "", "With an ARN: take roles and the address of AWS from this configuration `FILE`.")
	f.BoolVarP(&c.Quiet, "quiet", "q", false, "Report only what needs something or has no match.")
	cmd.PreRunE = func(*cobra.Command, []string) error { return c.validate() }
	return cmd
}

// validate refuses what cannot be meant, before anything is read.
func (c *importCmd) validate() error {
	if c.Output != "" && c.Dir != "" {
		return errors.New("--output and --dir: name one of them")
	}
	if !c.isARN() && (c.Role != "" || c.Config != "") {
		return errors.New("--role and --config go with an ARN: a file is read as it is")
	}
	for _, p := range c.Parameters {
		if !strings.Contains(p, "=") {
			return errors.New("--parameter: " + p + " is not NAME=VALUE")
		}
	}
	return nil
}

// parameters are the template's parameters that have a value.
func (c *importCmd) parameters() map[string]string {
	all := map[string]string{}
	for _, p := range c.Parameters {
		name, value, _ := strings.Cut(p, "=")
		all[name] = value
	}
	return all
}

// Run writes pipeline files, and reports on stderr what becomes of every part.
func (c *importCmd) Run(ctx context.Context, o *output) error {
	file, data, err := c.read(ctx)
	if err != nil {
		return err
	}
	all, faults := codepipeline.Import(file, data, codepipeline.Options{Name: c.Name, Parameters: c.parameters()})
	for _, d := range faults {
		fmt.Fprintln(o.err, clean.Text(d.String()))
	}
	if all == nil {
		fmt.Fprintln(o.err, "rollcall: nothing was imported")
		return errReported
	}
	if all, err = c.chosen(all); err != nil {
		return err
	}
	for i := range all {
		if err := c.write(o, &all[i], i > 0); err != nil {
			return err
		}
		report(o.err, file, &all[i], c.Quiet)
	}
	if len(all) > 1 && c.Dir == "" {
		fmt.Fprintf(o.err, "%d pipelines: --dir DIR writes a file for each, --pipeline P takes one\n", len(all))
	}
	return nil
}

func (c *importCmd) isARN() bool { return strings.HasPrefix(c.Source, "arn:") }

// read reads what is to be imported.
func (c *importCmd) read(ctx context.Context) (file string, data []byte, err error) {
	switch {
	case c.isARN():
		data, err = c.ask(ctx)
		return c.Source, data, err
	case c.Source == "-":
		data, err = io.ReadAll(io.LimitReader(os.Stdin, 2<<20))
		return "stdin", data, err
	}
	data, err = os.ReadFile(c.Source)
	var why *os.PathError
	if errors.As(err, &why) {
		return "", nil, &workflows.Problem{Message: c.Source + " cannot be read: " + why.Err.Error(), Hint: "name a file of aws codepipeline get-pipeline, or a template"}
	}
	return c.Source, data, err
}

// ask reads a pipeline from AWS.
func (c *importCmd) ask(ctx context.Context) ([]byte, error) {
	arn, err := pipelines.ParseARN(c.Source)
	if err != nil {
		return nil, err
	}
	o, role := accounts.Options{}, c.Role
	if c.Config != "" {
		conf, err := config.Load(c.Config)
		if err != nil {
			return nil, absent(err)
		}
		o = accountsOf(conf)
		for i := range conf.Bridges {
			if b := &conf.Bridges[i]; role == "" && b.Region == arn.Region && strings.Contains(b.RoleARN, ":"+arn.Account+":") {
				role = b.RoleARN
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	in, err := accounts.Open(o).Config(ctx, accounts.Place{Roles: []string{role}, Region: arn.Region, Session: "rollcall-import"})
	if err != nil {
		return nil, err
	}
	return pipelines.Declaration(ctx, in, arn)
}

// chosen are the pipelines that are wanted.
func (c *importCmd) chosen(all []codepipeline.Imported) ([]codepipeline.Imported, error) {
	names := make([]string, len(all))
	for i := range all {
		if c.Pipeline != "" && (all[i].ID == c.Pipeline || all[i].Pipeline.Name == c.Pipeline) {
			return all[i : i+1], nil
		}
		names[i] = all[i].Pipeline.Name
	}
	if c.Pipeline != "" {
		return nil, &workflows.Problem{Message: "there is no pipeline " + c.Pipeline + " in " + c.Source, Hint: "it holds " + strings.Join(names, ", ")}
	}
	if len(all) > 1 && (c.Output != "" || c.Name != "") {
		return nil, &workflows.Problem{Message: fmt.Sprintf("%s holds %d pipelines: %s", c.Source, len(all), strings.Join(names, ", ")), Hint: "take one with --pipeline P, or write a file for each with --dir DIR"}
	}
	return all, nil
}

// write puts a pipeline file where it is wanted. It never replaces one.
func (c *importCmd) write(o *output, one *codepipeline.Imported, further bool) error {
	text, path := spec.Print(one.Pipeline), c.Output
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // pipeline files are no secret
			return fmt.Errorf("make the folder: %w", err)
		}
		path = filepath.Join(c.Dir, filepath.Base(one.Pipeline.Name+".yaml"))
	}
	if path == "" {
		if further {
			fmt.Fprintln(o.out, "---")
		}
		_, err := o.out.Write(text)
		return err
	}
	return newFile(o.out, path, text)
}

// newFile writes a file that is not there yet, and names it.
func newFile(w io.Writer, path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // pipeline files are no secret
	if errors.Is(err, os.ErrExist) {
		return &workflows.Problem{Message: path + " is there already; it was left as it is", Hint: "write elsewhere, or take the file away"}
	}
	if err != nil {
		return fmt.Errorf("write a pipeline file: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	fmt.Fprintln(w, path)
	return nil
}

// report says what becomes of every part of a pipeline.
func report(w io.Writer, file string, one *codepipeline.Imported, quiet bool) {
	from := file
	if one.ID != "" {
		from += ", resource " + one.ID
	}
	fmt.Fprintln(w, clean.Line(one.Pipeline.Name+" from "+from+":"))
	counts := map[string]int{}
	for _, n := range one.Notes {
		counts[n.Fit]++
		if quiet && n.Fit == codepipeline.Same {
			continue
		}
		line := fmt.Sprintf("%s: %s: %s", n.Fit, n.Where, n.Text)
		if !strings.HasPrefix(file, "arn:") { // nobody sees the file that AWS makes of its pipeline
			line = fmt.Sprintf("%s:%d:%d: %s", file, max(n.Line, 1), max(n.Col, 1), line)
		}
		fmt.Fprintln(w, clean.Line(line))
		if n.Todo != "" {
			fmt.Fprintln(w, "  "+clean.Line(n.Todo))
		}
	}
	fmt.Fprintf(w, "%d as it is, %d need something, %d without a match\n", counts[codepipeline.Same], counts[codepipeline.Needs], counts[codepipeline.NoMatch])
	if one.Open {
		fmt.Fprintln(w, "what begins with REPLACE- has to be written before the pipeline runs")
	}
}

// accountsOf is who rollcall is in AWS, as the configuration says.
func accountsOf(c *config.Config) accounts.Options {
	if c.AWS == nil {
		return accounts.Options{}
	}
	o := accounts.Options{Region: c.AWS.Region, RoleARN: c.AWS.RoleARN, EndpointURL: c.AWS.EndpointURL, Roles: map[string]accounts.Role{}}
	for arn, role := range c.AWS.Roles {
		o.Roles[arn] = accounts.Role{ExternalID: role.ExternalID.Reveal(), SourceIdentity: role.SourceIdentity}
	}
	return o
}
