package acting_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/runtime/acting"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// host has run folders of earlier processes, and the state that they are of.
type host struct {
	left     []string
	rows     map[string]string // execution -> its pipeline
	tasks    []string          // open, of every pipeline
	live     []workflows.Execution
	released []string
	err      error // of the state
}

func (h *host) Left(context.Context) ([]string, error) { return h.left, nil }

func (h *host) Workspace(work.Task) (work.Workspace, error) { return nil, nil }

func (h *host) Release(t work.Task) error {
	h.released = append(h.released, t.ID)
	return nil
}

func (h *host) Execution(_ context.Context, id string) (workflows.Execution, bool, error) {
	pipeline, ok := h.rows[id]
	return workflows.Execution{ID: id, Pipeline: pipeline}, ok, nil
}

func (h *host) Current(ctx context.Context, _, id string) (workflows.Execution, bool, error) {
	return h.Execution(ctx, id)
}

// state is what of the host's pipelines is not over.
type state struct{ h *host }

func (s state) Tasks(context.Context, string) (tasks []work.Task, err error) {
	for _, id := range s.h.tasks {
		tasks = append(tasks, work.Task{ID: id})
	}
	return tasks, s.h.err
}

func (s state) Executions(context.Context, string) ([]workflows.Execution, error) {
	return s.h.live, s.h.err
}

// Of what an earlier process left only the folders of attempts that are over go:
// open ones, those in doubt, those whose cancel is not confirmed, and those of
// executions that this store does not know stay.
func TestRunFoldersThatAreOverGo(t *testing.T) {
	h := &host{
		left:  []string{"e1/Prod/Ship/1", "e1/Prod/Ship/2", "e1/Prod/Check/1", "e2/Prod/Ship/1", "e3/Prod/Ship/1", "other/Prod/Ship/1"},
		rows:  map[string]string{"e1": "web", "e2": "web", "e3": "web"},
		tasks: []string{"e1/Prod/Ship/2", "e3/Prod/Ship/1"}, // the last is a cancel that is not confirmed
		live: []workflows.Execution{{ID: "e1", Stages: []workflows.StageExecution{{Name: "Prod", Actions: []workflows.ActionExecution{
			{Name: "Ship", Attempt: 2, Status: workflows.StatusInProgress}, {Name: "Check", Attempt: 1, Status: workflows.StatusInProgress, Needs: workflows.NeedsResolve}}}}}},
	}
	var text strings.Builder
	c := acting.Collector{Leftovers: h, Runs: h, Executions: h, Unfinished: state{h}, Log: slog.New(slog.NewTextHandler(&text, nil))}
	now := func(f func()) bool { f(); return true }
	if err := c.Collect(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	slices.Sort(h.released)
	if want := []string{"e1/Prod/Ship/1", "e2/Prod/Ship/1"}; !slices.Equal(h.released, want) {
		t.Errorf("removed %q, want %q", h.released, want)
	}
	if !strings.Contains(text.String(), "other/Prod/Ship/1") {
		t.Errorf("nothing is said of a folder that nobody knows: %s", text.String())
	}
	h.released, h.err = nil, errors.New("bad sector")
	if err := c.Collect(t.Context(), now); err != nil || len(h.released) != 0 {
		t.Errorf("removed %q although nobody knows what is open, %v", h.released, err)
	}
}
