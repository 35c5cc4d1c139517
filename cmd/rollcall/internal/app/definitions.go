package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/workflows"
	runtimeinbound "github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// defineAtOnce is how many definitions are applied side by side, so that they share commits.
const defineAtOnce = 64

// definitions keeps what is in force in step with the pipeline files: a new or
// changed file is a new version, a vanished one archives its pipeline, a broken
// one changes nothing and is told to the owners. A template is no pipeline; a
// change of it is one of every file that extends it. Loading never starts anything.
type definitions struct {
	*App
	reading     string               // identifies the program that reads the files
	coarse      bool                 // the file system tells changes apart by seconds only
	known       map[string]*contents // of every file, as it was when all of it was in force; nil: nothing was loaded yet
	saved       map[string][]byte    // the memos of which known has nothing; those that are in known are empty
	links       []string             // those of the files that are symbolic links
	logged      bool                 // the warnings of all files are in the log
	incomplete  bool                 // the last look did not come to its end
	unreported  []func() bool        // what is broken and nobody could be told; a file that is read again tells it anew
	reportAgain time.Time            // when they are tried again
}

func (a *App) definitions() *definitions {
	return &definitions{App: a, reading: thisProgram(), coarse: !reportsChanges(a.config.Pipelines), incomplete: true}
}

// watch reloads when a file changes and on SIGHUP.
func (d *definitions) watch(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	w := &watcher{}
	defer w.close()
	why := ""
	for ctx.Err() == nil {
		err := d.look(ctx, w)
		if err != nil && err.Error() != why {
			why = err.Error()
			d.log.Info("changes of the pipeline files are not reported by the system; they are looked for", "every", pollEvery, "because", why)
		}
		if w.next(ctx, hup, d.nextLook(err == nil)) {
			d.readAnew()
		}
	}
	return nil
}

// look brings what is in force in step with the files, and has every later change
// of them reported. The error says why changes are not reported.
func (d *definitions) look(ctx context.Context, w *watcher) error {
	for {
		places := d.places()
		unreported := w.watch(places)
		if err := d.reload(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("the pipeline files could not be read", "err", err)
		}
		if unreported != nil || ctx.Err() != nil || places.equal(d.places()) { // else a new template may have changed before it was watched
			return unreported
		}
	}
}

// nextLook is after how long the files are looked at although nothing is known to
// have changed.
func (d *definitions) nextLook(reported bool) time.Duration {
	switch {
	case !reported, d.incomplete:
		return pollEvery
	case len(d.unreported) > 0:
		return min(reportAgainEvery, checkEvery)
	}
	return checkEvery
}

// readAnew has every file parsed at the next look, whatever is known of it.
func (d *definitions) readAnew() {
	clear(d.known)
	d.incomplete, d.logged = true, false
}

// scan is what one look found in the folder.
type scan struct {
	all       []*reading
	templates *templateCache
}

// scan looks at all files, and parses those that are not known. It needs the
// engine's memos alone, so the first one can be made while the engine loads.
func (d *definitions) scan(ctx context.Context) (s scan, err error) {
	if d.known == nil {
		if err := d.loadKnown(ctx); err != nil {
			return s, err
		}
	}
	paths, err := d.list()
	if err != nil {
		return s, err
	}
	s.templates = &templateCache{folder: d.config.Pipelines, opened: map[string]template{}}
	s.all, err = d.readAll(paths, s.templates)
	return s, err
}

// reload brings what is in force in step with the files.
func (d *definitions) reload(ctx context.Context) error {
	s, err := d.scan(ctx)
	if err != nil {
		return err
	}
	return d.apply(ctx, s)
}

// firstScan is made while the engine loads.
type firstScan struct {
	d    *definitions
	done chan struct{} // closed when the rest is there
	scan scan
	err  error
}

func (d *definitions) firstScan(ctx context.Context) *firstScan {
	f := &firstScan{d: d, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.scan, f.err = d.scan(ctx)
	}()
	return f
}

// wait returns when the store is no longer read.
func (f *firstScan) wait() { <-f.done }

// apply brings what is in force in step with it.
func (f *firstScan) apply(ctx context.Context) error {
	f.wait()
	if f.err != nil {
		return f.err
	}
	found := f.scan
	f.scan = scan{} // it holds every definition, and f stays until the end
	return f.d.apply(ctx, found)
}

