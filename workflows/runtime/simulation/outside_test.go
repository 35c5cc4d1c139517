package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// outside is what runners, sources and followers work on. It outlives
// processes, counts what was done to it, and never forgets. world.mu guards it.
type outside struct {
	seed    uint64
	jobs    map[string]*job // by task ID
	heads   map[string]string
	pushes  int
	members map[string]map[string]bool // group -> mail
	tickets map[string]int             // by what they are about
	cards   map[string]string          // execution ID -> what the card shows
	told    map[string]*telling        // by follower
}

// job is what a start has begun outside.
type job struct {
	task      work.Task
	starts    int
	polls     int          // until it ends; below 0: never by itself
	ends      work.Outcome // what it comes to
	ended     bool
	cancelled bool // for good: it must not begin, or begin again
}

func newOutside(seed uint64) *outside {
	return &outside{
		seed: seed, jobs: map[string]*job{}, heads: map[string]string{"main": "m0", "next": "n0"}, tickets: map[string]int{},
		members: map[string]map[string]bool{"slack-group:S1": {ben.Email: true, cho.Email: true}}, cards: map[string]string{}, told: map[string]*telling{},
	}
}

// nameOf names a task without an ID.
func nameOf(t work.Task) string {
	return fmt.Sprintf("%s#%d/%s/%s/%d", t.Pipeline, t.Number, t.Stage, t.Action.Name, t.Attempt)
}

// stubborn says whether the calls for a task go on although nobody waits for them any more.
func (o *outside) stubborn(t work.Task) bool {
	h := fnv.New64a()
	fmt.Fprint(h, o.seed, nameOf(t))
	return h.Sum64()%6 == 0
}

// hand is a Runner that cannot look a start up.
type hand struct {
	w *world
	p *process
}

// finder is one that can.
type finder struct{ hand }

func (h hand) park(ctx context.Context, kind string, t work.Task) (fate, error) {
	if h.w.outside.stubborn(t) {
		ctx = context.Background()
	}
	return h.w.park(ctx, h.p, kind, nameOf(t))
}

// do makes a call that acts on the outside when and if its fate wants that.
func (h hand) do(ctx context.Context, kind string, t work.Task, space work.Workspace, act func(die uint64) work.Outcome) (o work.Outcome, err error) {
	f, err := h.park(ctx, kind, t)
	if err != nil {
		return o, err
	}
	switch f.how {
	case gone, before:
		return o, errLost
	case panics:
		panic("a runner's bug, before it did anything")
	}
	func() {
		h.w.mu.Lock()
		defer h.w.mu.Unlock()
		o = act(f.die)
	}()
	for _, a := range o.Artifacts {
		if _, err := space.Pack(a.Digest, "", nil); err != nil {
			return o, err
		}
	}
	switch f.how {
	case after:
		return work.Outcome{}, errLost
	case bursts:
		panic("a runner's bug, after it did something")
	}
	return o, nil
}

func (h hand) Start(ctx context.Context, t work.Task, space work.Workspace) (work.Outcome, error) {
	return h.do(ctx, "start", t, space, func(die uint64) work.Outcome { return h.w.begin(t, die, false) })
}

func (h finder) Start(ctx context.Context, t work.Task, space work.Workspace) (work.Outcome, error) {
	return h.do(ctx, "start", t, space, func(die uint64) work.Outcome { return h.w.begin(t, die, true) })
}

func (h finder) Find(ctx context.Context, t work.Task, space work.Workspace) (work.Outcome, bool, error) {
	found := false
	o, err := h.do(ctx, "find", t, space, func(die uint64) work.Outcome {
		j := h.w.outside.jobs[t.ID]
		if found = j != nil && j.starts > 0; !found {
			return work.Outcome{}
		}
		return j.stands(die, h.w.calm)
	})
	return o, found, err
}

func (h hand) Poll(ctx context.Context, t work.Task, space work.Workspace) (work.Outcome, error) {
	return h.do(ctx, "poll", t, space, func(die uint64) work.Outcome {
		j := h.w.outside.jobs[t.ID]
		if j == nil {
			h.w.violatedLocked("only what was begun is polled", "%s was never begun", nameOf(t))
			return work.Outcome{State: work.Failed}
		}
		if h.w.calm {
			j.polls = 0
		}
		if j.polls > 0 {
			j.polls--
		}
		return j.stands(die, h.w.calm)
	})
}

func (h hand) Cancel(ctx context.Context, t work.Task, space work.Workspace) (work.Outcome, error) {
	return h.do(ctx, "cancel", t, space, func(die uint64) work.Outcome { return h.w.cancel(t, die) })
}

