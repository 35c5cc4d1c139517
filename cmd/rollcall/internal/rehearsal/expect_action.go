package rehearsal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// ofActions is what can be expected of an execution's actions, gates and conditions.
func ofActions() []expectation {
	perAction := func(val shape) shape { return tableOf(action(), val) }
	gate := known("Stage/Action", "gate", func(n names) []string { return n.gates })
	condition := known("Stage/condition", "condition", func(n names) []string { return n.conditions })
	return []expectation{
		{field{"order", listOf(either(action(), listOf(action()))), "every action that started, gates and rules too, in order; those side by side in a list of their own"}, (*view).order},
		{field{"ran", listOf(action()), "actions that started, among others"}, func(v *view, n *node) {
			for _, item := range items(n) {
				if v.action(item.text).Attempt == 0 {
					v.add(item, fmt.Sprintf("ran: expected that %s has started, and it has not", item.text), "")
				}
			}
		}},
		{field{"didNotRun", listOf(action()), "actions that did not start"}, func(v *view, n *node) {
			for _, item := range items(n) {
				if a := v.action(item.text); a.StartedAt != nil {
					v.add(item, fmt.Sprintf("didNotRun: expected that %s has not started, and it is %s", item.text, a.Status), "")
				}
			}
		}},
		{field{"actions", perAction(status()), "the status of actions; of rules too, as `Stage/beforeEntry:Rule`"}, func(v *view, n *node) {
			for _, e := range n.entries {
				a := v.action(e.key.text)
				if e.value.text != string(a.Status) {
					v.differs(e.value, e.key.text, e.value.text, words.Because(string(a.Status), coded(a.Error)))
				}
			}
		}},
		{field{"attempts", perAction(number(0)), "how often actions started"}, func(v *view, n *node) {
			for _, e := range n.entries {
				v.same(e.value, e.key.text, strconv.Itoa(v.action(e.key.text).Attempt))
			}
		}},
		{field{"errors", perAction(text("text")), "a part of why actions failed, or its code"}, func(v *view, n *node) {
			for _, e := range n.entries {
				v.contains(e.value, e.key.text, coded(v.action(e.key.text).Error))
			}
		}},
		{field{"inDoubt", listOf(actionOrNone()), "the actions whose result is unknown until a person marks it"}, (*view).doubts},
		{field{"gates", tableOf(gate, either(oneOf(gateStates()...), section("the gate", gateKeys()))), "gates: their state, or more of them; the keys are below"}, (*view).gates},
		{field{"conditions", tableOf(condition, status()), "the status of conditions, as `Stage/beforeEntry`"}, func(v *view, n *node) {
			for _, e := range n.entries {
				stage, kind, _ := strings.Cut(e.key.text, "/")
				is := workflows.StatusNotStarted
				if st, ok := v.x.Stage(stage); ok && st.Condition(kind) != nil {
					is = st.Condition(kind).Status
				}
				v.same(e.value, e.key.text, string(is))
			}
		}},
		{field{"commands", perAction(listOf(text("a line"))), "the lines an action runs, as the shell reads them: values filled in, and in quotes where nothing else quotes them"}, func(v *view, n *node) {
			v.eachTask(n, func(t work.Task, n *node) {
				lines := make([]string, len(t.Commands))
				for i, line := range t.Commands {
					lines[i] = plain(line, t.Environment)
				}
				v.lists(n, t.Stage+"/"+t.Action.Name, lines)
			})
		}},
		{field{"environment", perAction(tableOf(text("NAME"), text("value"))), "variables of its environment"}, func(v *view, n *node) {
			v.eachTask(n, func(t work.Task, n *node) { v.values(n, t.Stage+"/"+t.Action.Name, t.Environment) })
		}},
		{field{"configuration", perAction(tableOf(text("key"), text("value"))), "its configuration, values filled in"}, (*view).configuration},
	}
}

func items(n *node) []*node {
	if n.kind == scalar {
		return []*node{n}
	}
	return n.items
}

// order compares which actions started, in which order, and which side by side.
func (v *view) order(n *node) {
	var want []string
	for _, item := range items(n) {
		names := item.texts()
		slices.Sort(names)
		want = append(want, group(names))
	}
	is := v.started()
	if strings.Join(want, ", ") != strings.Join(is, ", ") {
		v.differs(n, "", "["+strings.Join(want, ", ")+"]", "["+strings.Join(is, ", ")+"]")
	}
}

