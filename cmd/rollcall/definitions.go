package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// definition is a pipeline file as it was read. A template, which is not a
// pipeline by itself, has none.
type definition struct {
	file     string
	pipeline *workflows.Pipeline
}

// readDefinitions reads pipeline files, with the templates that they extend,
// and prints every problem of every one to w. It answers errTold when one of
// them cannot be used.
func readDefinitions(w io.Writer, files ...string) ([]definition, error) {
	var all []definition
	failed := false
	for _, file := range files {
		p, diagnostics := readDefinition(file)
		for _, d := range diagnostics {
			fmt.Fprintln(w, d)
			failed = failed || !d.Warning
		}
		all = append(all, definition{file, p})
	}
	if failed {
		return nil, errTold
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
	Files []string `arg:"" name:"file" help:"Pipeline files."`
}

// Run prints every problem of every file; the exit status is 1 when there is an error among them.
func (v *validateCmd) Run(o *output) error {
	_, err := readDefinitions(o.out, v.Files...)
	return err
}

type applyCmd struct {
	service
	Files      []string `arg:"" name:"file" help:"Pipeline files."`
	Start      bool     `help:"Start the pipelines that have changed."`
	StartNamed []string `name:"start-pipeline" help:"Start this pipeline of the files, changed or not." placeholder:"P"`
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
	if c.JSON {
		return printJSON(o.out, map[string]any{"pipelines": answers})
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
	if c.JSON {
		out = o.err // what is for machines must be nothing else
	}
	if answer.Changed {
		fmt.Fprintf(out, "%s: version %d\n", answer.Name, answer.Version)
	} else {
		fmt.Fprintf(out, "%s: unchanged, version %d\n", answer.Name, answer.Version)
	}
	for _, w := range answer.Weakened {
		fmt.Fprintf(out, "  careful: %s\n", client.WeakenedWords(w))
	}
	if c.Start && answer.Changed || slices.Contains(c.StartNamed, answer.Name) {
		e, err := c.client().Start(ctx, answer.Name)
		if err != nil {
			return answer, about(d.file+" is in force and was not started", err)
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

// Run prints the JSON Schema of pipeline files.
func (schemaCmd) Run(o *output) error {
	_, err := o.out.Write(spec.Schema())
	if err != nil {
		return fmt.Errorf("print the schema: %w", err)
	}
	return nil
}

type diffCmd struct {
	service
	File     string `arg:"" help:"A pipeline file."`
	ExitCode bool   `help:"Exit with 1 when there is a difference."`
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
	if c.JSON {
		if changes == nil {
			changes = []spec.Change{}
		}
		err = printJSON(o.out, map[string]any{"pipeline": p.Name, "version": now.Version, "changes": changes})
	} else {
		printChanges(o.out, p.Name, now, changes)
	}
	if err == nil && c.ExitCode && len(changes) > 0 {
		return errTold
	}
	return err
}

func printChanges(w io.Writer, name string, now workflows.PipelineView, changes []spec.Change) {
	switch {
	case now.Definition == nil:
		fmt.Fprintf(w, "%s is new\n", name)
		return
	case len(changes) == 0:
		fmt.Fprintf(w, "%s is as in force, version %d\n", name, now.Version)
	default:
		fmt.Fprintf(w, "%s differs from what is in force, version %d:\n", name, now.Version)
	}
	if now.Archived {
		fmt.Fprintf(w, "  it is archived; apply takes it up again\n")
	}
	for _, c := range changes {
		fmt.Fprintf(w, "  %s\n", c)
	}
}

type exportCmd struct {
	service
	Pipelines []string `arg:"" optional:"" name:"pipeline" help:"The pipelines; default all."`
	Version   int      `help:"An earlier version, of one pipeline." placeholder:"N"`
	Dir       string   `help:"Write a file for each pipeline into this folder." placeholder:"DIR"`
}

// Validate refuses what cannot be meant, before anything is asked for.
func (c *exportCmd) Validate() error {
	if c.Version < 0 || c.Version > 0 && len(c.Pipelines) != 1 {
		return errors.New("--version: name one pipeline and one of its versions")
	}
	return nil
}

// Run prints what is in force as pipeline files.
func (c *exportCmd) Run(ctx context.Context, o *output) error {
	all, err := c.inForce(ctx)
	if err != nil {
		return err
	}
	if c.Dir != "" {
		return c.write(o, all)
	}
	if c.JSON && len(all) != 1 {
		return printJSON(o.out, map[string]any{"pipelines": all})
	}
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(o.out, "---")
		}
		if _, err := o.out.Write(c.print(p)); err != nil {
			return fmt.Errorf("print %s: %w", p.Name, err)
		}
	}
	return nil
}

// inForce asks for the definitions that are wanted.
func (c *exportCmd) inForce(ctx context.Context) ([]*workflows.Pipeline, error) {
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

// print is a definition as a pipeline file.
func (c *exportCmd) print(p *workflows.Pipeline) []byte {
	if c.JSON {
		return spec.PrintJSON(p)
	}
	return spec.Print(p)
}

// write never replaces a file that says something else: it may hold comments, or a template.
func (c *exportCmd) write(o *output, all []*workflows.Pipeline) error {
	extension := ".yaml"
	if c.JSON {
		extension = ".json"
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // pipeline files are no secret
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, p := range all {
		path := filepath.Join(c.Dir, filepath.Base(p.Name+extension))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // pipeline files are no secret
		if errors.Is(err, os.ErrExist) {
			return &workflows.Problem{Message: path + " is there already; it was left as it is", Hint: "name another --dir, or take the file away"}
		}
		if err != nil {
			return fmt.Errorf("write a pipeline file: %w", err)
		}
		_, err = f.Write(c.print(p))
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Fprintln(o.out, path)
	}
	return nil
}
