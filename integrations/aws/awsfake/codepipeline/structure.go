package codepipeline

import (
	"slices"
	"strings"
)

// check refuses what is no pipeline: the rules that its shapes cannot say.
func (d *declaration) check() *Error {
	structure := func(format string, args ...any) *Error { return refuse("InvalidStructureException", format, args...) }
	switch {
	case len(d.Stages) < 2:
		return structure("Pipeline has only %d stage(s). There should be a minimum of 2 stages in a pipeline", len(d.Stages))
	case len(d.Stages) > 50:
		return structure("Pipeline has %d stages. There can be at most 50 stages in a pipeline", len(d.Stages))
	case (d.ArtifactStore == nil) == (d.ArtifactStores == nil):
		return structure("Pipeline must have either an artifactStore or artifactStores, and not both")
	case d.PipelineType == "V1" && d.needsV2():
		return structure("Pipeline of type V1 uses a feature that needs a pipeline of type V2")
	}
	names := map[string]bool{}
	for i := range d.Stages {
		s := &d.Stages[i]
		if names[s.Name] {
			return structure("Stage name '%s' is used more than once", s.Name)
		}
		names[s.Name] = true
		if e := d.checkStage(i, s); e != nil {
			return e
		}
	}
	if e := d.checkArtifacts(); e != nil {
		return e
	}
	return d.checkTriggers()
}

func (d *declaration) checkStage(i int, s *stage) *Error {
	stageFault := func(format string, args ...any) *Error {
		return refuse("InvalidStageDeclarationException", format, args...)
	}
	if len(s.Blockers) > 0 {
		return refuse("InvalidBlockerDeclarationException", "Stage '%s' has blockers, which are reserved for future use", s.Name)
	}
	if len(s.Actions) == 0 || len(s.Actions) > 50 {
		return stageFault("Stage '%s' has %d actions. There must be between 1 and 50 actions in a stage", s.Name, len(s.Actions))
	}
	names := map[string]bool{}
	for j := range s.Actions {
		a := &s.Actions[j]
		switch {
		case names[a.Name]:
			return stageFault("Action name '%s' is used more than once in stage '%s'", a.Name, s.Name)
		case a.is("Source") && i > 0:
			return stageFault("Source actions are only allowed in the first stage, and '%s' is in stage '%s'", a.Name, s.Name)
		case !a.is("Source") && i == 0:
			return stageFault("Only source actions are allowed in the first stage, and '%s' is no source action", a.Name)
		}
		names[a.Name] = true
		if e := a.check(); e != nil {
			return e
		}
	}
	return d.checkConditions(i, s)
}

func (a *action) check() *Error {
	fault := func(format string, args ...any) *Error {
		return refuse("InvalidActionDeclarationException", format, args...)
	}
	switch {
	case a.TimeoutInMinutes > 0 && !a.manual():
		return fault("Action '%s': timeoutInMinutes is only supported for manual approval actions", a.Name)
	case a.manual() && len(a.InputArtifacts)+len(a.OutputArtifacts) > 0:
		return fault("Action '%s': a manual approval has no artifacts", a.Name)
	case a.is("Source") && len(a.InputArtifacts) > 0:
		return fault("Action '%s': a source action has no input artifacts", a.Name)
	case a.Namespace == "codepipeline" || a.Namespace == "variables":
		return fault("Action '%s': the namespace '%s' is reserved", a.Name, a.Namespace)
	}
	return nil
}

func (d *declaration) checkConditions(i int, s *stage) *Error {
	fault := func(format string, args ...any) *Error {
		return refuse("InvalidStageDeclarationException", "Stage '"+s.Name+"': "+format, args...)
	}
	check := func(kind string, list []condition, results ...string) *Error {
		for _, c := range list {
			if !slices.Contains(results, c.Result) {
				return fault("%s cannot have the result '%s'", kind, c.Result)
			}
			for _, r := range c.Rules {
				if c.Result == "SKIP" && r.RuleTypeID.Provider != "LambdaInvoke" && r.RuleTypeID.Provider != "VariableCheck" {
					return fault("the result SKIP cannot be used with rule '%s' of provider %s", r.Name, r.RuleTypeID.Provider)
				}
			}
		}
		return nil
	}
	rollback := false
	if s.BeforeEntry != nil {
		if e := check("beforeEntry", s.BeforeEntry.Conditions, "FAIL", "SKIP"); e != nil {
			return e
		}
	}
	if s.OnSuccess != nil {
		if e := check("onSuccess", s.OnSuccess.Conditions, "ROLLBACK", "FAIL"); e != nil {
			return e
		}
		rollback = slices.ContainsFunc(s.OnSuccess.Conditions, func(c condition) bool { return c.Result == "ROLLBACK" })
	}
	if f := s.OnFailure; f != nil {
		if e := check("onFailure", f.Conditions, "ROLLBACK", "RETRY", "FAIL"); e != nil {
			return e
		}
		rollback = rollback || f.Result == "ROLLBACK" || slices.ContainsFunc(f.Conditions, func(c condition) bool { return c.Result == "ROLLBACK" })
	}
	switch {
	case rollback && i == 0:
		return fault("the source stage cannot be rolled back")
	case rollback && d.ExecutionMode == parallel:
		return fault("ROLLBACK is not available in execution mode PARALLEL")
	}
	return nil
}

// checkArtifacts demands that every input was surely made before.
func (d *declaration) checkArtifacts() *Error {
	made := map[string]bool{}
	for i := range d.Stages {
		actions := slices.Clone(d.Stages[i].Actions)
		slices.SortStableFunc(actions, func(a, b action) int { return a.RunOrder - b.RunOrder })
		for j, k := 0, 0; j < len(actions); j = k {
			for k = j; k < len(actions) && actions[k].RunOrder == actions[j].RunOrder; k++ {
				for _, in := range actions[k].InputArtifacts {
					if !made[in.Name] {
						return refuse("InvalidStructureException", "Input Artifact Bundle %s in action %s is not declared as Output Artifact Bundle in any of the preceding actions", in.Name, actions[k].Name)
					}
				}
			}
			for _, a := range actions[j:k] {
				for _, out := range a.OutputArtifacts {
					if made[out.Name] {
						return refuse("InvalidStructureException", "Output Artifact Bundle name must be unique within the pipeline. %s has been used more than once", out.Name)
					}
					made[out.Name] = true
				}
			}
		}
	}
	return nil
}

func (d *declaration) checkTriggers() *Error {
	seen := map[string]bool{}
	for _, t := range d.Triggers {
		name := t.GitConfiguration.SourceActionName
		a := d.Stages[0].action(name)
		if a == nil || !strings.HasPrefix(a.ActionTypeID.Provider, "CodeStarSourceConnection") || seen[name] {
			return invalid("Trigger for source action '%s' needs exactly one source action of provider CodeStarSourceConnection with this name", name)
		}
		seen[name] = true
	}
	return nil
}
