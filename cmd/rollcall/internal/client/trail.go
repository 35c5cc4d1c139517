package client

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/audit"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Trail prints what the record says of an execution. Its times are whole, in
// UTC: it is kept and compared.
func (p Printer) Trail(t *audit.Answer) {
	if m := t.Moment; m != nil {
		for _, r := range m.Ran {
			p.say("%s", joined(", ", fmt.Sprintf("at %s %s (%s) ran %s, since %s", stamp(m.At), r.Stage, r.Environment, r.Execution, stamp(r.Since)), uncertain(r.Certain)))
		}
		p.say("")
	}
	head := fmt.Sprintf("%s  %s  %s  version %d", t.Execution, t.Status, t.Type, t.Version)
	if t.StatusReason != nil {
		head += ": " + t.StatusReason.Message
	}
	p.say("%s", head)
	rows := [][]string{{"ID", t.ID}}
	if t.ExternalID != "" {
		rows = append(rows, []string{"ID in AWS", t.ExternalID})
	}
	rows = append(rows, []string{"Started", stamp(t.StartedAt) + " by " + person(t.Trigger.By) + ", " + strings.TrimSpace(t.Trigger.Type+" "+t.Trigger.Detail)})
	if t.EndedAt != nil {
		rows = append(rows, []string{"Ended", stamp(*t.EndedAt)})
	}
	for _, r := range t.SourceRevisions {
		rows = append(rows, []string{"Revision", joined(", ", r.ActionName+" "+r.RevisionID, strings.TrimSpace(r.Repository+" "+r.Branch), r.RevisionSummary, author(r.Author))})
	}
	for _, name := range slices.Sorted(maps.Keys(t.Variables)) {
		rows = append(rows, []string{"Variable", name + "=" + t.Variables[name]})
	}
	for _, a := range t.Artifacts {
		rows = append(rows, []string{"Artifact", joined(", ", fmt.Sprintf("%s sha256:%s, %s", a.Name, a.Digest, words.Count(int(a.Size), "byte")), a.At)})
	}
	if r := t.Rollback; r != nil {
		rows = append(rows, []string{"Rollback", words.Because(fmt.Sprintf("to #%d, definition %s", r.TargetNumber, r.Definition), r.Reason)})
	}
	p.trailRows(append(rows, decisions(t)...))
	p.trailRows([][]string{{"Record", fmt.Sprintf("record %d of %s, hash %s; it is in records %d to %d", t.Record, t.Pipeline, t.Hash, t.FirstRecord, t.Record)}})
	if len(t.Also) > 0 {
		p.say("")
		p.say("also matches: %s", strings.Join(t.Also, ", "))
	}
}

// decisions are what people decided about it, and what they did not get.
func decisions(t *audit.Answer) (rows [][]string) {
	for _, g := range t.Gates {
		rows = append(rows, []string{"Approval", words.Because(where(g.Place)+": "+decided(&g), g.Reason)},
			[]string{"  rule", fmt.Sprintf("%s (version %d)", g.Rule.Text, g.Rule.Version)})
		if d := g.Decided; d != nil {
			rows = append(rows, []string{"  rule", fmt.Sprintf("%s (version %d), when it was decided", d.Text, d.Version)})
		}
		rows = append(rows, votes(t, g.Place)...)
	}
	rows = append(rows, unasked(t)...)
	for _, o := range t.Overrides {
		rows = append(rows, []string{"Override", words.Because(joined(" ", fmt.Sprintf("%s: %s by %s at %s (%s)", where(o.Place), o.What, person(o.By), stamp(o.At), numbered(o.Record)), without(o.Without)), o.Reason)})
	}
	for _, r := range t.Refusals {
		rows = append(rows, []string{"Refused", fmt.Sprintf("%s by %s via %s at %s (%s): %s", strings.TrimSpace(string(r.Verb)+" "+where(r.Place)), person(r.By), r.By.Via, stamp(r.At), numbered(r.Record), r.Message)})
	}
	for _, l := range t.Locks {
		what := "unlocked"
		if l.Locked {
			what = "locked"
		} else if l.Only {
			what = "unlocked for it alone"
		}
		rows = append(rows, []string{"Lock", words.Because(fmt.Sprintf("%s: %s by %s at %s (%s)", l.Stage, what, person(l.By), stamp(l.At), numbered(l.Record)), l.Reason)})
	}
	for _, e := range t.Left {
		rows = append(rows, []string{"Rolled back", fmt.Sprintf("%s, at %s (%s)", e.What, stamp(e.At), numbered(e.Record))})
	}
	for _, n := range t.Notes {
		rows = append(rows, []string{"Note", joined(" ", n.Name+": "+n.Text, n.URL)})
	}
	return rows
}

