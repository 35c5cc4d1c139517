package card

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// contents are what an execution brings and to where, before anybody decides: the
// revisions, from what to what each environment goes, and who began it. Of a
// rollback: what it does and why, and what leaves by it.
func (v *View) contents() []string {
	e := &v.Execution
	if text, failed := v.rollback(); text != "" {
		lines := []string{layout.Join(strings.TrimSuffix(text, "."), layout.Moment(e.StartedAt)), layout.Join(failed, v.ticket())}
		for _, s := range e.Stages {
			lines = append(lines, layout.Join(strings.TrimPrefix(v.Changed(s.Name), "🔀 "), v.issues(s.Name)))
			lines = append(lines, v.Commits(s.Name)...)
		}
		return lines
	}
	// Who pushed it and wrote it is named once, with the push.
	lines := revisionLines(e, 3, func(a *workflows.Author) bool { return isAuthor(&e.Trigger.By, a) })
	for i := range e.Stages {
		lines = append(lines, v.goesTo(&e.Stages[i]))
	}
	return append(lines, v.startedBy())
}

// goesTo says from what to what a stage with an environment goes, and by which
// commits, where that is known: "Production: #42 → #43 · 3 commits by Ana and Dee".
func (v *View) goesTo(s *workflows.StageExecution) string {
	p, ok := v.Pipeline.Stage(s.Name)
	n := v.changes(s.Name)
	if n == nil && (!ok || p.Environment == "") {
		return ""
	}
	from, way := v.before(s), ""
	if from != "" {
		way = say.Change(from, v.Execution.Number)
	}
	what := ""
	if n != nil {
		what = layout.Link(n.URL, layout.Text(strings.TrimSuffix(n.Text, " since "+from), 300)) + v.alsoBy(n.Detail)
	}
	if way == "" && what == "" {
		return ""
	}
	return "*" + layout.Name(s.Name) + "* " + layout.Join(way, what, strings.TrimPrefix(v.issues(s.Name), "🎫 "))
}

// before is what ran in a stage before this execution came: "#42"; empty: nothing,
// or it is not known.
func (v *View) before(s *workflows.StageExecution) string {
	if s.From != "" && s.From != v.Execution.ID {
		return v.number(s.From)
	}
	if v.Execution.Status.Final() || s.Status == workflows.StatusSucceeded {
		return ""
	}
	if id, now := v.Running(s.Name); id != v.Execution.ID {
		return now
	}
	return ""
}

// alsoBy names those who wrote commits of a note beside the people that the card names
// anyway: ", also by Ana and Dee". They stand in brackets at the ends of its lines.
func (v *View) alsoBy(detail string) string {
	const most = 3
	var who []string
	for line := range strings.SplitSeq(detail, "\n") {
		from := strings.LastIndex(line, " (")
		if from < 0 || !strings.HasSuffix(line, ")") || strings.HasPrefix(line[from:], " (#") {
			continue
		}
		if one := line[from+2 : len(line)-1]; !v.names(one) && !slices.Contains(who, one) {
			who = append(who, one)
		}
	}
	if len(who) == 0 {
		return ""
	}
	if len(who) > most {
		who = append(who[:most:most], "others")
	}
	for i := range who {
		who[i] = layout.Text(who[i], 60)
	}
	return ", also by " + words.List(who, "and")
}

// names says whether the card names somebody of that name as an author or as who began it.
func (v *View) names(who string) bool {
	by := v.Execution.Trigger.By
	return strings.EqualFold(who, by.Name) || slices.ContainsFunc(v.Execution.SourceRevisions, func(r workflows.SourceRevision) bool {
		return r.Author != nil && slices.ContainsFunc([]string{r.Author.Name, r.Author.Login, r.Author.Email}, func(s string) bool { return strings.EqualFold(s, who) })
	})
}

// login is an author's account, as the ID of a principal.
func login(a *workflows.Author) string {
	if a.Login == "" {
		return ""
	}
	return fmt.Sprintf("github:%s", a.Login)
}
