package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Suggest gives the options of a menu that loads them, for what somebody has
// typed in it: at most 100, and only what they may see. It reads what was
// committed and does nothing. An error means that nothing could be looked up.
func (b *Bot) Suggest(ctx context.Context, r Request) (slack.OptionsResponse, error) {
	var all []*slack.OptionBlockObject
	var err error
	if i := r.Interaction; i != nil && r.By.Stranger == "" {
		typed := strings.ToLower(strings.TrimSpace(i.Value))
		switch i.ActionID {
		case home.ActFind, form.InPipeline:
			all, err = b.pipelinesLike(ctx, r.By, typed)
		case form.InPlace:
			all, err = b.placesLike(ctx, r.By, typed)
		}
	}
	if all == nil {
		all = []*slack.OptionBlockObject{}
	}
	return slack.OptionsResponse{Options: all[:min(len(all), form.MostOptions)]}, err
}

// namesLike are the names of pipelines that hold what was typed, those first
// that begin with it. Archived ones are among them.
func (b *Bot) namesLike(ctx context.Context, by workflows.Principal, typed string) ([]string, error) {
	names, err := b.engine.Names(ctx, by)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(strings.ToLower(name), typed) })
	slices.SortStableFunc(names, func(x, y string) int {
		switch a, b := strings.HasPrefix(strings.ToLower(x), typed), strings.HasPrefix(strings.ToLower(y), typed); {
		case a == b:
			return 0
		case a:
			return -1
		}
		return 1
	})
	return names, nil
}

// pipelinesLike are pipelines by name. As many are read as can be shown, to leave out archived ones.
func (b *Bot) pipelinesLike(ctx context.Context, by workflows.Principal, typed string) ([]*slack.OptionBlockObject, error) {
	var all []*slack.OptionBlockObject
	err := b.eachLike(ctx, by, typed, func(p *workflows.PipelineView) bool {
		all = append(all, form.Option(p.Name, p.Name, ""))
		return len(all) < form.MostOptions
	})
	return all, err
}

// placesLike are the stages that somebody could roll back, of pipelines whose name holds what was typed.
func (b *Bot) placesLike(ctx context.Context, by workflows.Principal, typed string) ([]*slack.OptionBlockObject, error) {
	var all []*slack.OptionBlockObject
	name, stage, _ := strings.Cut(typed, "/")
	err := b.eachLike(ctx, by, name, func(p *workflows.PipelineView) bool {
		for _, at := range places([]workflows.PipelineView{*p}) {
			if strings.Contains(strings.ToLower(at.Stage), stage) && len(at.Value()) <= 150 {
				all = append(all, form.Option(at.Value(), at.Pipeline+" · "+at.Stage, ""))
			}
		}
		return len(all) < form.MostOptions
	})
	return all, err
}

// eachLike reads pipelines whose name holds what was typed, until enough says so.
func (b *Bot) eachLike(ctx context.Context, by workflows.Principal, typed string, more func(*workflows.PipelineView) bool) error {
	names, err := b.namesLike(ctx, by, typed)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := b.engine.Pipeline(ctx, by, name, 0)
		switch {
		case notFound(err) || err == nil && p.Archived:
			continue
		case err != nil:
			return err
		}
		if !more(&p) {
			return nil
		}
	}
	return nil
}
