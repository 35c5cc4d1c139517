package rehearsal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// ofPipeline is what can be expected of the pipeline as a whole.
func ofPipeline() []expectation {
	perStage := func(val shape) shape { return tableOf(stage(), val) }
	return []expectation{
		{field{"executions", tableOf(execution(), status()), "the status of executions by number"}, (*view).executions},
		{field{"started", number(0), "how many executions were started so far, rollbacks too"}, func(v *view, n *node) { v.same(n, "", strconv.Itoa(len(v.ids)-1)) }},
		{field{"runs", perStage(executionOrNone()), "whose content runs in a stage"}, func(v *view, n *node) {
			v.eachStage(n, func(st *workflows.StageView, e entry) {
				is := ""
				if st.Running != nil {
					is = strconv.Itoa(st.Running.Number)
				}
				v.number(e.value, e.key.text, is)
			})
		}},
		{field{"certain", perStage(yesNo()), "whether that is certain: not after a failed deployment"}, func(v *view, n *node) {
			v.eachStage(n, func(st *workflows.StageView, e entry) {
				v.same(e.value, e.key.text, strconv.FormatBool(st.Running != nil && st.Running.Certain))
			})
		}},
		{field{"locks", perStage(oneOf("unlocked", "locked", "rollback")), "whether stages are locked; rollback: by one"}, func(v *view, n *node) {
			v.eachStage(n, func(st *workflows.StageView, e entry) { v.same(e.value, e.key.text, lock(st.Transition)) })
		}},
		{field{"inbound", perStage(listOf(executionOrNone())), "who waits before stages, oldest first"}, func(v *view, n *node) {
			v.eachStage(n, func(st *workflows.StageView, e entry) { v.numbersAre(e.value, e.key.text, st.Inbound) })
		}},
		{field{"planned", perStage(executionOrNone()), "the target of a rollback that waits for its stage to be free"}, func(v *view, n *node) {
			v.eachStage(n, func(st *workflows.StageView, e entry) {
				is := ""
				if st.Planned != nil {
					is = strconv.Itoa(v.numbers[st.Planned.Target])
				}
				v.number(e.value, e.key.text, is)
			})
		}},
		{field{"targets", perStage(listOf(executionOrNone())), "what stages could be rolled back to, newest first"}, (*view).targets},
		{field{"whoMay", tableOf(value("VERB [STAGE[/ACTION]]", permission), listOf(someone())), "exactly these of `people` may do that now: `approve`, `rollback Production`, …"}, (*view).whoMay},
		{field{"happened", listOf(text("text")), "parts of lines of what happened so far (see `-v`), in this order"}, (*view).happened},
		{field{"didNotHappen", listOf(text("text")), "parts of lines that are not there"}, func(v *view, n *node) {
			for _, item := range items(n) {
				if i := slices.IndexFunc(v.trace, func(line string) bool { return happening(line, item.text) }); i >= 0 {
					v.add(item, fmt.Sprintf("didNotHappen: %s", strings.TrimSpace(v.trace[i])), "")
				}
			}
		}},
	}
}

// happening says whether a line of the trace is about the text; the steps themselves are not.
func happening(line, text string) bool {
	return strings.HasPrefix(line, indent) && strings.Contains(line, text)
}

func (v *view) happened(n *node) {
	from := 0
	for _, item := range items(n) {
		i := slices.IndexFunc(v.trace[from:], func(line string) bool { return happening(line, item.text) })
		if i < 0 {
			v.add(item, fmt.Sprintf("happened: expected %s, and there is no such line here", words.Quoted(item.text)), "see what happened, below")
			return
		}
		from += i + 1
	}
}

func (v *view) executions(n *node) {
	for _, e := range n.entries {
		id, err := v.numbered(e.key.text)
		if err != nil {
			v.add(e.key, "executions: "+err.Error(), "")
			continue
		}
		x, _ := v.row(id)
		v.same(e.value, v.ref(id), string(x.Status))
	}
}

func (v *view) eachStage(n *node, visit func(*workflows.StageView, entry)) {
	now := v.s.View()
	for _, e := range n.entries {
		st, ok := now.Stage(e.key.text)
		if !ok {
			v.add(e.key, fmt.Sprintf("%s: %s is not in the current definition", v.key, e.key.text), "")
			continue
		}
		visit(st, e)
	}
}