// apply brings what is in force in step with what was found. What could not be
// submitted is tried again at the next look.
func (d *definitions) apply(ctx context.Context, s scan) error {
	all := s.all
	if !d.incomplete && len(all) == len(d.known) && !slices.ContainsFunc(all, func(r *reading) bool { return r.fresh || d.known[r.path] == nil }) {
		for _, r := range all {
			d.known[r.path] = r.contents // with its newest stamp
		}
		if len(d.unreported) > 0 && time.Now().After(d.reportAgain) {
			d.reportUnreported()
		}
		return nil
	}
	d.incomplete = true
	if err := d.applyChanges(ctx, all, s.templates); err != nil {
		return err
	}
	if err := d.saveKnown(ctx, all); err != nil {
		return err
	}
	d.incomplete, d.logged, d.unreported = false, true, nil
	for _, r := range all { // after everything else is in force: chat may be slow
		if r.isBroken() {
			d.reportFaults(ctx, r)
		}
	}
	if d.reportUnreported(); len(d.unreported) > 0 {
		d.log.Warn("the owners of broken pipeline files could not be notified; that is tried again every minute", "files", len(d.unreported))
	}
	return nil
}

// applyChanges submits what differs from what is in force.
func (d *definitions) applyChanges(ctx context.Context, all []*reading, templates *templateCache) error {
	inForce, err := d.engine.InForce(ctx)
	if err != nil {
		return fmt.Errorf("read the current definitions: %w", err)
	}
	refuseUsedNames(inForce, all)
	in, broken := map[string]bool{}, map[string]bool{} // pipelines; files with faults
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(defineAtOnce)
	for _, r := range all {
		if r.fresh || !d.logged {
			d.warn(r)
		}
		switch {
		case r.template:
			continue
		case r.isBroken():
			broken[r.path] = true
			continue
		}
		in[r.Pipeline] = true
		if r.fresh {
			d.forget(ctx, r.path)
		}
		if now := inForce[r.Pipeline]; now.Digest == r.Definition && now.ManagedBy == fileManager+r.path {
			continue
		}
		g.Go(func() error { return d.define(gctx, r, templates) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return d.archive(ctx, inForce, in, broken)
}

// fileManager stands before the path of the file that manages a pipeline.
const fileManager = "file:"

// refuseUsedNames makes every file a broken one whose pipeline another file
// defines: the one that is in force, as long as it is there and does not say
// another name, also while it is broken itself; otherwise the first.
func refuseUsedNames(inForce map[string]runtimeinbound.InForce, all []*reading) {
	files := map[string]*reading{}
	for _, r := range all {
		files[r.path] = r
	}
	owner := map[string]string{} // pipeline -> file
	for name, now := range inForce {
		path, ok := strings.CutPrefix(now.ManagedBy, fileManager)
		if r := files[path]; ok && r != nil && !r.template && (r.isBroken() || r.Pipeline == name) {
			owner[name] = path
		}
	}
	for _, r := range all {
		switch {
		case r.template || r.isBroken():
		case owner[r.Pipeline] == "":
			owner[r.Pipeline] = r.path
		case owner[r.Pipeline] != r.path:
			r.refused = &spec.Diagnostic{File: r.path, Line: 1, Col: 1,
				Message: fmt.Sprintf("the pipeline %s is defined in %s already", r.Pipeline, owner[r.Pipeline]), Hint: "give one of them another name"}
		}
	}
}

func (d *definitions) define(ctx context.Context, r *reading, templates *templateCache) error {
	p, err := d.parsed(r, templates)
	if err != nil {
		return err
	}
	res, err := d.engine.Submit(ctx, workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: fileManager + r.path}, workflows.EnginePrincipal())
	var refused *workflows.Problem
	switch {
	case errors.As(err, &refused) && refused.Code != workflows.CodeCommitUnknown && refused.Code != workflows.CodeUnavailable:
		d.log.Error("a pipeline file was refused", "file", r.path, "problem", refused.Error())
	case err != nil:
		return fmt.Errorf("apply %s: %w", r.path, err)
	case res.Changed:
		d.log.Info("pipeline definition applied", "pipeline", p.Name, "version", res.Version, "file", r.path)
	}
	return nil
}

// archive retires the pipelines whose file has vanished.
func (d *definitions) archive(ctx context.Context, inForce map[string]runtimeinbound.InForce, in, broken map[string]bool) error {
	for name, now := range inForce {
		path, ok := strings.CutPrefix(now.ManagedBy, fileManager)
		if !ok || in[name] || broken[path] {
			continue
		}
		if _, err := d.engine.Submit(ctx, workflows.Intent{Verb: workflows.Archive, Pipeline: name, ManagedBy: now.ManagedBy}, workflows.EnginePrincipal()); err != nil {
			return fmt.Errorf("archive %s, whose file is gone: %w", name, err)
		}
		d.log.Info("pipeline archived, its file is gone", "pipeline", name, "file", path)
	}
	return nil
}
