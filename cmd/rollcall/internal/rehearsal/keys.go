package rehearsal

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The tables below are the whole language of test files: the reader checks a
// file against them, and the reference in docs/testing-pipelines.md is printed
// from them. A ! behind a key means that it must be given.

// fileKeys are the keys of a test file. The tests are read by their own table.
func fileKeys() []field {
	return []field{
		{"pipeline!", text("a file"), "the pipeline file, relative to this one"},
		{"people", tableOf(text("name"), text("mail address")), "the people in the tests, by a short name"},
		{"groups", tableOf(text("group"), listOf(who())), "the members of the groups that the pipeline uses, also of `slack-group:…` and `github-team:…`"},
		{"access", named("the section below", section("access", accessKeys())), "permissions, as in `rollcall.yaml`; without it, everybody in `people` may do everything"},
		{"freeze", freezes(), "freezes, as in `rollcall.yaml`"},
		{"timezone", timezone(), "time zone of the times in this file; UTC if not given"},
		{"now", moment(), "start time of the tests; Monday 2 March 2026, 9:00, if not given"},
		{"outcomes", outcomes(), "outcomes of actions in all tests; others succeed at once"},
		{"tests!", listOf(named("a test", section("the test", testKeys()))), "the tests"},
	}
}

func accessKeys() []field {
	return []field{
		{"admins", listOf(who()), "may do everything"},
		{"rules", listOf(section("the rule", []field{
			{"allow!", listOf(text("a verb")), "view, start, approve, …"},
			{"to!", listOf(who()), "who gets the permission"},
			{"on", listOf(text("a pattern")), "`PIPELINE` or `PIPELINE/STAGE`; everywhere if not given"},
		})), "what is allowed"},
		{"deputies", tableOf(who(), who()), "who stands in for whom"},
		{"tokens", tableOf(text("name"), listOf(text("a verb"))), "permissions of API tokens"},
		{"allowAll", yesNo(), "everybody may do everything"},
	}
}

func freezes() shape {
	return listOf(section("the freeze", []field{
		{"name!", text("text"), "its name"},
		{"from!", moment(), "its start"},
		{"to!", moment(), "its end"},
		{"timezone", timezone(), "its time zone; the file's if not given"},
		{"on!", listOf(text("a pattern")), "`PIPELINE` or `PIPELINE/STAGE`, may contain *"},
		{"mayPass", listOf(who()), "who may let one execution in"},
	}))
}

func testKeys() []field {
	return []field{
		{"name!", text("text"), "what the test shows"},
		{"now", moment(), "its start time"},
		{"freeze", freezes(), "instead of the file's"},
		{"outcomes", outcomes(), "in addition to the file's"},
		{"steps!", listOf(shape{"a step", checkStep}), "what happens, in order"},
	}
}

// stepKeys are what may stand in a step beside its act.
func stepKeys() []field {
	return []field{
		{"outcomes", outcomes(), "outcomes of actions from this step on, set before the act; also of those that hang"},
		{"refused", either(text("a code"), section("refused", []field{
			{"code", text("a code"), "such as `SelfApproval`, `AccessDenied`"},
			{"says", text("text"), "part of the message or of its hint"},
		})), "the act must be refused"},
		{"starts", listOf(executionOrNone()), "the executions that the act starts"},
		{"ignored", text("text"), "the push, pull request or event must start nothing; part of the reason"},
		{"expect", shape{"expectations", func(c *checker, n *node) { section("expect", expectKeys()).check(c, n) }}, "what must be true after it"},
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
	for i := range n.entries {
		if key := n.entries[i].key; key.text == "disable" || key.text == "enable" { // CodePipeline's names
			key.text = string(verbOf(key.text))
		}
	}
	for _, a := range acts() {
		fields = append(fields, field{a.key, section(a.key, a.fields), ""})
		names = append(names, a.key)
		if v := n.get(a.key); v != nil {
			expandShort(v, a)
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
	case n.get("ignored") != nil && !slices.ContainsFunc(changes(), func(a act) bool { return n.get(a.key) != nil }):
		c.add(n.get("ignored"), "only a push, a pull request and an event can be ignored", "use refused, or starts: nothing")
	}
}

// named is a shape by another name, for the reference.
func named(says string, s shape) shape { return shape{says, s.check} }

// expandShort writes `approve: ana` out as `approve: {by: ana}`.
func expandShort(v *node, a act) {
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
		{"inDoubt", text("text"), "its outcome is unknown; the reason"},
		{"outputs", tableOf(text("NAME"), text("value")), "its output variables; made up if not given"},
		{"takes", duration(), "how long it runs; no time if not given"},
		{"commit", text("a commit"), "what a source action finds"},
	}))
	key := value("Stage/Action", func(c *checker, text string) (string, string) {
		switch {
		case slices.Contains(c.names.gates, text):
			return text + " is a gate: people answer it", "use the acts approve and reject"
		case slices.Contains(c.names.actions, text):
			return "", ""
		}
		return "there is no action " + words.Quoted(text), suggestion(text, c.names.actions)
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
		{hang, "it runs until `outcomes` changes, somebody stops it, or its time limit is reached"},
		{timeOut, "it runs until its time limit is reached; the clock advances automatically"},
		{inDoubt, "its outcome is unknown"},
		{stuck, "it keeps running and cannot be cancelled"},
	}
}