// lock is the state of a transition, in a word.
func lock(t workflows.Transition) string {
	switch {
	case t.Enabled:
		return "unlocked"
	case t.Cause == "rollback":
		return t.Cause
	}
	return "locked"
}

func (v *view) numbersAre(n *node, what string, ids []string) {
	is := make([]string, len(ids))
	for i, id := range ids {
		is[i] = strconv.Itoa(v.numbers[id])
	}
	v.lists(n, what, is)
}

func (v *view) targets(n *node) {
	for _, e := range n.entries {
		var rows []workflows.Execution
		for _, id := range slices.Backward(v.ids[1:]) {
			x, _ := v.row(id)
			if st, ok := x.Stage(e.key.text); ok && st.Status == workflows.StatusSucceeded {
				rows = append(rows, x)
			}
		}
		var ids []string
		for _, t := range v.s.Targets(e.key.text, rows) {
			if t.Eligible {
				ids = append(ids, t.Execution)
			}
		}
		v.numbersAre(e.value, e.key.text, ids)
	}
}

// permission checks "VERB [STAGE[/ACTION]]".
func permission(c *checker, text string) (string, string) {
	verb, where, staged := strings.Cut(text, " ")
	verb = string(verbOf(verb))
	if !slices.Contains(questions(), verb) {
		return "there is no verb " + words.Quoted(verb), suggestion(verb, questions())
	}
	known := slices.Concat(c.names.stages, c.names.actions)
	if staged && !slices.Contains(known, where) {
		return "there is no stage or action " + words.Quoted(where), suggestion(where, known)
	}
	needsStage := []string{"rollback", "lock", "unlock"}
	if !staged && slices.Contains(needsStage, verb) {
		return verb + " needs a stage", "such as " + verb + " " + strings.Join(c.names.stages[max(0, len(c.names.stages)-1):], "")
	}
	return "", ""
}

func questions() []string {
	return []string{"start", "approve", "reject", "override", "stop", "retry", "rollback", "lock", "unlock", "resolve"}
}

// whoMay asks for every person whether the machine would accept it from them now.
func (v *view) whoMay(n *node) {
	for _, e := range n.entries {
		var may, nots []string
		for _, name := range words.Keys(v.mails) {
			if err := v.tries(name, e.key.text); err == nil {
				may = append(may, name)
			} else {
				nots = append(nots, fmt.Sprintf("%s: %s", name, refusalText(err)))
			}
		}
		want := without(e.value.texts(), nobody)
		for i := range want {
			want[i] = v.name(v.who(want[i]))
		}
		if slices.Equal(want, []string{subject.Everyone}) {
			want = words.Keys(v.mails)
		}
		slices.Sort(want)
		if !slices.Equal(want, may) {
			v.differs(e.value, words.Quoted(e.key.text), "["+strings.Join(want, ", ")+"]", words.Because("["+strings.Join(may, ", ")+"]", strings.Join(nots, "; ")))
		}
	}
}

// tries finds out whether somebody may do something; nothing happens.
func (v *view) tries(name, what string) error {
	verb, where, _ := strings.Cut(what, " ")
	stage, action, _ := strings.Cut(where, "/")
	by := v.principal(name)
	in := workflows.Intent{Verb: verbOf(verb), Pipeline: v.s.Name, Stage: stage, Action: action, Reason: "a question", As: "succeeded"}
	var err error
	switch in.Verb {
	case workflows.Start:
		in.Variables = v.anyValues()
	case workflows.Lock, workflows.Unlock:
	case workflows.RollBack:
		in.Target, err = v.lastGood(stage)
	default:
		in.Execution, err = v.executionFor(in.Verb, "", stage)
	}
	if err != nil {
		return err
	}
	if p := v.refusal(by, &in); p != nil {
		return p
	}
	_, err = v.tryDecide(machine.Input{By: by, Intent: &in})
	var problem *workflows.Problem
	if in.Verb == workflows.Start && errors.As(err, &problem) && problem.Code == workflows.CodeValidation {
		return nil // only its form is not filled in
	}
	return err
}

// anyValues fills in a start's form.
func (v *view) anyValues() map[string]string {
	values := map[string]string{}
	for _, variable := range v.s.View().Definition.Variables {
		if variable.DefaultValue == nil {
			values[variable.Name] = "1"
		}
	}
	return values
}
