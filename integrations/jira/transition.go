package jira

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// transition is a way that an issue can take from where it is.
type transition struct {
	ID     jiraID                     `json:"id"`
	Name   string                     `json:"name"`
	To     status                     `json:"to"`
	Fields map[string]transitionField `json:"fields"` // of its screen
}

// transitionField is a field of a transition's screen.
type transitionField struct {
	Required   bool `json:"required"`
	HasDefault bool `json:"hasDefaultValue"`
	Allowed    []struct {
		ID   jiraID `json:"id"`
		Name string `json:"name"`
	} `json:"allowedValues"`
}

// target says how well a transition fits; the lowest rank is taken, -1: not at all.
type target func(transition) int

// toStatus fits transitions by where they lead: a status of that name, else one of
// that category, by its key (done) or name. The name of a transition counts last.
func toStatus(name string) target {
	return func(t transition) int {
		return slices.IndexFunc([]string{t.To.Name, t.To.Category.Key, t.To.Category.Name, t.Name}, func(s string) bool { return strings.EqualFold(s, name) })
	}
}

// toOpen fits a transition to what is still to do, else to what is being done.
// Names are translated, and teams choose them; the category's key is the same everywhere.
func toOpen(t transition) int {
	return slices.Index([]string{"new", "indeterminate"}, t.To.Category.Key)
}

// move makes the issue take the transition that fits best, with no field but
// those that its screen has. One that demands a field which only people can
// fill in is not taken. The names of those that there are come back when none is.
func (c *client) move(ctx context.Context, key string, fits target) (offered []string, ok bool, err error) {
	var list struct {
		Transitions []transition `json:"transitions"`
	}
	path := "rest/api/2/issue/" + key + "/transitions"
	if err := c.call(ctx, http.MethodGet, path+"?expand=transitions.fields", nil, &list); err != nil {
		return nil, false, err
	}
	best, rank := map[string]any(nil), -1
	for _, t := range list.Transitions {
		offered = append(offered, t.Name)
		fields, possible := t.fill()
		if r := fits(t); r >= 0 && possible && (rank < 0 || r < rank) {
			rank, best = r, map[string]any{"transition": map[string]jiraID{"id": t.ID}}
			if len(fields) > 0 {
				best["fields"] = fields
			}
		}
	}
	if best == nil {
		return offered, false, nil
	}
	return nil, true, c.call(ctx, http.MethodPost, path, best, nil)
}

// fill is what is sent with a transition: a resolution where its screen has one and
// it leads to what is done. False: it demands something else.
func (t *transition) fill() (fields map[string]any, possible bool) {
	for name, f := range t.Fields {
		switch {
		case name == "resolution" && len(f.Allowed) > 0 && (f.Required && !f.HasDefault || t.To.done()):
			fields = map[string]any{name: map[string]jiraID{"id": f.resolution()}}
		case f.Required && !f.HasDefault:
			return nil, false
		}
	}
	return fields, true
}

// resolution picks the one that says most plainly that it works again.
func (f *transitionField) resolution() jiraID {
	for _, name := range []string{"Fixed", "Done", "Resolved"} {
		for _, a := range f.Allowed {
			if strings.EqualFold(a.Name, name) {
				return a.ID
			}
		}
	}
	return f.Allowed[0].ID
}

// linkTypes are words in the names of kinds of links, the best for a failure that
// came back first; without one of them it is the first kind that there is.
var linkTypes = []string{"regression", "relate"}

// linkIssues links an issue with the one that it follows, unless they are linked
// already. False: this Jira has no links.
func (c *client) linkIssues(ctx context.Context, key, previous string) (bool, error) {
	var issue struct {
		Fields struct {
			Links []struct {
				Inward  struct{ Key string } `json:"inwardIssue"`
				Outward struct{ Key string } `json:"outwardIssue"`
			} `json:"issuelinks"`
		} `json:"fields"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"?fields=issuelinks", nil, &issue); err != nil {
		return false, err
	}
	for _, l := range issue.Fields.Links {
		if l.Inward.Key == previous || l.Outward.Key == previous {
			return true, nil
		}
	}
	var kinds struct {
		Types []struct {
			Name    string `json:"name"`
			Inward  string `json:"inward"`
			Outward string `json:"outward"`
		} `json:"issueLinkTypes"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/issueLinkType", nil, &kinds); err != nil {
		return false, err
	}
	if len(kinds.Types) == 0 {
		return false, nil
	}
	name := kinds.Types[0].Name
best:
	for _, word := range linkTypes {
		for _, k := range kinds.Types {
			if strings.Contains(strings.ToLower(k.Name), word) {
				name = k.Name
				break best
			}
		}
	}
	return true, c.call(ctx, http.MethodPost, "rest/api/2/issueLink", map[string]any{
		"type": map[string]string{"name": name}, "inwardIssue": map[string]string{"key": previous}, "outwardIssue": map[string]string{"key": key},
	}, nil)
}
