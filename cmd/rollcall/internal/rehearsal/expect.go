package rehearsal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// expectation is a key of `expect`, with its comparison.
type expectation struct {
	field
	compare func(v *view, n *node)
}

// view is what an `expect` looks at: a test, and one of its executions.
type view struct {
	*simulation
	*faults
	x   workflows.Execution
	key string
}

// expect compares everything that a step expects, and reports all that differs.
func (w *simulation) expect(expect *node, f *faults) {
	v := &view{simulation: w, faults: f}
	if id, ok := w.subject(expect, f); ok {
		v.x, _ = w.row(id)
	}
	for _, e := range expectations() {
		name := e.key
		if n := expect.get(name); n != nil {
			v.key = name
			e.compare(v, n)
		}
	}
}

// subject is the execution that an `expect` is about: the one it names, or the
// newest that did not start by itself to roll another one back.
func (w *simulation) subject(expect *node, f *faults) (string, bool) {
	if named := expect.get("execution"); named != nil {
		id, err := w.numbered(named.text)
		if err != nil {
			f.add(named, err.Error(), "")
		}
		return id, err == nil
	}
	for _, id := range slices.Backward(w.ids[1:]) {
		if x, ok := w.row(id); ok && x.Trigger.Type != workflows.TriggerAutomated {
			return id, true
		}
	}
	return "", false
}

// differs reports a value that is not as expected.
func (v *view) differs(n *node, what, want, is string) {
	if is == "" {
		is = nothing
	}
	if what != "" {
		what = " of " + what
	}
	v.add(n, fmt.Sprintf("%s%s: expected %s, is %s", v.key, what, want, is), "")
}

func (v *view) same(n *node, what, is string) {
	if n.text != is && (n.text != nothing || is != "") {
		v.differs(n, what, n.text, is)
	}
}

// contains is for texts of which a part is enough.
func (v *view) contains(n *node, what, is string) {
	if !strings.Contains(is, n.text) {
		if is != "" {
			is = words.Quoted(is)
		}
		v.differs(n, what, words.Quoted(n.text), is)
	}
}

func (v *view) lists(n *node, what string, is []string) {
	if want := strings.Join(without(n.texts(), nothing), ", "); want != strings.Join(is, ", ") {
		v.differs(n, what, "["+want+"]", "["+strings.Join(is, ", ")+"]")
	}
}

func without(words []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == word })
}

// action finds an action, or a rule, of the execution by Stage/Action.
func (v *view) action(name string) workflows.ActionExecution {
	stage, action, _ := strings.Cut(name, "/")
	if st, ok := v.x.Stage(stage); ok {
		if a, ok := st.Action(action); ok {
			return *a
		}
	}
	return workflows.ActionExecution{Status: workflows.StatusNotStarted}
}

// expectations is the table of what can be expected.
func expectations() []expectation {
	return slices.Concat(ofExecution(), ofActions(), ofPipeline())
}

