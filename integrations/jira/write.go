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
	if !mayLackVersion3(err) {
		return err
	}
	again := c.call(ctx, method, "rest/api/2/"+path, body(text.Wiki()), out)
	if again == nil {
		c.asServer()
	}
	return again
}

// mayLackVersion3 says that there is no such call, or nothing at its address: a
// proxy, or what calls itself Cloud and is not, may know version 2 only.
func mayLackVersion3(err error) bool {
	switch answered(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return true
	}
	return false
}

// create makes an issue and returns its key. fields are all but the description.
func (c *client) create(ctx context.Context, fields map[string]any, description *markup.Doc) (string, error) {
	var issue struct {
		Key string `json:"key"`
	}
	err := c.write(ctx, http.MethodPost, "issue", description, func(text any) any {
		_, cloud := text.(json.RawMessage)
		all := map[string]any{"description": text}
		for name, v := range fields {
			if long, ok := v.(longText); ok {
				v = long.in(cloud)
			}
			all[name] = v
		}
		return map[string]any{"fields": all}
	}, &issue)
	if err == nil && !isKey(issue.Key) {
		err = errors.New("jira answered without the new issue's key")
	}
	return issue.Key, err
}

// addComment adds a comment and returns its ID. Nothing but the text is sent: Jira
// has refused empty fields beside it.
func (c *client) addComment(ctx context.Context, key string, text *markup.Doc) (string, error) {
	var comment struct {
		ID string `json:"id"`
	}
	err := c.write(ctx, http.MethodPost, "issue/"+key+"/comment", text, commentBody, &comment)
	if err == nil && !isNumber(comment.ID) {
		err = errors.New("jira answered without the new comment's ID")
	}
	return comment.ID, err
}

// editComment puts a text in place of a comment's.
func (c *client) editComment(ctx context.Context, key, id string, text *markup.Doc) error {
	return c.write(ctx, http.MethodPut, "issue/"+key+"/comment/"+id, text, commentBody, nil)
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
			ID   string          `json:"id"`
			Body json.RawMessage `json:"body"`
		} `json:"comments"`
	}
	err = c.call(ctx, http.MethodGet, "rest/api/"+version+"/issue/"+key+"/comment?orderBy=-created&maxResults=50", nil, &list)
	if cloud && mayLackVersion3(err) {
		want = text.Wiki()
		err = c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"/comment?orderBy=-created&maxResults=50", nil, &list)
	}
	if err != nil {
		return "", err
	}
	for _, m := range list.Comments {
		if isNumber(m.ID) && strings.Contains(oneLine(markup.Flatten(m.Body)), oneLine(want)) {
			return m.ID, nil
		}
	}
	return "", nil
}

// oneLine is a text to compare with what Jira gives back: without breaks, and
// without characters that it may not have stored.
func oneLine(s string) string { return strings.Join(strings.Fields(basic(s)), " ") }

func isNumber(s string) bool { return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == "" }
