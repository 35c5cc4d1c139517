package spec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
)

// triggers checks when the pipeline starts by itself.
func (c *checker) triggers() {
	if len(c.p.Triggers) > 50 {
		c.fault(fmt.Sprintf("the pipeline has %d triggers", len(c.p.Triggers)), "at most 50 are allowed", "triggers")
	}
	var sources []string
	if len(c.p.Stages) > 0 {
		for _, a := range c.p.Stages[0].Actions {
			sources = append(sources, a.Name)
		}
	}
	if text, err := json.Marshal(c.p.Triggers); err == nil && len(text) > 200<<10 {
		c.fault("the triggers hold more than 200 KB", "make their patterns fewer or shorter", "triggers")
	}
	seen := map[string]bool{}
	for i := range c.p.Triggers {
		t := &c.p.Triggers[i]
		if t.Schedule != nil {
			c.schedule(i, *t.Schedule)
		}
		if t.Git == nil {
			continue
		}
		c.trigger(i, t, sources, seen[t.Git.SourceActionName])
		seen[t.Git.SourceActionName] = true
	}
}

func (c *checker) trigger(i int, t *workflows.Trigger, sources []string, again bool) {
	name := t.Git.SourceActionName
	where := []any{"triggers", i, "gitConfiguration", "sourceActionName"}
	switch {
	case name == "":
	case again:
		c.fault("there are two triggers for "+name, "put their filters into one", where...)
	case !slices.Contains(sources, name):
		c.fault("there is no source action "+quoted(name), meant(name, sources), where...)
	default:
		a, _ := c.p.Stages[0].Action(name)
		provider := a.ActionType.Provider
		if follows := []string{"CodeStarSourceConnection", "Git", "GitHub"}; !slices.Contains(follows, provider) {
			c.fault(fmt.Sprintf("a trigger cannot follow %s, a %s action", name, provider), "it follows Git, GitHub and CodeStarSourceConnection actions", where...)
		} else if t.ProviderType == "" {
			t.ProviderType = provider
		} else if !slices.Contains(follows, t.ProviderType) {
			c.fault("there is no providerType "+quoted(t.ProviderType), meant(t.ProviderType, follows), "triggers", i, "providerType")
		}
	}
	c.filters(t.Git.Push, func(f workflows.GitFilter, at []any) {
		if f.Tags != nil && (f.Branches != nil || f.FilePaths != nil) {
			c.fault("a push is of a tag or of a branch: this filter matches nothing", "make two filters of it", at...)
		}
	}, "triggers", i, "gitConfiguration", "push")
	c.filters(t.Git.PullRequest, func(f workflows.GitFilter, at []any) {
		known, seen := []string{"OPEN", "UPDATED", "CLOSED"}, map[string]bool{}
		for k, event := range f.Events {
			switch {
			case !slices.Contains(known, event):
				c.fault("there is no event "+quoted(event), meant(event, known), slices.Concat(at, []any{"events", k})...)
			case seen[event]:
				c.fault("the event "+event+" is listed twice", "remove one of them", slices.Concat(at, []any{"events", k})...)
			}
			seen[event] = true
		}
		if e := c.root.find(slices.Concat(at, []any{"events"})...); e != nil && len(f.Events) == 0 {
			c.fault("no event is given", "OPEN, UPDATED or CLOSED; without the key all three", slices.Concat(at, []any{"events"})...)
		}
	}, "triggers", i, "gitConfiguration", "pullRequest")
}

// schedule checks a trigger by the clock.
func (c *checker) schedule(i int, s workflows.Schedule) {
	if s.Cron != "" {
		if _, err := clock.ParseCron(s.Cron); err != nil {
			c.fault(fmt.Sprintf("cron cannot be %s: %s", quoted(s.Cron), err), `such as "0 6 * * 1-5": minute, hour, day, month, weekday`, "triggers", i, "schedule", "cron")
		}
	}
	if s.Timezone != "" {
		if _, err := clock.Zone(s.Timezone); err != nil {
			c.fault(fmt.Sprintf("timezone cannot be %s: %s", quoted(s.Timezone), err), "such as Europe/Berlin", "triggers", i, "schedule", "timezone")
		}
	}
	for _, other := range c.p.Triggers[:i] {
		if other.Schedule != nil && *other.Schedule == s {
			c.fault("the schedule is given twice", "remove one of them", "triggers", i, "schedule")
			return
		}
	}
}

func (c *checker) filters(filters []workflows.GitFilter, check func(workflows.GitFilter, []any), path ...any) {
	if given := c.root.find(path...); len(filters) == 0 && given != nil && given.kind == list {
		c.fault("no filter is given", "remove the key, or give it branches: […]", path...)
	}
	if len(filters) > 3 {
		c.fault(fmt.Sprintf("there are %d filters", len(filters)), "at most 3 of a kind are allowed", path...)
	}
	for k, f := range filters {
		at := slices.Concat(path, []any{k})
		if f.Branches == nil && f.FilePaths == nil && f.Tags == nil && f.Events == nil {
			c.fault("the filter says nothing", "such as branches: [main]", at...)
		}
		for l := range k {
			if reflect.DeepEqual(filters[l], f) {
				c.fault("the filter is given twice", "remove one of them", at...)
				break
			}
		}
		check(f, at)
		c.patterns(f.Branches, slices.Concat(at, []any{"branches"}))
		c.patterns(f.FilePaths, slices.Concat(at, []any{"filePaths"}))
		c.patterns(f.Tags, slices.Concat(at, []any{"tags"}))
	}
}

func (c *checker) patterns(p *workflows.Patterns, at []any) {
	if p == nil {
		return
	}
	if len(p.Includes)+len(p.Excludes) == 0 {
		c.fault("no pattern is given", "such as includes: [main]", at...)
	}
	c.globs(p.Includes, slices.Concat(at, []any{"includes"}))
	c.globs(p.Excludes, slices.Concat(at, []any{"excludes"}))
}

func (c *checker) globs(patterns []string, path []any) {
	if len(patterns) > 8 {
		c.fault(fmt.Sprintf("there are %d patterns", len(patterns)), "at most 8 are allowed", path...)
	}
	for i, pattern := range patterns {
		where := slices.Concat(path, []any{i})
		if len([]rune(pattern)) > 255 {
			c.fault("a pattern has at most 255 characters", "shorten it", where...)
		} else if err := (&workflows.Patterns{Includes: []string{pattern}}).Check(); err != nil {
			c.fault(fmt.Sprintf("the pattern %s cannot be read: %s", quoted(pattern), err), "* ? [abc] {a,b} and ** have a meaning; \\ takes it away", where...)
		}
	}
}
