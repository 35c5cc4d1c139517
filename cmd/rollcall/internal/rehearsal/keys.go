package rehearsal

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// The tables below are the whole language of test files: the reader checks a
// file against them, and the reference in docs/testing-pipelines.md is printed
// from them. A ! behind a key means that it must be given.

// fileKeys are the keys of a test file. The tests are read by their own table.
func fileKeys() []field {
	return []field{
		{"pipeline!", text("a file"), "the pipeline file, relative to this one"},
		{"people", tableOf(text("name"), text("mail address")), "who acts in the tests, by a short name"},
		{"groups", tableOf(text("group"), listOf(who())), "who is in the groups that the pipeline names; `slack-group:…` and `github-team:…` too"},
		{"access", named("the section below", section("access", accessKeys())), "who may do what, as in `rollcall.yaml`; without it, everybody in `people` may everything"},
		{"freeze", freezes(), "when nothing may enter, as in `rollcall.yaml`"},
		{"timezone", timezone(), "of the moments in this file; UTC if not given"},
		{"now", moment(), "when the tests begin; Monday 2 March 2026, 9:00, if not given"},
		{"outcomes", outcomes(), "what actions do in all tests; what is not named succeeds at once"},
		{"tests!", listOf(named("a test", section("the test", testKeys()))), "the tests"},
	}
}

func accessKeys() []field {
	return []field{
		{"admins", listOf(who()), "may everything"},
		{"rules", listOf(section("the rule", []field{
			{"allow!", listOf(text("a verb")), "view, start, approve, …"},
			{"to!", listOf(who()), "to whom"},
			{"on", listOf(text("a pattern")), "`PIPELINE` or `PIPELINE/STAGE`; everywhere if not given"},
		})), "each allows something"},
		{"deputies", tableOf(who(), who()), "who stands in for whom"},
		{"tokens", tableOf(text("name"), listOf(text("a verb"))), "what API tokens may"},
		{"allowAll", yesNo(), "everybody may everything"},
	}
}

func freezes() shape {
	return listOf(section("the freeze", []field{
		{"name!", text("text"), "what people read"},
		{"from!", moment(), "its first moment"},
		{"to!", moment(), "the first moment that is free again"},
		{"timezone", timezone(), "of its moments; the file's if not given"},
		{"on!", listOf(text("a pattern")), "`PIPELINE` or `PIPELINE/STAGE`, may hold *"},
		{"mayPass", listOf(who()), "who may let one execution through"},
	}))
}

func testKeys() []field {
	return []field{
		{"name!", text("text"), "what the test shows"},
		{"now", moment(), "when it begins"},
		{"freeze", freezes(), "instead of the file's"},
		{"outcomes", outcomes(), "beside the file's"},
		{"steps!", listOf(shape{"a step", checkStep}), "what happens, in order"},
	}
}

// stepKeys are what may stand in a step beside its act.
func stepKeys() []field {
	return []field{
		{"outcomes", outcomes(), "what actions do from here on, before the act; for those that hang, too"},
		{"refused", either(text("a code"), section("refused", []field{
			{"code", text("a code"), "such as `SelfApproval`, `AccessDenied`"},
			{"says", text("text"), "a part of the sentence or of its hint"},
		})), "the act must be refused"},
		{"starts", listOf(executionOrNone()), "the executions that the act starts"},
		{"ignored", text("text"), "the push starts nothing; a part of the reason"},
		{"expect", shape{"expectations", func(c *checker, n *node) { section("expect", expectKeys()).check(c, n) }}, "what must be true then"},
	}
}

func expectKeys() []field {
	var all []field
	for _, e := range expectations() {
		all = append(all, e.field)
	}
	return all
}

// checkStep checks a step: at most one act, and what may stand beside it. A
// short form of an act is replaced by its long one.
func checkStep(c *checker, n *node) {
	fields := stepKeys()
	var names []string
	for _, a := range acts() {
		fields = append(fields, field{a.key, section(a.key, a.fields), ""})
		names = append(names, a.key)
		if v := n.get(a.key); v != nil {
			lengthen(v, a)
		}
	}
	section("the step", fields).check(c, n)
	if n.kind != mapping {
		return
	}
	var given []string
	for _, e := range n.entries {
		if slices.Contains(names, e.key.text) {
			given = append(given, e.key.text)
		}
	}
	switch {
	case len(given) > 1:
		c.add(n, "the step has two acts: "+strings.Join(given, " and "), "make two steps of it")
	case len(given) == 0 && (n.get("refused") != nil || n.get("starts") != nil || n.get("ignored") != nil):
		c.add(n, "the step has no act", "one of "+strings.Join(names, ", "))
	case n.get("ignored") != nil && n.get("push") == nil && n.get("pullRequest") == nil:
		c.add(n.get("ignored"), "only a push and a pull request can be ignored", "use refused, or starts: nothing")
	}
}

