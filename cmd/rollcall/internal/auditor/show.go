package auditor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// afterwards is how many records of a pipeline are read behind the end of an
// execution, for what was refused of it, or rolled back from it, later.
const afterwards = 1024

// Show finds the execution that somebody names, in whatever way, and answers
// with its trail.
func (a *Auditor) Show(ctx context.Context, by workflows.Principal, of string) (audit.Answer, error) {
	of = strings.TrimSpace(of)
	if pipeline, at, ok := momentOf(of); ok {
		return a.showMoment(ctx, by, pipeline, at)
	}
	x, err := a.execution(ctx, by, of)
	if err == nil {
		t, err := a.trail(ctx, x.Pipeline, x.ID, x.StartedAt, x.UpdatedAt)
		return audit.Answer{Trail: t}, err
	}
	p := (*workflows.Problem)(nil)
	if !errors.As(err, &p) || p.Code != workflows.CodeExecutionNotFound {
		return audit.Answer{}, err
	}
	if strings.Contains(of, "#") {
		return a.showRemoved(ctx, by, of, err)
	}
	return a.showNamed(ctx, by, of)
}

// momentOf reads "webshop@2026-03-02T12:00:00Z".
func momentOf(text string) (pipeline string, at time.Time, ok bool) {
	i := strings.LastIndexByte(text, '@')
	if i < 1 {
		return "", at, false
	}
	at, err := time.Parse(time.RFC3339Nano, text[i+1:])
	return text[:i], at, err == nil
}

// trail assembles what the record says of an execution that started at a time
// and was changed last at another one.
func (a *Auditor) trail(ctx context.Context, pipeline, id string, started, changed time.Time) (audit.Trail, error) {
	from, err := a.before(ctx, pipeline, started)
	if err != nil {
		return audit.Trail{}, err
	}
	inForce, err := a.versionAt(ctx, pipeline, started)
	if err != nil {
		return audit.Trail{}, err
	}
	all := audit.NewAssembler(id, inForce, func(version int) *workflows.Pipeline {
		v, err := a.engine.Pipeline(ctx, workflows.EnginePrincipal(), pipeline, version)
		if err != nil {
			return nil
		}
		return v.Definition
	})
	behind := 0
	err = a.frames(ctx, pipeline, from, func(f *event.Frame, at time.Time) bool {
		all.Add(f)
		if at.After(changed) {
			behind++
		}
		return behind < afterwards
	})
	if err != nil {
		return audit.Trail{}, err
	}
	t, ok := all.Trail()
	if !ok {
		return t, fmt.Errorf("the record of %s has no start of execution %s", pipeline, id)
	}
	return t, nil
}

// versionAt is the version of a definition that was in force at a time; 0: it is not known.
func (a *Auditor) versionAt(ctx context.Context, pipeline string, at time.Time) (int, error) {
	versions, err := a.engine.Versions(ctx, workflows.EnginePrincipal(), pipeline)
	for _, v := range versions {
		if !v.At.After(at) {
			return v.Version, err
		}
	}
	return 0, err
}

// frames calls visit for the frames of a pipeline after a number, until it answers false.
func (a *Auditor) frames(ctx context.Context, pipeline string, after uint64, visit func(f *event.Frame, at time.Time) bool) error {
	for {
		page, err := a.log.RecordsOf(ctx, pipeline, after, atOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			r := &page[i]
			after = r.Number
			if r.Damage != nil {
				return fmt.Errorf("%s record %d cannot be read: %w", pipeline, r.Number, r.Damage)
			}
			f := event.Frame{Pipeline: r.Pipeline, Seq: r.Number, Feed: r.Feed, Prev: r.Prev, Hash: r.Hash}
			if err := json.Unmarshal(r.Events, &f.Events); err != nil {
				return fmt.Errorf("read %s record %d: %w", pipeline, r.Number, err)
			}
			if !visit(&f, r.At) {
				return nil
			}
		}
	}
}

// showMoment answers what ran in the stages with an environment at a time: the
// trail of what ran in the last of them.
func (a *Auditor) showMoment(ctx context.Context, by workflows.Principal, pipeline string, at time.Time) (audit.Answer, error) {
	if err := a.checkPipeline(ctx, by, pipeline); err != nil {
		return audit.Answer{}, err
	}
	state := machine.New(pipeline)
	err := a.frames(ctx, pipeline, 0, func(f *event.Frame, when time.Time) bool {
		if when.After(at) {
			return false
		}
		for _, e := range f.Events {
			state.Evolve(e)
		}
		state.Departed()
		return true
	})
	if err != nil {
		return audit.Answer{}, err
	}
	m := &audit.Moment{At: at.UTC(), Ran: []audit.Ran{}}
	for _, s := range state.View().Stages {
		if r := s.Running; r != nil && s.Environment != "" {
			m.Ran = append(m.Ran, audit.Ran{Stage: s.Name, Environment: s.Environment, Execution: fmt.Sprintf("%s#%d", pipeline, r.Number), ID: r.Execution, Since: r.Since.UTC(), Certain: r.Certain})
		}
	}
	if len(m.Ran) == 0 {
		return audit.Answer{}, workflows.Refuse(workflows.CodeExecutionNotFound, "look at the stages that have an environment, and at a later time", "nothing ran in a stage of %s with an environment at %s", pipeline, at.UTC().Format(time.RFC3339))
	}
	last := m.Ran[len(m.Ran)-1]
	x, err := a.engine.Execution(ctx, workflows.EnginePrincipal(), last.ID)
	if p := (*workflows.Problem)(nil); errors.As(err, &p) && p.Code == workflows.CodeExecutionNotFound {
		answer, err := a.showRemoved(ctx, by, last.Execution, err)
		answer.Moment = m
		return answer, err
	}
	if err != nil {
		return audit.Answer{}, err
	}
	t, err := a.trail(ctx, pipeline, x.ID, x.StartedAt, x.UpdatedAt)
	return audit.Answer{Trail: t, Moment: m}, err
}