// trailRows prints names and values. A value is never cut: it is evidence.
func (p Printer) trailRows(rows [][]string) {
	for _, r := range rows {
		p.say("%-12s%s", pad(r[0]), r[1])
	}
}

// pad is a name with what stands in front of it kept: a line is cleaned of spaces at its ends.
func pad(name string) fmt.Stringer { return raw(name) }

type raw string

// String is the text itself.
func (r raw) String() string { return string(r) }

func person(by workflows.Principal) string {
	if by.Email == "" {
		return by.Called()
	}
	return by.Called() + " <" + by.Email + ">"
}

func author(a *workflows.Author) string {
	if a == nil {
		return ""
	}
	if name := cmp.Or(a.Name, a.Login, a.Email); name != "" {
		return "by " + name
	}
	return ""
}

func where(p audit.Place) string {
	text := strings.Trim(p.Stage+"/"+p.Action, "/")
	if p.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", p.Attempt)
	}
	return text
}

func decided(g *audit.Gate) string {
	opened := fmt.Sprintf("opened at %s (%s)", stamp(g.OpenedAt), numbered(g.Record))
	if g.ClosedAt == nil {
		return opened + ", not decided"
	}
	return fmt.Sprintf("%s at %s (%s), %s", g.Result, stamp(*g.ClosedAt), numbered(g.Closed), opened)
}

func without(missing string) string {
	if missing == "" {
		return ""
	}
	return "without " + missing
}

func uncertain(certain bool) string {
	if certain {
		return ""
	}
	return "uncertain since a deployment failed"
}

func numbered(record uint64) string { return fmt.Sprintf("record %d", record) }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

// joined are the parts that say something.
func joined(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), separator)
}

// votes are the answers at an approval.
func votes(t *audit.Answer, at audit.Place) (rows [][]string) {
	for _, v := range t.Votes {
		if v.Place != at {
			continue
		}
		text := joined("; ", words.Because(fmt.Sprintf("%s by %s via %s at %s (%s)", v.Answer, person(v.By), v.Via, stamp(v.At), numbered(v.Record)), v.Comment), strings.Join(v.Judged, ", "))
		if v.Dropped != "" {
			text += "; no longer counted: " + v.Dropped
		}
		rows = append(rows, []string{"  vote", text})
	}
	return rows
}

// unasked are the approvals in AWS that never stood open here, and who answered
// them there; and what AWS was asked to do.
func unasked(t *audit.Answer) (rows [][]string) {
	for i, v := range t.Votes {
		same := func(g audit.Gate) bool { return g.Place == v.Place }
		before := func(o audit.Vote) bool { return o.Place == v.Place }
		if slices.ContainsFunc(t.Gates, same) || slices.ContainsFunc(t.Votes[:i], before) {
			continue
		}
		rows = append(append(rows, []string{"Approval", where(v.Place) + ": answered in AWS before it was seen here"}), votes(t, v.Place)...)
	}
	for _, r := range t.Requests {
		text := fmt.Sprintf("%s by %s via %s at %s (%s)", strings.TrimSpace(string(r.Verb)+" "+where(audit.Place{Stage: r.Stage, Action: r.Action})), person(r.By), r.By.Via, stamp(r.At), numbered(r.Record))
		switch {
		case r.State == workflows.RequestOpen:
			text += ": not answered"
		case r.Error != nil:
			text += fmt.Sprintf(": refused, %s (%s): %s", r.Error.Code, numbered(r.Closed), r.Error.Message)
		default:
			text += fmt.Sprintf(": done (%s)", numbered(r.Closed))
		}
		rows = append(rows, []string{"AWS asked", text})
	}
	return rows
}
