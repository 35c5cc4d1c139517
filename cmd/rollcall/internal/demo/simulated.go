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
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Simulated carries out any action without doing it: it takes a moment, then
// succeeds and leaves what the pipeline's references ask for. It keeps nothing:
// when it ends is in the handle.
type Simulated struct {
	beat   func() time.Duration     // how long an action takes, more or less
	fails  func(action string) bool // whether STAGE/ACTION is to fail this once
	wanted map[string][]string      // by namespace
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
	beat := s.beat()
	takes := beat*2/3 + time.Duration(h.Sum32()%100)*beat*2/300
	return work.Outcome{Task: t.ID, State: work.Running, Handle: time.Now().Add(takes).UTC().Format(time.RFC3339Nano), PollAfter: takes}, nil
}

// Poll ends the action once its moment is over.
func (s *Simulated) Poll(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	if until, err := time.Parse(time.RFC3339Nano, t.Handle); err == nil && time.Now().Before(until) {
		return work.Outcome{Task: t.ID, State: work.Running, Handle: t.Handle, PollAfter: time.Until(until)}, nil
	}
	if s.fails(t.Stage + "/" + t.Action.Name) {
		return work.Outcome{Task: t.ID, State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "failed because you asked for it"}}, nil
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
