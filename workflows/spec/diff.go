package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// The kinds of changes.
const (
	Added      = "added"
	Removed    = "removed"
	Changed    = "changed"
	Weakened   = "weakened"   // a gate asks for less than it did
	Structural = "structural" // what runs is treated as CodePipeline treats it after any edit
)

// Change is one difference between two definitions, in words.
type Change struct {
	Kind  string `json:"kind"`
	Where string `json:"where,omitempty"` // "stage Production, action Deploy, runOrder"; empty: the pipeline
	Old   string `json:"old,omitempty"`   // as text or JSON; empty where there was nothing
	New   string `json:"new,omitempty"`
}

// String is the change as one line for people.
func (c Change) String() string {
	switch c.Kind {
	case Added:
		return c.Where + " is added" + behind(": ", c.New)
	case Removed:
		return c.Where + " is removed" + behind(", was ", c.Old)
	case Weakened:
		return fmt.Sprintf("the gate %s asks for less: %s -> %s", c.Where, c.Old, c.New)
	case Structural:
		return "the edit is structural: " + c.New
	}
	return fmt.Sprintf("%s is %s: %s -> %s", c.Where, c.Kind, c.Old, c.New)
}

func behind(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + text
}

// Diff says how a definition differs from an older one (nil: there was none):
// first what people must know, that gates are weakened and that the edit is
// structural (the mode or the ordered names of the stages change, so running
// executions are affected), then stage by stage, action by action and key by
// key. Equal definitions have no changes.
func Diff(old, new *workflows.Pipeline) (changes []Change) {
	if old == nil {
		return []Change{{Kind: Added, Where: "pipeline " + new.Name}}
	}
	for _, w := range event.Weaker(old, new) {
		changes = append(changes, Change{Weakened, w.Stage + "/" + w.Action, w.Old, w.New})
	}
	was, is := strings.Join(stageNames(old), ", "), strings.Join(stageNames(new), ", ")
	if why := structural(old, new, was != is); why != "" {
		changes = append(changes, Change{Kind: Structural, New: why + ", so " + consequence(old)})
	}
	d := differ{}
	d.mappings("", generic(old), generic(new))
	if was != is && sameNames(old, new) {
		d.changes = append(d.changes, Change{Changed, "the order of the stages", was, is})
	}
	return append(changes, d.changes...)
}

func consequence(old *workflows.Pipeline) string {
	if old.ExecutionMode == workflows.ModeParallel {
		return "executions that run now finish under the old version"
	}
	return "executions that run now are cancelled after their running actions, those that wait at once"
}

func structural(old, new *workflows.Pipeline, stages bool) string {
	var why []string
	if old.ExecutionMode != new.ExecutionMode {
		why = append(why, "the mode changes")
	}
	if stages {
		why = append(why, "the stages change")
	}
	return strings.Join(why, " and ")
}

func stageNames(p *workflows.Pipeline) (names []string) {
	for _, s := range p.Stages {
		names = append(names, s.Name)
	}
	return names
}

func sameNames(old, new *workflows.Pipeline) bool {
	a, b := stageNames(old), stageNames(new)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// generic is a definition as JSON sees it, with numbers as they are written.
func generic(p *workflows.Pipeline) map[string]any {
	d := json.NewDecoder(bytes.NewReader(PrintJSON(p)))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		panic("spec: a definition always decodes: " + err.Error())
	}
	return out
}

// differ gathers changes. Where is the way so far, in words.
type differ struct{ changes []Change }

func (d *differ) mappings(where string, old, new map[string]any) {
	keys := words.Keys(old)
	for _, key := range words.Keys(new) {
		if _, ok := old[key]; !ok {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		d.values(where, key, old[key], new[key])
	}
}

// things are the lists whose entries have names, and what one of them is called.
const things = "stages:stage actions:action variables:variable rules:rule outputArtifacts:artifact environmentVariables:variable"

func (d *differ) values(where, key string, old, new any) {
	oldList, okOld := old.([]any)
	newList, okNew := new.([]any)
	for pair := range strings.FieldsSeq(things) {
		if list, thing, _ := strings.Cut(pair, ":"); list == key && (okOld || okNew) && ofThings(oldList) && ofThings(newList) {
			d.lists(where, thing, oldList, newList)
			return
		}
	}
	oldMap, okOld := old.(map[string]any)
	newMap, okNew := new.(map[string]any)
	at := further(where, key)
	switch {
	case okOld && okNew:
		d.mappings(at, oldMap, newMap)
	case shown(old) == shown(new):
	case old == nil:
		d.changes = append(d.changes, Change{Added, at, "", shown(new)})
	case new == nil:
		d.changes = append(d.changes, Change{Removed, at, shown(old), ""})
	default:
		d.changes = append(d.changes, Change{Changed, at, shown(old), shown(new)})
	}
}

// ofThings says whether a list holds things, and not their names alone.
func ofThings(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, thing := v.(map[string]any); return !thing })
}

func further(where, step string) string {
	if where == "" {
		return step
	}
	return where + ", " + step
}

// lists compares lists of named things: the old order first, then what is new.
func (d *differ) lists(where, thing string, old, new []any) {
	find := func(list []any, name string) map[string]any {
		for _, v := range list {
			if m, ok := v.(map[string]any); ok && m["name"] == name {
				return m
			}
		}
		return nil
	}
	for _, v := range old {
		o, _ := v.(map[string]any)
		name, _ := o["name"].(string)
		at := further(where, thing+" "+name)
		if n := find(new, name); n == nil {
			d.changes = append(d.changes, Change{Kind: Removed, Where: at})
		} else {
			d.mappings(at, o, n)
		}
	}
	for _, v := range new {
		n, _ := v.(map[string]any)
		if name, _ := n["name"].(string); find(old, name) == nil {
			d.changes = append(d.changes, Change{Kind: Added, Where: further(where, thing+" "+name)})
		}
	}
}

// shown is a value as text, or as JSON.
func shown(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	if v == nil {
		return ""
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("spec: what was decoded encodes: " + err.Error())
	}
	return strings.TrimSpace(out.String())
}