func revisionKeys(more ...field) []field {
	return append(more,
		field{"commit", text("a commit"), "made up if not given"},
		field{"message", text("text"), "its first line"},
		field{"files", listOf(text("a path")), "the changed files; one called `changed` if not given"},
		field{"by", text("a person"), "who pushed"},
		field{"author", text("a person"), "author of the commit"},
		field{"authors", listOf(text("a person")), "authors of the other commits in the push"},
		field{"source", known("a source action", "source action", func(n names) []string { return n.sources }), "the source action of the repository; the first one if not given"},
		field{"repository", text("text"), "another repository"},
	)
}

// by, of and why are keys that many acts have.
func by() field { return field{"by!", person(), "who does it"} }
func of() field {
	return field{"execution", execution(), "which one; the newest suitable one if not given"}
}
func why() field { return field{"reason", text("text"), "the reason given"} }

// act is something that happens in a step.
type act struct {
	key, short string // short: the key that a single value stands for
	says       string
	fields     []field
	do         func(w *simulation, n *node) error
}

func acts() []act {
	return slices.Concat(changes(), []act{
		{"start", "by", "somebody starts an execution", []field{by(),
			{"variables", tableOf(known("variable", "pipeline variable", func(n names) []string { return n.variables }), text("value")), "values of pipeline variables"},
			{"revisions", tableOf(known("source action", "source action", func(n names) []string { return n.sources }), text("a commit")), "instead of the newest"},
			{"token", text("text"), "a client request token"}}, (*simulation).start},
		{"approve", "by", "somebody approves at a gate", []field{by(), of(), gateKey(), {"comment", text("text"), "the comment"}}, intent(workflows.Approve)},
		{"reject", "by", "somebody rejects at a gate", []field{by(), of(), gateKey(), why()}, intent(workflows.Reject)},
		{"override", "by", "somebody with the permission overrides an approval or a condition", []field{by(), of(), {"stage", stage(), "where"}, gateKey(),
			{"condition", oneOf("BEFORE_ENTRY", "ON_SUCCESS", "APPROVAL"), "which check; the one that blocks if not given"}, why()}, intent(workflows.Override)},
		{"stop", "by", "somebody stops an execution", []field{by(), of(), {"abandon", yesNo(), "without waiting for running actions"}, why()}, intent(workflows.StopExecution)},
		{"retry", "by", "somebody retries a failed stage", []field{by(), of(), {"stage", stage(), "which; the failed one if not given"}, {"all", yesNo(), "all of its actions, not only the failed ones"}}, intent(workflows.Retry)},
		{"rollback", "by", "somebody rolls a stage back to an earlier execution", []field{by(), {"stage!", stage(), "which"}, {"to", execution(), "the target; the last success if not given"},
			{"definition", oneOf("original", "current"), "which definition runs: that of the target, or the current one; the target's if not given"}, {"whileRunning", oneOf("stop", "wait"), "what happens to an execution in the stage"}, why()}, (*simulation).rollback},
		{"lock", "by", "somebody locks a stage", []field{by(), {"stage!", stage(), "which"}, why()}, intent(workflows.Lock)},
		{"unlock", "by", "somebody unlocks it", []field{by(), {"stage!", stage(), "which"}, {"only", execution(), "let only this execution in"}, why()}, intent(workflows.Unlock)},
		{"resolve", "by", "somebody records the outcome of an action whose result is unknown", []field{by(), of(), {"action", action(), "which; the only one if not given"}, {"as!", oneOf("succeeded", "failed", "again"), "the outcome"}, why()}, intent(workflows.Resolve)},
		{"edit", "file", "a new definition takes effect", []field{{"file!", text("a file"), "the pipeline file, relative to this one"}}, (*simulation).edit},
		{"wait", "for", "time passes", []field{{"for!", duration(), "how long"}}, (*simulation).wait},
		{"until", "at", "time passes", []field{{"at!", moment(), "until this moment"}}, (*simulation).until},
	})
}

// changes are the acts of repositories.
func changes() []act {
	return append([]act{
		{"push", "branch", "somebody pushes, or a source in AWS has something new; the pipeline's triggers decide", revisionKeys(
			field{"branch", text("a branch"), "the source action's if not given"}, field{"tag", text("a tag"), "instead of a branch"},
			field{"created", yesNo(), "the branch is new"}, field{"deleted", yesNo(), "the branch is gone"}), (*simulation).push},
		{"pullRequest", "event", "a pull request is opened, updated or closed", revisionKeys(
			field{"event!", oneOf("OPEN", "UPDATED", "CLOSED"), "what happened to it"}, field{"into", text("a branch"), "the target branch; the source action's if not given"},
			field{"fork", yesNo(), "it comes from a fork"}), (*simulation).pullRequest},
		{"event", "json", "an event of EventBridge comes; the pipeline's triggers decide", []field{{"json!", jsonText(), "the event, as EventBridge has it"}}, (*simulation).event},
	}, gitHubActs()...)
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
				name += " (required)"
			}
			b.WriteString("| " + name + " | " + f.holds.says + " | " + f.says + " |\n")
		}
	}
	table("The file", fileKeys())
	table("`access`", accessKeys())
	table("A test", testKeys())
	table("A step, besides its act", stepKeys())
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
	b.WriteString("| `{fail: TEXT}`, `{inDoubt: TEXT}` | the same, with a message |\n| `{outputs: {NAME: VALUE}, takes: 20m}` | it succeeds with these outputs after that time; `takes` works with `fail` too |\n")
	b.WriteString("| `{commit: TEXT}` | a source action finds this commit |\n| `[fail, succeed]` | the first attempt, the second; the last one applies to all further ones |\n")
	table("`expect`", expectKeys())
	table("A gate in `expect`", gateKeys())
	return b.String()
}
