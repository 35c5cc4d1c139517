package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clock"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/words"
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
		if t.Event != nil {
			c.event(i, t)
		}
		c.eventOnGitHub(i, t, sources)
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
		c.fault("there is no source action "+words.Quoted(name), meant(name, sources), where...)
	default:
		a, _ := c.p.Stages[0].Action(name)
		provider := a.ActionType.Provider
		if follows := []string{"CodeStarSourceConnection", "Git", "GitHub", "Bitbucket", "GitLab"}; !slices.Contains(follows, provider) {
			c.fault(fmt.Sprintf("a trigger cannot follow %s, a %s action", name, provider), "it follows Git, GitHub, Bitbucket, GitLab and CodeStarSourceConnection actions", where...)
		} else if t.ProviderType == "" {
			t.ProviderType = provider
		} else if !slices.Contains(follows, t.ProviderType) {
			c.fault("there is no providerType "+words.Quoted(t.ProviderType), meant(t.ProviderType, follows), "triggers", i, "providerType")
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
				c.fault("there is no event "+words.Quoted(event), meant(event, known), slices.Concat(at, []any{"events", k})...)
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

// longestPattern is EventBridge's limit.
const longestPattern = 4096

// event checks a trigger by events.
func (c *checker) event(i int, t *workflows.Trigger) {
	where := []any{"triggers", i, "event"}
	if given := c.root.find(where...); given == nil || given.kind != mapping {
		return // reported when it was read
	}
	if len(t.Event) > longestPattern {
		c.fault(fmt.Sprintf("the pattern has %d characters", len(t.Event)), fmt.Sprintf("at most %d are allowed", longestPattern), where...)
	}
	doc, err := document.Read(t.Event)
	if err == nil {
		_, err = document.ParsePattern(doc)
	}
	if fault := (*document.PatternError)(nil); errors.As(err, &fault) {
		c.fault(fault.Message, fault.Hint, slices.Concat(where, fault.At)...)
	} else if err != nil {
		c.fault("the pattern "+err.Error(), "write it as in a rule of EventBridge", where...)
	}
	known := []string{"source", "detail-type", "detail", "account", "region", "resources", "time", "id", "version", "replay-name", "$or"}
	for _, e := range c.root.find(where...).entries {
		if !slices.Contains(known, e.key) {
			c.add(e.pos, "events of EventBridge have no key "+words.Quoted(e.key), meant(e.key, known))
		}
	}
	c.variablesOf(i, t)
	for _, other := range c.p.Triggers[:i] {
		if other.Event != nil && reflect.DeepEqual(other, *t) {
			c.fault("the event is given twice", "remove one of them", "triggers", i, "event")
			return
		}
	}
}

// schedule checks a trigger by the clock.
func (c *checker) schedule(i int, s workflows.Schedule) {
	if s.Cron != "" {
		cron, err := clock.ParseCron(s.Cron)
		last, fires := cron.LastYear()
		switch where := []any{"triggers", i, "schedule", "cron"}; {
		case err != nil:
			c.fault(fmt.Sprintf("cron cannot be %s: %s", words.Quoted(s.Cron), err), `such as "0 6 * * 1-5": minute, hour, day, month, weekday`, where...)
		case !fires:
			c.fault(fmt.Sprintf("the schedule %s never fires: no year has such a day", words.Quoted(s.Cron)), "31 February does not come; name days that the months have", where...)
		case cron.Ends():
			c.warn(c.root.at(where...), fmt.Sprintf("the schedule %s fires for the last time in %d", words.Quoted(s.Cron), last), "write * for the year if it is to go on")
		}
	}
	if s.Timezone != "" {
		if _, err := clock.Zone(s.Timezone); err != nil {
			c.fault(fmt.Sprintf("timezone cannot be %s: %s", words.Quoted(s.Timezone), err), "such as Europe/Berlin", "triggers", i, "schedule", "timezone")
		}
		c.abbreviation("timezone", s.Timezone, "triggers", i, "schedule", "timezone")
	}
	for _, other := range c.p.Triggers[:i] {
		if other.Schedule != nil && *other.Schedule == s {
			c.fault("the schedule is given twice", "remove one of them", "triggers", i, "schedule")
			return
		}
	}
}

// abbreviation warns of a time zone whose letters several places use.
func (c *checker) abbreviation(key, zone string, path ...any) {
	if region, others := clock.Abbreviation(zone); others != "" {
		c.warn(c.root.at(path...), fmt.Sprintf("%s %s is read as %s", key, zone, region), "it is also used for "+others+": write the region")
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
	c.nothingLeft(p, at)
	c.globs(p.Includes, slices.Concat(at, []any{"includes"}))
	c.globs(p.Excludes, slices.Concat(at, []any{"excludes"}))
}

// nothingLeft warns of patterns that no name can match: each include is a plain
// name that is excluded, or everything is.
func (c *checker) nothingLeft(p *workflows.Patterns, at []any) {
	excluded := func(name string) bool {
		return !strings.ContainsAny(name, `*?[]{}\\!`) && !(&workflows.Patterns{Excludes: p.Excludes}).Match(name)
	}
	everything := slices.Contains(p.Excludes, "**")
	for _, e := range p.Excludes {
		if (&workflows.Patterns{Includes: []string{e}}).Check() != nil {
			return // reported on its own
		}
	}
	if everything || len(p.Includes) > 0 && !slices.ContainsFunc(p.Includes, func(name string) bool { return !excluded(name) }) {
		c.warn(c.root.at(at...), "the patterns match nothing: everything is excluded", "an exclude wins over an include")
	}
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
			c.fault(fmt.Sprintf("the pattern %s cannot be read: %s", words.Quoted(pattern), err), "* ? [abc] {a,b} and ** have a meaning; \\ takes it away", where...)
		}
	}
}
