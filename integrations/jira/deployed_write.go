package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// writeIssue brings one issue up to date. What Jira refuses for good is left as it
// is until it changes. The error is Jira's, or an *ownError.
func (d *Deployments) writeIssue(ctx context.Context, key string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	r, err := d.loadRecord(ctx, key)
	if err != nil {
		return err
	}
	var first error
	for _, name := range slices.Sorted(maps.Keys(r.Environments)) {
		e := r.Environments[name]
		for _, write := range []func(context.Context, *issueRecord, string, *environment) error{d.writeLink, d.writeComment, d.grant} {
			err := write(ctx, r, name, e)
			var own *ownError
			switch {
			case err == nil:
			case errors.As(err, &own), answered(err) == 0, answered(err) == http.StatusUnauthorized:
				return err
			case isGone(err): // the issue, or what this wants of Jira
			default:
				first = cmp.Or(first, err)
			}
		}
	}
	return first
}

// isGone says that the issue is not there any more, or not for us.
func isGone(err error) bool {
	return answered(err) == http.StatusNotFound || answered(err) == http.StatusGone
}

// writeLink makes or changes the remote link. Jira knows it by its globalId, so that
// making it twice makes one.
func (d *Deployments) writeLink(ctx context.Context, r *issueRecord, name string, e *environment) error {
	link := d.linkOf(name, e)
	if d.NoLinks || link.Object.URL == "" {
		return nil
	}
	raw, err := json.Marshal(link)
	if err != nil {
		return &ownError{fmt.Errorf("writing a remote link: %w", err)}
	}
	print := printOfText(string(raw))
	if e.Link == print {
		return nil
	}
	err = d.jira.call(ctx, http.MethodPost, "rest/api/2/issue/"+r.issue()+"/remotelink", link, nil)
	return d.note(ctx, r, err, func() { e.Link = print })
}

// note notes that Jira has something, or has refused it for good.
func (d *Deployments) note(ctx context.Context, r *issueRecord, err error, done func()) error {
	if err != nil && (!final(err) || isGone(err) || answered(err) == 0) {
		return err
	}
	if err != nil {
		d.Log.Warn("Jira refuses what is sent about a deployment", "issue", r.issue(), "error", err)
	}
	done()
	return d.saveRecord(ctx, r)
}

// writeComment makes the comment about an environment, or edits it.
func (d *Deployments) writeComment(ctx context.Context, r *issueRecord, name string, e *environment) error {
	text := d.commentText(name, e)
	if d.NoComments || e.Text == printOfText(text) {
		return nil
	}
	path := "rest/api/2/issue/" + r.issue() + "/comment"
	if e.Comment == "" && e.Making {
		found, err := d.commentOf(ctx, r.issue(), heading(name))
		if err != nil {
			return err
		}
		e.Comment = found
	}
	if e.Comment != "" {
		err := d.jira.call(ctx, http.MethodPut, path+"/"+e.Comment, map[string]string{"body": text}, nil)
		if !unknownCall(err) && answered(err) != http.StatusForbidden {
			return d.note(ctx, r, err, func() { e.Text, e.Making = printOfText(text), false })
		}
		e.Comment = "" // somebody has deleted it, or it is not ours to edit
	}
	e.Making = true
	if err := d.saveRecord(ctx, r); err != nil {
		return err
	}
	var made struct {
		ID jiraID `json:"id"`
	}
	err := d.jira.call(ctx, http.MethodPost, path, map[string]string{"body": text}, &made)
	var u *unreadable
	if errors.As(err, &u) { // it was taken
		err = nil
	}
	unnamed := !made.ID.usable()
	if unnamed {
		made.ID = "" // it is looked for
	}
	return d.note(ctx, r, err, func() { e.Comment, e.Text, e.Making = string(made.ID), printOfText(text), unnamed })
}

// commentOf finds a comment by its first line; empty: it is not among the newest.
func (d *Deployments) commentOf(ctx context.Context, key, first string) (string, error) {
	var list struct {
		Comments []struct {
			ID   jiraID          `json:"id"`
			Body json.RawMessage `json:"body"`
		} `json:"comments"`
	}
	if err := d.jira.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"/comment?orderBy=-created&maxResults=100", nil, &list); err != nil {
		return "", err
	}
	for _, c := range list.Comments {
		var body string
		if json.Unmarshal(c.Body, &body) == nil && strings.HasPrefix(strings.TrimSpace(body), first) && c.ID.usable() {
			return string(c.ID), nil
		}
	}
	return "", nil
}

func (r *issueRecord) issue() string { return strings.TrimPrefix(r.key, "issue/") }
