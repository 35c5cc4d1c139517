package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// look is how often the pipeline files are compared with what is in force; a
// change must be in force within 5 s.
const look = 2 * time.Second

// definitions keeps what is in force in step with the pipeline files: a new or
// changed file is a new version, a vanished one archives its pipeline, a broken
// one changes nothing and is told to the owners. A template is no pipeline; a
// change of it is one of every file that extends it. Loading never starts anything.
type definitions struct {
	*App
	seen      string   // digest of what was read last
	templates []string // those that pipeline files extended then, relative to the folder
}

func (a *App) definitions() *definitions { return &definitions{App: a} }

// watch reloads when a file changes and on SIGHUP.
func (d *definitions) watch(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			d.seen = ""
		case <-tick.C:
		}
		if err := d.reload(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("the pipeline files could not be read", "err", err)
		}
	}
}

// file is a pipeline file as it was read.
type file struct {
	path string
	data []byte
}

func (d *definitions) read() ([]file, error) {
	var all []file
	entries, err := os.ReadDir(d.config.Pipelines)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the pipelines folder: %w", err)
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".yaml", ".yml", ".json":
		default:
			continue
		}
		if stem := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())); e.IsDir() || strings.HasPrefix(stem, ".") || strings.HasSuffix(stem, ".test") {
			continue // a test of a pipeline lies beside it
		}
		path := filepath.Join(d.config.Pipelines, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read a pipeline file: %w", err)
		}
		all = append(all, file{path, data})
	}
	return all, nil
}

// shelf holds the templates that were opened in one reading, so that all of it
// is of the same moment.
type shelf struct {
	folder string
	opened map[string]template // by path relative to the folder
}

type template struct {
	data []byte
	err  error
}

// open reads a template; what leads out of the folder is refused.
func (s *shelf) open(path string) ([]byte, error) {
	name, err := filepath.Rel(s.folder, path)
	if err != nil {
		return nil, err
	}
	t, known := s.opened[name]
	if !known {
		if root, err := os.OpenRoot(s.folder); err != nil {
			t.err = err
		} else {
			t.data, t.err = root.ReadFile(name)
			_ = root.Close()
		}
		s.opened[name] = t
	}
	return t.data, t.err
}

// names are the paths of what was opened, sorted.
func (s *shelf) names() []string { return slices.Sorted(maps.Keys(s.opened)) }

// digest is of all that was read.
func digest(all []file, s *shelf) string {
	sum := sha256.New()
	for _, f := range all {
		fmt.Fprintf(sum, "%s %d\n%s", f.path, len(f.data), f.data)
	}
	for _, name := range s.names() {
		t := s.opened[name]
		fmt.Fprintf(sum, "%s %d %v\n%s", name, len(t.data), t.err != nil, t.data)
	}
	return string(sum.Sum(nil))
}

// parse reads a pipeline file; a template alone is none, and may be broken all the same.
func (d *definitions) parse(f file, s *shelf) (p *workflows.Pipeline, isTemplate bool, diagnostics []spec.Diagnostic) {
	if isTemplate = spec.IsTemplate(f.data); isTemplate {
		diagnostics = spec.CheckTemplate(f.path, f.data)
	} else {
		p, diagnostics = spec.ParseWith(f.path, f.data, s.open)
	}
	for _, g := range diagnostics {
		if g.Warning {
			d.log.Warn("pipeline file", "problem", g.String())
		}
	}
	return p, isTemplate, diagnostics
}

// reload brings what is in force in step with the files. What could not be
// submitted is tried again at the next look.
func (d *definitions) reload(ctx context.Context) error {
	all, err := d.read()
	if err != nil {
		return err
	}
	templates := &shelf{folder: d.config.Pipelines, opened: map[string]template{}}
	for _, name := range d.templates {
		_, _ = templates.open(filepath.Join(templates.folder, name)) // one that is gone is a change too
	}
	if digest(all, templates) == d.seen {
		return nil
	}
	templates.opened = map[string]template{}
	in, broken := map[string]string{}, map[string]bool{} // pipeline -> file; files with faults
	var tell []func()                                    // after everything else is in force: chat may be slow
	for _, f := range all {
		p, isTemplate, diagnostics := d.parse(f, templates)
		if isTemplate {
			if slices.ContainsFunc(diagnostics, func(g spec.Diagnostic) bool { return !g.Warning }) {
				tell = append(tell, func() { d.tell(ctx, f, diagnostics) })
			}
			continue
		}
		if p != nil && in[p.Name] != "" {
			diagnostics = append(diagnostics, spec.Diagnostic{File: f.path, Line: 1, Col: 1, Message: fmt.Sprintf("the pipeline %s is defined in %s already", p.Name, in[p.Name]), Hint: "give one of them another name"})
			p = nil
		}
		if p == nil {
			broken[f.path] = true
			tell = append(tell, func() { d.tell(ctx, f, diagnostics) })
			continue
		}
		in[p.Name] = f.path
		d.strangers(p, f.path)
		if err := d.define(ctx, p, f.path); err != nil {
			return err
		}
		d.forget(ctx, f.path)
	}
	if err := d.archive(ctx, in, broken); err != nil {
		return err
	}
	d.seen, d.templates = digest(all, templates), templates.names()
	for _, t := range tell {
		t()
	}
	return nil
}

