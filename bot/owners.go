package bot

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// owners remembers who owns each pipeline, so that nobody reads all of them for
// every App Home. It is filled when it is first asked for, and kept up by [Bot.Follow].
type owners struct {
	mu     sync.Mutex
	filled bool
	of     map[string][]string // by pipeline: addresses and who-expressions
}

// owned are the pipelines of which somebody is an owner, by name.
func (b *Bot) owned(ctx context.Context, by workflows.Principal) (map[string]bool, error) {
	o := &b.owners
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.filled {
		all, err := b.engine.Pipelines(ctx, workflows.EnginePrincipal())
		if err != nil {
			return nil, err
		}
		o.of = map[string][]string{}
		for i := range all {
			o.of[all[i].Name] = b.ownersOf(&all[i])
		}
		o.filled = true
	}
	mine := map[string]bool{}
	for name, who := range o.of {
		if slices.ContainsFunc(who, func(w string) bool {
			return strings.EqualFold(w, by.ID) || by.Email != "" && strings.EqualFold(w, by.Email)
		}) {
			mine[name] = true
		}
	}
	return mine, nil
}

func (b *Bot) ownersOf(p *workflows.PipelineView) []string {
	if p.Definition == nil || p.Archived {
		return nil
	}
	return b.expand(p.Definition.Owners)
}

// noteOwners keeps that up after an edit.
func (f *following) noteOwners() {
	if !f.anyEvent(func(e event.Event) bool { return e.Kind == event.PipelineDefined }) {
		return
	}
	o := &f.Bot.owners
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.filled {
		o.of[f.batch.Pipeline] = f.ownersOf(&f.pipeline)
	}
}