func ofExecution() []expectation {
	perStage := func(val shape) shape { return tableOf(stage(), val) }
	return []expectation{
		{field{"execution", execution(), "which one the rest is about; the newest if not given (automatic rollbacks not counted)"}, func(*view, *node) {}},
		{field{"status", status(), "its status"}, func(v *view, n *node) { v.same(n, "", string(v.x.Status)) }},
		{field{"reason", text("text"), "a part of why, or its code"}, func(v *view, n *node) { v.contains(n, "", coded(v.x.StatusReason)) }},
		{field{"trigger", text("text"), "what started it: `StartPipelineExecution`, `Webhook`, `Schedule`, `ManualRollback`, `AutomatedRollback`"}, func(v *view, n *node) { v.same(n, "", v.x.Trigger.Type) }},
		{field{"stages", perStage(status()), "the status of stages"}, func(v *view, n *node) {
			for _, e := range n.entries {
				is := workflows.StatusNotStarted
				if st, ok := v.x.Stage(e.key.text); ok {
					is = st.Status
				}
				v.same(e.value, e.key.text, string(is))
			}
		}},
		{field{"waits", either(text("a stage, or `nothing`"), section("waits", []field{
			{"before!", stage(), "where"}, {"for", oneOf(workflows.WaitsForStage, workflows.WaitsForTransition, workflows.WaitsForFreeze), "why"},
			{"freeze", text("text"), "which"}, {"warning", text("text"), "a part of it"}})), "where it waits, and why"}, (*view).waits},
		{field{"variables", tableOf(text("name"), text("value")), "its pipeline variables"}, func(v *view, n *node) {
			for _, e := range n.entries {
				v.same(e.value, e.key.text, v.x.Variables[e.key.text])
			}
		}},
		{field{"revisions", tableOf(known("source action", "source action", func(n names) []string { return n.sources }), text("a commit")), "what it is made of"}, (*view).revisions},
		{field{"anyBranch", tableOf(known("source action", "source action", func(n names) []string { return n.sources }), yesNo()), "whether its revisions may come from elsewhere than the source action's branch: by a trigger, or the right `start-any-revision`"}, (*view).anyBranch},
		{field{"outputs", tableOf(text("Namespace.KEY"), text("value")), "output variables"}, (*view).outputs},
		{field{"rolledBackTo", executionOrNone(), "the target of the rollback that its failure led to, or of the rollback that it is"}, (*view).rolledBackTo},
		{field{"attempt", number(1), "how often it was taken up, from 1"}, func(v *view, n *node) { v.same(n, "", strconv.Itoa(v.x.Attempt)) }},
		{field{"orphans", number(0), "how many actions could not be cancelled"}, func(v *view, n *node) { v.same(n, "", strconv.Itoa(len(v.x.Orphans))) }},
	}
}

func (v *view) waits(n *node) {
	is := v.x.WaitsFor
	if n.kind == scalar {
		at := ""
		if is != nil {
			at = is.Stage
		}
		v.same(n, "", at)
		return
	}
	if is == nil {
		v.differs(n, "", n.String(), "")
		return
	}
	for _, e := range n.entries {
		switch e.key.text {
		case "before":
			v.same(e.value, "", is.Stage)
		case "for":
			v.same(e.value, is.Stage, is.For)
		case "freeze":
			v.same(e.value, is.Stage, is.Freeze)
		case "warning":
			v.contains(e.value, is.Stage, is.Warning)
		}
	}
}

func (v *view) revisions(n *node) {
	for _, e := range n.entries {
		is := ""
		for _, r := range v.x.SourceRevisions {
			if r.ActionName == e.key.text {
				is = r.RevisionID
			}
		}
		v.same(e.value, e.key.text, is)
	}
}

func (v *view) anyBranch(n *node) {
	for _, e := range n.entries {
		is := slices.ContainsFunc(v.x.SourceRevisions, func(r workflows.SourceRevision) bool { return r.ActionName == e.key.text && r.AnyBranch })
		v.same(e.value, e.key.text, strconv.FormatBool(is))
	}
}

func (v *view) outputs(n *node) {
	for _, e := range n.entries {
		namespace, key, _ := strings.Cut(e.key.text, ".")
		v.same(e.value, e.key.text, v.x.Outputs[namespace][key])
	}
}

func (v *view) rolledBackTo(n *node) {
	is := ""
	for _, id := range v.ids[1:] {
		if x, ok := v.row(id); ok && x.Rollback != nil && (x.ID == v.x.ID || x.Rollback.FailedExecution == v.x.ID || x.Rollback.Alarm != "" && x.Rollback.LeftExecution == v.x.ID) {
			is = strconv.Itoa(x.Rollback.TargetNumber)
		}
	}
	v.number(n, "", is)
}

// number compares the number of an execution, or nothing.
func (v *view) number(n *node, what, is string) {
	want := n.text
	if number, ok := executionNumber(want); ok {
		want = strconv.Itoa(number)
	}
	if want != is && (want != nothing || is != "") {
		v.differs(n, what, n.text, is)
	}
}

// plain puts the values of variables back into a command line, as people think of it.
func plain(line string, environment map[string]string) string {
	for name, value := range environment {
		line = strings.ReplaceAll(line, "${"+name+"}", value)
	}
	return line
}
