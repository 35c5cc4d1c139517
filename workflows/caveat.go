package workflows

import "strings"

// Caveat says what must be known of what a stage runs, behind its number:
// "uncertain, without 1 of 2 approvals"; every view of it asks this. Empty: nothing.
func (r *Running) Caveat() string {
	var all []string
	if !r.Certain {
		all = append(all, "uncertain")
	}
	if r.Without != "" {
		all = append(all, "without "+r.Without)
	}
	if r.Alarm != nil && r.Alarm.Code == alarmRang {
		all = append(all, "an alarm rang")
	}
	return strings.Join(all, ", ")
}

// alarmRang is the code of [Running.Alarm] where one rang.
const alarmRang = "AlarmRang"

// Without says what somebody's right set aside in a stage: "1 of 2 approvals",
// "its entry condition". Empty: nothing.
func (s *StageExecution) Without() string {
	var all []string
	for i := range s.Actions {
		if g := s.Actions[i].Approval; g != nil && g.Override != nil && g.Override.Without != "" {
			all = append(all, g.Override.Without)
		}
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Override != nil {
			all = append(all, "its "+map[string]string{BeforeEntry: "entry", OnSuccess: "success", AfterFailed: "failure"}[c.Kind]+" condition")
		}
	}
	return strings.Join(all, " and ")
}

// Caveats are what must be known of an execution in a list, beyond its status:
// what was set aside on its way, and which stages it left uncertain, as the
// pipeline stands now.
func (e *Execution) Caveats(now *PipelineView) []string {
	var all []string
	for i := range e.Stages {
		st := &e.Stages[i]
		if without := st.Without(); without != "" {
			all = append(all, st.Name+" without "+without)
		}
		if v, ok := now.Stage(st.Name); ok && v.Running != nil && !v.Running.Certain && v.LatestExecution != nil && v.LatestExecution.Execution == e.ID {
			all = append(all, "what "+st.Name+" runs is uncertain")
		}
	}
	return all
}
