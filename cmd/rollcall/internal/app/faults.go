package app

import (
	"context"
	"crypto/sha256"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// reportAgainEvery is how often it is tried to tell owners what nobody could be told.
const reportAgainEvery = time.Minute

// reportFaults says once per content of a broken file what is wrong with it: in the
// log, and to the owners in the pipeline's channel.
func (d *definitions) reportFaults(ctx context.Context, r *reading) {
	var lines []string
	faults := r.faults
	if r.refused != nil {
		faults = append(slices.Clip(faults), *r.refused)
	}
	for _, g := range faults {
		lines = append(lines, strings.TrimPrefix(g.String(), d.config.Pipelines+"/"))
	}
	d.log.Error("a pipeline file is broken and changes nothing", "file", r.path, "problems", lines)
	data, err := os.ReadFile(r.path)
	if err != nil {
		return // it changes, and is looked at again
	}
	memo, digest := d.engine.MemosOf("definitions"), sha256.Sum256([]byte(strings.Join(append(lines, string(data)), "\n")))
	if reported, _, err := memo.Memo(ctx, r.path); err != nil || string(reported) == string(digest[:]) {
		return
	}
	d.unreported = append(d.unreported, func() bool {
		v, known := d.inForce(ctx, r.path)
		if d.bot == nil || !known {
			return true
		}
		if !d.bot.Broken(ctx, v, lines) {
			return false
		}
		if err := memo.Note(ctx, r.path, digest[:]); err != nil {
			d.log.Warn("could not note who was notified", "file", r.path, "err", err)
		}
		return true
	})
}

// reportUnreported tells the owners of broken files, those that nobody could be told
// before too.
func (d *definitions) reportUnreported() {
	d.unreported = slices.DeleteFunc(d.unreported, func(report func() bool) bool { return report() })
	d.reportAgain = time.Now().Add(reportAgainEvery)
}

func (d *definitions) forget(ctx context.Context, path string) {
	memo := d.engine.MemosOf("definitions")
	if _, known, err := memo.Memo(ctx, path); err == nil && known {
		_ = memo.Note(ctx, path, nil) // reported again at worst
	}
}

// inForce is the pipeline that a file manages.
func (d *definitions) inForce(ctx context.Context, path string) (workflows.PipelineView, bool) {
	all, err := d.engine.InForce(ctx)
	if err != nil {
		return workflows.PipelineView{}, false
	}
	for name, now := range all {
		if now.ManagedBy == fileManager+path {
			v, err := d.engine.Pipeline(ctx, workflows.EnginePrincipal(), name, 0)
			return v, err == nil && v.Definition != nil
		}
	}
	return workflows.PipelineView{}, false
}
