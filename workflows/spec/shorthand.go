package spec

import (
	"encoding/json"
	"slices"
	"strings"
)

// lengthen rewrites the short forms of a file to CodePipeline's own, so that
// whatever follows knows one form only. New nodes keep the place of what they
// replace. What has the wrong shape stays as it is, for the reader to report.
func lengthen(p *node) {
	sources := []string{}
	for i, stage := range p.get("stages").list() {
		for _, a := range stage.get("actions").list() {
			lengthenWork(a, "actionTypeId", "")
			if i == 0 {
				if name := a.get("name"); name != nil {
					sources = append(sources, name.text)
				}
			}
		}
		lengthenConditions(stage)
	}
	for _, t := range p.get("triggers").list() {
		lengthenTrigger(t, sources)
	}
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// wrap returns a mapping of one key at the place of its value.
func wrap(key string, value *node) *node {
	return &node{pos: value.pos, kind: mapping, entries: []entry{{value.pos, key, value}}}
}

func word(at pos, text string) *node { return &node{pos: at, text: text} }

// lengthenConditions takes conditions out of CodePipeline's lists of one, leaves
// empty lists out, and lengthens their rules.
func lengthenConditions(stage *node) {
	stage.entries = slices.DeleteFunc(stage.entries, func(e entry) bool {
		c := e.value.get("conditions")
		return slices.Contains([]string{"beforeEntry", "onSuccess", "onFailure"}, e.key) && len(e.value.entries) == 1 && c != nil && c.kind == list && len(c.items) == 0
	})
	for i := range stage.entries {
		e := &stage.entries[i]
		c := e.value
		switch wrapped := c.get("conditions"); {
		case e.key == "onFailure" && wrapped != nil && wrapped.kind == list && len(wrapped.items) < 2 && c.get("condition") == nil:
			unwrapped := &node{pos: c.pos, kind: mapping}
			for _, f := range c.entries {
				if f.value != wrapped {
					unwrapped.entries = append(unwrapped.entries, f)
				} else if len(wrapped.items) == 1 {
					unwrapped.entries = append(unwrapped.entries, entry{f.pos, "condition", wrapped.items[0]})
				}
			}
			e.value = unwrapped
		case (e.key == "beforeEntry" || e.key == "onSuccess") && len(c.entries) == 1 && wrapped != nil && len(wrapped.items) == 1:
			e.value = wrapped.items[0]
		}
		for _, holder := range []*node{e.value, e.value.get("condition")} {
			for _, rule := range holder.get("rules").list() {
				lengthenWork(rule, "ruleTypeId", rules)
			}
		}
	}
}

// lengthenWork lengthens an action, or a rule: what names its type, and of which category that is.
func lengthenWork(a *node, typeKey, category string) {
	for i := range a.entries {
		e := &a.entries[i]
		v := e.value
		switch e.key {
		case "provider": // provider: X -> actionTypeId: {category, owner, provider: X, version}
			if a.get(typeKey) == nil && v.kind == scalar {
				t := wrap("provider", v)
				if row, ok := lookup(v.text, category, ""); ok {
					t.entries = append(t.entries, entry{v.pos, "category", word(v.pos, row.category)}, entry{v.pos, "owner", word(v.pos, row.owner)})
				}
				e.key, e.value = typeKey, t
			}
		case "inputArtifacts", "outputArtifacts": // [app] -> [{name: app}]
			for j, item := range v.items {
				if item.kind == scalar {
					v.items[j] = wrap("name", item)
				}
			}
		case "commands": // a single line, or a block of them
			if v.kind == scalar {
				e.value = &node{pos: v.pos, kind: list, items: []*node{v}}
			}
		case "environmentVariables": // {A: b} -> [{name: A, value: b}]
			if v.kind == mapping {
				items := &node{pos: v.pos, kind: list}
				for _, pair := range v.entries {
					item := wrap("name", word(pair.pos, pair.key))
					item.entries = append(item.entries, entry{pair.pos, "value", pair.value})
					items.items = append(items.items, item)
				}
				e.value = items
			}
		}
	}
	if p := a.get("actionTypeId").get("provider"); p != nil {
		lengthenConfiguration(p.text, a.get("configuration"))
	}
}

// lengthenConfiguration reads the keys of CodePipeline's first GitHub action
// as those of its second, and as text what is given as keys and values: the outputs of
// a Wait action, the inputs of a GitHubWorkflow.
func lengthenConfiguration(provider string, c *node) {
	switch {
	case c == nil:
	case provider == "GitHub" && c.get("Owner") != nil && c.get("Repo") != nil && c.get("FullRepositoryId") == nil:
		repo := strings.TrimSuffix(strings.TrimRight(c.get("Repo").text, "/"), ".git")
		repo = repo[strings.LastIndex(repo, "/")+1:]
		owner := c.get("Owner")
		kept := []entry{{owner.pos, "FullRepositoryId", word(owner.pos, owner.text+"/"+repo)}}
		for _, e := range c.entries {
			switch e.key {
			case "Owner", "Repo":
			case "Branch":
				kept = append(kept, entry{e.pos, "BranchName", e.value})
			default:
				kept = append(kept, e)
			}
		}
		c.entries = kept
	case provider == "Wait", provider == "GitHubWorkflow":
		out := c.get(map[string]string{"Wait": "outputVariables", "GitHubWorkflow": "Inputs"}[provider])
		if out == nil || out.kind != mapping {
			return
		}
		values := map[string]string{}
		for _, e := range out.entries {
			if e.value.kind != scalar {
				return
			}
			values[e.key] = e.value.text
		}
		text, err := json.Marshal(values)
		if err == nil {
			*out = *word(out.pos, string(text))
		}
	}
}

// lengthenTrigger puts a trigger's filters into gitConfiguration and lists.
func lengthenTrigger(t *node, sources []string) {
	if t.kind != mapping {
		return
	}
	if t.get("gitConfiguration") == nil && (t.get("push") != nil || t.get("pullRequest") != nil) {
		g := &node{pos: t.pos, kind: mapping}
		var kept []entry
		for _, e := range t.entries {
			switch e.key {
			case "push", "pullRequest", "sourceActionName":
				g.entries = append(g.entries, e)
			default:
				kept = append(kept, e)
			}
		}
		t.entries = append(kept, entry{t.pos, "gitConfiguration", g})
	}
	lengthenEvents(t, sources)
	g := t.get("gitConfiguration")
	if g == nil || g.kind != mapping {
		return
	}
	if g.get("sourceActionName") == nil && len(sources) == 1 {
		g.entries = append(g.entries, entry{g.pos, "sourceActionName", word(g.pos, sources[0])})
	}
	for i, e := range g.entries {
		if e.key != "push" && e.key != "pullRequest" {
			continue
		}
		if e.value.kind == mapping {
			g.entries[i].value = &node{pos: e.value.pos, kind: list, items: []*node{e.value}}
		}
		for _, filter := range g.entries[i].value.items {
			lengthenPatterns(filter, "events")
		}
	}
}

// lengthenEvents completes a trigger by events of GitHub.
func lengthenEvents(t *node, sources []string) {
	found := false
	for _, e := range t.entries {
		if slices.Contains(onGitHub(), e.key) {
			found = true
			lengthenPatterns(e.value, "events", "conclusions", "prerelease")
		}
	}
	if found && t.get("sourceActionName") == nil && len(sources) == 1 {
		t.entries = append(t.entries, entry{t.pos, "sourceActionName", word(t.pos, sources[0])})
	}
}

// lengthenPatterns makes patterns of globs, of all keys of a filter but some.
func lengthenPatterns(filter *node, but ...string) {
	for j, f := range filter.entries {
		if slices.Contains(but, f.key) {
			continue
		}
		switch f.value.kind {
		case scalar:
			filter.entries[j].value = wrap("includes", &node{pos: f.value.pos, kind: list, items: []*node{f.value}})
		case list:
			filter.entries[j].value = wrap("includes", f.value)
		}
	}
}
