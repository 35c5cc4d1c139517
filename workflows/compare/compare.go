// Package compare puts two executions side by side and keeps what differs:
// revisions, definition, variables, artifacts, durations and outcomes. Pure.
package compare

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Comparison is what differs between two executions. A list without entries:
// nothing does.
type Comparison struct {
	A          Side         `json:"a"`
	B          Side         `json:"b"`
	Revisions  []Difference `json:"revisions"`  // by source action: the revision
	Definition []Difference `json:"definition"` // by key of the pipeline's definition
	Variables  []Difference `json:"variables"`  // those of the start, and "Namespace.KEY" of what actions put out
	Artifacts  []Difference `json:"artifacts"`  // by name: the digest of the stored bytes
	Durations  []Difference `json:"durations"`  // by "Stage/Action": "3m5s"; see [Executions]
	Outcomes   []Difference `json:"outcomes"`   // by "Stage/Action": the status, and the error
}

// Side is one of the two.
type Side struct {
	Execution  string           `json:"execution"`
	Pipeline   string           `json:"pipeline"`
	Number     int              `json:"number"`
	Version    int              `json:"version"`
	Type       string           `json:"type"`
	Status     workflows.Status `json:"status"`
	StatusText string           `json:"statusText"`
	StartedAt  time.Time        `json:"startedAt"`
	EndedAt    *time.Time       `json:"endedAt,omitempty"`
}

// Ref is the name people read: "webshop#42".
func (s *Side) Ref() string { return fmt.Sprintf("%s#%d", s.Pipeline, s.Number) }

// Difference is one thing that is not the same in both; empty: that side has none.
type Difference struct {
	Name string `json:"name"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// Executions compares b with a. The definitions are those of their versions;
// where one is nil, definitions are not compared. Durations count as different
// from a second and a tenth of the longer one on.
func Executions(a, b *workflows.Execution, defA, defB *workflows.Pipeline) Comparison {
	c := Comparison{A: side(a), B: side(b),
		Revisions: differ(revisions(a), revisions(b)), Variables: differ(variables(a), variables(b)),
		Artifacts: differ(artifacts(a), artifacts(b)), Durations: durations(a, b), Outcomes: differ(outcomes(a), outcomes(b)), Definition: []Difference{}}
	if defA == nil || defB == nil {
		return c
	}
	for _, change := range spec.Diff(defA, defB) {
		switch change.Kind {
		case spec.Weakened, spec.Structural: // what follows from an edit; the keys themselves come as well
		default:
			c.Definition = append(c.Definition, Difference{change.Where, described(change.Old, change.Kind == spec.Removed), described(change.New, change.Kind == spec.Added)})
		}
	}
	return c
}

// described is a value of a definition; one that was added or removed without a
// value of its own is there.
func described(value string, there bool) string {
	if value == "" && there {
		return "present"
	}
	return value
}

func side(e *workflows.Execution) Side {
	return Side{Execution: e.ID, Pipeline: e.Pipeline, Number: e.Number, Version: e.Version, Type: e.Type, Status: e.Status,
		StatusText: (&say.Format{}).StatusText(e), StartedAt: e.StartedAt, EndedAt: e.EndedAt}
}

// facts are values by name, in the order in which they are to be shown.
type facts struct {
	names  []string
	values map[string]string
}

func (f *facts) add(name, value string) {
	if f.values == nil {
		f.values = map[string]string{}
	}
	if _, known := f.values[name]; !known {
		f.names = append(f.names, name)
	}
	f.values[name] = value
}

// differ keeps what differs, in a's order, then what only b has, in b's.
func differ(a, b facts) []Difference {
	found := []Difference{}
	for _, name := range a.names {
		if a.values[name] != b.values[name] {
			found = append(found, Difference{name, a.values[name], b.values[name]})
		}
	}
	for _, name := range b.names {
		if _, both := a.values[name]; !both {
			found = append(found, Difference{Name: name, B: b.values[name]})
		}
	}
	return found
}

func revisions(e *workflows.Execution) (f facts) {
	for _, r := range e.SourceRevisions {
		f.add(r.ActionName, r.RevisionID)
	}
	return f
}

func variables(e *workflows.Execution) (f facts) {
	for _, k := range words.Keys(e.Variables) {
		f.add(k, e.Variables[k])
	}
	for _, ns := range slices.Sorted(maps.Keys(e.Outputs)) {
		for _, k := range words.Keys(e.Outputs[ns]) {
			f.add(ns+"."+k, e.Outputs[ns][k])
		}
	}
	return f
}

func artifacts(e *workflows.Execution) (f facts) {
	for _, k := range words.Keys(e.Artifacts) {
		f.add(k, e.Artifacts[k].Digest)
	}
	return f
}

// outcomes are the statuses of the execution itself and of what its stages ran.
func outcomes(e *workflows.Execution) (f facts) {
	f.add("execution", string(e.Status))
	for i := range e.Stages {
		s := &e.Stages[i]
		for _, a := range s.AllActions() {
			text := string(a.Status)
			if a.Attempt > 1 {
				text += fmt.Sprintf(" (attempt %d)", a.Attempt)
			}
			if a.Error != nil && a.Status != workflows.StatusSucceeded {
				text = words.Because(text, a.Error.Message)
			}
			f.add(s.Name+"/"+a.Name, text)
		}
	}
	return f
}

// spans are how long the execution and its actions took, as far as they have ended.
func spans(e *workflows.Execution) (names []string, took map[string]time.Duration) {
	took = map[string]time.Duration{}
	add := func(name string, from, to *time.Time) {
		if from != nil && to != nil {
			names, took[name] = append(names, name), to.Sub(*from)
		}
	}
	add("execution", &e.StartedAt, e.EndedAt)
	for i := range e.Stages {
		for _, a := range e.Stages[i].AllActions() {
			add(e.Stages[i].Name+"/"+a.Name, a.StartedAt, a.EndedAt)
		}
	}
	return names, took
}

// durations are those of what ended in both.
func durations(a, b *workflows.Execution) []Difference {
	found := []Difference{}
	names, then := spans(a)
	_, now := spans(b)
	for _, name := range names {
		was := then[name]
		is, both := now[name]
		if more := (is - was).Abs(); both && more >= time.Second && more*10 >= max(was, is) {
			found = append(found, Difference{name, was.Round(time.Second).String(), is.Round(time.Second).String()})
		}
	}
	return found
}
