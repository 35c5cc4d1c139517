package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	headPrefix  = "head/" // PIPELINE/ACTION: the revision that the pipeline has last taken notice of
	looksAtOnce = 8       // at repositories, side by side
)

// sources polls branches for the source actions that ask for it. One look
// serves all pipelines that follow the same branch; what each of them has
// already seen is its own memo, which moves in the commit of the start.
type sources struct {
	e   *Engine
	ctx context.Context

	mu       sync.Mutex
	watched  map[string]*watch // by provider, repository and branch
	slots    chan struct{}
	restless bool // definitions changed, and watched is about to be read anew
}

// watch is one branch.
type watch struct {
	key      string
	action   workflows.Action
	readers  []reader
	failures int
}

// reader is a source action that follows the branch.
type reader struct {
	pipeline *workflows.Pipeline
	action   string
}

// headNote is what a pipeline has last seen of a branch.
type headNote struct {
	Branch string `json:"branch"` // provider, repository and branch: another one counts as never seen
	Commit string `json:"commit"`
}

func newSources(e *Engine) *sources {
	return &sources{e: e, watched: map[string]*watch{}, slots: make(chan struct{}, looksAtOnce), ctx: context.Background()}
}

// begin starts to poll, until ctx ends.
func (s *sources) begin(ctx context.Context) {
	s.ctx = ctx
	s.e.catalog.watch(s.changed)
	s.renew()
}

// changed has the list of branches made anew, soon: one look for many edits.
func (s *sources) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.restless {
		s.restless = true
		s.e.timers.set("sources", s.e.o.Now(), func() { s.e.crew.do(s.renew) })
	}
}

// renew lists the branches to watch, and looks at new ones at once.
func (s *sources) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restless = false
	wanted := map[string]*watch{}
	for _, p := range s.e.catalog.all() {
		for _, st := range p.Stages {
			for _, a := range st.Actions {
				if !polled(a) || s.e.o.Sources[a.ActionType.Provider] == nil {
					continue
				}
				key := branchKey(a)
				if wanted[key] == nil {
					wanted[key] = &watch{key: key, action: a}
				}
				wanted[key].readers = append(wanted[key].readers, reader{pipeline: p, action: a.Name})
			}
		}
	}
	old := s.watched
	s.watched = wanted
	for key, w := range wanted {
		before := old[key]
		if before != nil {
			w.failures = before.failures
		}
		if before == nil || len(before.readers) < len(w.readers) {
			s.lookAt(key, s.e.o.Now())
		}
	}
	for key := range old {
		if wanted[key] == nil {
			s.e.timers.drop("poll/" + key)
		}
	}
}

// polled says whether a source action wants polling: ours unless it is turned
// off, GitHub's only when it is asked for, because its webhooks are faster.
func polled(a workflows.Action) bool {
	poll := strings.ToLower(a.Configuration["PollForSourceChanges"])
	if a.ActionType.Provider == "Git" {
		return poll != "false" && !strings.EqualFold(a.Configuration["DetectChanges"], "false")
	}
	return poll == "true"
}

func branchKey(a workflows.Action) string {
	repository := a.Configuration["FullRepositoryId"]
	if repository == "" {
		repository = a.Configuration["Repository"]
	}
	return strings.Join([]string{a.ActionType.Provider, repository, a.Configuration["BranchName"]}, "|")
}

// lookAt has a branch looked at. s.mu is held.
func (s *sources) lookAt(key string, at time.Time) {
	s.e.timers.set("poll/"+key, at, func() { s.e.crew.do(func() { s.look(key) }) })
}

// look looks at a branch once, starts what is to be started, and comes back later.
func (s *sources) look(key string) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return
	}
	s.mu.Lock()
	w := s.watched[key]
	s.mu.Unlock()
	if w == nil || s.ctx.Err() != nil {
		return
	}
	err := s.compare(w)
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w = s.watched[key]; w == nil {
		return
	}
	pause := s.e.o.PollInterval
	if err == nil {
		w.failures = 0
	} else {
		pause = max(pause, min(pause<<min(w.failures, 4), 10*time.Minute))
		w.failures++
		s.e.log.Warn("a branch could not be looked at; it is tried again", "branch", key, "tries", w.failures, "again_in", pause, "err", err)
	}
	s.lookAt(key, s.e.o.Now().Add(pause))
}

// compare asks for the head of a branch and tells every pipeline that has not seen it.
func (s *sources) compare(w *watch) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.e.log.Error("a source panicked", "branch", w.key, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fmt.Errorf("the source panicked: %v", fault)
		}
	}()
	head, err := s.e.o.Sources[w.action.ActionType.Provider].Head(s.ctx, w.action)
	if err != nil {
		return err
	}
	if head.Commit == "" {
		return errors.New("the branch has no commit")
	}
	for _, r := range w.readers {
		if err := s.tell(w, r, head); err != nil {
			return err
		}
	}
	return nil
}

// tell starts a pipeline when the head is new to it. The first look only
// records: loading a definition never starts anything.
func (s *sources) tell(w *watch, r reader, head work.Change) error {
	memo := Memo{Owner: owner, Key: headPrefix + r.pipeline.Name + "/" + r.action, Value: encode(headNote{Branch: w.key, Commit: head.Commit})}
	value, ok, err := s.e.o.Memos.Memo(s.ctx, owner, memo.Key)
	if err != nil {
		return err
	}
	var seen headNote
	if ok {
		if err := json.Unmarshal(value, &seen); err != nil {
			return fmt.Errorf("read %s: %w", memo.Key, err)
		}
	}
	if seen.Branch == w.key && seen.Commit == head.Commit {
		return nil
	}
	if seen.Branch != w.key || !starts(r, head) {
		return s.e.persist(s.ctx, nil, []Memo{memo})
	}
	token := strings.Join([]string{"poll", head.Repository, head.Branch, head.Commit, r.pipeline.Name}, "/")
	return s.e.receipts.start(s.ctx, kickoff{
		pipeline: r.pipeline.Name,
		intent:   startBy(r.pipeline.Name, r.action, head, workflows.TriggerPoll, token),
	}, func(answer) ([]work.Receipt, []Memo) { return nil, []Memo{memo} })
}

// starts says whether the pipeline's triggers want this change of this action.
func starts(r reader, head work.Change) bool {
	_, ok, _ := trigger.Match(r.pipeline, eventOf(head))
	return ok
}
