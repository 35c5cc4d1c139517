package codepipeline

import (
	"crypto/sha1" //nolint:gosec // the form of a commit ID, no secret
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Script says what an action or a rule does. The zero value succeeds at once.
type Script struct {
	Takes        time.Duration // until it ends
	Hold         bool          // until the owner calls Finish
	Fail         *Failure      // nil: it succeeds
	Summary      string
	ExternalID   string // of the build, the deployment …
	ExternalURL  string
	LogStreamARN string
	Outputs      map[string]string // output variables
	Percent      int               // percentComplete while it runs
}

// Failure is why an action failed.
type Failure struct {
	Code    string `json:"code,omitempty"` // empty: JobFailed
	Message string `json:"message,omitempty"`
}

// Revision is what a source action finds.
type Revision struct {
	ID, Summary, URL string
}

type override struct {
	ActionName    string `json:"actionName"`
	RevisionType  string `json:"revisionType"`
	RevisionValue string `json:"revisionValue"`
}

const approvalTimeout = 7 * 24 * time.Hour

// begin starts an attempt of an action.
func (s *Service) begin(r *stageRun, def *action) {
	a := &actionRun{e: r.e, run: r, def: def, id: s.newID(), status: inProgress, started: s.at, updated: s.at}
	r.actions = append(r.actions, a)
	r.e.p.place(r.name).actions[def.Name] = a
	s.touch(r.e)
	s.emitAction(a, "STARTED")
	resolved, missing := r.e.resolve(def.Configuration)
	a.resolved = resolved
	switch {
	case missing != "":
		a.due, a.script = s.at, Script{Fail: &Failure{Code: "ConfigurationError", Message: "The variable " + missing + " could not be resolved"}}
	case def.manual():
		a.token, a.due = s.newID(), s.at.Add(approvalTimeout)
		if def.TimeoutInMinutes > 0 {
			a.due = s.at.Add(time.Duration(def.TimeoutInMinutes) * time.Minute)
		}
		a.script = Script{Fail: &Failure{Code: "JobFailed", Message: "The approval action has timed out"}}
		if r.e.parallel() {
			a.externalID = a.token
		}
	default:
		a.script = s.script(r.e.p.name, r.name, def.Name)
		a.externalID, a.url, a.log, a.percent = a.script.ExternalID, a.script.ExternalURL, a.script.LogStreamARN, a.script.Percent
		if !a.script.Hold {
			a.due = s.at.Add(a.script.Takes)
		}
	}
}

// script takes the next script of an action; the last one stays.
func (s *Service) script(pipeline, stage, name string) Script {
	key := pipeline + "/" + stage + "/" + name
	list := s.scripts[key]
	if len(list) == 0 {
		return Script{}
	}
	if len(list) > 1 {
		s.scripts[key] = list[1:]
	}
	return list[0]
}

// catchUp lets happen what is due by the clock, in its order and at its time.
func (s *Service) catchUp() {
	now := s.options.Now()
	for {
		due, at := s.nextDue()
		if due == nil || at.After(now) {
			break
		}
		if at.After(s.at) {
			s.at = at
		}
		due()
	}
	if now.After(s.at) {
		s.at = now
	}
}

func (s *Service) nextDue() (do func(), at time.Time) {
	earlier := func(t time.Time, f func()) {
		if !t.IsZero() && (do == nil || t.Before(at)) {
			do, at = f, t
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.pipelines)) {
		for _, e := range s.pipelines[name].executions {
			if e.ended() {
				continue
			}
			for _, r := range e.runs {
				for _, a := range r.actions {
					if a.status == inProgress {
						earlier(a.due, func() { s.finish(a, a.script) })
					}
				}
				for _, c := range r.conditions {
					c.dueRules(earlier, func(ru *ruleRun) { s.judged(ru, ru.script) })
				}
			}
		}
	}
	return do, at
}

// finish ends an action as the script says.
func (s *Service) finish(a *actionRun, how Script) {
	a.summary, a.outputs, a.updated = how.Summary, how.Outputs, s.at
	a.due, a.percent = time.Time{}, 0
	if how.ExternalID != "" {
		a.externalID = how.ExternalID
	}
	if how.ExternalURL != "" {
		a.url = how.ExternalURL
	}
	if how.LogStreamARN != "" {
		a.log = how.LogStreamARN
	}
	if how.Fail != nil {
		a.status, a.fault = failed, &Failure{Code: how.Fail.Code, Message: how.Fail.Message}
		if a.fault.Code == "" {
			a.fault.Code = "JobFailed"
		}
		s.emitAction(a, "FAILED")
	} else {
		a.status = succeeded
		s.produce(a)
		s.emitAction(a, "SUCCEEDED")
	}
	s.touch(a.e)
	s.proceed(a.run)
}

// produce keeps revision, output variables and artifacts of an action that succeeded.
func (s *Service) produce(a *actionRun) {
	if a.def.is("Source") {
		rev := s.revision(a)
		a.e.revisions[a.def.Name] = rev
		a.externalID, a.url = rev.ID, rev.URL
		a.summary = rev.Summary
		if a.outputs == nil {
			a.outputs = map[string]string{"CommitId": rev.ID, "CommitMessage": rev.Summary}
		}
	}
	if a.def.Namespace != "" {
		a.e.outputs[a.def.Namespace] = a.outputs
	}
	for _, out := range a.def.OutputArtifacts {
		a.e.artifacts[out.Name] = shorten(a.e.p.name, 20) + "/" + shorten(out.Name, 10) + "/" + a.id[len(a.id)-7:]
	}
}

func shorten(text string, most int) string { return text[:min(len(text), most)] }

func (s *Service) revision(a *actionRun) Revision {
	rev, ok := s.revisions[a.e.p.name+"/"+a.def.Name]
	if !ok {
		sum := sha1.Sum([]byte(a.e.p.name + "/" + a.def.Name)) //nolint:gosec // see above
		rev = Revision{ID: hex.EncodeToString(sum[:]), Summary: "Begin", URL: "https://github.com/acme/" + a.e.p.name + "/commit/" + hex.EncodeToString(sum[:])}
	}
	for _, o := range a.e.overrides {
		if o.ActionName == a.def.Name && o.RevisionValue != rev.ID {
			rev = Revision{ID: o.RevisionValue, Summary: "Overridden", URL: rev.URL}
		}
	}
	return rev
}

// resolve replaces #{namespace.key}; missing is the first reference that has no value.
func (e *execution) resolve(conf map[string]string) (resolved map[string]string, missing string) {
	ref := regexp.MustCompile(`#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_-]+)\}`)
	resolved = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		resolved[key] = ref.ReplaceAllStringFunc(conf[key], func(m string) string {
			parts := ref.FindStringSubmatch(m)
			value, ok := e.outputs[parts[1]][parts[2]]
			switch parts[1] {
			case "codepipeline":
				value, ok = e.id, parts[2] == "PipelineExecutionId"
			case "variables":
				value, ok = e.variables[parts[2]]
			}
			if !ok && missing == "" {
				missing = m
			}
			return value
		})
	}
	return resolved, missing
}
