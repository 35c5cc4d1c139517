package machine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// describe says in words what an event means: for the readers of scenarios.
func (s *story) describe(e event.Event) string {
	ref := s.ref(e.Execution)
	switch e.Kind {
	case event.PipelineDefined:
		text := fmt.Sprintf("version %d is in force", e.Defined.Version)
		for _, w := range e.Defined.Weakened {
			text += fmt.Sprintf("; %s in %s asks for less: %s, no longer %s", w.Action, w.Stage, w.New, w.Old)
		}
		if len(e.Defined.Cancels) > 0 {
			text += "; it cancels " + strings.Join(e.Defined.Cancels, ", ")
		}
		return text
	case event.PipelineArchived:
		return "the pipeline is archived"
	case event.ExecutionStarted:
		return s.describeStart(e, ref)
	case event.ExecutionWaiting:
		if e.Wait.Warning != "" {
			return fmt.Sprintf("%s waits before %s: %s; it %s", ref, e.Wait.Stage, waitsFor[e.Wait.For], e.Wait.Warning)
		}
		return fmt.Sprintf("%s waits before %s: %s", ref, e.Wait.Stage, waitsFor[e.Wait.For])
	case event.StageResumed:
		return fmt.Sprintf("%s tries %s again by itself: %s", ref, e.Stage, e.Text)
	case event.ConditionStarted:
		return fmt.Sprintf("%s asks the %s condition of %s", ref, e.Text, e.Stage)
	case event.ConditionSucceeded:
		return fmt.Sprintf("the %s condition of %s holds for %s", e.Text, e.Stage, ref)
	case event.ConditionFailed:
		return fmt.Sprintf("the %s condition of %s does not hold for %s", e.Text, e.Stage, ref) + why(e.Reason)
	case event.ConditionOverridden:
		return fmt.Sprintf("the %s condition of %s is overridden for %s by %s: %s", e.Text, e.Stage, ref, e.Override.By.Name, e.Override.Reason)
	case event.ConditionAbandoned:
		return fmt.Sprintf("the %s condition of %s is given up for %s", e.Text, e.Stage, ref)
	case event.ScheduleFired:
		return s.describeSchedule(e)
	case event.BackupRestored:
		return "a backup of " + e.Restored.Backup.UTC().Format("Mon 2 Jan 15:04 UTC") + " is restored"
	case event.PollingDisabled:
		return "branches are no longer looked at"
	case event.PollingEnabled:
		return "branches are looked at again"
	case event.FreezesSet:
		var names []string
		for _, f := range e.Freezes {
			names = append(names, f.Name)
		}
		return "freezes: " + strings.Join(names, ", ")
	case event.ExecutionSteppedBack:
		return fmt.Sprintf("%s steps back before %s", ref, e.Stage)
	case event.ExecutionStopping:
		return ref + " is stopping" + andSo(e.Stop.Reason)
	case event.ExecutionResumed:
		return fmt.Sprintf("%s is taken up again in %s by %s", ref, e.Stage, e.By.Name)
	case event.ExecutionNoted:
		return fmt.Sprintf("%s has the note %s: %s", ref, e.Note.Name, e.Note.Text)
	case event.ReturnPlanned:
		return fmt.Sprintf("%s will go back to %s as soon as it is free", e.Stage, s.ref(e.Planned.Target))
	case event.ReturnDropped:
		return e.Stage + " will not go back" + why(e.Reason)
	case event.TransitionDisabled, event.TransitionEnabled:
		return s.describeTransition(e)
	case event.AlarmRang:
		return fmt.Sprintf("the alarm %s rings for %s in %s", e.Text, ref, e.Stage) + why(e.Reason)
	case event.AlarmsUnseen:
		return fmt.Sprintf("the alarms of %s cannot be looked at for %s", e.Stage, ref) + why(e.Reason)
	case event.AlarmsSeen:
		return fmt.Sprintf("the alarms of %s are looked at again for %s", e.Stage, ref)
	case event.AlarmWatchEnded:
		return fmt.Sprintf("the alarms of %s are no longer watched for %s", e.Stage, ref) + why(e.Reason)
	case event.OrphanConfirmed:
		return fmt.Sprintf("%s of %s is known to be cancelled", e.Action, ref)
	case event.OrphanLeft:
		return fmt.Sprintf("%s of %s could not be cancelled%s", e.Action, ref, why(e.Reason))
	}
	if e.Action != "" {
		return s.describeAction(e, ref)
	}
	word := map[event.Kind]string{
		event.ExecutionSuperseded: "is Superseded", event.ExecutionStopped: "is Stopped", event.ExecutionSucceeded: "is Succeeded",
		event.ExecutionFailed: "is Failed", event.ExecutionCancelled: "is Cancelled", event.StageEntered: "enters", event.StageSucceeded: "succeeds in",
		event.StageFailed: "fails in", event.StageSkipped: "skips", event.StageStopped: "stops in", event.StageCancelled: "is cancelled in",
	}[e.Kind]
	return strings.TrimSpace(ref+" "+word+" "+e.Stage) + why(e.Reason)
}

