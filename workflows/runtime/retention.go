package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/identity"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// MemoOwner is a follower that keeps memos of single executions; they go with those.
type MemoOwner interface {
	// ExecutionMemos are the keys of the memos that are of this execution alone.
	ExecutionMemos(x *workflows.Execution) []string
}

// withRetention makes what removes old executions, logs and artifacts.
func (e *Engine) withRetention() {
	policy := e.o.Retention
	if e.o.Rows == nil {
		policy = retention.Policy{}
	}
	e.retention = retention.New(retention.Options{Policy: policy, Rows: e.o.Rows, States: states{e}, Commits: e.decider, Files: e.o.Files,
		Timers: e.timers, Memos: e.memosOf, Now: e.o.Now, Log: e.log})
}

// memosOf are the memos that go with an execution: those of followers, and the tokens of its gates.
func (e *Engine) memosOf(x *workflows.Execution) (memos []record.Memo) {
	for name, f := range e.memoOwners {
		for _, key := range f.ExecutionMemos(x) {
			memos = append(memos, record.NewMemo(name, key, nil))
		}
	}
	for i := range x.Stages {
		for _, a := range x.Stages[i].Actions {
			if a.Approval != nil {
				memos = append(memos, record.NewMemo(owner, tokenPrefix+a.Approval.Token, nil))
			}
		}
	}
	return memos
}

// states are the pipelines as committed.
type states struct{ e *Engine }

// Names are the names of all pipelines.
func (s states) Names() []string { return s.e.decider.Pipelines() }

// Read reads a pipeline's state.
func (s states) Read(ctx context.Context, pipeline string, f func(*machine.State) error) error {
	return s.e.read(ctx, pipeline, f)
}

// Last is the sequence number of a pipeline's last frame.
func (s states) Last(pipeline string) (uint64, bool) { return s.e.decider.Last(pipeline) }

// reserve keeps what an intent takes up again from going meanwhile, and refuses
// a rollback to something whose artifacts have gone.
func (e *Engine) reserve(ctx context.Context, in *workflows.Intent) (refusal *workflows.Problem, release func(), err error) {
	id := map[workflows.Verb]string{workflows.RollBack: in.Target, workflows.Retry: in.Execution}[in.Verb]
	if id == "" {
		return nil, func() {}, nil
	}
	keys := []string{id}
	x, ok, err := e.o.History.Execution(ctx, id)
	for _, a := range x.Artifacts {
		keys = append(keys, a.Digest, a.Place())
	}
	if err == nil && ok {
		release, err = e.retention.Reserve(ctx, keys...)
	}
	if err == nil && ok { // again: it may just have gone
		if x, ok, err = e.o.History.Execution(ctx, id); err == nil && ok && in.Verb == workflows.RollBack {
			refusal, err = e.missingArtifact(ctx, &x, in.Stage, in.Definition)
		}
	}
	if err == nil && ok {
		return refusal, release, nil
	}
	if release != nil {
		release()
	}
	if err == nil {
		return e.removed("what it is about"), func() {}, nil
	}
	if _, said := asProblem(err); !said {
		err = e.unreadable(err, "execution "+id)
	}
	return nil, nil, err
}

// decided says whether an answer leaves nothing open: it was decided, or certainly not.
func decided(err error) bool {
	p, refused := asProblem(err)
	return err == nil || refused && p.Code != workflows.CodeCommitUnknown
}