// named is a shape by another name, for the reference.
func named(says string, s shape) shape { return shape{says, s.check} }

// lengthen writes `approve: ana` out as `approve: {by: ana}`.
func lengthen(v *node, a act) {
	switch {
	case v.kind == null && !slices.ContainsFunc(a.fields, func(f field) bool { return strings.HasSuffix(f.key, "!") }):
		v.kind = mapping
	case v.kind == scalar && a.short != "":
		key := &node{line: v.line, col: v.col, text: a.short}
		inner := *v
		*v = node{line: v.line, col: v.col, kind: mapping, entries: []entry{{key, &inner}}}
	}
}

// outcomes is what actions do outside.
func outcomes() shape {
	one := either(oneOf(succeed, fail, hang, inDoubt, timeOut, stuck), section("the outcome", []field{
		{"fail", text("text"), "it fails, with this message"},
		{"inDoubt", text("text"), "nobody can know whether it ran, and why"},
		{"outputs", tableOf(text("NAME"), text("value")), "its output variables; made up if not given"},
		{"takes", duration(), "how long it runs; nothing if not given"},
		{"commit", text("a commit"), "what a source action finds"},
	}))
	key := value("Stage/Action", func(c *checker, text string) (string, string) {
		switch {
		case slices.Contains(c.names.gates, text):
			return text + " is a gate: people answer it", "use the acts approve and reject"
		case slices.Contains(c.names.actions, text):
			return "", ""
		}
		return "there is no action " + quoted(text), meant(text, c.names.actions)
	})
	return tableOf(key, listOf(named("an outcome", one)))
}

// What an action can do outside, in one word.
const (
	succeed = "succeed"
	fail    = "fail"
	hang    = "hang"    // until outcomes says otherwise, it is stopped, or its time is over
	inDoubt = "inDoubt" // nobody can know whether it ran
	timeOut = "timeout" // it takes longer than it may
	stuck   = "stuck"   // it hangs, and cannot be cancelled
)

// outcomeWords explains them for the reference.
func outcomeWords() [][2]string {
	return [][2]string{
		{succeed, "it succeeds at once, with made-up outputs"},
		{fail, "it fails"},
		{hang, "it runs until `outcomes` says otherwise, somebody stops it, or its time is over"},
		{timeOut, "it runs until its time is over: the clock goes there by itself"},
		{inDoubt, "nobody can know whether it ran"},
		{stuck, "it runs on, and cannot be cancelled"},
	}
}

func revisionKeys(more ...field) []field {
	return append(more,
		field{"commit", text("a commit"), "made up if not given"},
		field{"message", text("text"), "its first line"},
		field{"files", listOf(text("a path")), "the changed files; one called `changed` if not given"},
		field{"by", text("a person"), "who pushed"},
		field{"author", text("a person"), "who wrote the commit"},
		field{"authors", listOf(text("a person")), "who wrote the other commits that came along"},
		field{"source", known("a source action", "source action", func(n names) []string { return n.sources }), "whose repository it is; the first one's if not given"},
		field{"repository", text("text"), "another repository"},
	)
}

// by, of and why are keys that many acts have.
func by() field { return field{"by!", person(), "who asks"} }
func of() field {
	return field{"execution", execution(), "which one; the newest that fits if not given"}
}
func why() field { return field{"reason", text("text"), "what they say"} }

// act is something that happens in a step.
type act struct {
	key, short string // short: the key that a single value stands for
	says       string
	fields     []field
	do         func(w *world, n *node) error
}