var waitsFor = map[string]string{workflows.WaitsForStage: "it is taken", workflows.WaitsForTransition: "it is locked", workflows.WaitsForFreeze: "it is frozen"}

func (s *story) describeSchedule(e event.Event) string {
	text := "the schedule " + e.Schedule.Cron + " " + e.Schedule.Timezone
	if e.Schedule.Missed {
		return text + " was missed" + why(e.Reason)
	}
	return text + " fires for " + e.Schedule.Nominal.UTC().Format("Mon 2 Jan 15:04 UTC") + why(e.Reason)
}

func (s *story) describeStart(e event.Event, ref string) string {
	x := e.Started
	by := fmt.Sprintf(" (%s by %s)", x.Trigger.Type, x.Trigger.By.Name)
	if x.Rollback == nil {
		return ref + " starts" + by
	}
	text := fmt.Sprintf("%s starts: %s back to %s%s", ref, e.Stage, s.ref(x.Rollback.Target), by)
	if x.Rollback.FailedExecution != "" {
		text += " after " + s.ref(x.Rollback.FailedExecution)
	}
	if x.Version != s.s.Version {
		text += fmt.Sprintf(", as in version %d", x.Version)
	}
	return text
}

func (s *story) describeTransition(e event.Event) string {
	t := e.Transition
	switch {
	case t.Enabled && t.Only != "":
		return fmt.Sprintf("the freeze of %s lets %s in", e.Stage, s.ref(t.Only))
	case t.Enabled:
		return fmt.Sprintf("%s is unlocked%s", e.Stage, andSo(t.Reason))
	case t.Only != "":
		return fmt.Sprintf("%s stays locked, and only %s may enter", e.Stage, s.ref(t.Only))
	}
	return fmt.Sprintf("%s is locked by %s (%s)%s", e.Stage, t.By.Name, t.Cause, andSo(t.Reason))
}

