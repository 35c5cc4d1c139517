package card

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Say is a plain answer. text comes from rollcall itself or is escaped by Say
// like everything else.
func Say(text string) Message {
	text = prose(text, 2500)
	return Message{Text: text, Blocks: []slack.Block{slack.NewSectionBlock(mrkdwn(text), nil, nil)}}
}

// Refusal is a problem in words: what happened, what to do, who could. holders
// are those who have the missing right, ready for Slack; gates are those that
// were decided before.
func Refusal(p *workflows.Problem, holders []string, gates ...workflows.Approval) Message {
	text := "🙅 " + prose(sentence(p.Message), 1500)
	l := messageLayout()
	l.lines(text)
	if p.Hint != "" {
		l.lines("💡 " + prose(sentence(p.Hint), 1000))
	}
	if len(holders) > 0 {
		l.lines("Who may: " + fit(strings.Join(holders, ", "), 1000))
	}
	for i := range gates {
		if o := aside(&gates[i]); o != nil {
			l.lines("🔓 " + overridden(o))
		}
		l.lines(answers(&gates[i])...)
	}
	if p.ID != "" {
		l.context("refusal " + code(p.ID, 60))
	}
	return Message{Text: text, Blocks: l.done("")}
}

// Done says what changed, with the execution's headline behind it.
func Done(text string, e *workflows.Execution, url string) Message {
	text = esc(text, 500)
	more := ""
	if e != nil {
		more = esc(Headline(e), 80)
		if to := Link(url, e.ID); to != "" {
			more = link(to, more)
		}
	}
	l := messageLayout()
	l.lines(text)
	l.context(more)
	return Message{Text: text, Blocks: l.done("")}
}

// Details is all that a card leaves out.
func Details(v View) Message {
	e := &v.Execution
	l := messageLayout()
	l.header(Headline(e))
	l.lines(append(revisions(e, 20), startedBy(e))...)
	for i := range e.Stages {
		s := &e.Stages[i]
		st := ofStage(e, s)
		l.lines(join(st.icon+" *"+v0(s.Name)+"* "+v.stageWord(s), v.stageDetail(s)))
		for j := range s.Conditions {
			l.lines("        " + conditionLine(&s.Conditions[j]))
		}
		for j := range s.Actions {
			a := &s.Actions[j]
			l.lines("        " + join(actionLine(a), attempt(a.Attempt), outputs(a.OutputVariables)))
			if a.Approval != nil {
				for _, vote := range answers(a.Approval) {
					l.lines("                " + vote)
				}
			}
		}
	}
	l.lines(v.facts()...)
	for _, k := range slices.Sorted(maps.Keys(e.Artifacts)) {
		a := e.Artifacts[k]
		l.lines("🗃️ " + join(esc(k, 100), code(a.Digest[:min(12, len(a.Digest))], 12), fmt.Sprintf("%d kB", (a.Size+1023)/1024)))
	}
	r := newRow()
	v.override(r, true)
	l.buttons(r.buttons...)
	l.context(v.footer())
	return Message{Text: escape(Headline(e)), Blocks: l.done(v.console("all of it in the console"))}
}

func attempt(n int) string {
	if n > 1 {
		return "attempt " + strconv.Itoa(n)
	}
	return ""
}

func outputs(all map[string]string) string { return variables(all) }

// Log is the end of an action's log, in the fixed font; secrets were masked
// before it was stored.
func Log(e *workflows.Execution, stage, action string, lines []string) Message {
	head := fmt.Sprintf("%s · %s · %s, the last %s of its log", e.Ref(), stage, action, count(len(lines), "line", "lines"))
	if len(lines) == 0 {
		head = fmt.Sprintf("%s · %s · %s has written no log", e.Ref(), stage, action)
	}
	l := messageLayout()
	l.lines(esc(head, 300))
	if text := tail(strings.Join(lines, "\n"), maxSection-10); text != "" {
		l.lines("```" + text + "```")
	}
	return Message{Text: esc(head, 300), Blocks: l.done("")}
}

// tail is the escaped end of a log, at most n characters: the end says what
// went wrong.
func tail(text string, n int) string {
	r := []rune(strings.TrimSpace(clean(text)))
	size := 1
	for from := len(r); from > 0; from-- {
		if size += utf8.RuneCountInString(escape(string(r[from-1]))); size > n {
			return "…" + escape(string(r[from:]))
		}
	}
	return escape(string(r))
}

// Right is one row of who may do what.
type Right struct {
	What    string // "approve in Production"
	You     bool
	Holders []string // ready for Slack
}

// Who says who may do what. about is the pipeline or execution that was asked about.
func Who(about string, rights []Right) Message {
	head := "Who may do what in " + about
	l := messageLayout()
	l.header(head)
	for _, r := range rights {
		who := "nobody but the admins"
		if len(r.Holders) > 0 {
			who = fit(strings.Join(r.Holders, ", "), 600)
		}
		you := "you may not"
		if r.You {
			you = "you may"
		}
		l.lines(join("*"+v0(r.What)+"*: "+who, you))
	}
	return Message{Text: esc(head, 200), Blocks: l.done("")}
}
