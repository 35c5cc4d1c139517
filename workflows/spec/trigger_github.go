package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// onGitHub are the keys of a trigger by events of GitHub.
func onGitHub() []string { return []string{"release", "workflowRun", "deployment", "mergeGroup"} }

// filterOf is the place in a trigger for the filter behind one of those keys.
func filterOf(t *workflows.Trigger, key string) **workflows.GitFilter {
	return map[string]**workflows.GitFilter{"release": &t.Release, "workflowRun": &t.WorkflowRun, "deployment": &t.Deployment, "mergeGroup": &t.MergeGroup}[key]
}

// eventOfGitHub reads a trigger by an event of GitHub; false: it is another trigger.
func (r reader) eventOfGitHub(o object, t *workflows.Trigger) bool {
	found := ""
	for _, key := range onGitHub() {
		n := o.get(key)
		if n == nil {
			continue
		}
		if found != "" {
			r.add(o.keyAt(key), "the trigger has "+found+" and "+key, "make two triggers of it")
			continue
		}
		found = key
		*filterOf(t, key) = r.filterOnGitHub(n, key)
	}
	for _, other := range []string{"gitConfiguration", "schedule", "event", "providerType"} {
		if found != "" && o.has(other) {
			r.add(o.keyAt(found), "the trigger has "+found+" and something else", "make two triggers of it; "+found+" may have sourceActionName and variables beside it")
			return true
		}
	}
	if found != "" {
		t.SourceActionName, t.Variables = o.must("sourceActionName"), o.table("variables")
	}
	return found != ""
}

// keyAt is where a key stands.
func (o object) keyAt(key string) pos {
	for _, e := range o.entries {
		if e.key == key {
			return e.pos
		}
	}
	return o.pos
}

func (r reader) filterOnGitHub(n *node, key string) *workflows.GitFilter {
	o, f := r.object(n, key), &workflows.GitFilter{}
	if key == "release" {
		f.Tags = o.patterns("tags")
		if o.has("prerelease") {
			only := o.flag("prerelease", true)
			f.Prerelease = &only
		}
		return f
	}
	if key == "deployment" {
		f.Environments, f.Refs = o.patterns("environments"), o.patterns("refs")
		return f
	}
	f.Branches = o.patterns("branches")
	if key == "workflowRun" {
		f.Workflows, f.Conclusions, f.Events = o.patterns("workflows"), o.texts("conclusions"), o.texts("events")
	}
	return f
}

// eventOnGitHub checks a trigger by an event of GitHub.
func (c *checker) eventOnGitHub(i int, t *workflows.Trigger, sources []string) {
	for _, key := range onGitHub() {
		f := *filterOf(t, key)
		if f == nil {
			continue
		}
		where := []any{"triggers", i, key}
		for name, p := range map[string]*workflows.Patterns{"tags": f.Tags, "workflows": f.Workflows, "branches": f.Branches, "environments": f.Environments, "refs": f.Refs} {
			c.patterns(p, slices.Concat(where, []any{name}))
		}
		c.wordsOf(f.Conclusions, c.known("workflowRun", "conclusions"), "conclusion", slices.Concat(where, []any{"conclusions"}))
		c.wordsOf(f.Events, nil, "event", slices.Concat(where, []any{"events"}))
		if name := t.SourceActionName; name != "" && !slices.Contains(sources, name) {
			c.fault("there is no source action "+words.Quoted(name), meant(name, sources), "triggers", i, "sourceActionName")
		} else if name != "" {
			a, _ := c.p.Stages[0].Action(name)
			if provider := a.ActionType.Provider; provider != "GitHub" && provider != "CodeStarSourceConnection" {
				c.fault(fmt.Sprintf("events of GitHub do not concern %s, a %s action", name, provider), "they concern GitHub and CodeStarSourceConnection actions", where...)
			}
		}
		for _, other := range c.p.Triggers[:i] {
			if reflect.DeepEqual(other, *t) {
				c.fault("the trigger is given twice", "remove one of them", where...)
				break
			}
		}
	}
	if _, f := t.OnGitHub(); f != nil {
		c.variablesOf(i, t)
	}
}

// wordsOf checks a list of words: not empty, each once, and each one of those that are known; none: any.
func (c *checker) wordsOf(given, known []string, what string, at []any) {
	if e := c.root.find(at...); e != nil && e.kind == list && len(given) == 0 {
		c.fault("no "+what+" is given", "remove the key, or name one", at...)
	}
	for k, word := range given {
		switch where := slices.Concat(at, []any{k}); {
		case known != nil && !slices.Contains(known, word):
			c.fault("there is no "+what+" "+words.Quoted(word), meant(word, known), where...)
		case slices.Contains(given[:k], word):
			c.fault("the "+what+" "+word+" is listed twice", "remove one of them", where...)
		}
	}
}

// known are the words that the entries of a list may be.
func (c *checker) known(part, key string) []string {
	return readTable().part(part).key(key).forms[0].of[0].words
}

// variablesOf checks the variables of a start by an event.
func (c *checker) variablesOf(i int, t *workflows.Trigger) {
	var declared []string
	for _, v := range c.p.Variables {
		declared = append(declared, v.Name)
	}
	for _, name := range words.Keys(t.Variables) {
		at := []any{"triggers", i, "variables", name}
		if !slices.Contains(declared, name) {
			c.fault("the pipeline has no variable "+words.Quoted(name), meant(name, declared), at...)
		}
		if value := t.Variables[name]; strings.HasPrefix(value, "$") {
			if _, err := document.ParsePath(value); err != nil {
				c.fault(err.Error(), "a text that begins with $ names a place in the event, such as $.detail.image-tag", at...)
			}
		}
	}
}

// eventOnGitHub prints a trigger by an event of GitHub.
func (w *printer) eventOnGitHub(t *workflows.Trigger) {
	for _, key := range onGitHub() {
		f := *filterOf(t, key)
		if f == nil {
			continue
		}
		w.text("sourceActionName", t.SourceActionName)
		if reflect.DeepEqual(*f, workflows.GitFilter{}) {
			w.line(key, "{}")
		} else {
			w.section(key)
			w.patterns("tags", f.Tags)
			if f.Prerelease != nil {
				w.line("prerelease", fmt.Sprint(*f.Prerelease))
			}
			w.patterns("workflows", f.Workflows)
			w.patterns("environments", f.Environments)
			w.patterns("refs", f.Refs)
			w.patterns("branches", f.Branches)
			w.texts("conclusions", f.Conclusions)
			w.texts("events", f.Events)
			w.end()
		}
		w.pairs("variables", t.Variables)
	}
}
