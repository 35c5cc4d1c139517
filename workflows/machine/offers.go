package machine

import (
	"errors"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// would says whether an intent would be accepted now, from somebody who may
// everything and fills in what a form would ask. Facts that are not at hand
// count as good news.
func (s *State) would(in workflows.Intent, facts Facts) bool {
	_, err := s.decide(Input{At: s.At, By: workflows.EnginePrincipal(), Intent: &in, Facts: facts}, true)
	var need *NeedFacts
	return err == nil || errors.As(err, &need)
}

// Offers says what could be done with an execution now by somebody who may
// everything. For one that has ended, facts must hold it (and may hold its version).
func (s *State) Offers(execution string, facts Facts) []workflows.Offer {
	e := s.execution(execution)
	if e == nil {
		e = facts.Executions[execution]
	}
	offers := []workflows.Offer{}
	if e == nil {
		return offers
	}
	offer := func(in workflows.Intent) {
		if s.would(in, facts) {
			offers = append(offers, workflows.Offer{Verb: in.Verb, Stage: in.Stage, Action: in.Action})
		}
	}
	if st := e.Inside(); st != nil {
		for _, a := range st.AllActions() {
			switch a.Needs {
			case workflows.NeedsApproval:
				offer(workflows.Intent{Verb: workflows.Approve, Execution: e.ID, Stage: st.Name, Action: a.Name})
				offer(workflows.Intent{Verb: workflows.Reject, Execution: e.ID, Stage: st.Name, Action: a.Name})
			case workflows.NeedsResolve:
				offer(workflows.Intent{Verb: workflows.Resolve, Execution: e.ID, Stage: st.Name, Action: a.Name, As: "succeeded"})
			}
		}
	}
	stage := e.Furthest()
	if stage != "" {
		offer(workflows.Intent{Verb: workflows.Override, Execution: e.ID, Stage: stage})
		offer(workflows.Intent{Verb: workflows.Retry, Execution: e.ID, Stage: stage})
		st, _ := e.Stage(stage)
		through := st.Status == workflows.StatusSucceeded && e.Status != workflows.StatusSucceeded // it has left the stage behind
		if latest := s.peek(stage).Latest; latest != nil && latest.Execution == e.ID && !through {
			offers = append(offers, s.rollbackOffer(stage)...)
		}
	}
	if w := e.WaitsFor; w != nil {
		offers = append(offers, s.onlyOffer(w.Stage)...)
	}
	offer(workflows.Intent{Verb: workflows.StopExecution, Execution: e.ID, Abandon: e.Stop != nil})
	return offers
}

// rollbackOffer offers to take a stage back to what was last good there.
func (s *State) rollbackOffer(stage string) []workflows.Offer {
	good := s.lastGood(stage)
	if good == nil || s.bridge() != nil && len(s.occupants(nil, stage)) > 0 {
		return nil
	}
	// Of the target only what decides is needed, and that is in the state.
	facts := Facts{Executions: map[string]*workflows.Execution{good.Execution: {
		ID: good.Execution, Number: good.Number, Pipeline: s.Name, Version: good.Version, Type: workflows.TypeStandard,
		Stages: []workflows.StageExecution{{Name: stage, Status: workflows.StatusSucceeded, Digest: good.Digest}},
	}}}
	if !s.would(workflows.Intent{Verb: workflows.RollBack, Stage: stage, Target: good.Execution, WhileRunning: whileWait}, facts) {
		return nil
	}
	return []workflows.Offer{{Verb: workflows.RollBack, Stage: stage, Target: good.Execution}}
}

// onlyOffer offers to admit the first who waits before a locked stage, or for the end of a freeze.
func (s *State) onlyOffer(stage string) []workflows.Offer {
	transition, frozen := s.peek(stage).Transition, s.frozen(stage, s.At) != nil
	if transition.Enabled && !frozen {
		return nil
	}
	for _, e := range s.waiting(stage) {
		if (e.ID != transition.Only || frozen && !transition.PastFreeze) && s.would(workflows.Intent{Verb: workflows.Unlock, Stage: stage, Execution: e.ID}, Facts{}) {
			return []workflows.Offer{{Verb: workflows.Unlock, Stage: stage, Target: e.ID}}
		}
	}
	return nil
}

// stageOffers are what could be done with a stage as such.
func (s *State) stageOffers(stage string) []workflows.Offer {
	offers := []workflows.Offer{}
	if s.definition().IsSource(stage) && s.would(workflows.Intent{Verb: workflows.Start}, Facts{}) {
		offers = append(offers, workflows.Offer{Verb: workflows.Start})
	}
	verb := workflows.Lock
	if !s.peek(stage).Transition.Enabled {
		verb = workflows.Unlock
	}
	if s.would(workflows.Intent{Verb: verb, Stage: stage}, Facts{}) {
		offers = append(offers, workflows.Offer{Verb: verb, Stage: stage})
	}
	offers = append(offers, s.onlyOffer(stage)...)
	return append(offers, s.rollbackOffer(stage)...)
}

// Targets judges rows, executions that succeeded in the stage, newest first, as rollback targets.
func (s *State) Targets(stage string, rows []workflows.Execution) []ledger.Target {
	targets := make([]ledger.Target, 0, len(rows))
	st := s.peek(stage)
	good := s.lastGood(stage)
	for i := range rows {
		row := &rows[i]
		t := st.Target(row, good)
		if ran, ok := row.Stage(stage); ok && s.Version > 0 {
			t.StageChanged = ran.Digest != s.digest(s.Version, stage)
			t.Took = ledger.Worked(ran)
			if def, ok := s.definition().Stage(stage); ok {
				t.Approvals = st.AsksAgain(def, row.ID, s.bridge() != nil)
			}
		}
		_, err := s.decide(Input{At: s.At, By: workflows.EnginePrincipal(), Facts: Facts{Executions: map[string]*workflows.Execution{row.ID: row}},
			Intent: &workflows.Intent{Verb: workflows.RollBack, Stage: stage, Target: row.ID, WhileRunning: whileWait}}, true)
		if refused, no := errors.AsType[*workflows.Problem](err); no {
			t.Eligible, t.Why = false, refused.Message
		}
		targets = append(targets, t)
	}
	return targets
}
