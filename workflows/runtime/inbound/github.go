package inbound

import (
	"cmp"
	"context"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Listens says whether a pipeline has a trigger by such an event of GitHub, of that repository.
func (s *Starter) Listens(c work.Change) bool {
	e := eventOf(c)
	return slices.ContainsFunc(s.catalogue.Pipelines(), func(p *workflows.Pipeline) bool { return trigger.Listens(p, e) })
}

// Tagged is the commit of the tag that a change names, as the source of a pipeline
// that waits for it shows it; empty: none can say. An error is worth another try.
func (s *Starter) Tagged(ctx context.Context, c work.Change) (commit string, err error) {
	for _, p := range s.catalogue.Pipelines() {
		a := trigger.Reader(p, eventOf(c))
		if a == nil {
			continue
		}
		tagger, ok := s.o.Sources[a.ActionType.Provider].(Tagger)
		if !ok || !trigger.Listens(p, eventOf(c)) {
			continue
		}
		found, failed := tagger.Tagged(ctx, *a, c.Tag)
		if failed == nil && found != "" {
			return found, nil
		}
		err = cmp.Or(err, failed)
	}
	return "", err
}

// variablesOf are those with which an event of GitHub starts the pipeline. why says
// why it does not start although its filter matches.
func variablesOf(p *workflows.Pipeline, action string, c work.Change) (variables map[string]string, why string) {
	if !trigger.Listens(p, eventOf(c)) {
		return nil, ""
	}
	if c.Commit == "" {
		return nil, "the commit of tag " + c.Tag + " could not be found"
	}
	doc, _ := document.Read(c.Payload) // none, and a path leads nowhere in it
	return trigger.Variables(p, action, eventOf(c), doc)
}
