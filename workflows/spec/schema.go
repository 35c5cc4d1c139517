package spec

import (
	"encoding/json"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// schemaID names the schema; it is no place to fetch it from.
const schemaID = "urn:rollcall:pipeline"

// Schema is the JSON Schema (draft 2020-12) of a pipeline file, for editors:
// keys, short forms, words, limits and defaults. What is true of a file as a
// whole (who makes an artifact, which names are taken) only Parse knows. A file
// that extends a template, and a template, may leave anything out and write
// references to parameters in place of values.
func Schema() []byte {
	w := schemaWriter{readTable(), false}
	loose := schemaWriter{w.shapes, true}
	defs := map[string]any{"reference": map[string]any{"type": "string", "pattern": `\$\{\{`, "description": "A parameter of a template: ${{parameters.NAME}}."}}
	for _, name := range words.Keys(w.shapes) {
		s := w.shapes[name]
		switch name {
		case "template", "file":
			continue
		case "pipeline":
			both := *s
			both.keys = append(append([]key{}, w.shapes["template"].keys...), s.keys...)
			defs["loose-pipeline"] = loose.object(&both)
		default:
			defs["loose-"+name] = loose.object(s)
		}
		defs[name] = w.object(s)
	}
	defs["file"] = w.object(w.shapes["file"])
	pipeline := map[string]any{"$ref": "#/$defs/pipeline"}
	root := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schemaID,
		"title": "rollcall pipeline", "description": "A pipeline file of rollcall: CodePipeline's declaration with short forms and keys of our own.",
		"$defs": defs,
		"if":    map[string]any{"anyOf": []any{map[string]any{"required": []string{"extends"}}, map[string]any{"required": []string{"parameters"}}}},
		"then":  map[string]any{"$ref": "#/$defs/loose-pipeline"},
		"else":  map[string]any{"if": map[string]any{"required": []string{"pipeline"}}, "then": map[string]any{"$ref": "#/$defs/file"}, "else": pipeline},
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("spec: the schema always marshals: " + err.Error())
	}
	return append(text, '\n')
}

// schemaWriter draws parts of a file as schemas. Loose ones have no required
// keys, and let a reference to a parameter, or nothing, stand for any value.
type schemaWriter struct {
	shapes shapes
	loose  bool
}

func (w schemaWriter) object(s *shape) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, k := range s.keys {
		v := w.forms(k.forms)
		if k.about != "" {
			v["description"] = k.about
		}
		if d, ok := k.fallback(); ok {
			v["default"] = d
		}
		if k.name == "configuration" {
			v["propertyNames"] = map[string]any{"minLength": 1, "maxLength": 50}
		}
		properties[k.name] = v
		if k.must && !w.loose {
			required = append(required, k.name)
		}
	}
	out := map[string]any{"type": "object", "description": s.about, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// fallback is a default that can be written as a value; others are words.
func (k key) fallback() (value any, ok bool) {
	switch f := k.forms[0]; f.sort {
	case number, truth:
		return value, json.Unmarshal([]byte(k.otherwise), &value) == nil
	case choice:
		for _, word := range f.words {
			if word == k.otherwise {
				return word, true
			}
		}
	}
	return nil, false
}

func (w schemaWriter) forms(forms []form) map[string]any {
	var each []any
	for _, f := range forms {
		each = append(each, w.form(f))
	}
	if w.loose && forms[0].sort != anything {
		each = append(each, map[string]any{"$ref": "#/$defs/reference"}, map[string]any{"type": "null"})
	}
	if len(each) == 1 {
		return each[0].(map[string]any)
	}
	return map[string]any{"anyOf": each}
}

func (w schemaWriter) form(f form) map[string]any {
	out := map[string]any{}
	limit := func(least, most string) {
		if f.limited && !w.loose {
			out[least] = f.low
			if f.high > 0 || f.low == 0 {
				out[most] = f.high
			}
		}
	}
	switch f.sort {
	case text: // a number or a truth value is read as it is written
		out["type"] = []string{"string", "number", "boolean"}
		limit("minLength", "maxLength")
		if f.pattern != "" && !w.loose {
			out["pattern"] = f.pattern
		}
	case number:
		out["type"] = "integer"
		limit("minimum", "maximum")
	case truth:
		out["type"] = "boolean"
	case choice:
		out["enum"] = f.words
	case part:
		name := f.words[0]
		if w.loose {
			name = "loose-" + name
		}
		out["$ref"] = "#/$defs/" + name
	case many:
		out["type"], out["items"] = "array", w.forms(f.of)
		limit("minItems", "maxItems")
	case free:
		out["type"], out["additionalProperties"] = "object", w.forms(f.of)
		limit("minProperties", "maxProperties")
	}
	return out
}