func acts() []act {
	return slices.Concat(changes(), []act{
		{"start", "by", "somebody starts an execution", []field{by(),
			{"variables", tableOf(known("variable", "pipeline variable", func(n names) []string { return n.variables }), text("value")), "values of pipeline variables"},
			{"revisions", tableOf(known("source action", "source action", func(n names) []string { return n.sources }), text("a commit")), "instead of the newest"},
			{"token", text("text"), "a client request token"}}, (*world).start},
		{"approve", "by", "somebody approves at a gate", []field{by(), of(), gateKey(), {"comment", text("text"), "what they say"}}, intent(workflows.Approve)},
		{"reject", "by", "somebody rejects at a gate", []field{by(), of(), gateKey(), why()}, intent(workflows.Reject)},
		{"override", "by", "somebody with that right sets a gate or a condition aside", []field{by(), of(), {"stage", stage(), "where"}, gateKey(),
			{"condition", oneOf("BEFORE_ENTRY", "ON_SUCCESS", "APPROVAL"), "which check; what stands in the way if not given"}, why()}, intent(workflows.Override)},
		{"stop", "by", "somebody stops an execution", []field{by(), of(), {"abandon", yesNo(), "without waiting for what runs"}, why()}, intent(workflows.StopIt)},
		{"retry", "by", "somebody has a failed stage run again", []field{by(), of(), {"stage", stage(), "which; the one that failed if not given"}, {"all", yesNo(), "all of its actions, not only the failed ones"}}, intent(workflows.Retry)},
		{"rollback", "by", "somebody returns a stage to an earlier execution", []field{by(), {"stage!", stage(), "which"}, {"to", execution(), "the target; the last good one if not given"},
			{"asIs", yesNo(), "by today's definition, not the target's"}, {"whileRunning", oneOf("stop", "wait"), "what becomes of an execution inside"}, why()}, (*world).rollback},
		{"disable", "by", "somebody closes the door into a stage", []field{by(), {"stage!", stage(), "which"}, why()}, intent(workflows.Disable)},
		{"enable", "by", "somebody opens it", []field{by(), {"stage!", stage(), "which"}, {"only", execution(), "only for this one"}, why()}, intent(workflows.Enable)},
		{"resolve", "by", "somebody says what became of an action in doubt", []field{by(), of(), {"action", action(), "which; the only one if not given"}, {"as!", oneOf("succeeded", "failed", "again"), "what they say"}, why()}, intent(workflows.Resolve)},
		{"edit", "file", "another definition comes into force", []field{{"file!", text("a file"), "the pipeline file, relative to this one"}}, (*world).edit},
		{"wait", "for", "time passes", []field{{"for!", duration(), "how long"}}, (*world).wait},
		{"until", "at", "time passes", []field{{"at!", moment(), "until this moment"}}, (*world).until},
	})
}

// changes are the acts of repositories.
func changes() []act {
	return []act{
		{"push", "branch", "somebody pushes; the pipeline's triggers decide", revisionKeys(
			field{"branch", text("a branch"), "the source action's if not given"}, field{"tag", text("a tag"), "instead of a branch"},
			field{"created", yesNo(), "the branch is new"}, field{"deleted", yesNo(), "the branch is gone"}), (*world).push},
		{"pullRequest", "event", "a pull request is opened, updated or closed", revisionKeys(
			field{"event!", oneOf("OPEN", "UPDATED", "CLOSED"), "what happened to it"}, field{"into", text("a branch"), "the branch it is for; the source action's if not given"},
			field{"fork", yesNo(), "it comes from another repository"}), (*world).pullRequest},
	}
}

func gateKey() field {
	return field{"action", known("Stage/Action", "gate", func(n names) []string { return n.gates }), "which gate; the only open one if not given"}
}

// Reference is the complete list of keys in Markdown, for the documentation.
func Reference() string {
	var b strings.Builder
	table := func(title string, fields []field) {
		b.WriteString("\n### " + title + "\n| Key | Holds | Means |\n|---|---|---|\n")
		for _, f := range fields {
			name, must := strings.CutSuffix(f.key, "!")
			name = "`" + name + "`"
			if must {
				name += " (needed)"
			}
			b.WriteString("| " + name + " | " + f.holds.says + " | " + f.says + " |\n")
		}
	}
	table("The file", fileKeys())
	table("`access`", accessKeys())
	table("A test", testKeys())
	table("A step, beside its act", stepKeys())
	b.WriteString("\n### Acts\n| Act | Short for | What happens | Keys |\n|---|---|---|---|\n")
	for _, a := range acts() {
		var keys []string
		for _, f := range a.fields {
			name, must := strings.CutSuffix(f.key, "!")
			if must {
				name = "**" + name + "**"
			}
			keys = append(keys, name+": "+f.says)
		}
		b.WriteString("| `" + a.key + "` | `" + a.short + "` | " + a.says + " | " + strings.Join(keys, " · ") + " |\n")
	}
	b.WriteString("\n### Outcomes\n| Outcome | What the action does |\n|---|---|\n")
	for _, o := range outcomeWords() {
		b.WriteString("| `" + o[0] + "` | " + o[1] + " |\n")
	}
	b.WriteString("| `{fail: TEXT}`, `{inDoubt: TEXT}` | the same, with a message |\n| `{outputs: {NAME: VALUE}, takes: 20m}` | it succeeds, with these outputs, after that time; `takes` goes with `fail` too |\n")
	b.WriteString("| `{commit: TEXT}` | a source action finds this commit |\n| `[fail, succeed]` | the first attempt, the second; the last one stands for all that follow |\n")
	table("`expect`", expectKeys())
	table("A gate in `expect`", gateKeys())
	return b.String()
}
