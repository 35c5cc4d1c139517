package jira

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
)

// write makes a call that holds a text, in the form that this Jira takes: a
// document over version 3 of Cloud, wiki markup over version 2. body gets the text
// as it is to be sent.
func (c *client) write(ctx context.Context, method, path string, text *markup.Doc, body func(text any) any, out any) error {
	cloud, err := c.isCloud(ctx)
	if err != nil {
		return err
	}
	if !cloud {
		return c.call(ctx, method, "rest/api/2/"+path, body(text.Wiki()), out)
	}
	err = c.call(ctx, method, "rest/api/3/"+path, body(text.ADF()), out)
	if !unknownCall(err) && answered(err) != http.StatusForbidden {
		return err
	}
	again := c.call(ctx, method, "rest/api/2/"+path, body(text.Wiki()), out)
	if again == nil {
		c.asServer()
	}
	return again
}

// create makes an issue and returns its key. fields are all but the description. Texts
// go as markup, over version 2, where Jira did not take them as they should be.
func (c *client) create(ctx context.Context, fields map[string]any, description *markup.Doc, asMarkup bool) (string, error) {
	var issue struct {
		Key string `json:"key"`
	}
	body := func(text any) any {
		_, cloud := text.(json.RawMessage)
		all := map[string]any{"description": text}
		for name, v := range fields {
			if long, ok := v.(longText); ok {
				v = long.in(cloud)
			}
			all[name] = v
		}
		return map[string]any{"fields": all}
	}
	var err error
	if asMarkup {
		err = c.call(ctx, http.MethodPost, "rest/api/2/issue", body(description.Wiki()), &issue)
	} else {
		err = c.write(ctx, http.MethodPost, "issue", description, body, &issue)
	}
	if err == nil && !isKey(issue.Key) {
		err = errors.New("jira answered without the new issue's key")
	}
	return issue.Key, err
}

// addComment adds a comment and returns its ID; empty: Jira does not say it. Nothing but the text is sent: Jira
// has refused empty fields beside it.
func (c *client) addComment(ctx context.Context, key string, text *markup.Doc) (string, error) {
	var comment struct {
		ID jiraID `json:"id"`
	}
	err := c.writeComment(ctx, http.MethodPost, "issue/"+key+"/comment", text, &comment)
	var u *unreadable
	if errors.As(err, &u) { // it was taken
		err = nil
	}
	if !comment.ID.usable() {
		comment.ID = ""
	}
	return string(comment.ID), err
}

// editComment puts a text in place of a comment's.
func (c *client) editComment(ctx context.Context, key, id string, text *markup.Doc) error {
	return c.writeComment(ctx, http.MethodPut, "issue/"+key+"/comment/"+id, text, nil)
}

// writeComment writes a comment: what Cloud does not take as a document, it gets as
// markup, which it knows as well.
func (c *client) writeComment(ctx context.Context, method, path string, text *markup.Doc, out any) error {
	err := c.write(ctx, method, path, text, commentBody, out)
	if answered(err) != http.StatusBadRequest {
		return err
	}
	if cloud, unknown := c.isCloud(ctx); unknown != nil || !cloud {
		return err
	}
	return c.call(ctx, method, "rest/api/2/"+path, commentBody(text.Wiki()), out)
}

func commentBody(text any) any { return map[string]any{"body": text} }

// findComment returns the ID of the newest comment that contains a text; empty: there
// is none. Unlike the search, Jira shows comments as soon as they are there.
func (c *client) findComment(ctx context.Context, key string, text *markup.Doc) (string, error) {
	cloud, err := c.isCloud(ctx)
	if err != nil {
		return "", err
	}
	version, want := "2", text.Wiki()
	if cloud {
		version, want = "3", text.Plain()
	}
	var list struct {
		Comments []struct {
			ID   jiraID          `json:"id"`
			Body json.RawMessage `json:"body"`
		} `json:"comments"`
	}
	err = c.call(ctx, http.MethodGet, "rest/api/"+version+"/issue/"+key+"/comment?orderBy=-created&maxResults=50", nil, &list)
	if cloud && unknownCall(err) {
		want = text.Wiki()
		err = c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"/comment?orderBy=-created&maxResults=50", nil, &list)
	}
	if err != nil {
		return "", err
	}
	for _, m := range list.Comments {
		if m.ID.usable() && strings.Contains(oneLine(markup.Flatten(m.Body)), oneLine(want)) {
			return string(m.ID), nil
		}
	}
	return "", nil
}

// oneLine is a text to compare with what Jira gives back: without breaks, and
// without characters that it may not have stored.
func oneLine(s string) string { return strings.Join(strings.Fields(basic(s)), " ") }
