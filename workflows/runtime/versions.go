package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// versionKey is the memo of a definition that was put in force. The same
// version may be put in force again, by somebody else; keys are in that order.
func versionKey(pipeline string, ev event.Event) string {
	return fmt.Sprintf("%s%s/%08d/%020d", versionPrefix, pipeline, ev.Defined.Version, ev.At.UnixNano())
}

func versionOf(ev event.Event) workflows.PipelineVersion {
	v := workflows.PipelineVersion{Version: ev.Defined.Version, At: ev.At, By: ev.By, ManagedBy: "api",
		Digest: ev.Defined.Definition.Digest(), Weakened: ev.Defined.Weakened}
	if file, ok := strings.CutPrefix(ev.Defined.ManagedBy, "file:"); ok {
		v.ManagedBy, v.File = "file", file
	}
	return v
}

// Versions lists the versions of a pipeline's definition, newest first: when
// and by whom each was first put in force, what manages it, which gates asked
// for less from then on.
func (e *Engine) Versions(ctx context.Context, viewer workflows.Principal, pipeline string) ([]workflows.PipelineVersion, error) {
	j, err := e.seen(ctx, viewer, pipeline)
	if err != nil {
		return nil, err
	}
	view, err := e.view(ctx, j, pipeline)
	if err != nil {
		return nil, err
	}
	memos, err := e.o.Memos.List(ctx, owner, versionPrefix+pipeline+"/")
	if err != nil {
		return nil, e.unreadable(err, "the versions of "+pipeline)
	}
	all := []workflows.PipelineVersion{}
	for _, m := range memos {
		var v workflows.PipelineVersion
		if err := json.Unmarshal(m.Value, &v); err != nil {
			return nil, e.unreadable(fmt.Errorf("read %s: %w", m.Key, err), "the versions of "+pipeline)
		}
		all = inForce(all, v)
	}
	if len(all) < view.Version { // some are from before there were these memos
		if all, err = e.versionsInLog(ctx, pipeline); err != nil {
			return nil, e.unreadable(err, "the versions of "+pipeline)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// inForce adds a version that was put in force after all the others. When it
// was so before, it was still first put in force then; only who keeps it changes.
func inForce(all []workflows.PipelineVersion, v workflows.PipelineVersion) []workflows.PipelineVersion {
	if n := len(all); n > 0 && all[n-1].Version == v.Version {
		all[n-1].ManagedBy, all[n-1].File = v.ManagedBy, v.File
		return all
	}
	return append(all, v)
}

// versionsInLog reads the whole log of a pipeline.
func (e *Engine) versionsInLog(ctx context.Context, pipeline string) ([]workflows.PipelineVersion, error) {
	all := []workflows.PipelineVersion{}
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
