package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// definition is a pipeline file as it was read. A template, which is not a
// pipeline by itself, has none.
type definition struct {
	file     string
	pipeline *workflows.Pipeline
}

// readDefinitions reads pipeline files, with the templates that they extend,
// and prints every problem of every one to w. It answers errReported when one of
// them cannot be used.
func readDefinitions(w io.Writer, files ...string) ([]definition, error) {
	var all []definition
	failed := false
	for _, file := range files {
		p, diagnostics := readDefinition(file)
		for _, d := range diagnostics {
			fmt.Fprintln(w, clean.Text(d.String()))
			failed = failed || !d.Warning
		}
		all = append(all, definition{file, p})
	}
	if failed {
		return nil, errReported
	}
	return all, nil
}

func readDefinition(file string) (*workflows.Pipeline, []spec.Diagnostic) {
	data, err := os.ReadFile(file)
	if err != nil {
		var why *os.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, []spec.Diagnostic{{File: file, Line: 1, Col: 1, Message: "cannot be read: " + err.Error()}}
	}
	if spec.IsTemplate(data) {
		return nil, spec.CheckTemplate(file, data)
	}
	return spec.ParseWith(filepath.ToSlash(file), data, func(path string) ([]byte, error) { return readBeside(file, path) })
}

// readBeside reads a template, which lies in the file's folder or below: a link
// does not lead out of it, so that checking what somebody proposes shows nothing else.
func readBeside(file, path string) ([]byte, error) {
	folder := filepath.Dir(file)
	name, err := filepath.Rel(folder, filepath.FromSlash(path))
	if err != nil {
		return nil, fmt.Errorf("find it from %s: %w", folder, err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err //nolint:wrapcheck // says which folder
	}
	defer root.Close()
	data, err := root.ReadFile(name)
	var why *os.PathError
	if errors.As(err, &why) {
		err = why.Err
	}
	return data, err
}

type validateCmd struct {
	Files []string
}

func (c *validateCmd) command() *cobra.Command {
	return command(c.Run, "validate", "Check pipeline files.", "rollcall validate pipelines/*.yaml", several(&c.Files, "FILE", "Pipeline files."))
}

// Run prints every problem of every file, and what is in those without an error;
// the exit status is 1 when there is an error among them.
func (c *validateCmd) Run(_ context.Context, o *output) (failed error) {
	for _, file := range c.Files {
		read, err := readDefinitions(o.out, file)
		switch {
		case err != nil:
			failed = err
		case read[0].pipeline == nil:
			fmt.Fprintf(o.out, "ok %s: a template\n", clean.Line(file))
		default:
			fmt.Fprintf(o.out, "ok %s: %s\n", clean.Line(file), sizeOf(read[0].pipeline))
		}
	}
	return failed
}

// sizeOf is how much a pipeline has of everything.
func sizeOf(p *workflows.Pipeline) string {
	actions := 0
	for _, s := range p.Stages {
		actions += len(s.Actions)
	}
	return words.Count(len(p.Stages), "stage") + ", " + words.Count(actions, "action")
}

type applyCmd struct {
	service
	Files, StartNamed []string
	Start             bool
}

func (c *applyCmd) command() *cobra.Command {
	cmd := command(c.Run, "apply", "Deploy pipeline definitions.", "rollcall apply pipelines/webshop.yaml --start", several(&c.Files, "FILE", "Pipeline files."))
	f := cmd.Flags()
	f.BoolVar(&c.Start, "start", false, "Start the pipelines that have changed.")
	f.StringSliceVar(&c.StartNamed, "start-pipeline", nil, "Start this `PIPELINE` of the files, changed or not.")
	c.service.flags(cmd)
	return cmd
}

// Run puts files in force: all of them are checked first, and when one is
// faulty, or two define the same pipeline, none is sent.
func (c *applyCmd) Run(ctx context.Context, o *output) error {
	all, err := readDefinitions(o.err, c.Files...)
	if err != nil {
		fmt.Fprintln(o.err, "rollcall: nothing was sent")
		return err
	}
	all = slices.DeleteFunc(all, func(d definition) bool { return d.pipeline == nil }) // templates are sent with what extends them
	of := map[string]string{}
	for _, d := range all {
		if other, twice := of[d.pipeline.Name]; twice {
			return &workflows.Problem{Message: fmt.Sprintf("%s and %s both define %s; nothing was sent", other, d.file, d.pipeline.Name), Hint: "give one of them another name"}
		}
		of[d.pipeline.Name] = d.file
	}
	for _, name := range c.StartNamed {
		if of[name] == "" {
			return &workflows.Problem{Message: fmt.Sprintf("none of the files defines %s; nothing was sent", name), Hint: "name a pipeline of these files, or see rollcall start"}
		}
	}
	answers := []client.Edited{}
	for i, d := range all {
		answer, err := c.apply(ctx, o, d)
		if err != nil {
			for _, rest := range all[i+1:] {
				fmt.Fprintf(o.err, "%s was not sent\n", rest.file)
			}
			return err
		}
		answers = append(answers, answer)
	}
	if c.structured() {
		return c.printValue(o.out, map[string]any{"pipelines": answers})
	}
	return nil
}

// apply sends one file, tells what came of it, and starts the pipeline if that is wanted.
func (c *applyCmd) apply(ctx context.Context, o *output, d definition) (client.Edited, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := c.client().Put(ctx, d.pipeline.Name, spec.Print(d.pipeline))
	if err != nil {
		return answer, about(d.file, err)
	}
	out := o.out
	if c.structured() {
		out = o.err // what is for machines must be nothing else
	}
	if answer.Changed {
		fmt.Fprintf(out, "%s: version %d\n", answer.Name, answer.Version)
	} else {
		fmt.Fprintf(out, "%s: unchanged, version %d\n", answer.Name, answer.Version)
	}
	for _, w := range answer.Weakened {
		fmt.Fprintf(out, "  warning: %s\n", say.Weakened(w.Stage, w.Action, w.Old, w.New))
	}
	if len(answer.Cancels) > 0 {
		fmt.Fprintf(out, "  warning: cancelled %s, once running actions have ended\n", strings.Join(answer.Cancels, ", "))
	}
	if c.Start && answer.Changed || slices.Contains(c.StartNamed, answer.Name) {
		e, err := c.client().Start(ctx, answer.Name)
		if err != nil {
			return answer, about(d.file+" was applied and not started", err)
		}
		fmt.Fprintf(out, "  started %s\n", e.Ref())
	}
	return answer, nil
}

// about puts what an error is about before its sentence and keeps its hint.
func about(what string, err error) error {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		return fmt.Errorf("%s: %w", what, err)
	}
	told := *p
	told.Message = what + ": " + p.Message
	return &told
}