func (s *story) describeAction(e event.Event, ref string) string {
	what := fmt.Sprintf("%s of %s", e.Action, ref)
	switch e.Kind {
	case event.ActionStarted:
		if after := e.Start.After; after != nil && after.After(e.At) {
			return fmt.Sprintf("%s starts in %s, attempt %d: %s", what, words.Span(after.Sub(e.At)), e.Attempt, e.Outcome.Summary)
		}
		if e.Attempt > 1 {
			return fmt.Sprintf("%s starts, attempt %d", what, e.Attempt)
		}
		return what + " starts"
	case event.ActionTracked:
		if e.Outcome.Handle == "" {
			return what + " waits: " + e.Outcome.Summary
		}
		return fmt.Sprintf("%s runs, handle %s", what, e.Outcome.Handle[:min(7, len(e.Outcome.Handle))])
	case event.ActionSucceeded:
		return what + " succeeds" + andSo(e.Outcome.Summary)
	case event.ActionResolved:
		return fmt.Sprintf("%s is no longer in doubt: %s, says %s", what, e.Text, e.By.Name)
	case event.GateOpened:
		return fmt.Sprintf("%s opens gate%d: %s", what, slices.Index(s.tokens, e.Gate.Token)+1, words.List(e.Gate.Missing, "and")) + andSo(e.Gate.Warning)
	case event.GateOverridden:
		return fmt.Sprintf("%s: %s overrides the gate without %s: %s", what, e.Override.By.Name, e.Override.Without, e.Override.Reason)
	case event.GateVoted:
		return fmt.Sprintf("%s: %s says %s", what, e.Vote.By.Name, e.Vote.Answer) + andSo(e.Vote.Comment)
	case event.GateVoteDropped:
		return fmt.Sprintf("%s: %s", what, e.Reason.Message)
	case event.GateClosed:
		return fmt.Sprintf("%s: the gate is %s", what, e.Text) + why(e.Reason)
	case event.GateReminded:
		return fmt.Sprintf("%s: reminder at %s", what, e.Text)
	}
	word := map[event.Kind]string{
		event.ActionFailed: "fails", event.ActionAbandoned: "is abandoned", event.ActionCancelling: "is being cancelled",
		event.ActionInDoubt: "is in doubt", event.ActionSkipped: "is skipped", event.ActionRetrying: "is repeated",
	}[e.Kind]
	return what + " " + word + why(e.Reason)
}

func (s *story) ref(id string) string {
	for n, known := range s.ids {
		if known == id {
			return "#" + strconv.Itoa(n)
		}
	}
	return id
}

func why(r *workflows.Reason) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(": %s (%s)", r.Message, r.Code)
}

func andSo(text string) string { return words.Because("", text) }