// begin is a start that reaches the outside.
func (w *world) begin(t work.Task, die uint64, found bool) work.Outcome {
	if !w.ledger.opened[t.ID] {
		w.violatedLocked("nothing is done before it is durable", "%s was started, and its start is in no commit", nameOf(t))
	}
	j := w.outside.jobs[t.ID]
	if j == nil {
		j = &job{}
		w.outside.jobs[t.ID] = j
	}
	if j.cancelled {
		w.violatedLocked("what was cancelled does not start", "%s", nameOf(t))
	}
	if j.starts++; j.starts > 1 && (found || !t.Restartable) {
		w.violatedLocked("a task starts once", "%s was started %d times", nameOf(t), j.starts)
	}
	if p := w.ledger.books[t.Pipeline]; p != nil && p.finals[t.Execution] == workflows.StatusSuperseded {
		w.violatedLocked("what was superseded never moves again", "%s was started", nameOf(t))
	}
	j.task, j.ended = t, false
	j.destine(t, die, w)
	return j.stands(die, w.calm)
}

// destine draws what becomes of the work.
func (j *job) destine(t work.Task, die uint64, w *world) {
	j.ends = work.Outcome{State: work.Succeeded, Summary: "done"}
	for i, a := range t.Action.OutputArtifacts {
		if die%67 != 0 || i > 0 { // now and then one is not left behind
			j.ends.Artifacts = append(j.ends.Artifacts, workflows.Artifact{Name: a.Name, Digest: strings.Repeat("d", 8) + nameOf(t), Size: 7})
		}
	}
	if t.Action.IsSource() {
		commit := w.outside.heads[t.Action.Configuration["BranchName"]]
		if t.Revision != nil && t.Revision.RevisionID != "" {
			commit = t.Revision.RevisionID
		}
		j.ends.Outputs = map[string]string{"CommitId": commit}
		j.ends.Revision = &workflows.SourceRevision{ActionName: t.Action.Name, RevisionID: commit, Author: &workflows.Author{Name: "Dan", Email: dan.Email}}
	}
	if w.calm {
		j.polls = int(die % 2)
		return
	}
	chance := die / 67 % 100
	j.polls = []int{0, 0, 0, 1, 1, 2, 4}[die/6700%7]
	switch {
	case w.outside.seed%4 == 1 && t.Restartable && chance < 95: // what may start again kills its supervisor, again and again
		j.polls, j.ends = 0, work.Outcome{State: work.InDoubt}
	case t.Action.IsSource() && chance < 93:
	case chance < 70:
	case chance < 84:
		j.ends = work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: "ActionFailed", Message: "bad luck"}}
	case chance < 88:
		j.ends = work.Outcome{State: work.InDoubt}
	case chance < 90:
		j.ends = work.Outcome{State: work.Cancelled}
	default:
		j.polls = -1
	}
}

// stands says how it stands with the work.
func (j *job) stands(die uint64, calm bool) work.Outcome {
	if j.polls == 0 {
		j.ended = true
		return j.ends
	}
	o := work.Outcome{State: work.Running, Handle: fmt.Sprint("h", die%3)}
	if die%5 == 0 {
		o.Handle = ""
	}
	if die%11 == 0 && !calm {
		o.PollAfter = 10 * time.Minute
	}
	if die%4 == 0 {
		o.Summary = fmt.Sprint("step ", die%7)
	}
	return o
}

// cancel is a cancel that reaches the outside.
func (w *world) cancel(t work.Task, die uint64) work.Outcome {
	j := w.outside.jobs[t.ID]
	if j == nil {
		j = &job{}
		w.outside.jobs[t.ID] = j
	}
	switch {
	case j.starts > 0 && j.ended:
		return j.ends
	case !w.calm && die%10 == 0:
		return work.Outcome{State: work.InDoubt}
	case !w.calm && die%10 < 3:
		return work.Outcome{State: work.Running, Handle: "stopping"}
	case !w.calm && die%10 == 3 && j.starts > 0:
		j.ended, j.polls = true, 0
		return j.ends
	}
	j.ended, j.cancelled, j.polls = true, true, 0
	j.ends = work.Outcome{State: work.Cancelled}
	return j.ends
}

// branches is a Source.
type branches struct {
	w *world
	p *process
}

func (b branches) Head(ctx context.Context, followed work.Followed) (work.Change, error) {
	a := followed.Action
	branch := a.Configuration["BranchName"]
	f, err := b.w.park(ctx, b.p, "head", branch)
	switch {
	case err != nil:
		return work.Change{}, err
	case f.how == panics:
		panic("a source's bug")
	case f.how != fine:
		return work.Change{}, errLost
	}
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	return b.w.outside.change(branch), nil
}

const repository = "https://git.example/shop.git"

// change is the newest commit of a branch, as a push.
func (o *outside) change(branch string) work.Change {
	return work.Change{
		Provider: "Git", Event: "push", Repository: repository, Branch: branch, Commit: o.heads[branch], Summary: "Fix " + o.heads[branch],
		Author: &workflows.Author{Name: "Dan", Email: dan.Email}, By: workflows.Principal{ID: "git:" + dan.Email, Name: "Dan", Via: "git"},
	}
}

// members is a Directory.
type members struct {
	w *world
	p *process
}

func (m members) Member(ctx context.Context, who workflows.Principal, group string) (bool, error) {
	f, err := m.w.park(ctx, m.p, "member", who.Name+" "+group)
	if err != nil {
		return false, err
	}
	if f.how != fine {
		return false, errLost
	}
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.w.outside.members[group][who.Email], nil
}