// missingArtifact refuses a rollback of the stage to x when an artifact is gone that it
// would deploy. What it cannot know it leaves to the action that needs it.
func (e *Engine) missingArtifact(ctx context.Context, x *workflows.Execution, stage, definition string) (refusal *workflows.Problem, err error) {
	if e.o.Files == nil || len(x.Artifacts) == 0 {
		return nil, nil
	}
	version := x.Version
	if definition == "current" {
		err := e.read(ctx, x.Pipeline, func(s *machine.State) error {
			version = s.Version
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	p, err := e.definition(ctx, x.Pipeline, version)
	if err != nil {
		return nil, e.unreadable(err, fmt.Sprintf("version %d of %s", version, x.Pipeline))
	}
	return e.missingOf(x, p, stage), nil
}

// missingOf is missingArtifact of a stage as a definition has it; nil: it is not known.
func (e *Engine) missingOf(x *workflows.Execution, p *workflows.Pipeline, stage string) *workflows.Problem {
	if p == nil {
		return nil
	}
	st, ok := p.Stage(stage)
	if !ok {
		return nil
	}
	for _, name := range inputsFromEarlier(st) {
		if a, ok := x.Artifacts[name]; ok && a.At == "" && !e.o.Files.HasArtifact(a.Digest) {
			return &workflows.Problem{Code: workflows.CodeUnableToRollback, Message: fmt.Sprintf("the artifact %s of %s %s", name, x.Ref(), e.whyMissing(x)),
				Hint: "choose another one with: targets " + x.Pipeline + " " + stage}
		}
	}
	return nil
}

// whyMissing says where an artifact of an execution is: what retention may not
// have removed yet is missing for another reason.
func (e *Engine) whyMissing(x *workflows.Execution) string {
	age := e.retention.Policy().Artifacts
	if age == 0 || x.EndedAt == nil || x.EndedAt.After(age.Before(e.o.Now())) {
		return "is missing from the data folder"
	}
	return "was removed by retention" + setting("artifacts", age)
}

// withoutArtifacts makes targets that lack an artifact ones that cannot be chosen.
// known are definitions at hand, by version; each other one is read once.
func (e *Engine) withoutArtifacts(ctx context.Context, targets []ledger.Target, rows []workflows.Execution, stage string, known map[int]*workflows.Pipeline) error {
	for i := range targets {
		t := &targets[i]
		n := slices.IndexFunc(rows, func(x workflows.Execution) bool { return x.ID == t.Execution })
		if n < 0 || !t.Eligible || e.o.Files == nil || len(rows[n].Artifacts) == 0 {
			continue
		}
		x := &rows[n]
		p, ok := known[x.Version]
		if !ok {
			var err error
			if p, err = e.definition(ctx, x.Pipeline, x.Version); err != nil {
				return e.unreadable(err, fmt.Sprintf("version %d of %s", x.Version, x.Pipeline))
			}
			known[x.Version] = p
		}
		if refusal := e.missingOf(x, p, stage); refusal != nil {
			t.Eligible, t.Preselected, t.Why = false, false, refusal.Message
		}
	}
	return nil
}

// inputsFromEarlier are the artifacts that a stage takes and does not make itself.
func inputsFromEarlier(st *workflows.Stage) (names []string) {
	made := map[string]bool{}
	for _, a := range st.Actions {
		for _, out := range a.OutputArtifacts {
			made[out.Name] = true
		}
	}
	for _, a := range st.Actions {
		for _, in := range a.InputArtifacts {
			if !made[in] && !slices.Contains(names, in) {
				names = append(names, in)
			}
		}
	}
	return names
}

// setting says in brackets which setting removes something, if there is one now.
func setting(what string, age retention.Age) string {
	if age == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", what, age)
}

// moment is a time as people read it: to the day, where days are what counts.
func moment(at time.Time, age retention.Age) string {
	if time.Duration(age) >= 48*time.Hour {
		return at.UTC().Format(time.DateOnly)
	}
	return at.UTC().Format(time.DateTime + " UTC")
}

// removed is what people hear of an execution that is gone.
func (e *Engine) removed(ref string) *workflows.Problem {
	age, when := e.retention.Policy().Executions, ""
	if age != 0 {
		when = " ended before " + moment(age.Before(e.o.Now()), age) + " and"
	}
	return &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: ref + when + " was removed by retention" + setting("executions", age), Hint: "what happened is still in the audit record"}
}

// explainMissing makes of an execution that was not found one that was removed, for whom
// may see its pipeline. Numbers are given in order, and an ID holds the time at
// which it was given, so that nothing need be kept of what is gone.
func (e *Engine) explainMissing(ctx context.Context, j *judge, pipeline, ref string, err error) error {
	p, ok := asProblem(err)
	if !ok || p.Code != workflows.CodeExecutionNotFound {
		return err
	}
	of, number, failed := e.numberOf(ctx, pipeline, ref)
	if failed != nil {
		return failed
	}
	if number > 0 {
		verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: of})
		if err != nil {
			return err
		}
		if verdict.Allowed {
			return e.removed((&workflows.Execution{Pipeline: of, Number: number}).Ref())
		}
		return p
	}
	if near, err := e.nearExecution(ctx, j, pipeline, ref); err != nil || near != "" {
		hinted := *p
		hinted.Hint = near
		return cmp.Or(err, error(&hinted))
	}
	if age := e.retention.Policy().Executions; age != 0 {
		hinted := *p
		hinted.Hint += "; what ended before " + moment(age.Before(e.o.Now()), age) + " was removed by retention" + setting("executions", age)
		return &hinted
	}
	return p
}

