package card

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// changesNote begins the name of the note that says what an execution brings
// into a stage: "changes/Production".
const changesNote = "changes/"

// issuesNote begins that of the note which names the issues in it.
const issuesNote = "issues/"

// factsNote begins that of the note which says what GitHub knows of its image and tag.
const factsNote = "facts/"

// changes is what the execution brings into a stage; nil: not known yet, or nothing ran there.
func (v *View) changes(stage string) *workflows.Note {
	if say.IsECS(v.Pipeline.Bridge) {
		return nil // a hook brings no revisions
	}
	for i, n := range v.Execution.Notes {
		if n.Name == changesNote+stage {
			return &v.Execution.Notes[i]
		}
	}
	return nil
}

// Changed is that in one line: "🔀 3 commits since #41", with the page that shows them.
func (v *View) Changed(stage string) string {
	n := v.changes(stage)
	if n == nil {
		return ""
	}
	return "🔀 " + layout.Link(n.URL, layout.Sentence(layout.Text(n.Text, 300)))
}

// Commits are the first commits of that, one line each.
func (v *View) Commits(stage string) []string {
	n := v.changes(stage)
	if n == nil || n.Detail == "" {
		return nil
	}
	return layout.Items(strings.Split(n.Detail, "\n"))
}

// NamesIssues says whether it is known which issues the execution brings into a stage.
func (v *View) NamesIssues(stage string) bool { return v.issues(stage) != "" }

// issues are those that the execution brings into a stage: "🎫 SHOP-12, SHOP-13".
func (v *View) issues(stage string) string {
	for _, n := range v.Execution.Notes {
		if n.Name == issuesNote+stage {
			return "🎫 " + layout.Text(n.Text, 600)
		}
	}
	return ""
}

// known is what GitHub says of what the execution brings into a stage: "🔎 release v2.3.1 is immutable".
func (v *View) known(stage string) string {
	for _, n := range v.Execution.Notes {
		if n.Name == factsNote+stage {
			return "🔎 " + layout.Sentence(layout.Text(n.Text, 600))
		}
	}
	return ""
}

// changeWords is that as a sentence of plain text; empty: not known.
func (v *View) changeWords(stage string) string {
	if n := v.changes(stage); n != nil && n.State == "done" {
		return layout.Sentence(layout.Line(n.Text, 100)) + "."
	}
	return ""
}

// unknown says who is kept from approving where nobody can know all that goes
// live; empty: that is known, or does not matter here.
func (a *Asking) unknown() string {
	p, n := a.Pipeline.Definition, a.changes(a.Stage)
	_, now := a.Running(a.Stage)
	if p == nil || now != "" && (n == nil || n.State == "done") {
		return ""
	}
	st, ok := p.Stage(a.Stage)
	if !ok {
		return ""
	}
	act, ok := st.Action(a.Action)
	if !ok || act.Approval == nil || act.Approval.RequesterMayApprove {
		return ""
	}
	why := ""
	if now == "" {
		why = fmt.Sprintf("nothing has run in %s before, ", layout.Text(a.Stage, 100))
	}
	return "ℹ️ " + layout.Sentence(why+"so only who started, wrote or pushed this change itself is kept from approving it.")
}