func group(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// started lists what started, those side by side as one: whatever starts
// before anything that started with it has ended.
func (v *view) started() []string {
	all, now := []string{}, []string{}
	flush := func() {
		if len(now) > 0 {
			slices.Sort(now)
			all, now = append(all, group(now)), []string{}
		}
	}
	for _, e := range v.events {
		if e.Execution != v.x.ID || e.Action == "" {
			continue
		}
		switch e.Kind {
		case event.ActionStarted:
			now = append(now, e.Stage+"/"+e.Action)
		case event.ActionSucceeded, event.ActionFailed, event.ActionAbandoned, event.ActionInDoubt:
			flush()
		}
	}
	flush()
	return all
}

func (v *view) doubts(n *node) {
	var is []string
	for _, st := range v.x.Stages {
		for _, a := range st.Actions {
			if a.Needs == workflows.NeedsResolve {
				is = append(is, st.Name+"/"+a.Name)
			}
		}
	}
	v.lists(n, "", is)
}

const gateOpen = "open"

func gateStates() []string {
	return []string{gateOpen, "approved", "rejected", "expired", "withdrawn", "overridden", nothing}
}

func gateKeys() []field {
	return []field{
		{"is", oneOf(gateStates()...), "its state"},
		{"approvals", text("text"), "`1 of 2`"},
		{"missing", listOf(text("text")), "what it still lacks, in its words"},
		{"votes", tableOf(person(), oneOf("approve", "reject")), "who answered what"},
		{"asks", listOf(who()), "who is mentioned"},
		{"text", text("text"), "a part of what it asks"},
		{"link", text("text"), "what it links to"},
		{"reminded", listOf(text("text")), "reminders sent"},
		{"warning", text("text"), "a part of it"},
		{"without", text("text"), "what was missing when it was overridden"},
	}
}

func (v *view) gates(n *node) {
	for _, e := range n.entries {
		gate, state := v.action(e.key.text).Approval, nothing
		if gate != nil {
			if state = gate.Closed; state == "" {
				state = gateOpen
			}
		}
		if e.value.kind == scalar {
			v.same(e.value, e.key.text, state)
			continue
		}
		if gate == nil {
			gate = &workflows.Approval{}
		}
		for _, k := range e.value.entries {
			v.gate(e.key.text, k, gate, state)
		}
	}
}

func (v *view) gate(name string, k entry, gate *workflows.Approval, state string) {
	what := name + " " + k.key.text
	switch k.key.text {
	case "is":
		v.same(k.value, what, state)
	case "approvals":
		v.same(k.value, what, fmt.Sprintf("%d of %d", gate.Approvals(), gate.Required))
	case "missing":
		v.lists(k.value, what, gate.Missing)
	case "reminded":
		v.lists(k.value, what, gate.Reminded)
	case "asks":
		is := make([]string, len(gate.Ask))
		for i, who := range gate.Ask {
			is[i] = v.name(who)
		}
		v.lists(k.value, what, is)
	case "text":
		v.contains(k.value, what, gate.Text)
	case "link":
		v.same(k.value, what, gate.Link)
	case "warning":
		v.contains(k.value, what, gate.Warning)
	case "without":
		is := ""
		if gate.Override != nil {
			is = gate.Override.Without
		}
		v.contains(k.value, what, is)
	case "votes":
		is := map[string]string{}
		for _, vote := range gate.Votes {
			is[v.name(vote.By.Key())] = vote.Answer
		}
		for _, e := range k.value.entries {
			v.same(e.value, what+" of "+e.key.text, is[v.name(v.who(e.key.text))])
		}
		if len(is) > len(k.value.entries) {
			v.add(k.value, fmt.Sprintf("gates of %s: %d answered, %s", what, len(is), strings.Join(words.Keys(is), ", ")), "")
		}
	}
}

// eachTask finds what each named action was last given to do.
func (v *view) eachTask(n *node, visit func(work.Task, *node)) {
	for _, e := range n.entries {
		t, ok := v.tasks[v.x.ID+" "+e.key.text]
		if !ok {
			v.add(e.key, fmt.Sprintf("%s of %s: it has not started", v.key, e.key.text), "")
			continue
		}
		visit(t, e.value)
	}
}

func (v *view) values(n *node, what string, is map[string]string) {
	for _, e := range n.entries {
		v.same(e.value, what+" "+e.key.text, is[e.key.text])
	}
}

// configuration compares what an action was given, and the texts of a gate.
func (v *view) configuration(n *node) {
	for _, e := range n.entries {
		is := v.tasks[v.x.ID+" "+e.key.text].Configuration
		if g := v.action(e.key.text).Approval; g != nil {
			is = map[string]string{"CustomData": g.Text, "ExternalEntityLink": g.Link, "NotificationArn": g.NotificationArn}
		}
		v.values(e.value, e.key.text, is)
	}
}
