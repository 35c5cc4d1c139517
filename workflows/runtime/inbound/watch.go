package inbound

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// watch is one branch that is polled, or looked at when an event tells of a change.
type watch struct {
	key string
	work.Followed
	readers  []reader
	failures int
}

// reader is a pipeline that follows the branch.
type reader struct {
	pipeline *workflows.Pipeline
	action   *workflows.Action // the first that does
	branch   string            // watchKey
	polled   bool              // else only events have it looked at
}

// key is of the memo in which the pipeline's head of the branch is kept.
func (r reader) key() string { return headPrefix + r.pipeline.Name + "/" + r.action.Name }

// followed is what the pipeline follows of it.
func (r reader) followed() work.Followed {
	return work.Followed{Action: *r.action, PipelineRole: r.pipeline.RoleArn}
}

// shown is the branch in a log: a definition of an earlier version of the
// program may contain a URL with a password.
func (w *watch) shown() string {
	repository, ref := trigger.Followed(&w.Action)
	return ref + " of " + source.Shown(repository)
}

// watchKey names what a source action follows: the provider with its source's own
// key, or with repository and branch.
func (s *Starter) watchKey(f work.Followed) string {
	provider := f.Action.ActionType.Provider
	if keyed, ok := s.o.Sources[provider].(Keyed); ok {
		return provider + "|" + keyed.Key(f)
	}
	repository, ref := trigger.Followed(&f.Action)
	return strings.Join([]string{provider, repository, ref}, "|")
}

// polls says whether a source action wants polling, and there is a source that can be asked.
func (s *Starter) polls(a workflows.Action) bool {
	return s.o.Sources[a.ActionType.Provider] != nil && a.Polls()
}

// announced says whether events tell of the changes of what a source action follows.
func (s *Starter) announced(a workflows.Action) bool {
	source, ok := s.o.Sources[a.ActionType.Provider].(Announced)
	return ok && a.IsSource() && source.Announced()
}

// readers are the branches of a pipeline that are to be looked at, each once, with
// the first action that follows it. polled is false where the pipeline's polling is off.
func (s *Starter) readers(p *workflows.Pipeline, polled bool) (all []reader) {
	for _, st := range p.Stages {
		for i, a := range st.Actions {
			r := reader{pipeline: p, action: &st.Actions[i], polled: polled && s.polls(a)}
			if !r.polled && !s.announced(a) {
				continue
			}
			r.branch = s.watchKey(r.followed())
			if at := slices.IndexFunc(all, func(other reader) bool { return other.branch == r.branch }); at < 0 {
				all = append(all, r)
			} else {
				all[at].polled = all[at].polled || r.polled
			}
		}
	}
	return all
}

// headOf is the branch of a change, which the action reads, as a poll would find
// it too; nil: none would.
func (s *Starter) headOf(p *workflows.Pipeline, a *workflows.Action, c work.Change) *head {
	if _, followed := trigger.Followed(a); c.Event != "push" || c.Tag != "" || c.Branch != followed {
		return nil
	}
	for _, r := range s.readers(p, true) {
		if r.branch == s.watchKey(work.Followed{Action: *a, PipelineRole: p.RoleArn}) {
			return &head{key: r.key(), branch: r.branch, commit: c.Commit, before: c.Before}
		}
	}
	return nil
}