// numberOf finds out whether there ever was an execution of that name; number 0: that is not known.
func (e *Engine) numberOf(ctx context.Context, pipeline, ref string) (of string, number int, err error) {
	ref = strings.TrimSpace(ref)
	of, digits, named := strings.Cut(ref, "#")
	if of = cmp.Or(of, pipeline); !named {
		of, digits = pipeline, ref
	}
	if n, bad := strconv.Atoi(digits); bad == nil && n > 0 && of != "" {
		if _, known := e.decider.Last(of); !known {
			return "", 0, nil
		}
		err = e.read(ctx, of, func(s *machine.State) error {
			if n <= s.Count {
				number = n
			}
			return nil
		})
		return of, number, err
	}
	if at, ok := identity.Time(strings.ToLower(ref)); ok {
		return e.findStart(ctx, strings.ToLower(ref), at)
	}
	return "", 0, nil
}

// findStart finds in the record where an execution began, by the time in its ID.
func (e *Engine) findStart(ctx context.Context, id string, at time.Time) (pipeline string, number int, err error) {
	const around, pages, page = 2 * time.Second, 8, 64
	newest, err := e.Head(ctx)
	if err != nil {
		return "", 0, err
	}
	read := func(after uint64, limit int) ([]event.Frame, error) {
		frames, err := e.o.History.Feed(ctx, after, limit)
		if err != nil {
			err = e.unreadable(err, "the record")
		}
		return frames, err
	}
	after, end := uint64(0), newest
	for after < end {
		middle := after + (end-after)/2
		frames, err := read(middle, 1)
		if err != nil {
			return "", 0, err
		}
		if len(frames) > 0 && frames[0].Events[0].At.Before(at.Add(-around)) {
			after = middle + 1
		} else {
			end = middle
		}
	}
	for range pages {
		frames, err := read(after, page)
		if err != nil || len(frames) == 0 {
			return "", 0, err
		}
		for _, f := range frames {
			for _, ev := range f.Events {
				if ev.Kind == event.ExecutionStarted && ev.Execution == id && ev.Started != nil {
					return f.Pipeline, ev.Started.Number, nil
				}
			}
			if after = f.Feed; f.Events[0].At.After(at.Add(around)) {
				return "", 0, nil
			}
		}
	}
	return "", 0, nil
}

// logRemoved says that a log was removed, when it was: an execution that ended long ago
// and has an empty one; nil: it was not.
func (e *Engine) logRemoved(x *workflows.Execution, action string, size int64) error {
	age := e.retention.Policy().Logs
	if size > 0 || age == 0 || !x.Status.Final() || x.EndedAt == nil || x.EndedAt.After(age.Before(e.o.Now())) {
		return nil
	}
	return &workflows.Problem{Code: workflows.CodeLogNotFound, Message: fmt.Sprintf("the log of %s in %s was removed by retention%s", clean.Cut(action), x.Ref(), setting("logs", age)),
		Hint: "the execution itself still says how the action ended"}
}