// showRemoved looks in the record itself for an execution of which no row is
// left: retention removes rows, and never the record. notFound is the answer when there is none.
func (a *Auditor) showRemoved(ctx context.Context, by workflows.Principal, ref string, notFound error) (audit.Answer, error) {
	pipeline, number, _ := strings.Cut(ref, "#")
	if err := a.checkPipeline(ctx, by, pipeline); err != nil {
		return audit.Answer{}, notFound
	}
	var id string
	var started time.Time
	err := a.frames(ctx, pipeline, 0, func(f *event.Frame, _ time.Time) bool {
		for _, e := range f.Events {
			if e.Started != nil && (e.Kind == event.ExecutionStarted || e.Kind == event.ExecutionObserved) && fmt.Sprint(e.Started.Number) == number {
				id, started = e.Started.ID, e.Started.StartedAt
			}
		}
		return id == ""
	})
	if err != nil {
		return audit.Answer{}, err
	}
	if id == "" {
		return audit.Answer{}, notFound
	}
	t, err := a.trail(ctx, pipeline, id, started, time.Unix(1<<40, 0)) // when it was changed last stands nowhere: to the end
	return audit.Answer{Trail: t}, err
}

// showNamed looks for the newest execution that brought a commit, was started by
// a tag, or has a ticket, among those that somebody may audit.
func (a *Auditor) showNamed(ctx context.Context, by workflows.Principal, name string) (audit.Answer, error) {
	all, err := a.engine.Pipelines(ctx, workflows.EnginePrincipal())
	if err != nil {
		return audit.Answer{}, err
	}
	var newest *workflows.Execution
	var also []string
	may := false
	for _, p := range all {
		refusal, _, err := a.engine.Verdict(ctx, by, workflows.Audit, p.Name, "")
		if err != nil {
			return audit.Answer{}, err
		}
		if refusal != nil {
			continue
		}
		may = true
		found, err := a.named(ctx, p.Name, name)
		if err != nil {
			return audit.Answer{}, err
		}
		for i := range found {
			x := &found[i]
			also = append(also, x.Ref())
			if newest == nil || x.StartedAt.After(newest.StartedAt) {
				newest = x
			}
		}
	}
	if newest == nil {
		return audit.Answer{}, a.nothing(ctx, by, name, may)
	}
	t, err := a.trail(ctx, newest.Pipeline, newest.ID, newest.StartedAt, newest.UpdatedAt)
	answer := audit.Answer{Trail: t}
	for _, ref := range also {
		if ref != newest.Ref() {
			answer.Also = append(answer.Also, ref)
		}
	}
	return answer, err
}

// nothing refuses a name that nothing has, or whoever may audit nothing.
func (a *Auditor) nothing(ctx context.Context, by workflows.Principal, name string, may bool) error {
	if !may {
		refusal, _, err := a.engine.Verdict(ctx, by, workflows.Audit, "", "")
		if err != nil || refusal != nil {
			return errors.Join(err, asError(refusal))
		}
	}
	return workflows.Refuse(workflows.CodeExecutionNotFound, "name webshop#42, an ID or its end, 7 or more characters of a commit, a tag, a ticket, or webshop@2026-03-02T12:00:00Z", "the record knows nothing called %q", clean.Cut(name))
}

func asError(p *workflows.Problem) error {
	if p == nil {
		return nil
	}
	return p
}

// named walks along a pipeline's rows, newest first, to the page in which
// something has that name, and returns all of that page that do.
func (a *Auditor) named(ctx context.Context, pipeline, name string) (found []workflows.Execution, err error) {
	const page = 100
	for before := 0; len(found) == 0; {
		rows, err := a.log.Executions(ctx, record.Query{Pipeline: pipeline, Limit: page, Before: before})
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", clean.Cut(name), err)
		}
		for i := range rows {
			if before = rows[i].Number; audit.IsNamed(&rows[i], name) {
				found = append(found, rows[i])
			}
		}
		if len(rows) < page || before <= 1 {
			break
		}
	}
	return found, nil
}
