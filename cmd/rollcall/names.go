package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// shortName is a number, or the newest execution, with the name of the pipeline
// or without: "7", "#7", "@latest", "webshop@latest". Six digits are the end of an ID.
var shortName = regexp.MustCompile(`^(?:#?([0-9]{1,5})|([^@#\s]*)@latest)$`)

// largestFile is how many bytes a pipeline file has at most that is looked for here.
const largestFile = 1 << 20

// reference is where the command line names an execution.
type reference struct {
	name     *string
	pipeline *string // that the command line names too; nil: none
}

// refers keeps where an execution may be named by a short name.
func (s *service) refers(name, pipeline *string) *string {
	s.references = append(s.references, reference{name, pipeline})
	return name
}

// resolve gives executions that are named in short the names that the service
// knows, in one place for all commands: before the command begins.
func (s *service) resolve(ctx context.Context) error {
	for _, r := range s.references {
		m := shortName.FindStringSubmatch(*r.name)
		if m == nil {
			continue
		}
		number, pipeline := m[1], m[2]
		if pipeline == "" && r.pipeline != nil {
			pipeline = *r.pipeline
		}
		if pipeline == "" {
			var err error
			if pipeline, err = s.current(ctx, *r.name); err != nil {
				return err
			}
		}
		if number != "" {
			*r.name = pipeline + "#" + number
			continue
		}
		newest, err := s.client().Executions(ctx, record.Query{Pipeline: pipeline, Limit: 1})
		switch {
		case err != nil:
			return err
		case len(newest) == 0:
			return &workflows.Problem{Message: pipeline + " has not run yet", Hint: "start it with: start " + pipeline}
		}
		*r.name = newest[0].Ref()
	}
	return nil
}

// current is the pipeline that is meant where none is named: the one whose file
// is in this folder or in its folder pipelines, else the only one of the service.
func (s *service) current(ctx context.Context, short string) (string, error) {
	for _, dir := range []string{".", "pipelines"} {
		if here := pipelinesIn(dir); len(here) == 1 {
			return here[0], nil
		}
	}
	views, err := s.client().Pipelines(ctx)
	if err != nil {
		return "", err
	}
	names := pipelineNames(views)
	switch len(names) {
	case 0:
		return "", &workflows.Problem{Message: "there are no pipelines yet", Hint: "write a pipeline file, and apply it"}
	case 1:
		return names[0], nil
	}
	full := names[0] + "@latest"
	if number := strings.TrimPrefix(short, "#"); number != "@latest" {
		full = names[0] + "#" + number
	}
	return "", &workflows.Problem{Message: "it is not clear of which pipeline " + short + " is: there are " + words.List(names[:min(len(names), 5)], "and"), Hint: "name it: " + full}
}

// pipelinesIn are the names of the pipelines whose files are in a folder.
func pipelinesIn(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		switch info, err := e.Info(); {
		case err != nil, !info.Mode().IsRegular(), info.Size() > largestFile:
			continue
		}
		switch filepath.Ext(e.Name()) {
		case ".yaml", ".yml", ".json":
		default:
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if p, _ := spec.Parse(path, data); p != nil && p.Name != "" {
			names = append(names, clean.Line(p.Name))
		}
	}
	return names
}
