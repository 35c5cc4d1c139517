package machine

import (
	"slices"
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/bridged"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// edit puts a definition in force. Equal content is no new version, and
// nothing is ever started by it.
func (d *decision) edit(in *workflows.Intent) error {
	p := in.NewDefinition
	switch {
	case p == nil || len(p.Stages) == 0:
		return workflows.Refuse(workflows.CodeValidation, "give a pipeline with at least two stages", "there is no definition to apply").In("definition")
	case p.Name != d.s.Name:
		return workflows.Refuse(workflows.CodeValidation, "define a pipeline of the new name, and archive this one", "the definition is of %s: the name of %s cannot be changed", p.Name, d.s.Name).In("name")
	}
	if err := bridged.Placed(p, in.ManagedBy); err != nil {
		return err
	}
	if err := d.mayKeep(in.ManagedBy); err != nil {
		return err
	}
	if in.IfCurrent != "" && in.IfCurrent != strconv.Itoa(d.s.Version) {
		return workflows.Refuse(workflows.CodeChanged, "look at the current version, and make your change on top of it",
			"%s is at version %d by now, and you changed version %s", d.s.Name, d.s.Version, in.IfCurrent)
	}
	now, version := d.s.definition(), d.s.Version
	changed := now == nil || now.Digest() != p.Digest() || p.Bridge != nil && version != in.Version
	switch {
	case !changed && d.s.ManagedBy == in.ManagedBy && !d.s.Archived:
		return nil
	case p.Bridge != nil:
		version = in.Version // AWS counts
	case changed:
		version++
	}
	defined := &event.Defined{Version: version, ManagedBy: in.ManagedBy, Definition: *p, Weakened: event.Weaker(now, p)}
	ends := slices.DeleteFunc(slices.Clone(d.s.Executions), func(e *workflows.Execution) bool { return p.Bridge != nil || !now.Cancels(e, p) })
	for _, e := range ends {
		defined.Cancels = append(defined.Cancels, e.Ref())
	}
	d.emit(event.Event{Kind: event.PipelineDefined, Defined: defined})
	d.resumePolling()
	what := "the stages of " + d.s.Name + " were changed"
	if now != nil && now.ExecutionMode != p.ExecutionMode {
		what = "the execution mode of " + d.s.Name + " was changed"
	}
	d.cancel(ends, what)
	d.dropPlans()
	return d.recountVotes()
}

// mayKeep refuses an edit of what somebody else keeps: a file, or a bridge.
func (d *decision) mayKeep(by string) error {
	keeper, live := "", d.s.Version > 0 && (!d.s.Archived || len(d.s.Executions) > 0)
	if live {
		keeper = d.s.ManagedBy
	}
	return bridged.Keeps(d.s.Name, keeper, by, d.s.Archived)
}

// cancel follows CodePipeline's rule for an edit of the stages or the mode: who
// waits ends at once; inside a stage actions in progress may finish. Asking people
// about it is of no use any more.
func (d *decision) cancel(ends []*workflows.Execution, what string) {
	for _, e := range ends {
		d.stopping(e, workflows.Stop{Reason: what, Cancel: true})
		st := e.Inside()
		if st == nil {
			d.end(e)
			continue
		}
		for _, a := range st.Open() {
			if a.Needs == workflows.NeedsApproval {
				d.closeGate(e, st, a, gateWithdrawn, &workflows.Reason{Code: reasonCancelled, Message: say.StoppedBy(e.Stop)})
			}
		}
	}
}

// dropPlans forgets planned returns of stages that are no more.
func (d *decision) dropPlans() {
	for _, name := range words.Keys(d.s.Stages) {
		if _, ok := d.s.definition().Stage(name); !ok && d.s.Stages[name].Planned != nil {
			d.dropPlan(name, "the stage is no longer part of "+d.s.Name)
		}
	}
}

// recountVotes closes gates that the new definition is content with already. Where
// it names nobody the rules are asked, which happens with the next answer.
func (d *decision) recountVotes() (err error) {
	d.s.eachOpen(func(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) {
		if err == nil && a.Needs == workflows.NeedsApproval && len(d.s.Policy(e, st.Name, a.Name).From) > 0 {
			err = d.tally(e, st, a)
		}
	})
	return err
}

// archive takes a pipeline out of service. What runs may finish.
func (d *decision) archive(in *workflows.Intent) error {
	if err := d.mayKeep(in.ManagedBy); err != nil {
		return err
	}
	if d.s.Archived {
		return nil
	}
	d.emit(event.Event{Kind: event.PipelineArchived})
	if d.s.bridge() == nil {
		return nil
	}
	return d.inAWS().Leave("rollcall no longer follows " + d.s.Name + " in AWS")
}

// annotate notes what the outside made of an execution, ended ones too.
func (d *decision) annotate(in *workflows.Intent) error {
	switch {
	case !d.by.IsEngine():
		return workflows.Refuse(workflows.CodeAccessDenied, "put it into a comment", "only rollcall itself notes things on executions")
	case in.Note == nil || in.Note.Name == "":
		return workflows.Refuse(workflows.CodeValidation, "name it after what wrote it", "a note needs a name").In("note")
	}
	e, err := d.find("execution", in.Execution)
	if err != nil {
		return err
	}
	if slices.Contains(e.Notes, *in.Note) {
		return nil
	}
	ev := event.Event{Kind: event.ExecutionNoted, Execution: e.ID, Note: in.Note}
	if d.s.execution(e.ID) == nil {
		ev.Started = clone(e)
	}
	d.emit(ev)
	return nil
}
