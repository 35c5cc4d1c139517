package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/inbound"
)

// versionKey is the memo of a definition that was put in force. The same
// version may be put in force again, by somebody else; keys are in that order.
func versionKey(pipeline string, ev event.Event) string {
	return fmt.Sprintf("%s%s/%08d/%020d", versionPrefix, pipeline, ev.Defined.Version, ev.At.UnixNano())
}

func versionOf(ev event.Event) event.Version {
	v := event.Version{Version: ev.Defined.Version, At: ev.At, By: ev.By,
		Digest: ev.Defined.Definition.Digest(), Weakened: ev.Defined.Weakened}
	v.ManagedBy, v.File = bridged.Keeper(ev.Defined.ManagedBy)
	return v
}

// InForce says what is in force of every pipeline that is not archived. It is
// asked of memory, and loads none of them.
func (e *Engine) InForce(ctx context.Context) (map[string]inbound.InForce, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	return e.catalogue.InForce(), nil
}

// completeCatalogue has rows of before [inbound.InForce] say what is in force, once
// in the life of a database.
func (e *Engine) completeCatalogue(ctx context.Context) error {
	var rows []record.Memo
	for _, name := range e.catalogue.Incomplete() {
		err := e.models.Read(ctx, name, func(s *machine.State) error {
			if s.Definitions[s.Version] != nil {
				rows = append(rows, e.catalogue.Complete(s))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return e.decider.Persist(ctx, Commit{Memos: rows})
}

// Versions lists the versions of a pipeline's definition, newest first: when
// and by whom each was first put in force, what manages it, which gates asked
// for less from then on.
func (e *Engine) Versions(ctx context.Context, viewer workflows.Principal, pipeline string) ([]event.Version, error) {
	j, err := e.checkViewer(ctx, viewer, pipeline)
	if err != nil {
		return nil, err
	}
	view, err := e.view(ctx, j, pipeline, e.read)
	if err != nil {
		return nil, err
	}
	memos, err := e.o.Memos.List(ctx, owner, versionPrefix+pipeline+"/")
	if err != nil {
		return nil, e.unreadable(err, "the versions of "+pipeline)
	}
	all := []event.Version{}
	for _, m := range memos {
		var v event.Version
		if err := json.Unmarshal(m.Value, &v); err != nil {
			return nil, e.unreadable(fmt.Errorf("read %s: %w", m.Key, err), "the versions of "+pipeline)
		}
		all = inForce(all, v)
	}
	if len(all) < view.Version && view.Bridge == nil { // some are from before there were these memos
		if all, err = e.versionsInLog(ctx, pipeline); err != nil {
			return nil, e.unreadable(err, "the versions of "+pipeline)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// inForce adds a version that was put in force after all the others. When it
// was so before, it was still first put in force then; only who keeps it changes.
func inForce(all []event.Version, v event.Version) []event.Version {
	if n := len(all); n > 0 && all[n-1].Version == v.Version {
		all[n-1].ManagedBy, all[n-1].File = v.ManagedBy, v.File
		return all
	}
	return append(all, v)
}

// versionsInLog reads the whole log of a pipeline.
func (e *Engine) versionsInLog(ctx context.Context, pipeline string) ([]event.Version, error) {
	all := []event.Version{}
	for after := uint64(0); ; {
		frames, err := e.o.History.Frames(ctx, pipeline, after, framesAtOnce)
		if err != nil || len(frames) == 0 {
			return all, err
		}
		for _, f := range frames {
			after = f.Seq
			for _, ev := range f.Events {
				if ev.Kind == event.PipelineDefined {
					all = inForce(all, versionOf(ev))
				}
			}
		}
	}
}
