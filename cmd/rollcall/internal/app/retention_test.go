package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/datadir"
	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// packer is a runner that leaves a log, and an artifact of new content, as old as the clock of the test says.
type packer struct{ dir string }

func (p packer) Start(_ context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	o := work.Outcome{State: work.Succeeded}
	log, err := w.Log()
	if err != nil {
		return o, err
	}
	fmt.Fprintln(log, "done")
	for _, out := range t.Action.OutputArtifacts {
		if err := os.WriteFile(filepath.Join(w.Dir(), "f"), []byte(t.ID), 0o600); err != nil {
			return o, err
		}
		a, err := w.Pack(out.Name, w.Dir(), []string{"f"})
		if err != nil {
			return o, err
		}
		if err := os.Chtimes(filepath.Join(p.dir, "artifacts", a.Digest+".tar.gz"), time.Now(), time.Now()); err != nil {
			return o, err
		}
		o.Artifacts = append(o.Artifacts, a)
	}
	if t.Action.IsSource() {
		o.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: "c1"}
	}
	if t.Stage == "Build" && t.Number%4 == 0 {
		o.State, o.Artifacts, o.Error = work.Failed, nil, &workflows.Reason{Code: "ActionFailed", Message: "it broke"}
	}
	return o, log.Close()
}

func (packer) Poll(context.Context, work.Task, work.Workspace) (o work.Outcome, err error) {
	return o, nil
}
func (packer) Cancel(context.Context, work.Task, work.Workspace) (o work.Outcome, err error) {
	return o, nil
}

// A data folder from which retention has removed what is old is whole, on real
// files: every row leads where it should, and what can be rolled back to has its artifacts.
func TestWhatRetentionLeavesIsWhole(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{NoSync: true, MapSize: 32 << 20})
		if err != nil {
			t.Fatal(err)
		}
		disk, err := files.Open(dir, files.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const day = 24 * time.Hour
		e, err := runtime.New(runtime.Options{Store: db, History: db, Inbox: db, Memos: db, Runs: disk, Objects: disk, Rows: db, Files: disk,
			Retention: retention.Policy{Executions: retention.Age(40 * day), Logs: retention.Age(9 * day), Artifacts: retention.Age(9 * day)},
			Runners:   map[string]runtime.Runner{"Git": packer{dir}, "Commands": packer{dir}}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		<-e.Ready()
		p, faults := spec.Parse("p.yaml", []byte(`
name: web
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Make, provider: Commands, commands: ["true"], inputArtifacts: [app], outputArtifacts: [{name: dist, files: [f]}]}]
  - name: Production
    actions: [{name: Ship, provider: Commands, commands: ["true"], inputArtifacts: [dist]}]
`))
		if p == nil {
			t.Fatal(faults)
		}
		ask := func(in workflows.Intent) {
			t.Helper()
			in.Pipeline = "web"
			if _, err := e.Submit(ctx, in, workflows.EnginePrincipal()); err != nil {
				t.Fatal(err)
			}
		}
		ask(workflows.Intent{Verb: workflows.Edit, NewDefinition: p, ManagedBy: "api"})
		for range 60 {
			ask(workflows.Intent{Verb: workflows.Start})
			time.Sleep(day) // of the bubble
		}
		counts := func(pattern string) int {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			return len(found)
		}
		logs, artifacts := counts("logs/*"), counts("artifacts/*")
		targets, err := e.Targets(ctx, workflows.EnginePrincipal(), "web", "Production")
		if err != nil || len(targets) != 20 {
			t.Fatalf("%d targets, %v", len(targets), err)
		}
		for _, one := range targets {
			if !one.Eligible && !one.Now {
				t.Errorf("#%d cannot be gone back to: %s", one.Number, one.Why)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wrong, err := datadir.Check(context.Background(), dir, db, datadir.Elsewhere{})
		if err != nil || len(wrong) > 0 {
			t.Errorf("the folder is not whole: %v, %v", wrong, err)
		}
		first, err := db.Resolve(context.Background(), "web#1")
		if err != nil || len(first) > 0 || logs < 9 || logs > 10 || artifacts < 2*20 || artifacts > 50 {
			t.Errorf("web#1 is %v, %v; there are %d logs and %d artifacts", first, err, logs, artifacts)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
