package spec

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
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
	seen := map[string]bool{}
	for i := range c.p.Triggers {
		t := &c.p.Triggers[i]
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
	if len(t.Git.PullRequest) > 0 {
		c.fault("pull request triggers are "+notYet, "a source action only takes commits of its branch; use push", "triggers", i, "gitConfiguration", "pullRequest")
	}
}

func (c *checker) filters(filters []workflows.GitFilter, check func(workflows.GitFilter, []any), path ...any) {
	if len(filters) > 3 {
		c.fault(fmt.Sprintf("there are %d filters", len(filters)), "at most 3 of a kind are allowed", path...)
	}
	for k, f := range filters {
		at := slices.Concat(path, []any{k})
		if f.Branches == nil && f.FilePaths == nil && f.Tags == nil {
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
		} else if err := workflows.CheckPattern(pattern); err != nil {
			c.fault(fmt.Sprintf("the pattern %s cannot be read: %s", quoted(pattern), err), "* ? [abc] {a,b} and ** have a meaning; \\ takes it away", where...)
		}
	}
}
