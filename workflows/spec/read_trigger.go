package spec

import (
	"encoding/json"

	"github.com/rollcall-bot/rollcall/workflows"
)

func (r reader) trigger(n *node) workflows.Trigger {
	o := r.object(n, "trigger")
	t := workflows.Trigger{ProviderType: o.text("providerType")}
	g, s, e := o.get("gitConfiguration"), o.get("schedule"), o.get("event")
	byGitHub := r.eventOfGitHub(o, &t)
	switch {
	case byGitHub:
	case g != nil && s != nil:
		r.add(s.pos, "the trigger has a schedule and filters of changes", "make two triggers of it")
	case e != nil && (g != nil || s != nil):
		r.add(e.pos, "the trigger has an event and something else", "make two triggers of it")
	case s != nil && o.has("providerType"):
		r.add(o.at("providerType"), "a schedule has no providerType", "remove it")
	case e != nil && o.has("providerType"):
		r.add(o.at("providerType"), "an event has no providerType", "remove it")
	case g == nil && s == nil && e == nil && n.kind == mapping:
		r.add(n.pos, "the trigger says nothing", "give it push: {branches: […]}, schedule: {cron: …}, release: {tags: […]}, or event: {source: […]}")
	}
	if e != nil {
		t.Event, t.Variables = r.event(e), o.table("variables")
	} else if o.has("variables") && !byGitHub {
		r.add(o.at("variables"), "variables belong to a trigger by an event", "remove them, or add event: {source: […]}")
	}
	if s != nil {
		c := r.object(s, "schedule")
		t.Schedule = &workflows.Schedule{Cron: c.must("cron"), Timezone: "UTC"}
		if c.has("timezone") {
			t.Schedule.Timezone = c.must("timezone")
		}
	}
	if g != nil {
		c := r.object(g, "git")
		t.Git = &workflows.GitConfiguration{SourceActionName: c.must("sourceActionName")}
		for _, f := range c.each("push") {
			t.Git.Push = append(t.Git.Push, r.filter(f, "push"))
		}
		for _, f := range c.each("pullRequest") {
			t.Git.PullRequest = append(t.Git.PullRequest, r.filter(f, "pullRequest"))
		}
	}
	return t
}

// event reads a pattern of EventBridge.
func (r reader) event(n *node) json.RawMessage {
	if n.kind != mapping {
		r.add(n.pos, "event must hold keys and values", "such as event: {source: [aws.ecr]}")
		return json.RawMessage("{}")
	}
	text, err := json.Marshal(n.document())
	if err != nil {
		panic("spec: what a file holds always marshals: " + err.Error())
	}
	return text
}

// document is a value of the file as a document of JSON: what is not quoted and
// looks like a number, true, false or null is one.
func (n *node) document() any {
	switch n.kind {
	case null:
		return nil
	case list:
		all := make([]any, len(n.items))
		for i, item := range n.items {
			all[i] = item.document()
		}
		return all
	case mapping:
		all := map[string]any{}
		for _, e := range n.entries {
			all[e.key] = e.value.document()
		}
		return all
	}
	var number json.Number
	switch {
	case n.plain && (n.text == "true" || n.text == "false"):
		return n.text == "true"
	case n.plain && json.Unmarshal([]byte(n.text), &number) == nil:
		return number
	}
	return n.text
}

func (r reader) filter(n *node, part string) workflows.GitFilter {
	o := r.object(n, part)
	return workflows.GitFilter{Events: o.texts("events"), Branches: o.patterns("branches"), FilePaths: o.patterns("filePaths"), Tags: o.patterns("tags")}
}

func (o object) patterns(key string) *workflows.Patterns {
	n := o.get(key)
	if n == nil {
		return nil
	}
	p := o.object(n, "patterns")
	return &workflows.Patterns{Includes: p.texts("includes"), Excludes: p.texts("excludes")}
}
