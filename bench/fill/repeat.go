package fill

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/checkpoint"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// perCommit is how many executions of one pipeline are written in one transaction.
const perCommit = 200

// repeat gives every pipeline i as many finished executions as shares[i] says, by
// repeating the one that it has. The store writes one commit at a time; the
// commits of several pipelines are made beside it.
func repeat(ctx context.Context, data string, shares []int) error {
	db, err := store.Open(filepath.Join(data, "rollcall.db"), store.Options{NoSync: true})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	commits, pipelines := make(chan *record.Commit, 4), make(chan int)
	var makers sync.WaitGroup
	for range 3 {
		makers.Go(func() {
			for i := range pipelines {
				if err := repeatOne(ctx, db, Name(i), shares[i], commits); err != nil {
					cancel(err)
				}
			}
		})
	}
	go func() {
		for i, n := range shares {
			if n > 1 {
				pipelines <- i
			}
		}
		close(pipelines)
		makers.Wait()
		close(commits)
	}()
	for c := range commits {
		if ctx.Err() == nil {
			if err := db.Commit(ctx, c); err != nil {
				cancel(err)
			}
		}
	}
	return errors.Join(context.Cause(ctx), db.Close())
}

// repeatOne makes the commits of one pipeline.
func repeatOne(ctx context.Context, db *store.DB, name string, n int, commits chan<- *record.Commit) error {
	state, original, seq, err := loaded(ctx, db, name)
	if err != nil {
		return err
	}
	began, step := original.events[0].At, (history-time.Hour)/time.Duration(n)
	commit := &record.Commit{}
	for k := 2; k <= n; k++ {
		events := original.again(name, k, began.Add(time.Duration(k-1)*step))
		row, err := folded(state, events)
		if err != nil {
			return err
		}
		commit.Executions = append(commit.Executions, row)
		for _, st := range row.Stages {
			commit.Successes = append(commit.Successes, record.Success{Pipeline: name, Stage: st.Name, Execution: row.ID, Number: row.Number})
		}
		for _, part := range [][]event.Event{events[:original.gate], events[original.gate:]} {
			seq++
			commit.Frames = append(commit.Frames, event.Frame{Pipeline: name, Seq: seq, Events: part})
		}
		if k%perCommit != 0 && k < n {
			continue
		}
		text, err := checkpoint.Encode(state)
		if err != nil {
			return err
		}
		due, _ := state.Due()
		commit.Checkpoints = []record.Checkpoint{{Pipeline: name, Seq: seq, State: text, Due: due}}
		select {
		case commits <- commit:
		case <-ctx.Done():
			return nil
		}
		commit = &record.Commit{}
	}
	return nil
}

// folded evolves the state by the events of one execution, and returns its row.
func folded(state *machine.State, events []event.Event) (workflows.Execution, error) {
	for _, e := range events {
		state.Evolve(e)
	}
	gone := state.Departed()
	if len(gone) != 1 {
		return workflows.Execution{}, fmt.Errorf("%d executions ended where one was repeated", len(gone))
	}
	return gone[0], nil
}

// original is the execution that is repeated.
type original struct {
	id     string
	events []event.Event
	gate   int // the first event of the second frame: the answer at the gate
}

// loaded folds the log of a pipeline that has run one execution.
func loaded(ctx context.Context, db *store.DB, name string) (*machine.State, *original, uint64, error) {
	frames, err := db.Frames(ctx, name, 0, 1000)
	if err != nil {
		return nil, nil, 0, err
	}
	state, o, seq := machine.New(name), &original{}, uint64(0)
	for _, f := range frames {
		seq = f.Seq
		for _, e := range f.Events {
			state.Evolve(e)
			if e.Kind == event.ExecutionStarted {
				o.id = e.Execution
			}
			if e.Kind == event.GateVoted {
				o.gate = len(o.events)
			}
			if o.id != "" && e.Execution == o.id {
				o.events = append(o.events, e)
			}
		}
	}
	state.Departed()
	if o.id == "" || o.gate == 0 {
		return nil, nil, 0, fmt.Errorf("%s has run no execution through its gate", name)
	}
	return state, o, seq, nil
}

// again returns the events as execution number k has them, begun at a time.
func (o *original) again(pipeline string, k int, at time.Time) []event.Event {
	id, later := uuid(at, pipeline, k, "execution"), at.Sub(o.events[0].At)
	all := make([]event.Event, len(o.events))
	for i, e := range o.events {
		e.Execution, e.At = id, e.At.Add(later)
		if e.Started != nil {
			x := *e.Started
			x.ID, x.Number, x.StartedAt, x.UpdatedAt = id, k, x.StartedAt.Add(later), x.UpdatedAt.Add(later)
			e.Started = &x
		}
		if e.Start != nil {
			s := *e.Start
			s.Task, s.Deadline = strings.Replace(s.Task, o.id, id, 1), s.Deadline.Add(later)
			e.Start = &s
		}
		if e.Gate != nil {
			g := *e.Gate
			g.Token, g.OpenedAt, g.ExpiresAt = uuid(at, pipeline, k, "gate"), g.OpenedAt.Add(later), g.ExpiresAt.Add(later)
			e.Gate = &g
		}
		if e.Vote != nil {
			v := *e.Vote
			v.At = v.At.Add(later)
			e.Vote = &v
		}
		all[i] = e
	}
	return all
}

// uuid is an ID of version 7 that is the same in every run.
func uuid(at time.Time, pipeline string, k int, what string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", pipeline, k, what))
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", at.UnixMilli()>>16, at.UnixMilli()&0xffff, uint16(sum[0])<<4|uint16(sum[1]&15), uint16(sum[2])<<4|uint16(sum[3]&15), sum[4:10])
}
