// Program goworkflows runs W on go-workflows over SQLite: E workflows, each of
// 4 stages of 3 activities that do nothing. It prints what that took as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/cschleiden/go-workflows/backend"
	"github.com/cschleiden/go-workflows/backend/sqlite"
	"github.com/cschleiden/go-workflows/client"
	"github.com/cschleiden/go-workflows/worker"
	"github.com/cschleiden/go-workflows/workflow"
)

const stages, actionsPerStage = 4, 3

func nothing(context.Context) error { return nil }

func pipeline(ctx workflow.Context) error {
	for range stages {
		var all []workflow.Future[any]
		for range actionsPerStage {
			all = append(all, workflow.ExecuteActivity[any](ctx, workflow.DefaultActivityOptions, nothing))
		}
		for _, f := range all {
			if _, err := f.Get(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func main() {
	e, dir := flag.Int("e", 100, "executions"), flag.String("dir", ".", "where the database is")
	flag.Parse()
	took, err := run(context.Background(), *e, *dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]float64{"actions": float64(*e * stages * actionsPerStage), "seconds": took.Seconds()})
}

// run starts all workflows and waits for their ends. It polls often: the
// default of 200 ms would be most of what is measured.
func run(ctx context.Context, e int, dir string) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	b := sqlite.NewSqliteBackend(filepath.Join(dir, "goworkflows.db"), sqlite.WithBackendOptions(backend.WithLogger(quiet)))
	o := worker.DefaultOptions
	o.WorkflowPollers, o.ActivityPollers = 4, 4
	o.WorkflowPollingInterval, o.ActivityPollingInterval = 5*time.Millisecond, 5*time.Millisecond
	w := worker.New(b, &o)
	if err := w.RegisterWorkflow(pipeline); err != nil {
		return 0, err
	}
	if err := w.RegisterActivity(nothing); err != nil {
		return 0, err
	}
	if err := w.Start(ctx); err != nil {
		return 0, err
	}
	began, c := time.Now(), client.New(b)
	var all []*workflow.Instance
	for i := range e {
		one, err := c.CreateWorkflowInstance(ctx, client.WorkflowInstanceOptions{InstanceID: fmt.Sprint("execution-", i)}, pipeline)
		if err != nil {
			return 0, err
		}
		all = append(all, one)
	}
	for _, one := range all {
		if err := c.WaitForWorkflowInstance(ctx, one, 10*time.Minute); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
