package fill

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// source is a repository in memory: one commit, whose files are packed once.
type source struct {
	once     sync.Once
	artifact workflows.Artifact
	err      error
}

func (s *source) pack(w work.Workspace) {
	dir := w.Dir()
	if s.err = os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600); s.err == nil {
		s.artifact, s.err = w.Pack("app", dir, nil)
	}
}

// Start brings the one commit.
func (s *source) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	s.once.Do(func() { s.pack(w) })
	return work.Outcome{Task: t.ID, State: work.Succeeded, Artifacts: []workflows.Artifact{s.artifact},
		Revision: &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: "6f1c8f0f8a0d4f0c9b8f4b0f2f3a5c7d9e1b2a34", RevisionSummary: "Add a", Branch: "main"}}, s.err
}

// Poll is never called: every start ends at once.
func (s *source) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return s.Start(ctx, t, w)
}

// Cancel confirms.
func (s *source) Cancel(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}

// ended is a runner whose work is done at once.
type ended struct{}

// Start succeeds.
func (ended) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Succeeded}, nil
}

// Poll succeeds.
func (ended) Poll(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Succeeded}, nil
}

// Cancel confirms.
func (ended) Cancel(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}