func refusal(p *workflows.Problem) string {
	text := "refused, " + p.Code
	if p.Field != "" {
		text += " of " + p.Field
	}
	text += ": " + p.Message
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// query prints what is asked for: the pipeline, #2, the tasks, targets of Prod, offers of #2 or of Prod.
func (s *story) query(w []string) ([]string, error) {
	switch {
	case w[0] == "the" && w[1] == "pipeline":
		return s.showPipeline(), nil
	case w[0] == "the" && w[1] == "tasks":
		return s.showTasks(), nil
	case w[0] == "the" && w[1] == "gate": // the gate of #1
		e, _ := s.execution(s.id(w[3]))
		return s.showGate(e), nil
	case w[0] == "the" && w[1] == "history": // the history of #1: each attempt of its actions
		return s.showHistory(s.id(w[3])), nil
	case w[0] == "the" && w[1] == "retries": // the retries of Build of #1
		return s.showRetries(w[3], s.id(w[5])), nil
	case w[0] == "the" && w[1] == "trigger": // the trigger of #3
		e, _ := s.execution(s.id(w[3]))
		detail := e.Trigger.Detail
		for n, id := range s.ids {
			detail = strings.ReplaceAll(detail, id, fmt.Sprintf("#%d", n))
		}
		return []string{e.Trigger.Type + ", " + detail}, nil
	case w[0] == "the" && w[1] == "polling":
		if at := s.s.View().PollingDisabledAt; at != nil {
			return []string{"off since " + at.Format("2 Jan 15:04")}, nil
		}
		return []string{"on"}, nil
	case w[0] == "the" && w[1] == "environment": // the environment of Deploy of #1
		return s.showEnvironment(w[3], s.id(w[5])), nil
	case w[0] == "the" && w[1] == "targets": // the targets of Prod
		return s.showTargets(w[3]), nil
	case w[0] == "the" && w[1] == "offers": // the offers of #1
		var offers []workflows.Offer
		if strings.HasPrefix(w[3], "#") {
			e, _ := s.execution(s.id(w[3]))
			offers = s.s.Offers(e.ID, Facts{Executions: map[string]*workflows.Execution{e.ID: &e}})
		} else {
			v := s.s.View()
			st, _ := v.Stage(w[3])
			offers = st.Offers
		}
		return s.showOffers(offers), nil
	case strings.HasPrefix(w[0], "#"):
		e, ok := s.execution(s.id(w[0]))
		if !ok {
			return nil, fmt.Errorf("there is no %s", w[0])
		}
		return s.showExecution(e), nil
	}
	return nil, fmt.Errorf("cannot show %q", strings.Join(w, " "))
}

func (s *story) showPipeline() []string {
	var out []string
	for _, st := range s.s.View().Stages {
		line := st.Name + ":"
		if st.LatestExecution != nil {
			line += fmt.Sprintf(" %s %s", s.ref(st.LatestExecution.Execution), st.Status)
		}
		if st.Running != nil {
			line += "; runs " + s.ref(st.Running.Execution)
			if st.Running.By != "" {
				line += " by " + s.ref(st.Running.By)
			}
			if !st.Running.Certain {
				line += ", uncertain"
			}
			if until := st.Running.WatchedUntil; until != nil {
				line += ", watched until " + until.Format("15:04")
			}
			if st.Running.Alarm != nil {
				line += why(st.Running.Alarm)
			}
		}
		for _, id := range st.Inbound {
			line += "; inbound " + s.ref(id)
		}
		if !st.Transition.Enabled {
			line += "; locked (" + st.Transition.Cause + ")"
			if st.Transition.Only != "" {
				line += " except for " + s.ref(st.Transition.Only)
			}
		}
		if st.Planned != nil {
			line += "; will go back to " + s.ref(st.Planned.Target)
		}
		out = append(out, line)
	}
	return out
}

func (s *story) showExecution(e workflows.Execution) []string {
	head := fmt.Sprintf("%s %s %s, version %d, attempt %d", e.Ref(), e.Type, e.Status, e.Version, e.Attempt) + why(e.StatusReason)
	out := []string{head}
	if e.Rollback != nil {
		out = append(out, fmt.Sprintf("back to %s %s", s.ref(e.Rollback.Target), e.Rollback.Definition))
	}
	for _, r := range e.SourceRevisions {
		out = append(out, "revision "+r.ActionName+" "+r.RevisionID)
	}
	for _, k := range words.Keys(e.Variables) {
		out = append(out, "variable "+k+" = "+e.Variables[k])
	}
	for _, k := range words.Keys(e.Artifacts) {
		out = append(out, "artifact "+k+" "+e.Artifacts[k].Digest)
	}
	if len(e.Orphans) > 0 {
		out = append(out, fmt.Sprintf("not cancelled: %d", len(e.Orphans)))
	}
	for _, st := range e.Stages {
		if st.Status == workflows.StatusNotStarted {
			continue
		}
		line := st.Name + " " + string(st.Status) + ":"
		for _, a := range st.Actions {
			line += fmt.Sprintf(" %s %s", a.Name, a.Status)
			if a.Attempt > 1 {
				line += fmt.Sprintf(" (attempt %d)", a.Attempt)
			}
			if a.Needs != "" {
				line += " (needs " + a.Needs + ")"
			}
			if a.Approval != nil {
				line += fmt.Sprintf(" [%d of %d %s]", a.Approval.Approvals(), a.Approval.Required, strings.TrimSpace(a.Approval.Closed+" "+words.List(a.Approval.Missing, "and")))
			}
		}
		for _, c := range st.Conditions {
			line += fmt.Sprintf(" | %s %s:", c.Kind, c.Status)
			for _, r := range c.Rules {
				line += fmt.Sprintf(" %s %s", strings.TrimPrefix(r.Name, c.Kind+":"), r.Status)
			}
		}
		out = append(out, line)
	}
	return out
}

func (s *story) showGate(e workflows.Execution) []string {
	var out []string
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			if g := a.Approval; g != nil {
				out = append(out, fmt.Sprintf("gate%d, open from %s to %s", slices.Index(s.tokens, g.Token)+1, g.OpenedAt.Format("15:04"), g.ExpiresAt.Format("2 Jan 15:04")),
					"text: "+g.Text, "link: "+g.Link, "address: "+g.NotificationArn)
			}
		}
	}
	return out
}

