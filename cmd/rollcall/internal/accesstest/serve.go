package accesstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Service is a service on a store of its own, whose pipelines all stand in one
// state, and one of these pipelines. It lives in a bubble of testing/synctest.
type Service struct {
	*runtime.Engine
	Name string // of the pipeline

	t  *testing.T
	st State
	n  *int
}

// Serve starts a service with a first pipeline, and stops it with the test.
func Serve(t *testing.T, st State) *Service {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{NoSync: true, MapSize: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := files.Open(dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	policy, does := st.Policy(), runner(st.Outcomes)
	e, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Policy: &policy, Freezes: st.Freezes,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Runners: map[string]runtime.Runner{"Git": does, "Commands": does},
		Directories: map[string]runtime.Directory{subject.SlackGroup: directory{}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var end error
	var running sync.WaitGroup
	running.Go(func() { end = e.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := errors.Join(end, db.Close()); err != nil {
			t.Error(err)
		}
	})
	<-e.Ready()
	return (&Service{Engine: e, t: t, st: st, n: new(int)}).Fresh()
}

// Fresh makes a pipeline that stands in the service's state.
func (s *Service) Fresh() *Service {
	s.t.Helper()
	*s.n++
	p := s.st.Pipeline(s.t, fmt.Sprintf("web%d", *s.n))
	for _, in := range s.st.Steps(p) {
		if _, err := s.Submit(s.t.Context(), in, workflows.EnginePrincipal()); err != nil {
			s.t.Fatal(err)
		}
		synctest.Wait()
	}
	fresh := *s
	fresh.Name = p.Name
	return &fresh
}

// Now is how the pipeline stands, as somebody sees it who may everything.
func (s *Service) Now() (x *workflows.Execution, view *workflows.PipelineView, at time.Time) {
	s.t.Helper()
	synctest.Wait()
	all, err := s.Executions(s.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: s.Name})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(all) > 0 {
		x = &all[0]
	}
	v, err := s.Engine.Pipeline(s.t.Context(), workflows.EnginePrincipal(), s.Name, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return x, &v, time.Now()
}

// directory knows who is in the chat's group.
type directory struct{}

func (directory) Member(_ context.Context, who workflows.Principal, _ string) (bool, error) {
	return inGroup(who), nil
}

// runner does what a state says, by Stage/Action.
type runner map[string]string

func (r runner) Start(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	switch r[t.Stage+"/"+t.Action.Name] {
	case Hangs:
		return work.Outcome{State: work.Running, Handle: "h", PollAfter: 1000 * time.Hour}, nil
	case InDoubt:
		return work.Outcome{State: work.InDoubt}, nil
	case Fails:
		return work.Outcome{State: work.Failed}, nil
	}
	o := work.Outcome{State: work.Succeeded}
	for _, artifact := range t.Action.OutputArtifacts {
		o.Artifacts = append(o.Artifacts, workflows.Artifact{Name: artifact.Name, Digest: "d", Size: 1})
	}
	if t.Action.IsSource() {
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: "c1"}
		if t.Revision != nil && t.Revision.RevisionID != "" {
			o.Revision = t.Revision
		}
	}
	return o, nil
}

func (r runner) Poll(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Running, PollAfter: 1000 * time.Hour}, nil
}

func (r runner) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	return work.Outcome{State: work.Cancelled}, nil
}
