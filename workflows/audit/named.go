package audit

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// shortestRevision is how many characters of a commit name it.
const shortestRevision = 7

// ticketKey is the form of a ticket's key.
var ticketKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+-[0-9]+$`)

// IsNamed says whether somebody may mean an execution by a name: by the beginning
// of a commit or digest that it brought, by the tag that started it, by its
// ticket, or by a ticket that the text of its commit names.
func IsNamed(x *workflows.Execution, name string) bool {
	if name == "" {
		return false
	}
	if ticketKey.MatchString(name) && hasTicket(x, name) {
		return true
	}
	return slices.ContainsFunc(x.SourceRevisions, func(r workflows.SourceRevision) bool {
		switch {
		case len(name) >= shortestRevision && strings.HasPrefix(strings.ToLower(r.RevisionID), strings.ToLower(name)):
			return true
		case r.Type == "IMAGE_DIGEST":
			return r.Branch == name
		}
		return r.Branch == "" && tagOf(x, &r) == name
	})
}

// tagOf is the tag that started an execution; empty: none did. A trigger's
// detail is the repository and what was pushed there.
func tagOf(x *workflows.Execution, r *workflows.SourceRevision) string {
	if !slices.Contains([]string{workflows.TriggerWebhook, workflows.TriggerPoll, "CloudWatchEvent"}, x.Trigger.Type) {
		return ""
	}
	detail, _, _ := strings.Cut(x.Trigger.Detail, "; ")
	tag, ok := strings.CutPrefix(detail, r.Repository+" ")
	if !ok {
		return ""
	}
	return tag
}

func hasTicket(x *workflows.Execution, key string) bool {
	word := func(text string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}), func(w string) bool { return strings.EqualFold(w, key) })
	}
	return slices.ContainsFunc(x.Notes, func(n workflows.Note) bool { return n.Name == "ticket" && word(n.Text) }) ||
		slices.ContainsFunc(x.SourceRevisions, func(r workflows.SourceRevision) bool { return word(r.RevisionSummary) })
}
