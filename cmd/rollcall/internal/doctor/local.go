package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const database = "rollcall.db"

// folder looks at the data folder: whether the service can write there, and
// nobody else read.
func (d *doctor) folder() []Check {
	dir := d.c.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		above := filepath.Dir(dir)
		if !writable(above) {
			return in("data", selftest.Result{Status: selftest.Failed, Message: dir + " is not there and cannot be made: " + above + " is missing or not writable for this user", Fix: []string{"create " + dir + " and give it to the service's user, or set dataDir"}})
		}
		return in("data", selftest.Result{Status: selftest.OK, Message: dir + " will be made at the first start"})
	case err != nil:
		return in("data", selftest.Result{Status: selftest.Failed, Message: dir + " cannot be looked at: " + err.Error(), Fix: []string{"run doctor as the service's user"}})
	case !info.IsDir():
		return in("data", selftest.Result{Status: selftest.Failed, Message: dir + " is no folder", Fix: []string{"set dataDir to a folder"}})
	case !writable(dir):
		return in("data", selftest.Result{Status: selftest.Failed, Message: dir + " is not writable for this user", Fix: []string{"give it to the service's user, or run doctor as that user"}})
	}
	checks := []selftest.Result{{Status: selftest.OK, Message: dir}}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		checks[0] = selftest.Result{Status: selftest.Warning, Message: fmt.Sprintf("others can look into %s (mode %#o)", dir, info.Mode().Perm()), Fix: []string{"chmod 700 " + dir + "; the service does it at its start"}}
	}
	if _, err := os.Stat(filepath.Join(dir, database)); errors.Is(err, fs.ErrNotExist) && hasWork(dir) {
		checks = append(checks, selftest.Result{Status: selftest.Failed, Message: filepath.Join(dir, database) + " is missing beside the work of a service",
			Fix: []string{"restore a backup of it (rollcall restore), or start once with rollcall serve --new for a new beginning"}})
	}
	return in("data", checks...)
}

// hasWork says whether a service has left files in a data folder.
func hasWork(dir string) bool {
	return slices.ContainsFunc([]string{"artifacts", "logs", "runs"}, func(name string) bool {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		return err == nil && len(entries) > 0
	})
}

// files reads every pipeline file, as the service does at its start.
func (d *doctor) files() []Check {
	dir := d.c.Pipelines
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		if len(d.c.Bridges) > 0 || len(d.ecsGates()) > 0 {
			return in("pipelines", selftest.Result{Status: selftest.OK, Message: "there is no folder " + dir + ": all pipelines are in AWS"})
		}
		return in("pipelines", selftest.Result{Status: selftest.Warning, Message: "there is no folder " + dir + ", so there are no pipelines from files", Fix: []string{"create it, or set pipelines"}})
	}
	var checks []selftest.Result
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is good
		for _, file := range found {
			if stem := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)); strings.HasPrefix(stem, ".") || strings.HasSuffix(stem, ".test") {
				continue // the service reads neither
			}
			p, fault := read(file)
			if fault != nil {
				checks = append(checks, *fault)
			}
			if p != nil {
				d.pipelines = append(d.pipelines, p)
			}
		}
	}
	if len(checks) == 0 {
		checks = []selftest.Result{{Status: selftest.OK, Message: words.Count(len(d.pipelines), "pipeline") + " in " + dir}}
	}
	return in("pipelines", checks...)
}

// read reads one pipeline file; what is wrong comes as one check.
func read(file string) (*workflows.Pipeline, *selftest.Result) {
	name := filepath.Base(file)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &selftest.Result{About: name, Status: selftest.Failed, Message: "cannot be read: " + err.Error()}
	}
	var p *workflows.Pipeline
	var diagnostics []spec.Diagnostic
	if spec.IsTemplate(data) {
		diagnostics = spec.CheckTemplate(file, data)
	} else {
		p, diagnostics = spec.ParseWith(filepath.ToSlash(file), data, func(path string) ([]byte, error) { return beside(file, path) })
	}
	var said []string
	failed := false
	for _, f := range diagnostics {
		said, failed = append(said, f.String()), failed || !f.Warning
	}
	if len(said) == 0 {
		return p, nil
	}
	check := &selftest.Result{About: name, Status: selftest.Warning, Message: said[0], Fix: []string{"rollcall validate " + file + " lists all"}}
	if failed {
		check.Status, p = selftest.Failed, nil
	}
	return p, check
}

// beside reads a template in the file's folder or below; a link does not lead out of it.
func beside(file, path string) ([]byte, error) {
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
	return root.ReadFile(name) //nolint:wrapcheck // says which file
}

// repositories are those at GitHub that pipelines take their source from.
func (d *doctor) repositories() (names []string) {
	for _, p := range d.pipelines {
		for _, s := range p.Stages {
			for _, a := range s.Actions {
				name := a.Configuration["FullRepositoryId"]
				if a.ActionType.Provider == "GitHub" && strings.Count(name, "/") == 1 && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}
