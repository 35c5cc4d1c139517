package datadir

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

const (
	atOnce     = 500 // frames read together
	rolledBack = 20  // newest successes of a stage that a rollback may choose
)

// folding compares one pipeline's log with what is kept beside it.
type folding struct {
	db       *store.DB
	pipeline string
	*artifacts
	faults []Fault
}

func (f *folding) found(kind string, format string, args ...any) {
	f.faults = append(f.faults, Fault{kind, f.pipeline + ": " + fmt.Sprintf(format, args...)})
}

// check folds the log from its beginning, as the service would without
// checkpoints, and compares. A log that makes folding panic is a fault too.
func (f *folding) check(ctx context.Context) (faults []Fault) {
	defer func() {
		if fault := recover(); fault != nil {
			f.found(ofDatabase, "the log cannot be folded: %v", fault)
			faults = f.faults
		}
	}()
	checkpoint, after, err := f.db.Load(ctx, f.pipeline)
	if err != nil {
		f.found(ofDatabase, "the newest state cannot be read: %v", err)
		return f.faults
	}
	all, err := f.whole(ctx)
	if err != nil {
		f.found(ofDatabase, "the log cannot be read from its beginning: %v", err)
		return f.faults
	}
	short, err := fold(f.pipeline, checkpoint.State, after)
	if err != nil {
		f.found(ofDatabase, "the checkpoint cannot be read: %v", err)
		return f.faults
	}
	want := summary(all)
	for i, line := range summary(short) {
		if i >= len(want) || line != want[i] {
			f.found(ofState, "the checkpoint of frame %d says %q, and the log says otherwise", checkpoint.Seq, line)
			break
		}
	}
	if got := len(summary(short)); got < len(want) {
		f.found(ofState, "the log says %q, and the checkpoint of frame %d does not", want[got], checkpoint.Seq)
	}
	f.needs(ctx, all)
	return f.faults
}

// whole folds the log from its beginning, and compares the executions that end
// with their rows: a row that was changed later than that says more.
func (f *folding) whole(ctx context.Context) (*machine.State, error) {
	state := machine.New(f.pipeline)
	for after := uint64(0); ; {
		frames, err := f.db.Frames(ctx, f.pipeline, after, atOnce)
		if err != nil || len(frames) == 0 {
			return state, err
		}
		for _, frame := range frames {
			after = frame.Seq
			for _, ev := range frame.Events {
				state.Evolve(ev)
			}
			for _, x := range state.Departed() {
				if err := f.row(ctx, &x); err != nil {
					return state, err
				}
			}
		}
	}
}

// row compares an execution that has left the state with its row. It may have
// none: retention removes rows, and whether an index still leads there the store has checked.
func (f *folding) row(ctx context.Context, x *workflows.Execution) error {
	row, there, err := f.db.Execution(ctx, x.ID)
	switch {
	case err != nil:
		return err
	case there:
		f.refer(&row)
	}
	switch {
	case there && (row.UpdatedAt.Before(x.UpdatedAt) || row.UpdatedAt.Equal(x.UpdatedAt) && row.Status != x.Status):
		f.found(ofState, "the row of %s says %s, and the log says %s", x.Ref(), row.Status, x.Status)
	}
	return nil
}

// needs notes the artifacts that unfinished executions have, and those of the newest successes.
func (f *folding) needs(ctx context.Context, s *machine.State) {
	executions := s.Unfinished()
	for i := range executions {
		f.refer(&executions[i])
	}
	view := s.View()
	for _, st := range view.Stages {
		if view.Definition != nil && view.Definition.IsSource(st.Name) {
			continue // it cannot be rolled back, and retention removes what only it needs
		}
		successes, err := f.db.Executions(ctx, record.Query{Pipeline: f.pipeline, SucceededInStage: st.Name, Limit: rolledBack})
		if err != nil {
			f.found(ofDatabase, "the successes of %s cannot be read: %v", st.Name, err)
		}
		executions = append(executions, successes...)
	}
	for _, x := range executions {
		for _, a := range x.Artifacts {
			name := cmp.Or(a.Place(), a.Digest)
			if name != "" && !slices.Contains(f.needed[name], x.Ref()) {
				f.needed[name] = append(f.needed[name], x.Ref())
			}
		}
	}
}

// newest is a pipeline's state as the service would load it.
func newest(ctx context.Context, db *store.DB, pipeline string) (*machine.State, error) {
	saved, after, err := db.Load(ctx, pipeline)
	if err != nil {
		return nil, err
	}
	return fold(pipeline, saved.State, after)
}

func fold(pipeline string, saved []byte, after []event.Frame) (*machine.State, error) {
	s := machine.New(pipeline)
	if len(saved) > 0 {
		var err error
		if s, err = checkpoint.Decode(saved); err != nil {
			return nil, err
		}
	}
	for _, frame := range after {
		for _, ev := range frame.Events {
			s.Evolve(ev)
		}
	}
	s.Departed()
	return s, nil
}

// summary is what a state decides by, as far as every version has kept it, in
// lines that can be compared.
func summary(s *machine.State) []string {
	view := s.View()
	lines := []string{fmt.Sprintf("version %d, archived %t, %d executions so far", s.Version, s.Archived, s.Count)}
	for _, st := range view.Stages {
		line := fmt.Sprintf("stage %s enabled %t", st.Name, st.Transition.Enabled)
		if st.Running != nil {
			line += " runs " + st.Running.Execution
		}
		lines = append(lines, line)
	}
	for _, x := range s.Unfinished() {
		lines = append(lines, fmt.Sprintf("%s %s is %s", x.Ref(), x.ID, x.Status))
		for i := range x.Stages {
			for _, a := range x.Stages[i].AllActions() {
				lines = append(lines, fmt.Sprintf("%s %s/%s is %s, attempt %d %s", x.Ref(), x.Stages[i].Name, a.Name, a.Status, a.Attempt, a.Needs))
			}
		}
	}
	return lines
}
