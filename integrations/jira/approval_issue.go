package jira

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	// lagAfterIssue is how long a new issue may stay hidden from Jira's search.
	lagAfterIssue = time.Minute
	// againAfter is when an issue that Jira refused is tried again.
	againAfter = 30 * time.Second
)

// errIssueUnknown says that an issue may have been made.
var errIssueUnknown = errors.New("it is not known yet whether Jira made the issue")

// find has the issue of a gate: the one that the definition names, or a new one.
// Without an error and without an issue there is a note that says why.
func (a *Approvals) find(ctx context.Context, g *asked) error {
	if a.Now().Before(g.Again) {
		return nil
	}
	err := a.findIssue(ctx, g)
	var own *ownError
	switch {
	case err == nil && g.Issue == "":
		return nil
	case err == nil:
		return a.save(ctx, g)
	case errors.As(err, &own), ctx.Err() != nil:
		return err
	}
	text := textAway
	switch {
	case errors.Is(err, errIssueUnknown):
		text = "Jira has not said whether it made the issue, looking for it"
	case answered(err) > 0:
		text = err.Error() + "; answer here, or mend it: it is tried again"
		g.Again = a.Now().Add(againAfter)
		if err := a.save(ctx, g); err != nil {
			return err
		}
	}
	if said := a.annotate(ctx, g, "waiting", text, ""); said != nil {
		return said
	}
	return err
}

func (a *Approvals) findIssue(ctx context.Context, g *asked) error {
	key := g.Jira.Issue
	switch {
	case key == "":
		return a.openIssue(ctx, g)
	case !isKey(key):
		return a.annotate(ctx, g, "refused", fmt.Sprintf("%q is no key of an issue; answer here", key), "")
	}
	now, err := a.jira.state(ctx, key)
	if err == nil && !now.there {
		err = &refusal{status: http.StatusNotFound, says: "it has no issue " + key + ", or does not show it to rollcall"}
	}
	if err != nil {
		return err
	}
	g.Issue = key
	return a.watch(ctx, g)
}

// openIssue makes the issue of a gate, once: the marker is durable before the
// call, and what may have been made is looked up.
func (a *Approvals) openIssue(ctx context.Context, g *asked) error {
	if g.State == creating {
		if err := a.lookUp(ctx, g); err != nil || g.Issue != "" {
			return err
		}
	}
	issueType, asMarkup := a.issueType(ctx, g), false
	for {
		g.Label = approvalLabel(g.Token)
		g.State, g.Until = creating, a.Now().Add(lagAfterIssue)
		if err := a.save(ctx, g); err != nil {
			return err
		}
		key, err := a.create(ctx, g, issueType, asMarkup)
		switch {
		case err == nil:
			g.Issue, g.Own, g.State = key, true, ""
			return a.watch(ctx, g)
		case answered(err) == http.StatusBadRequest && !g.Plain && aboutLabels(err):
			g.Plain = true
			continue
		case answered(err) == http.StatusBadRequest && !asMarkup:
			asMarkup = true
			continue
		case wire.NotSent(err), answered(err) > 0 && answered(err) < 500:
			g.State = ""
		case answered(err) == http.StatusServiceUnavailable:
			g.Until = a.Now().Add(time.Second)
		}
		if saved := a.save(ctx, g); saved != nil {
			return saved
		}
		return err
	}
}

// lookUp finds the issue of a create whose answer was lost. Without an error and
// without an issue there is none.
func (a *Approvals) lookUp(ctx context.Context, g *asked) error {
	jql := fmt.Sprintf("labels = %q", g.Label)
	if g.Plain {
		jql = fmt.Sprintf("description ~ %q", g.Label)
	}
	key, err := a.jira.find(ctx, jql)
	switch {
	case err != nil && !final(err) && !unknownCall(err):
		return err
	case key != "":
		g.Issue, g.Own, g.State = key, true, ""
		return a.watch(ctx, g)
	case a.Now().Before(g.Until):
		return errIssueUnknown
	}
	g.State = ""
	return nil
}

func approvalLabel(token string) string {
	sum := sha256.Sum256([]byte("approval " + token))
	return "rollcall-" + hex.EncodeToString(sum[:8])
}

// aboutLabels says whether a refusal names the labels.
func aboutLabels(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && slices.Contains(r.fields, "labels")
}

// create makes the issue and returns its key.
func (a *Approvals) create(ctx context.Context, g *asked, issueType string, asMarkup bool) (string, error) {
	fields := map[string]any{"project": map[string]string{"key": a.Project}, "issuetype": map[string]string{"name": issueType}, "summary": a.summary(g)}
	if !g.Plain {
		fields["labels"] = []string{"rollcall", g.Label}
	}
	return a.jira.create(ctx, fields, a.description(ctx, g), asMarkup)
}

// issueType is the type of a new issue: for a change request the one that is
// called so, where the project has it.
func (a *Approvals) issueType(ctx context.Context, g *asked) string {
	type named struct {
		Name string `json:"name"`
	}
	var list struct {
		Cloud  []named `json:"issueTypes"`
		Server []named `json:"values"`
	}
	if !g.Jira.Change {
		return a.IssueType
	}
	if err := a.jira.call(ctx, http.MethodGet, "rest/api/2/issue/createmeta/"+url.PathEscape(a.Project)+"/issuetypes", nil, &list); err != nil {
		return a.IssueType
	}
	for _, t := range append(list.Cloud, list.Server...) {
		if strings.Contains(strings.ToLower(t.Name), "change") {
			return t.Name
		}
	}
	return a.IssueType
}

// post makes the comments that are due, each once: of one that may have been made
// the issue's comments are looked at first.
func (a *Approvals) post(ctx context.Context, g *asked) error {
	for len(g.Remarks) > 0 {
		r := &g.Remarks[0]
		there := ""
		if r.Trying {
			var err error
			if there, err = a.jira.findComment(ctx, g.Issue, r.doc().FirstLine()); err != nil && !lacks(err) {
				return err
			}
		}
		if there == "" {
			r.Trying = true
			if err := a.save(ctx, g); err != nil {
				return err
			}
			_, err := a.jira.addComment(ctx, g.Issue, r.doc())
			if err != nil && (!lacks(err) || serverFailed(err) && !unknownCall(err)) {
				return err
			}
			if err != nil {
				a.Log.With(g.about()...).Warn("Jira refused a comment", "issue", g.Issue, "error", err)
			}
		}
		g.Remarks = slices.Delete(g.Remarks, 0, 1)
		if err := a.save(ctx, g); err != nil {
			return err
		}
	}
	return nil
}