func (d *definitions) define(ctx context.Context, p *workflows.Pipeline, path string) error {
	res, err := d.engine.Submit(ctx, workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, Definitions: p, ManagedBy: "file:" + path}, workflows.EnginePrincipal())
	var refused *workflows.Problem
	switch {
	case errors.As(err, &refused) && refused.Code != workflows.CodeCommitUnknown && refused.Code != workflows.CodeUnavailable:
		d.log.Error("a pipeline file was refused", "file", path, "problem", refused.Error())
	case err != nil:
		return fmt.Errorf("put %s in force: %w", path, err)
	case res.Changed:
		d.log.Info("pipeline in force", "pipeline", p.Name, "version", res.Version, "file", path)
	}
	return nil
}

// strangers warns of names in a definition that the configuration does not know: a gate that asks them waits for nobody.
func (d *definitions) strangers(p *workflows.Pipeline, path string) {
	names := slices.Clone(p.Owners)
	for _, s := range p.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil {
				names = append(append(names, a.Approval.From...), a.Approval.Ask...)
				names = slices.AppendSeq(names, maps.Keys(a.Approval.AtLeast))
			}
		}
	}
	slices.Sort(names)
	for _, who := range slices.Compact(names) {
		if fault := d.policy.CheckWho(who); fault != nil {
			d.log.Warn("a pipeline file names somebody unknown", "file", path, "problem", fault.Message, "hint", fault.Hint)
		}
	}
}

// archive retires the pipelines whose file has vanished.
func (d *definitions) archive(ctx context.Context, in map[string]string, broken map[string]bool) error {
	views, err := d.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return fmt.Errorf("look for vanished pipeline files: %w", err)
	}
	for _, v := range views {
		if v.ManagedBy != "file" || in[v.Name] != "" || broken[v.File] || v.Archived {
			continue
		}
		if _, err := d.engine.Submit(ctx, workflows.Intent{Verb: workflows.Archive, Pipeline: v.Name, ManagedBy: "file:" + v.File}, workflows.EnginePrincipal()); err != nil {
			return fmt.Errorf("archive %s, whose file is gone: %w", v.Name, err)
		}
		d.log.Info("pipeline archived, its file is gone", "pipeline", v.Name, "file", v.File)
	}
	return nil
}

// tell says once per content of a broken file what is wrong with it: in the
// log, and to the owners in the pipeline's channel.
func (d *definitions) tell(ctx context.Context, f file, diagnostics []spec.Diagnostic) {
	lines := make([]string, 0, len(diagnostics))
	for _, g := range diagnostics {
		if !g.Warning {
			lines = append(lines, strings.TrimPrefix(g.String(), d.config.Pipelines+"/"))
		}
	}
	d.log.Error("a pipeline file is broken and changes nothing", "file", f.path, "problems", lines)
	memo, digest := d.engine.Notebook("definitions"), sha256.Sum256([]byte(strings.Join(append(lines, string(f.data)), "\n")))
	if told, _, err := memo.Memo(ctx, f.path); err != nil || string(told) == string(digest[:]) {
		return
	}
	v, known := d.inForce(ctx, f.path)
	if d.chat == nil || !known {
		return
	}
	who, err := d.chat.People(ctx, v.Definition.Owners)
	if err != nil {
		who = v.Definition.Owners
	}
	channel := v.Definition.Channel
	if channel == "" {
		channel = d.config.Slack.Channel
	}
	text := fmt.Sprintf("%s The file of *%s* is broken and changes nothing; version %d stays in force.\n```%s```", strings.Join(who, " "), v.Name, v.Version, strings.Join(lines, "\n"))
	if _, err := d.chat.Post(ctx, bot.Message{Channel: channel, Text: text}); err != nil {
		d.log.Warn("the owners of a broken pipeline file could not be told", "file", f.path, "err", err)
		return
	}
	if err := memo.Note(ctx, f.path, digest[:]); err != nil {
		d.log.Warn("could not note who was told", "file", f.path, "err", err)
	}
}

func (d *definitions) forget(ctx context.Context, path string) {
	memo := d.engine.Notebook("definitions")
	if _, told, err := memo.Memo(ctx, path); err == nil && told {
		_ = memo.Note(ctx, path, nil) // told again at worst
	}
}

func (d *definitions) inForce(ctx context.Context, path string) (workflows.PipelineView, bool) {
	views, err := d.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return workflows.PipelineView{}, false
	}
	for _, v := range views {
		if v.File == path && v.Definition != nil {
			return v, true
		}
	}
	return workflows.PipelineView{}, false
}
