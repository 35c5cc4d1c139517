package codepipeline

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
)

// listing is a declaration as JSON, one key or item to a line, so that a fault of
// a line is known to be one of what stands in the file that is imported.
type listing struct {
	out   strings.Builder
	lines []origin // what each line comes from
}

// origin is what a line of a listing comes from.
type origin struct {
	parent *cloudformation.Value // nil in a list
	entry  cloudformation.Entry
	path   []string
	where  string // the stage, action or rule: "Build/Package"
}

// line writes text that comes from o.
func (d *listing) line(o origin, text string) {
	d.out.WriteString(text)
	d.out.WriteByte('\n')
	d.lines = append(d.lines, o)
}

// value writes what o leads to, behind its key, with a comma unless it is the last.
func (d *listing) value(o origin, last bool) {
	v, key, comma := o.entry.Value, "", ","
	if o.parent != nil {
		key = quoted(o.entry.Key) + ": "
	}
	if last {
		comma = ""
	}
	switch v.Kind {
	case cloudformation.Map:
		d.line(o, key+"{")
		for i, e := range v.Entries {
			d.value(origin{v, e, append(slices.Clone(o.path), e.Key), o.where}, i == len(v.Entries)-1)
		}
		d.line(o, "}"+comma)
	case cloudformation.List:
		d.line(o, key+"[")
		for i, item := range v.Items {
			where := o.where
			if name := item.Get("name").String(); name != "" && slices.Contains([]string{"stages", "actions", "rules"}, o.entry.Key) {
				where = strings.TrimPrefix(where+"/"+name, "/")
			}
			d.value(origin{nil, cloudformation.Entry{Line: item.Line, Col: item.Col, Value: item}, o.path, where}, i == len(v.Items)-1)
		}
		d.line(o, "]"+comma)
	case cloudformation.Null:
		d.line(o, key+"null"+comma)
	default:
		d.line(o, key+literal(o.entry.Key, v)+comma)
	}
}

// literal is a scalar as JSON: as it is where it is a number or a yes or no, and
// where a number is wanted, which templates may quote.
func literal(key string, v *cloudformation.Value) string {
	number := slices.Contains([]string{"runOrder", "timeoutInMinutes"}, key) && v.Text != "" && strings.Trim(v.Text, "0123456789") == "" && v.Text[0] != '0'
	lower := strings.ToLower(v.Text)
	switch {
	case number:
		return v.Text
	case v.Plain && (lower == "true" || lower == "false"):
		return lower
	case v.Plain && json.Valid([]byte(v.Text)) && !strings.ContainsAny(v.Text, "\"{[\n "):
		return v.Text
	}
	return quoted(v.Text)
}

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("codepipeline: a string always marshals: " + err.Error())
	}
	return string(b)
}

// parse reads a declaration as a pipeline file. What AWS takes and rollcall does
// not know is taken out, and noted, where the rest stands without it; a fault
// that remains is told at its place in the file that is imported.
func (i *importer) parse(declaration *cloudformation.Value) (*workflows.Pipeline, []spec.Diagnostic) {
	var first []spec.Diagnostic
	for {
		p, faults, d := i.read(declaration)
		if p != nil {
			return p, nil
		}
		if first == nil {
			first = i.places(d, faults)
		}
		if !i.repair(d, faults) {
			return nil, first
		}
	}
}

// read parses a listing of the declaration.
func (i *importer) read(declaration *cloudformation.Value) (*workflows.Pipeline, []spec.Diagnostic, *listing) {
	d := &listing{}
	arn := i.arn
	if arn == "" && i.region != "" {
		arn = "arn:aws:codepipeline:" + i.region + "::"
	}
	whole := cloudformation.Entry{Line: declaration.Line, Col: declaration.Col, Key: "pipeline", Value: declaration}
	root := origin{entry: whole}
	if arn == "" {
		d.value(root, true)
	} else {
		d.line(root, "{")
		d.line(root, `"metadata": {"pipelineArn": `+quoted(arn)+"},")
		d.value(origin{parent: declaration, entry: whole}, true)
		d.line(root, "}")
	}
	p, faults := spec.Parse(i.file, []byte(d.out.String()))
	return p, faults, d
}

// places puts the errors of a listing to where its lines come from.
func (i *importer) places(d *listing, faults []spec.Diagnostic) (placed []spec.Diagnostic) {
	for _, f := range faults {
		if f.Warning {
			continue
		}
		if f.Line <= len(d.lines) {
			o := d.lines[f.Line-1]
			f.Line, f.Col = o.entry.Value.Line, o.entry.Value.Col
			if o.parent != nil && strings.Contains(f.Message, "has no key") {
				f.Line, f.Col = o.entry.Line, o.entry.Col
			}
		}
		placed = append(placed, f)
	}
	return slices.Compact(placed)
}

// repair takes out what can be left out; it says whether that may help.
func (i *importer) repair(d *listing, faults []spec.Diagnostic) (repaired bool) {
	for _, f := range faults {
		if f.Warning || f.Line > len(d.lines) {
			continue
		}
		o := d.lines[f.Line-1]
		if o.parent == nil || len(o.path) < 2 {
			continue
		}
		key, holder := o.entry.Key, o.path[len(o.path)-2]
		switch {
		case holder == "configuration" && (strings.Contains(f.Message, "has no configuration key") || strings.HasSuffix(f.Message, " is empty")),
			slices.Contains([]string{"timeoutInMinutes", "region"}, key) && slices.Contains([]string{"actions", "rules"}, holder),
			key == "blockers":
			drop(o.parent, key)
			i.note(o.entry.Value, o.where, NoMatch, key+" is left out: "+f.Message, f.Hint)
			repaired = true
		case key == "provider" && holder == "actionTypeId" && strings.HasPrefix(f.Message, "there is no provider") && o.parent.Get("owner").String() != "Custom":
			set(o.parent, "owner", "Custom")
			repaired = true
		case key == "provider" && holder == "actionTypeId" && strings.Contains(f.Message, `owner "Custom"`): // named like one that rollcall has
			set(o.parent, "provider", "Custom-"+o.entry.Value.Text)
			repaired = true
		}
	}
	return repaired
}
