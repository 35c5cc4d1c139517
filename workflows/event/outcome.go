package event

import (
	"cmp"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Track records on an action how its work is found again; nil: nothing is known.
func (o *Outcome) Track(a *workflows.ActionExecution) {
	if o == nil {
		return
	}
	a.Handle, a.Summary = cmp.Or(o.Handle, a.Handle), cmp.Or(o.Summary, a.Summary)
	a.ExternalID, a.ExternalURL = cmp.Or(o.ExternalID, a.ExternalID), cmp.Or(o.ExternalURL, a.ExternalURL)
}

// End records on an action that it has ended, and what became known of it; nil: nothing.
func (o *Outcome) End(a *workflows.ActionExecution, status workflows.Status, at time.Time, why *workflows.Reason) {
	a.Status, a.EndedAt, a.Error = status, &at, why
	a.Needs, a.Cancelling, a.Deadline = "", false, nil
	o.Track(a)
	if o != nil {
		a.OutputVariables = o.Outputs
	}
}

// Leave records on an execution what a successful action left for later ones; nil:
// nothing. What copies of the execution share is replaced, never written.
func (o *Outcome) Leave(e *workflows.Execution, action, namespace string) {
	if o == nil {
		return
	}
	if namespace != "" {
		e.Outputs = With(e.Outputs, namespace, o.Outputs)
	}
	for _, f := range o.Artifacts {
		e.Artifacts = With(e.Artifacts, f.Name, f)
	}
	if o.Revision != nil {
		r := *o.Revision
		r.ActionName = action
		e.Bring(r)
	}
}

// With returns a copy of a map with one entry more, or another one.
func With[K comparable, V any](all map[K]V, key K, value V) map[K]V {
	c := make(map[K]V, len(all)+1)
	maps.Copy(c, all)
	c[key] = value
	return c
}
