package access

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/scope"
)

// Question asks whether somebody may do something, on what, and whether they
// are exempt from the right that it takes. Every surface that judges an intent
// asks one ([About], or [Right] to read), and hands it to [Policy.Ask]: the
// service when an intent arrives, an offer of a button, a test of a pipeline.
type Question struct {
	By workflows.Principal
	// Intent is what may be decided about once the answer is yes, and nothing
	// else: where it left open which stage of the execution it is about, the stage
	// that is judged stands in it.
	Intent workflows.Intent
	// Verb is what the right is for, and On where it is needed.
	Verb workflows.Verb
	On   Resource
	// AtGate: who may answer is decided with the gate, and again when the quorum
	// is reached, from facts of that time. Whoever submits such an intent needs no
	// right before; whoever offers it asks the question all the same.
	AtGate bool
	// Named are lists of who-expressions: who is named in each of them needs no
	// right. None: nobody is.
	Named [][]string
	// Freezes are the lists of the freezes that hold where an execution is to
	// be admitted: who is not named in each of them is refused when it is decided, whatever
	// right they have.
	Freezes [][]string
	// Alone: no right stands in for being named. With nobody named, nobody may.
	Alone bool
	// Beyond is a right that is not needed, and lets the intent ask for more
	// (Intent.AnyRevision); empty: none.
	Beyond workflows.Verb
}

// Right asks about a verb on a resource alone: for what is read, and to explain.
func Right(by workflows.Principal, v workflows.Verb, on Resource) Question {
	return Question{By: by, Verb: v, On: on}
}

// About asks about an intent at a time. x is the execution that it is about,
// nil when there is none; view is how the pipeline stands, needed only to let an
// execution into a stage (Enable with an Execution), else nil.
func About(in workflows.Intent, by workflows.Principal, x *workflows.Execution, view *workflows.PipelineView, at time.Time) Question {
	q := Question{By: by, Verb: in.Verb, On: Resource{Pipeline: in.Pipeline, Stage: in.Stage}}
	switch in.Verb {
	case workflows.Start, workflows.Edit, workflows.Archive, workflows.ReplaceFreezes:
		q.On.Stage = ""
		if in.Verb == workflows.Start && len(in.Revisions) > 0 && !by.IsEngine() {
			q.Beyond = workflows.StartAnyRevision
		}
	case workflows.Approve, workflows.Reject:
		stage, gate := openGate(x, &in)
		_, isMachine := by.Machine()
		q.On.Stage = stage
		q.AtGate = by.Stranger == "" && (gate == nil || isMachine || len(gate.From) > 0)
		if q.Alone = q.AtGate && gate != nil; q.Alone && len(gate.From) > 0 {
			q.Named = [][]string{gate.From}
		}
	case workflows.Unlock:
		if view != nil && in.Execution != "" {
			q.Freezes, q.Named = mayPass(view, in.Stage, at)
		}
	case workflows.StopExecution:
		q.On.Stage = currentStage(x)
	case workflows.Override, workflows.Retry, workflows.Resolve:
		switch {
		case in.Stage != "" || x == nil:
		case in.Verb == workflows.Override:
			in.Stage = x.Furthest()
		default:
			in.Stage = currentStage(x)
		}
		q.On.Stage = in.Stage
	}
	q.Intent = in
	return q
}

// NeedsExecution says whether a question depends on the execution that the intent
// is about: on none of it does the right to annotate, nor whether a machine may
// answer, which is decided with the gate whoever is asked there.
func NeedsExecution(in workflows.Intent, by workflows.Principal) bool {
	switch in.Verb {
	case workflows.Annotate:
		return false
	case workflows.Approve, workflows.Reject:
		_, isMachine := by.Machine()
		return !isMachine || by.Stranger != ""
	}
	return true
}

// mayPass are those whom the freezes that hold in a stage let past, each
// freeze's for itself. They are exempt from the right, unless the stage is locked
// besides.
func mayPass(view *workflows.PipelineView, stage string, at time.Time) (freezes, exempt [][]string) {
	for _, f := range view.Freezes {
		if scope.Frozen(&f, at, view.Name, stage) {
			freezes = append(freezes, f.MayPass)
		}
	}
	if st, ok := view.Stage(stage); ok && st.Transition.Enabled {
		exempt = freezes
	}
	return freezes, exempt
}

// openGate finds the open gate that an answer is for.
func openGate(x *workflows.Execution, in *workflows.Intent) (stage string, gate *workflows.Approval) {
	if x == nil || in.Execution != "" && x.ID != in.Execution {
		return "", nil
	}
	for i := range x.Stages {
		st := &x.Stages[i]
		for j := range st.Actions {
			a := &st.Actions[j]
			if a.Approval == nil || a.Approval.Closed != "" || in.Gate != "" && a.Approval.Token != in.Gate ||
				in.Action != "" && a.Name != in.Action || in.Stage != "" && st.Name != in.Stage {
				continue
			}
			return st.Name, a.Approval
		}
	}
	return "", nil
}

// currentStage is the stage that an execution is in, waits for, or ended in; empty when it is through.
func currentStage(x *workflows.Execution) string {
	if x == nil {
		return ""
	}
	for _, st := range x.Stages {
		switch st.Status {
		case workflows.StatusSucceeded, workflows.StatusSkipped:
		case workflows.StatusNotStarted:
			if x.WaitsFor != nil {
				return x.WaitsFor.Stage
			}
			return ""
		default:
			return st.Name
		}
	}
	return ""
}
