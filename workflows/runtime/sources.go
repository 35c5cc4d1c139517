package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
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

// reader is a pipeline that follows the branch.
type reader struct {
	pipeline *workflows.Pipeline
	action   *workflows.Action // the first that does
	branch   string            // branchKey
}

// headNote is what a pipeline has last seen of a branch.
type headNote struct {
	Branch string    `json:"branch"` // provider, repository and branch: another one counts as never seen
	Commit string    `json:"commit"`
	Token  string    `json:"token,omitempty"` // of the start that it led to; empty: none
	At     time.Time `json:"at,omitzero"`
}

// polled is a branch that is looked at, as one pipeline follows it, with a
// commit that just became known.
type polled struct {
	key    string // of the pipeline's memo
	branch string // branchKey
	commit string
}

// polled says whether a change, which the action reads, is one that a look at
// the branch would find too; nil: it is not.
func (s *sources) polled(p *workflows.Pipeline, a *workflows.Action, c work.Change) *polled {
	if c.Event != "push" || c.Tag != "" || c.Branch != a.Configuration["BranchName"] {
		return nil
	}
	for _, r := range s.readers(p) {
		if r.branch == branchKey(*a) {
			return &polled{key: r.key(), branch: r.branch, commit: c.Commit}
		}
	}
	return nil
}

// readers are the branches of a pipeline that want to be looked at, each once,
// with the first action that follows it.
func (s *sources) readers(p *workflows.Pipeline) (all []reader) {
	for _, st := range p.Stages {
		for i, a := range st.Actions {
			branch := branchKey(a)
			if s.polls(a) && !slices.ContainsFunc(all, func(r reader) bool { return r.branch == branch }) {
				all = append(all, reader{pipeline: p, action: &st.Actions[i], branch: branch})
			}
		}
	}
	return all
}

// riding adds to what rides with a start that the commit is no news any more.
func (p *polled) riding(ride func(answer) ([]work.Receipt, []Memo), token string, at time.Time) func(answer) ([]work.Receipt, []Memo) {
	note := Memo{Owner: owner, Key: p.key, Value: encode(headNote{Branch: p.branch, Commit: p.commit, Token: token, At: at})}
	return func(got answer) (receipts []work.Receipt, memos []Memo) {
		if ride != nil {
			receipts, memos = ride(got)
		}
		return receipts, append(memos, note)
	}
}

// seen reads what a pipeline has last seen of a branch, also as it is written.
func (s *sources) seen(ctx context.Context, key string) (note headNote, raw []byte, err error) {
	raw, ok, err := s.e.o.Memos.Memo(ctx, owner, key)
	if err == nil && ok {
		err = json.Unmarshal(raw, &note)
	}
	if err != nil {
		return note, nil, fmt.Errorf("read %s: %w", key, err)
	}
	return note, raw, nil
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
		if on, _ := s.e.catalog.polls(p.Name); !on {
			continue
		}
		for _, r := range s.readers(p) {
			if wanted[r.branch] == nil {
				wanted[r.branch] = &watch{key: r.branch, action: *r.action}
			}
			wanted[r.branch].readers = append(wanted[r.branch].readers, r)
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

// polls says whether a source action wants polling, and there is somebody who looks.
func (s *sources) polls(a workflows.Action) bool {
	return s.e.o.Sources[a.ActionType.Provider] != nil && a.Polls()
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
	before := make([][]byte, len(w.readers))
	for i, r := range w.readers {
		if _, before[i], err = s.seen(s.ctx, r.key()); err != nil {
			return err
		}
	}
	head, err := s.e.o.Sources[w.action.ActionType.Provider].Head(s.ctx, w.action)
	if err != nil {
		return err
	}
	if head.Commit == "" {
		return errors.New("the branch has no commit")
	}
	for i, r := range w.readers {
		if err := s.tell(r, before[i], head); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) key() string { return headPrefix + r.pipeline.Name + "/" + r.action.Name }

// tell starts a pipeline when the head is new to it. The first look only
// records: loading a definition never starts anything, and neither does looking
// again after a long time. before is what was known when the look began: if a
// webhook has brought something since then, the head may be older than that.
func (s *sources) tell(r reader, before []byte, head work.Change) error {
	p := &polled{key: r.key(), branch: r.branch, commit: head.Commit}
	release, err := s.e.receipts.hold(s.ctx, p.key)
	if err != nil {
		return err
	}
	defer release()
	seen, now, err := s.seen(s.ctx, p.key)
	if err != nil || !bytes.Equal(now, before) || seen.Branch == r.branch && seen.Commit == head.Commit {
		return err
	}
	at := s.e.o.Now()
	_, since := s.e.catalog.polls(r.pipeline.Name)
	if differ, ok := s.e.o.Sources[r.action.ActionType.Provider].(Differ); ok && seen.Branch == r.branch && trigger.NeedsFiles(r.pipeline, eventOf(head)) {
		if head.Files, err = differ.Changed(s.ctx, *r.action, seen.Commit, head.Commit); err != nil {
			return err
		}
	}
	name, wanted, _ := trigger.Match(r.pipeline, eventOf(head))
	if seen.Branch != r.branch || seen.At.Before(since) || !wanted {
		_, memos := p.riding(nil, "", at)(answer{})
		return s.e.persist(s.ctx, nil, memos)
	}
	a, _ := r.pipeline.Stages[0].Action(name)
	token := strings.Join([]string{"poll", head.Repository, head.Branch, head.Commit, r.pipeline.Name, strconv.FormatInt(at.UnixNano(), 36)}, "/")
	got := s.e.receipts.kickPolled(s.ctx, kickoff{
		pipeline: r.pipeline.Name, at: at, polled: p, intent: startBy(r.pipeline.Name, a, head, workflows.TriggerPoll, token),
	}, nil)
	return undecided(got.err)
}
