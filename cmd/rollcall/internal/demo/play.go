package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// play is a person's own pipeline file, and whom it needs.
type play struct {
	path, name  string
	data        []byte
	pipeline    *workflows.Pipeline
	people      []string // mail addresses that it names
	groups      []string // groups of the configuration
	slackGroups []string
	channel     string // without "#"; empty: none of its own
	runner      Simulated
}

func readPlay(path string, beat time.Duration) (*play, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the pipeline file: %w", err)
	}
	pipeline, diagnostics := spec.Parse(path, data)
	if pipeline != nil {
		for _, name := range asked(pipeline) { // machines, and groups that only GitHub knows, are not here: anybody may answer for them
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
	p := &play{path: path, name: filepath.Base(path), data: data, pipeline: pipeline, runner: Simulated{beat: beat, wanted: wanted(pipeline)}}
	p.channel = strings.TrimPrefix(pipeline.Channel, "#")
	for _, name := range asked(pipeline) {
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
func (p *play) kind() string {
	if strings.EqualFold(filepath.Ext(p.path), ".json") {
		return ".json"
	}
	return ".yaml"
}

// asked is everybody whom a pipeline names, each once.
func asked(p *workflows.Pipeline) []string {
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
	return slices.Compact(names)
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

// begin has Dan start the pipeline once, when it has never run.
func (d *Demo) begin(ctx context.Context, sc *scene) error {
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

// Simulated carries out any action without doing it: it takes a moment, then
// succeeds and leaves what the pipeline's references ask for. It keeps nothing:
// when it ends is in the handle.
type Simulated struct {
	beat   time.Duration
	wanted map[string][]string // by namespace
}

// Start begins the moment.
func (s *Simulated) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	log, err := w.Log()
	if err != nil {
		return work.Outcome{}, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	fmt.Fprintf(log, "%s of %s is simulated: nothing happens outside\n", t.Action.ActionType.Provider, t.Stage)
	for _, line := range t.Commands {
		fmt.Fprintf(log, "would run: %s\n", line)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Configuration)) {
		fmt.Fprintf(log, "%s: %s\n", key, t.Configuration[key])
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.ID))
	takes := s.beat*2/3 + time.Duration(h.Sum32()%100)*s.beat*2/300
	return work.Outcome{Task: t.ID, State: work.Running, Handle: time.Now().Add(takes).UTC().Format(time.RFC3339Nano), PollAfter: takes}, nil
}

// Poll ends the action once its moment is over.
func (s *Simulated) Poll(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	if until, err := time.Parse(time.RFC3339Nano, t.Handle); err == nil && time.Now().Before(until) {
		return work.Outcome{Task: t.ID, State: work.Running, Handle: t.Handle, PollAfter: time.Until(until)}, nil
	}
	o := work.Outcome{Task: t.ID, State: work.Succeeded, Summary: "simulated", Outputs: map[string]string{}}
	commit := madeUp(t.Execution)
	if t.Revision != nil && t.Revision.RevisionID != "" {
		commit = t.Revision.RevisionID
	}
	for _, key := range append(slices.Clone(s.wanted[t.Action.Namespace]), t.Action.OutputVariables...) {
		o.Outputs[key] = plausible(key, commit, t)
	}
	if t.Action.IsSource() {
		o.Summary = "a made-up change"
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: commit, RevisionSummary: o.Summary, Branch: t.Configuration["BranchName"]}
	}
	empty := filepath.Join(w.Dir(), "empty")
	if err := os.MkdirAll(empty, 0o700); err != nil {
		return work.Outcome{}, fmt.Errorf("make an empty folder: %w", err)
	}
	for _, out := range t.Action.OutputArtifacts {
		a, err := w.Pack(out.Name, empty, nil)
		if err != nil {
			return work.Outcome{}, fmt.Errorf("store output artifact %q: %w", out.Name, err)
		}
		o.Artifacts = append(o.Artifacts, a)
	}
	return o, nil
}

// Cancel ends the moment; there is nothing outside that could go on.
func (s *Simulated) Cancel(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}

// Find answers that a start whose answer was lost did not happen.
func (s *Simulated) Find(context.Context, work.Task, work.Workspace) (work.Outcome, bool, error) {
	return work.Outcome{}, false, nil
}

// madeUp is a commit that nobody made.
func madeUp(seed string) string {
	var b strings.Builder
	for i := 0; b.Len() < 40; i++ {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s/%d", seed, i)
		fmt.Fprintf(&b, "%016x", h.Sum64())
	}
	return b.String()[:40]
}

// plausible is a value such as an output variable of that name could have.
func plausible(key, commit string, t work.Task) string {
	switch lower := strings.ToLower(key); {
	case lower == "commitid":
		return commit
	case lower == "branchname":
		return orElse(t.Configuration["BranchName"], "main")
	case lower == "commitmessage":
		return "a made-up change"
	case strings.HasSuffix(lower, "date"):
		return "2026-01-02T15:04:05Z"
	case lower == "repositoryname", lower == "fullrepositoryname":
		return orElse(t.Configuration["FullRepositoryId"], "acme/app")
	case strings.Contains(lower, "url"), strings.Contains(lower, "endpoint"), strings.Contains(lower, "link"):
		return "https://" + strings.ToLower(t.Action.Name) + ".example"
	case strings.Contains(lower, "tag"), strings.Contains(lower, "version"):
		return "1.0." + fmt.Sprint(t.Number)
	}
	return "simulated-" + strings.ToLower(key)
}
