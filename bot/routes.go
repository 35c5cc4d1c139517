package bot

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Kinds of what a [Route] may be about.
const (
	RouteStart    = "start"    // cards of executions
	RouteRollback = "rollback" // cards of rollbacks
	RouteSuccess  = "success"  // announcements
	RouteFailure  = "failure"
	RouteEdit     = "edit" // what concerns a pipeline as such
)

// RouteOff is the channel of what is not posted.
const RouteOff = "off"

// Route says where some messages go. Of several the first that fits counts;
// without one a message goes where its pipeline posts.
type Route struct {
	On      func(pipeline, stage string) bool // nil: every pipeline; stage is empty for cards and edits
	Kinds   []string                          // none: all
	Channel string                            // instead of the pipeline's; RouteOff: nowhere; empty: as usual
	Also    string                            // a second channel, of what is posted once
	Quiet   bool                              // in the thread alone
}

// route is the one for a message; the zero Route is as usual.
func (b *Bot) route(kind, pipeline, stage string) Route {
	for _, r := range b.routes {
		if (len(r.Kinds) == 0 || slices.Contains(r.Kinds, kind)) && (r.On == nil || r.On(pipeline, stage)) {
			return r
		}
	}
	return Route{}
}

// copies are the channels beside the pipeline's that news go to.
func (r Route) copies() []string {
	var all []string
	for _, channel := range []string{r.Channel, r.Also} {
		if channel != "" && channel != RouteOff && !slices.Contains(all, channel) {
			all = append(all, channel)
		}
	}
	return all
}

// threadOnly says whether the pipeline's channel does not see news.
func (r Route) threadOnly() bool { return r.Quiet || r.Channel != "" }

func copyKey(key, channel string) string { return key + " in " + channel }

// copied says whether every copy of news is where it belongs.
func copied(mem *memory, key string, r Route) bool {
	return !slices.ContainsFunc(r.copies(), func(channel string) bool { return mem.Said[copyKey(key, channel)].TS == "" })
}

// copy brings the copies of news in step. m is as it stands in the thread.
func (f *following) copy(ctx context.Context, mem *memory, key string, m Message, r Route) error {
	var errs []error
	for _, channel := range r.copies() {
		c := m
		c.Channel, c.Thread, c.Broadcast = channel, "", false
		c.Payload = map[string]any{"copy": channel}
		for name, value := range m.Payload {
			c.Payload[name] = value
		}
		at := copyKey(key, channel)
		errs = append(errs, f.sync(ctx, &message{mem: mem, Message: c, spot: mem.Said[at], keep: func(s spot) { mem.Said[at] = s }}))
	}
	return errors.Join(errs...)
}

// cardChannel is where a new card goes; empty: nowhere yet. One that people have
// to see is posted in any case.
func (f *following) cardChannel(mem *memory, e *workflows.Execution) string {
	kind := RouteStart
	if e.Rollback != nil {
		kind = RouteRollback
	}
	r := f.route(kind, e.Pipeline, "")
	switch {
	case r.Channel == RouteOff && mem.Card.TS == "" && !mem.Card.Tried && f.cardUrgency(mem, e) == Progress && !announcedAnywhere(f, e):
		return ""
	case r.Channel == RouteOff || r.Channel == "":
		return f.channel
	}
	return r.Channel
}

// announcedAnywhere says whether a success of an execution is to be announced below its card.
func announcedAnywhere(f *following, e *workflows.Execution) bool {
	return slices.ContainsFunc(e.Stages, func(s workflows.StageExecution) bool {
		return s.Status == workflows.StatusSucceeded && f.announces(s.Name) && f.route(RouteSuccess, e.Pipeline, s.Name).Channel != RouteOff
	})
}

// afterQuietHours is a *Postponed while quiet hours last; what is of production is never quiet.
func (f *following) afterQuietHours(stage string) error {
	if end, quiet := f.quiet.Until(f.now()); quiet && !f.isProduction(stage) {
		return &Postponed{After: end.Sub(f.now())}
	}
	return nil
}

// isProduction says whether a stage's environment is a production.
func (f *following) isProduction(stage string) bool {
	if f.pipeline.Definition == nil {
		return false
	}
	s, ok := f.pipeline.Definition.Stage(stage)
	return ok && strings.HasPrefix(strings.ToLower(s.Environment), "prod")
}