func (s *story) showTasks() []string {
	out := []string{}
	for _, t := range s.s.Tasks() {
		line := fmt.Sprintf("%s %s of %s, attempt %d", t.Kind, t.Action.Name, s.ref(t.Execution), t.Attempt)
		if t.Revision != nil {
			line += ", revision " + t.Revision.RevisionID
		}
		if t.Handle != "" {
			line += ", handle " + strings.Replace(t.Handle, t.Execution, s.ref(t.Execution), 1)
		}
		for _, a := range t.Inputs {
			line += ", with " + a.Name + " " + a.Digest
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return []string{"nothing to do"}
	}
	return out
}

// showHistory reads the log: what each attempt was given, and how it ended.
func (s *story) showHistory(execution string) (out []string) {
	for _, e := range s.log {
		if e.Execution != execution || e.Action == "" {
			continue
		}
		line := fmt.Sprintf("%s attempt %d: %s", e.Action, e.Attempt, e.Kind)
		if e.Start != nil {
			x, _ := s.execution(execution)
			st, _ := s.versions[x.Version].Stage(e.Stage)
			if a, ok := st.Action(e.Action); ok {
				for _, k := range words.Keys(e.Start.Configuration) {
					line += fmt.Sprintf(", %s: %s is %s", k, a.Configuration[k], e.Start.Configuration[k])
				}
			}
		}
		if e.Outcome != nil {
			for _, f := range e.Outcome.Artifacts {
				line += ", leaves " + f.Name + " " + f.Digest
			}
		}
		out = append(out, line)
	}
	return out
}

func (s *story) showRetries(stage, execution string) []string {
	e, _ := s.execution(execution)
	st, _ := e.Stage(stage)
	r := st.Retries
	if r == nil {
		return []string{"none"}
	}
	return []string{fmt.Sprintf("by itself %d, by people %d, the latest %s; attempt %d of the stage, as it is since %s", r.Automatic, r.Manual, r.Latest, st.Attempt, st.Since.Format("15:04"))}
}

func (s *story) showEnvironment(action, execution string) []string {
	var out []string
	for _, t := range s.s.Tasks() {
		if t.Action.Name != action || t.Execution != execution {
			continue
		}
		for _, c := range t.Commands {
			out = append(out, "$ "+c)
		}
		for _, k := range words.Keys(t.Environment) {
			if k != "ROLLCALL_EXECUTION_ID" {
				out = append(out, k+"="+t.Environment[k])
			}
		}
	}
	return out
}

func (s *story) showTargets(stage string) []string {
	var rows []workflows.Execution
	for _, n := range slices.Backward(slices.Sorted(mapsKeys(s.ids))) {
		e, _ := s.execution(s.ids[n])
		if st, ok := e.Stage(stage); ok && st.Status == workflows.StatusSucceeded {
			rows = append(rows, e)
		}
	}
	var out []string
	for _, t := range s.s.Targets(stage, rows) {
		line := fmt.Sprintf("#%d", t.Number)
		for _, mark := range []struct {
			on   bool
			text string
		}{{t.Now, " now"}, {t.Preselected, " preselected"}, {t.StageChanged, " (the stage has changed since)"}, {t.LeftBy != "", " left by " + s.ref(t.LeftBy)}, {!t.Eligible, " cannot: " + t.Why}} {
			if mark.on {
				line += mark.text
			}
		}
		for _, span := range t.Ran {
			line += ", ran " + span.From.Format("15:04")
			if span.To != nil {
				line += "-" + span.To.Format("15:04")
			}
		}
		out = append(out, line)
	}
	return out
}

func mapsKeys(m map[int]string) func(func(int) bool) {
	return func(yield func(int) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (s *story) showOffers(offers []workflows.Offer) []string {
	out := []string{}
	for _, o := range offers {
		line := string(o.Verb)
		for _, part := range []string{o.Stage, o.Action} {
			if part != "" {
				line += " " + part
			}
		}
		if o.Target != "" {
			line += " " + s.ref(o.Target)
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	return out
}
