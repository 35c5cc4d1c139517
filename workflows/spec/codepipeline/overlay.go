package codepipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// What only rollcall has travels as an overlay: the parts of a definition that
// differ from what AWS's form alone says. Maps are laid over each other, and so
// are lists of what has names, entry by entry; everything else is replaced. A
// key that is there and must not be is named in the list behind [without]: AWS
// takes no null.
const without = "-"

// byName are the lists whose entries are told apart by their names.
const byName = "stages actions rules variables environmentVariables"

// tree is a definition as JSON's values.
func tree(p *workflows.Pipeline) map[string]any {
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(spec.PrintJSON(p)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		panic("codepipeline: a definition always comes back from JSON: " + err.Error())
	}
	delete(out, "bridge")
	return out
}

// difference is the overlay that makes want of base; nil where they are equal.
func difference(base, want map[string]any) map[string]any {
	out := map[string]any{}
	var gone []any
	for _, key := range words.Keys(base) {
		if _, kept := want[key]; !kept {
			gone = append(gone, key)
		}
	}
	if gone != nil {
		out[without] = gone
	}
	for key, w := range want {
		b, there := base[key]
		if there && reflect.DeepEqual(b, w) {
			continue
		}
		out[key] = w
		switch w := w.(type) {
		case map[string]any:
			if b, ok := b.(map[string]any); ok {
				out[key] = difference(b, w)
			}
		case []any:
			if over := entries(key, b, w); over != nil {
				out[key] = over
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// entries is the overlay of a list whose entries have names; nil where the names
// differ: then the list is replaced.
func entries(key string, base any, want []any) (over []any) {
	b, ok := base.([]any)
	if !ok || !slices.Contains(strings.Fields(byName), key) || !slices.Equal(names(b), names(want)) || names(want) == nil {
		return nil
	}
	for i := range want {
		w := want[i].(map[string]any)
		if d := difference(b[i].(map[string]any), w); d != nil {
			d["name"] = w["name"]
			over = append(over, d)
		}
	}
	return over
}

// names are those of a list's entries; nil when one has none, or two have the same.
func names(all []any) (out []string) {
	for _, v := range all {
		m, _ := v.(map[string]any)
		name, ok := m["name"].(string)
		if !ok || slices.Contains(out, name) {
			return nil
		}
		out = append(out, name)
	}
	return out
}

// lay puts an overlay over a definition; what it says of stages, actions and
// rules that are not there any more is passed over, and named.
func lay(base, over map[string]any) (out map[string]any, passed []string) {
	out = maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	if gone, ok := over[without].([]any); ok {
		for _, key := range gone {
			if text, ok := key.(string); ok {
				delete(out, text)
			}
		}
	}
	for _, key := range words.Keys(over) {
		if key == without {
			continue
		}
		switch o := over[key].(type) {
		case map[string]any:
			if b, ok := out[key].(map[string]any); ok {
				inner, more := lay(b, o)
				out[key], passed = inner, append(passed, more...)
				continue
			}
		case []any:
			if b, ok := out[key].([]any); ok && slices.Contains(strings.Fields(byName), key) && names(b) != nil && names(o) != nil {
				list, more := layList(b, o)
				out[key], passed = list, append(passed, more...)
				continue
			}
		}
		out[key] = over[key]
	}
	return out, passed
}

func layList(base, over []any) (out []any, passed []string) {
	out = slices.Clone(base)
	for _, v := range over {
		o := v.(map[string]any)
		i := slices.IndexFunc(out, func(b any) bool { return b.(map[string]any)["name"] == o["name"] })
		if i < 0 {
			passed = append(passed, o["name"].(string))
			continue
		}
		inner, more := lay(out[i].(map[string]any), o)
		out[i], passed = inner, append(passed, more...)
	}
	return out, passed
}

// restore puts the parts that only rollcall has over what AWS's form says.
func (i *importer) restore(p *workflows.Pipeline) (*workflows.Pipeline, error) {
	over, at, err := i.kept()
	if err != nil || over == nil {
		return p, err
	}
	laid, passed := lay(tree(p), over)
	if i.name != "" {
		laid["name"] = i.name
	}
	text, err := json.Marshal(laid)
	if err != nil {
		return nil, fmt.Errorf("what rollcall keeps beside the pipeline cannot be read: %w", err)
	}
	whole, faults := spec.Parse("metadata", text)
	if whole == nil {
		return nil, fmt.Errorf("what rollcall keeps beside the pipeline does not fit it any more: %s", faults[0].Message)
	}
	i.note(at, "rollcall", Same, "the keys that only rollcall has are taken from where export keeps them", "")
	for _, name := range passed {
		i.note(at, "rollcall", NoMatch, "what is kept for "+words.Quoted(name)+" is passed over: there is no such stage, action or rule any more", "")
	}
	return whole, nil
}
