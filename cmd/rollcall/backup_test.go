package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// busyWorld is a service with many pipelines of short actions, and one whose
// action takes longer than any test.
func busyWorld(t *testing.T, pipelines int) *fixture {
	t.Helper()
	w := smallWorld(t, fmt.Sprintf("api: {tokens: [{name: story, token: %s, may: [view, start, edit, audit]}]}\n", token))
	w.commit("one", "One")
	for i := range pipelines {
		var text strings.Builder
		fmt.Fprintf(&text, "name: p%d\nstages:\n  - name: Source\n    actions: [{name: App, provider: Git, configuration: {Repository: \"file://%s\", BranchName: main}, outputArtifacts: [app]}]\n", i, w.path("git/acme/webshop.git"))
		for _, stage := range []string{"One", "Two", "Three"} {
			fmt.Fprintf(&text, "  - name: %s\n    actions: [{name: A, provider: Wait}, {name: B, provider: Wait, configuration: {seconds: \"1\"}}, {name: C, provider: Wait}]\n", stage)
		}
		w.write(fmt.Sprintf("pipelines/p%d.yaml", i), text.String())
	}
	w.write("pipelines/long.yaml", fmt.Sprintf(`
name: long
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "file://%s", BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    actions: [{name: Deploy, provider: Wait, configuration: {seconds: "86400"}}]
`, w.path("git/acme/webshop.git"))[1:])
	return w.begins()
}

// Backups that are taken one after the other while executions run are each a
// database that check accepts, and that starts nothing by itself. (Issue 10.)
func TestBackupsUnderLoad(t *testing.T) {
	const pipelines = 40
	w := busyWorld(t, pipelines)
	if _, err := w.api.Start(t.Context(), "long"); err != nil {
		t.Fatal(err)
	}
	w.until("what takes long is under way", func() bool {
		e, err := w.api.Execution(t.Context(), "long#1")
		return err == nil && e.Inside() != nil && e.Inside().Name == "Production"
	})
	var starts sync.WaitGroup
	for i := range pipelines {
		starts.Go(func() {
			for range 2 {
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, fmt.Sprintf("http://%s/api/v1/pipelines/p%d/executions", w.addr, i), strings.NewReader("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				if res.Body.Close(); res.StatusCode != http.StatusCreated {
					t.Errorf("a start of p%d: %s", i, res.Status)
				}
			}
		})
	}
	var taken []string
	for i := range 6 {
		taken = append(taken, w.path(fmt.Sprintf("b%d.tar", i)))
		w.must("backup", taken[i])
	}
	starts.Wait()
	w.kill()
	open := 0
	for i, file := range taken {
		if err := os.RemoveAll(w.path("data")); err != nil {
			t.Fatal(err)
		}
		said := w.must("restore", file, "--config", "rollcall.yaml")
		if open += strings.Count(said, "was under way"); !strings.Contains(said, "long#1 Production/Deploy was under way") {
			t.Errorf("backup %d does not know what was under way all the time: %s", i, said)
		}
		w.must("check", "--config", "rollcall.yaml")
		w.start()
		w.kill()
		w.startedNothing(i, pipelines)
		w.must("check", "--config", "rollcall.yaml")
	}
	t.Logf("%d backups, in which %d actions were under way", len(taken), open)
}

// startedNothing reads a data folder after the first start behind a restore.
func (w *fixture) startedNothing(backup, pipelines int) {
	w.t.Helper()
	db, err := store.Open(w.path("data", "rollcall.db"), store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	restored := map[string]bool{}
	for after := uint64(0); ; {
		frames, err := db.Feed(w.t.Context(), after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(frames) == 0 {
			break
		}
		for _, f := range frames {
			after = f.Feed
			for _, e := range f.Events {
				if restored[f.Pipeline] && e.Kind != event.ActionInDoubt && e.Kind != event.PollingEnabled {
					w.t.Errorf("backup %d: %s of %s follows from the restore", backup, e.Kind, f.Pipeline)
				}
				restored[f.Pipeline] = restored[f.Pipeline] || e.Kind == event.BackupRestored
			}
		}
	}
	for i := range pipelines {
		saved, frames, err := db.Load(w.t.Context(), fmt.Sprintf("p%d", i))
		if err != nil {
			w.t.Fatal(err)
		}
		s := machine.New(fmt.Sprintf("p%d", i))
		if len(saved.State) > 0 {
			if s, err = checkpoint.Decode(saved.State); err != nil {
				w.t.Fatal(err)
			}
		}
		for _, f := range frames {
			for _, e := range f.Events {
				s.Evolve(e)
			}
		}
		if tasks := s.Tasks(); len(tasks) > 0 || !restored[s.Name] {
			w.t.Errorf("backup %d: p%d has %d tasks, taken up: %t", backup, i, len(tasks), restored[s.Name])
		}
	}
}
