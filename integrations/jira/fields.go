package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
)

// longText is the value of a field whose texts have a form, as a description has.
type longText string

// in is the value as Cloud's version 3 takes it, or as everybody else does.
func (l longText) in(cloud bool) any {
	if !cloud {
		return string(l)
	}
	var d markup.Doc
	for line := range strings.SplitSeq(string(l), "\n") {
		d.Line(markup.Text(line))
	}
	return d.ADF()
}

// fieldMeta is what Jira says of a field of the create screen.
type fieldMeta struct {
	ID     string `json:"fieldId"`
	Key    string `json:"key"`
	Name   string `json:"name"`
	Schema struct {
		Type   string `json:"type"`
		Items  string `json:"items"`
		Custom string `json:"custom"`
	} `json:"schema"`
}

// id is the name under which a value is sent.
func (f *fieldMeta) id() string { return or(f.ID, f.Key) }

const (
	metaFor      = 10 * time.Minute // what was read of a screen is used
	metaPages    = 10
	metaPageSize = 50 // what servers give without being asked
)

// metaPage is a page of what Jira says of the create screen. Cloud and servers call
// the list differently.
type metaPage[T any] struct {
	Types  []T  `json:"issueTypes"`
	Fields []T  `json:"fields"`
	Values []T  `json:"values"`
	Total  int  `json:"total"`
	Last   bool `json:"isLast"`
}

// readMeta reads all pages of a list.
func readMeta[T any](ctx context.Context, c *client, path string) ([]T, error) {
	var all []T
	for range metaPages {
		var page metaPage[T]
		query := "?" + url.Values{"startAt": {fmt.Sprint(len(all))}, "maxResults": {fmt.Sprint(metaPageSize)}}.Encode()
		if err := c.call(ctx, http.MethodGet, path+query, nil, &page); err != nil {
			return nil, err
		}
		got := append(append(page.Types, page.Fields...), page.Values...)
		all = append(all, got...)
		if len(got) == 0 || page.Last || page.Total > 0 && len(all) >= page.Total || page.Total == 0 && len(got) < metaPageSize {
			break
		}
	}
	return all, nil
}

// screen is what is known of the fields with which issues of a type are created.
type screen struct {
	at     time.Time
	fields []fieldMeta
}

// createScreen asks for the fields of a project's issue type. The old call for
// it is gone from Cloud and from servers since version 9.
func (c *client) createScreen(ctx context.Context, project, issueType string) ([]fieldMeta, error) {
	base := "rest/api/2/issue/createmeta/" + url.PathEscape(project) + "/issuetypes"
	types, err := readMeta[struct {
		ID   jiraID `json:"id"`
		Name string `json:"name"`
	}](ctx, c, base)
	if err != nil {
		return nil, err
	}
	for _, kind := range types {
		if strings.EqualFold(kind.Name, issueType) && kind.ID.usable() {
			return readMeta[fieldMeta](ctx, c, base+"/"+string(kind.ID))
		}
	}
	return nil, nil
}

// moreFields are the values of ticket.fields as Jira takes them, by field ID.
// Where it does not say what a field is, the value goes as it was given. The error
// is that Jira is away.
func (t *Tickets) moreFields(ctx context.Context, project, issueType string, given map[string]json.RawMessage) (map[string]any, error) {
	if len(given) == 0 {
		return nil, nil
	}
	known, err := t.screenOf(ctx, project, issueType)
	if err != nil {
		return nil, err
	}
	cloud, err := t.jira.isCloud(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, raw := range given {
		f := findField(known, name)
		out[f.id()] = f.shape(raw, cloud)
	}
	return out, nil
}

// screenOf is what Jira says of the create screen, asked now and then; empty where
// it does not say.
func (t *Tickets) screenOf(ctx context.Context, project, issueType string) ([]fieldMeta, error) {
	t.screensMu.Lock()
	defer t.screensMu.Unlock()
	at := project + "/" + issueType
	if s, ok := t.screens[at]; ok && t.Now().Sub(s.at) < metaFor {
		return s.fields, nil
	}
	fields, err := t.jira.createScreen(ctx, project, issueType)
	if err != nil && !lacks(err) {
		return nil, err
	}
	if err != nil {
		t.Log.Warn("Jira does not say which fields a ticket has, so ticket.fields goes as it is", "project", project, "issueType", issueType, "error", err)
		return nil, nil
	}
	if t.screens == nil {
		t.screens = map[string]screen{}
	}
	t.screens[at] = screen{at: t.Now(), fields: fields}
	return fields, nil
}

// findField finds a field by its ID, or by the name that people see.
func findField(all []fieldMeta, name string) *fieldMeta {
	for i := range all {
		if all[i].id() == name {
			return &all[i]
		}
	}
	for i := range all {
		if strings.EqualFold(all[i].Name, name) {
			return &all[i]
		}
	}
	return &fieldMeta{ID: name}
}

// shape gives a value the form that the field wants. A mapping has it already.
func (f *fieldMeta) shape(raw json.RawMessage, cloud bool) any {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	if f.Schema.Type != "array" {
		return shapeOne(f.Schema.Type, f.Schema.Custom, v, raw, cloud)
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, item := range list {
		out = append(out, shapeOne(f.Schema.Items, "", item, nil, cloud))
	}
	return out
}

// shapeOne is one value in its form; as it was given where that says all.
func shapeOne(kind, custom string, v any, raw json.RawMessage, cloud bool) any {
	asGiven := v
	if raw != nil {
		asGiven = raw // keeps a number as it was written
	}
	var text string
	switch s := v.(type) {
	case string:
		text = s
	case float64, bool:
		text = strings.Trim(fmt.Sprint(s), " ")
	default:
		return asGiven
	}
	if n, ok := v.(float64); ok {
		text = strings.TrimSuffix(fmt.Sprintf("%v", json.Number(or(string(raw), fmt.Sprint(n)))), ".0")
	}
	switch kind {
	case "string":
		if strings.HasSuffix(custom, ":textarea") {
			return longText(text)
		}
		return text
	case "number":
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case "option":
		return map[string]string{"value": text}
	case "option-with-child":
		parent, child, both := strings.Cut(text, " / ")
		if both {
			return map[string]any{"value": parent, "child": map[string]string{"value": child}}
		}
		return map[string]string{"value": text}
	case "user":
		if cloud {
			return map[string]string{"accountId": text}
		}
		return map[string]string{"name": text}
	case "priority", "version", "component", "group", "resolution", "securitylevel":
		return map[string]string{"name": text}
	case "project", "issuelink":
		return map[string]string{"key": text}
	}
	return asGiven
}
