package codepipeline

import "time"

// The kinds of stage conditions, as OverrideStageCondition writes them.
const (
	beforeEntry   = "BEFORE_ENTRY"
	onSuccess     = "ON_SUCCESS"
	onFailureKind = "ON_FAILURE"
)

// conditionRun is a condition that was asked.
type conditionRun struct {
	kind, status, result string
	rules                []*ruleRun
	updated              time.Time
}

// ruleRun is one rule of it.
type ruleRun struct {
	run              *stageRun
	c                *conditionRun
	def              *rule
	id, status, by   string
	started, updated time.Time
	due              time.Time
	script           Script
	summary          string
	fault            *Failure
}

func (c *conditionRun) dueRules(earlier func(time.Time, func()), judge func(*ruleRun)) {
	for _, ru := range c.rules {
		if ru.status == inProgress {
			earlier(ru.due, func() { judge(ru) })
		}
	}
}

// ask starts the rules of a condition, all at once.
func (s *Service) ask(r *stageRun, kind string, list []condition) {
	c := &conditionRun{kind: kind, status: inProgress, updated: s.at}
	r.conditions[kind] = c
	for i := range list {
		c.result = list[i].Result
		for j := range list[i].Rules {
			def := &list[i].Rules[j]
			ru := &ruleRun{run: r, c: c, def: def, id: s.newID(), status: inProgress, started: s.at, updated: s.at}
			ru.script = s.script(r.e.p.name, r.name, def.Name)
			if !ru.script.Hold {
				ru.due = s.at.Add(ru.script.Takes)
			}
			c.rules = append(c.rules, ru)
			r.rules = append(r.rules, ru)
		}
	}
	if len(c.rules) == 0 {
		s.decided(r, c)
	}
}

// judged ends a rule, and with the last one the condition.
func (s *Service) judged(ru *ruleRun, how Script) {
	ru.status, ru.summary, ru.updated, ru.due = succeeded, how.Summary, s.at, time.Time{}
	if how.Fail != nil {
		ru.status, ru.fault = failed, &Failure{Code: how.Fail.Code, Message: how.Fail.Message}
		if ru.fault.Code == "" {
			ru.fault.Code = "JobFailed"
		}
	}
	s.touch(ru.run.e)
	for _, other := range ru.c.rules {
		if other.status == inProgress {
			return
		}
	}
	s.decided(ru.run, ru.c)
}

func (s *Service) decided(r *stageRun, c *conditionRun) {
	c.status, c.updated = succeeded, s.at
	for _, ru := range c.rules {
		if ru.status != succeeded {
			c.status = failed
		}
	}
	switch {
	case c.kind == beforeEntry && c.status == succeeded:
		s.group(r)
	case c.kind == beforeEntry && c.result == "SKIP":
		r.status = skipped
		s.onward(r)
	case c.kind == onSuccess && c.status == succeeded:
		s.passed(r)
	case c.kind == onSuccess && c.result == "ROLLBACK":
		s.rollbackAfter(r)
	case c.kind == onFailureKind && c.status == succeeded:
		s.engage(r, c.result)
	default:
		s.leave(r, failed, failed)
	}
}

// someFailed is what a stage does when its actions have ended and one has failed.
func (s *Service) someFailed(r *stageRun) {
	f := r.def.OnFailure
	switch {
	case f == nil || r.e.kind == rollback:
		s.leave(r, failed, failed)
	case len(f.Conditions) > 0:
		s.ask(r, onFailureKind, f.Conditions)
	default:
		s.engage(r, f.Result)
	}
}

func (s *Service) engage(r *stageRun, result string) {
	switch {
	case result == "ROLLBACK":
		s.rollbackAfter(r)
	case result == "RETRY" && r.auto == 0:
		r.auto++
		r.latestRetry = "AutomatedStageRetry"
		mode := "FAILED_ACTIONS"
		if c := r.def.OnFailure.RetryConfiguration; c != nil && c.RetryMode != "" {
			mode = c.RetryMode
		}
		s.again(r, mode)
	default:
		s.leave(r, failed, failed)
	}
}

// dropRules ends what is still being asked.
func (s *Service) dropRules(r *stageRun, status string) {
	for _, c := range r.conditions {
		if c.status != inProgress {
			continue
		}
		c.status, c.updated = status, s.at
		for _, ru := range c.rules {
			if ru.status == inProgress {
				ru.status, ru.updated, ru.due = abandoned, s.at, time.Time{}
			}
		}
	}
}

func (s *Service) override(p *pipeline, in *of, by string) (any, *Error) {
	if p.now().stage(in.StageName) < 0 {
		return nil, noStage(p, in.StageName)
	}
	e := p.find(in.PipelineExecutionID)
	pl := p.place(in.StageName)
	if e == nil || !e.parallel() && (pl.latest == nil || pl.latest.e != e) {
		return nil, refuse("NotLatestPipelineExecutionException", "The stage %s has been entered by a later execution than %s", in.StageName, in.PipelineExecutionID)
	}
	r := e.run(in.StageName)
	if r == nil || r.conditions[in.ConditionType] == nil {
		return nil, refuse("ConditionNotOverridableException", "Stage %s has no condition of type %s to override", in.StageName, in.ConditionType)
	}
	c := r.conditions[in.ConditionType]
	running, refused := c.status == inProgress, c.status == failed && r.status == failed && e.status == failed
	if c.result == "SKIP" || !running && !refused {
		return nil, refuse("ConditionNotOverridableException", "The condition %s of stage %s is %s and does not allow overrides", in.ConditionType, in.StageName, c.status)
	}
	if refused {
		if !s.room(p) {
			return nil, tooMany(p)
		}
		s.resume(r)
	}
	s.dropRules(r, overridden)
	c.status, c.updated = overridden, s.at
	for _, ru := range c.rules {
		ru.by = by
	}
	s.touch(e)
	if c.kind == beforeEntry {
		s.group(r)
	} else {
		s.passed(r)
	}
	return struct{}{}, nil
}
