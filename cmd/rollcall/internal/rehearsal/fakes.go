package rehearsal

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/vars"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// fake is what an action does outside: one outcome per attempt, the last one
// for all that follow.
type fake struct {
	outcomes []*node
	given    map[string]int // which one a task has got
}

// setOutcomes takes over the outcomes of a file, a test or a step.
func (w *simulation) setOutcomes(outcomes *node) {
	if outcomes == nil {
		return
	}
	for _, e := range outcomes.entries {
		list := []*node{e.value}
		if len(e.value.items) > 0 {
			list = e.value.items
		}
		w.fakes[e.key.text] = &fake{outcomes: list, given: map[string]int{}}
	}
}

// outcomeOf is what the task is to do; nil: it succeeds at once.
func (w *simulation) outcomeOf(t work.Task) *node {
	f := w.fakes[t.Stage+"/"+t.Action.Name]
	if f == nil {
		return nil
	}
	i, known := f.given[t.ID]
	if !known {
		i = min(len(f.given), len(f.outcomes)-1)
		f.given[t.ID] = i
	}
	return f.outcomes[i]
}

// verdict is the outcome as one of the words, with its message.
func verdict(o *node) (word, message string) {
	switch {
	case o == nil:
		return succeed, ""
	case o.kind == scalar:
		return o.text, ""
	case o.get(fail) != nil:
		return fail, o.str(fail)
	case o.get(inDoubt) != nil:
		return inDoubt, o.str(inDoubt)
	}
	return succeed, ""
}

// endFake is when a task that is running will end by itself; false: it does not.
func (w *simulation) endFake(t work.Task) (time.Time, bool) {
	o := w.outcomeOf(t)
	word, _ := verdict(o)
	if t.Kind == work.Cancel || word == hang || word == timeOut || word == stuck {
		return time.Time{}, false
	}
	takes, _ := span(o.str("takes"))
	return w.began[t.ID].Add(takes), true
}

// timesOut is the deadline of a task that is faked to take too long.
func (w *simulation) timesOut() (time.Time, bool) {
	for _, t := range w.s.Tasks() {
		if word, _ := verdict(w.outcomeOf(t)); word == timeOut && t.Kind != work.Cancel {
			return t.Deadline, true
		}
	}
	return time.Time{}, false
}

// answer is what a task has led to outside; false: nothing yet.
func (w *simulation) answer(t work.Task) (work.Outcome, bool) {
	o := w.outcomeOf(t)
	word, message := verdict(o)
	if t.Kind == work.Cancel {
		return work.Outcome{Task: t.ID, State: work.Cancelled}, word != stuck
	}
	if at, ok := w.endFake(t); !ok || at.After(w.at) {
		return work.Outcome{}, false
	}
	reason := func(code string) *workflows.Reason {
		if message == "" {
			return nil
		}
		return &workflows.Reason{Code: code, Message: message}
	}
	switch watched := t.Configuration[work.WatchedAlarms] != ""; {
	case word == fail && watched:
		name := cmp.Or(message, "alarm")
		return work.Outcome{Task: t.ID, State: work.Failed, ExternalID: name, Error: &workflows.Reason{Code: work.AlarmRang, Message: name}}, true
	case watched:
		return work.Outcome{Task: t.ID, State: work.Running, Handle: t.Handle}, true
	case word == fail:
		return work.Outcome{Task: t.ID, State: work.Failed, Error: reason("ActionFailed")}, true
	case word == inDoubt:
		return work.Outcome{Task: t.ID, State: work.InDoubt, Error: reason("InDoubt")}, true
	}
	return w.success(t, o), true
}

// success is made up as far as nothing is said: outputs, artifacts, revision.
func (w *simulation) success(t work.Task, o *node) work.Outcome {
	out := work.Outcome{Task: t.ID, State: work.Succeeded, Outputs: map[string]string{}}
	for _, name := range t.Action.OutputVariables {
		out.Outputs[name] = fmt.Sprintf("%s-%d", name, t.Number)
	}
	for _, key := range w.wanted(t.Action.Namespace) {
		out.Outputs[key] = fmt.Sprintf("%s-%d", key, t.Number)
	}
	for _, a := range t.Action.OutputArtifacts {
		sum := sha256.Sum256([]byte(t.ID + "/" + a.Name))
		out.Artifacts = append(out.Artifacts, workflows.Artifact{Name: a.Name, Digest: hex.EncodeToString(sum[:]), Size: 1})
	}
	if t.Action.IsSource() {
		out.Revision = w.revision(t, o.str("commit"))
		maps.Copy(out.Outputs, sourceOutputs(*out.Revision))
	}
	maps.Copy(out.Outputs, o.get("outputs").table())
	return out
}

// wanted are the keys that the pipeline reads of a namespace.
func (w *simulation) wanted(namespace string) []string {
	if namespace == "" {
		return nil
	}
	var keys []string
	for _, p := range w.versions {
		text, err := json.Marshal(p)
		if err != nil {
			continue
		}
		refs, err := vars.Refs(string(text))
		if err != nil {
			continue
		}
		for _, r := range refs {
			if r.Namespace == namespace {
				keys = append(keys, r.Key)
			}
		}
	}
	return keys
}

// revision is what a source action brings in: what started the execution, or
// the newest push, or something made up.
func (w *simulation) revision(t work.Task, commit string) *workflows.SourceRevision {
	repository, ref := trigger.Followed(&t.Action)
	r := workflows.SourceRevision{ActionName: t.Action.Name, Branch: ref, Repository: repository}
	if head, ok := w.heads[t.Action.Name]; ok {
		r = head
	}
	if t.Revision != nil && t.Revision.RevisionID != "" {
		r = *t.Revision
	}
	if commit != "" && (t.Revision == nil || t.Revision.RevisionID == "") {
		r.RevisionID = commit
	}
	if r.RevisionID == "" {
		r.RevisionID = madeUpCommit(t.Number)
	}
	return &r
}

func madeUpCommit(number int) string { return fmt.Sprintf("c0ffee%d", number) }

// sourceOutputs are the variables that every Git source gives.
func sourceOutputs(r workflows.SourceRevision) map[string]string {
	return map[string]string{
		"BranchName": r.Branch, "CommitId": r.RevisionID, "CommitMessage": r.RevisionSummary, "FullRepositoryName": r.Repository,
		"RepositoryName": r.Repository[lastSlash(r.Repository):], "AuthorDate": "2026-03-02T08:00:00Z", "CommitterDate": "2026-03-02T08:00:00Z",
	}
}

func lastSlash(name string) int {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return i + 1
		}
	}
	return 0
}