type schemaCmd struct{}

func (c schemaCmd) command() *cobra.Command {
	return command(c.Run, "schema", "Print the JSON Schema of pipeline files.", "rollcall schema > pipeline.schema.json")
}

// Run prints the JSON Schema of pipeline files.
func (schemaCmd) Run(_ context.Context, o *output) error {
	_, err := o.out.Write(spec.Schema())
	if err != nil {
		return fmt.Errorf("print the schema: %w", err)
	}
	return nil
}

type diffCmd struct {
	service
	File     string
	ExitCode bool
}

func (c *diffCmd) command() *cobra.Command {
	cmd := command(c.Run, "diff", "Compare a pipeline file with the current definition.", "rollcall diff pipelines/webshop.yaml", one(&c.File, "FILE", "A pipeline file."))
	cmd.Flags().BoolVar(&c.ExitCode, "exit-code", false, "Exit with 1 when there is a difference.")
	c.service.flags(cmd)
	return cmd
}

// Run prints how a file differs from what is in force.
func (c *diffCmd) Run(ctx context.Context, o *output) error {
	all, err := readDefinitions(o.err, c.File)
	if err != nil {
		return err
	}
	p := all[0].pipeline
	if p == nil {
		return &workflows.Problem{Message: c.File + " is a template", Hint: "name a file that extends it"}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	now, err := c.client().Pipeline(ctx, p.Name)
	var refused *workflows.Problem
	if errors.As(err, &refused) && refused.Code == workflows.CodePipelineNotFound {
		now, err = workflows.PipelineView{}, nil
	}
	if err != nil {
		return err
	}
	changes := spec.Diff(now.Definition, p)
	cancels, err := c.cancels(ctx, now.Definition, p)
	if err != nil {
		return err
	}
	if c.structured() {
		if changes == nil {
			changes = []spec.Change{}
		}
		err = c.printValue(o.out, map[string]any{"pipeline": p.Name, "version": now.Version, "changes": changes, "cancels": cancels})
	} else {
		printChanges(o.out, p.Name, now, changes)
		if len(cancels) > 0 {
			fmt.Fprintf(o.out, "  warning: apply cancels %s, once running actions have ended\n", strings.Join(cancels, ", "))
		}
	}
	if err == nil && c.ExitCode && len(changes) > 0 {
		return errReported
	}
	return err
}

// cancels are the executions that apply would end now.
func (c *diffCmd) cancels(ctx context.Context, now, then *workflows.Pipeline) ([]string, error) {
	refs := []string{}
	if now == nil || now.Shape() == then.Shape() {
		return refs, nil
	}
	for _, status := range []workflows.Status{workflows.StatusInProgress, workflows.StatusStopping} {
		all, err := c.client().Executions(ctx, record.Query{Pipeline: now.Name, Status: status})
		if err != nil {
			return nil, err
		}
		for i := range all {
			if now.Cancels(&all[i], then) {
				refs = append(refs, all[i].Ref())
			}
		}
	}
	return refs, nil
}

func printChanges(w io.Writer, name string, now workflows.PipelineView, changes []spec.Change) {
	switch {
	case now.Definition == nil:
		fmt.Fprintf(w, "%s is new\n", name)
		return
	case len(changes) == 0:
		fmt.Fprintf(w, "%s: no differences (version %d)\n", name, now.Version)
	default:
		fmt.Fprintf(w, "%s differs from version %d:\n", name, now.Version)
	}
	if now.Archived {
		fmt.Fprintf(w, "  it is archived; apply takes it up again\n")
	}
	for _, c := range changes {
		fmt.Fprintf(w, "  %s\n", clean.Line(c.String()))
	}
}
