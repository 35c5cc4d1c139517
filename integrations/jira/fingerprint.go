package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// varies is what differs from one time to the next in messages about the same
// thing. Short numbers stay: they are exit statuses, answers of servers, lines.
// It is compiled at the first failure.
var varies = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + strings.Join([]string{
		`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`,
		`\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?([.,]\d+)?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?`,
		`\b\d\d:\d\d(:\d\d)?([.,]\d+)?\b`,
		`\b\d+([.,]\d+)? ?(h|m|s|ms|us|µs|ns|seconds?|minutes?|hours?|milliseconds?)\b`,
		`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`, // address
		`\bv?\d+\.\d+\.\d+\b`,              // version
		`\b0x[0-9a-f]+\b`,
		`\b[0-9a-f]{7,64}\b`, // commit, container; see isWord
		`#\d+\b`,
		`\battempt \d+\b`,
		`/tmp/[^\s"']+`,
		`\d{4,}`,
	}, "|"))
})

// isWord says of a match that it is a word that happens to be made of a to f.
func isWord(match string) bool {
	return strings.Trim(strings.ToLower(match), "abcdef") == ""
}

// normalise leaves of a message what is the same whenever the same thing happens.
func normalise(message string, e *workflows.Execution) string {
	message = clean.Line(message)
	for _, own := range ownValues(e) {
		if own != "" {
			message = strings.ReplaceAll(message, own, "…")
		}
	}
	message = varies().ReplaceAllStringFunc(message, func(m string) string {
		if isWord(m) {
			return m
		}
		return "…"
	})
	return words.Cut(message, 500)
}

// ownValues are texts that mean the one execution, a longer one before what it begins with.
func ownValues(e *workflows.Execution) []string {
	values := []string{e.ID}
	for _, s := range e.SourceRevisions {
		if len(s.RevisionID) >= 7 {
			values = append(values, s.RevisionID, s.RevisionID[:7])
		}
	}
	return values
}

// printOf is the fingerprint of a failure within its action: the same for
// failures of the same kind.
func printOf(r workflows.Reason, e *workflows.Execution) string {
	class := ""
	if r.Finding != nil {
		class = r.Finding.Class
	}
	sum := sha256.Sum256([]byte(r.Code + "\x00" + class + "\x00" + normalise(r.Message, e)))
	return hex.EncodeToString(sum[:6])
}

// kindKey is the key of the memo of one kind of failure.
func kindKey(pipeline, stage, action, print string) string {
	return ticketKey(pipeline, stage, action) + "/" + print
}

// kind is what is known of a kind of failure.
type kind struct {
	*ticket           // that the kind has
	others  []*ticket // in which a failure of it may stand as well
}

// loadKind reads what is known. Earlier versions kept one ticket per action: it
// goes on as that of the first kind that comes.
func (t *Tickets) loadKind(ctx context.Context, g *group) (*kind, error) {
	pipeline, j := g.pipeline.Name, g.jobs[0]
	var all []*ticket
	for _, key := range []string{kindKey(pipeline, j.Stage, j.Action, j.Print), ticketKey(pipeline, j.Stage, j.Action), floodKey(pipeline)} {
		r, err := t.load(ctx, key)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	own, old := all[0], all[1]
	free := old.Print == "" && (old.State != creating || slices.ContainsFunc(g.jobs, func(j *job) bool { return j.ID == old.Doing }))
	if own.State == "" && old.State != "" && (free || old.Print == j.Print) {
		old.Print = j.Print
		return &kind{ticket: old, others: all[2:]}, nil
	}
	return &kind{ticket: all[0], others: all[1:]}, nil
}

// resultOf is what became of a job, in whichever ticket.
func (k *kind) resultOf(id string) (result, bool) {
	for _, r := range append([]*ticket{k.ticket}, k.others...) {
		if d, ok := r.resultOf(id); ok {
			return d, true
		}
	}
	return result{}, false
}
