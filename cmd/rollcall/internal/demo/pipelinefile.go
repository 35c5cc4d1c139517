package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/vars"
)

// pipelineFile is a person's own pipeline file, and whom it needs.
type pipelineFile struct {
	path, name  string
	data        []byte
	pipeline    *workflows.Pipeline
	people      []string // mail addresses that it names
	groups      []string // groups of the configuration
	slackGroups []string
	channel     string // without "#"; empty: none of its own
	runner      Simulated
	differences []Difference // to AWS
}

func readPipelineFile(path string) (*pipelineFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the pipeline file: %w", err)
	}
	pipeline, diagnostics := spec.Parse(path, data)
	if pipeline != nil {
		for _, name := range access.NamedIn(pipeline) { // machines, and groups that only GitHub knows, are not here: anybody may answer for them
			if strings.HasPrefix(name, "token:") || strings.HasPrefix(name, "github-team:") {
				data = []byte(strings.ReplaceAll(string(data), name, "everyone"))
			}
		}
		pipeline, diagnostics = spec.Parse(path, data)
	}
	if pipeline == nil {
		var lines []string
		for _, g := range diagnostics {
			if !g.Warning {
				lines = append(lines, g.String())
			}
		}
		return nil, fmt.Errorf("%s cannot be played\n%s", path, strings.Join(lines, "\n"))
	}
	p := &pipelineFile{path: path, name: filepath.Base(path), data: data, pipeline: pipeline, runner: Simulated{wanted: wanted(pipeline)}, differences: differences(pipeline)}
	p.channel = strings.TrimPrefix(pipeline.Channel, "#")
	for _, name := range access.NamedIn(pipeline) {
		group, isGroup := strings.CutPrefix(name, "group:")
		slackGroup, isSlack := strings.CutPrefix(name, "slack-group:")
		switch {
		case isGroup:
			p.groups = append(p.groups, group)
		case isSlack:
			p.slackGroups = append(p.slackGroups, slackGroup)
		case strings.Contains(name, "@"):
			p.people = append(p.people, name)
		}
	}
	return p, nil
}

// kind is the extension under which the service reads the file, whatever its own is.
func (p *pipelineFile) kind() string {
	if strings.EqualFold(filepath.Ext(p.path), ".json") {
		return ".json"
	}
	return ".yaml"
}

// wanted is what the pipeline's references ask of each namespace.
func wanted(p *workflows.Pipeline) map[string][]string {
	keys := map[string][]string{}
	note := func(text string) {
		refs, err := vars.Refs(text)
		if err != nil {
			return
		}
		for _, r := range refs {
			if !slices.Contains(keys[r.Namespace], r.Key) {
				keys[r.Namespace] = append(keys[r.Namespace], r.Key)
			}
		}
	}
	for _, s := range p.Stages {
		for _, a := range s.Actions {
			for _, value := range a.Configuration {
				note(value)
			}
			for _, line := range a.Commands {
				note(line)
			}
			for _, v := range a.EnvironmentVariables {
				note(v.Value)
			}
		}
	}
	return keys
}

// startOnce has Dan start the pipeline once, when it has never run; playColleagues
// waits with it until a page looks.
func (d *Demo) startOnce(ctx context.Context, sc *scene) error {
	if len(sc.newest) > 0 {
		return nil
	}
	words := []string{"start", d.play.pipeline.Name}
	for _, v := range d.play.pipeline.Variables {
		if v.DefaultValue == nil {
			words = append(words, v.Name+"=demo")
		}
	}
	_, err := d.slack.Command(ctx, "UDAN", "CDEPLOYS", strings.Join(words, " "))
	return err
}
