// Package cloudformation reads templates of AWS CloudFormation, as people write
// them and as SAM and the CDK print them, and resolves what a template says
// itself: parameters' defaults, mappings, conditions, and the names and ARNs of
// its resources. What only a deployment would know becomes a placeholder that
// begins with REPLACE-, with a word about what it stands for; nothing is
// guessed.
package cloudformation

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// marker begins every value that a template does not tell.
const marker = "REPLACE-"

// Template is a template as it was read.
type Template struct {
	Resources []*Resource // in the order of the file

	file       string
	parameters map[string]*Value
	mappings   map[string]*Value
	conditions map[string]*Value
	given      map[string]string
	steps      int // how many values have been resolved, see most
}

// Resource is one resource of a template.
type Resource struct {
	ID        string // the logical ID
	Type      string // such as AWS::CodePipeline::Pipeline
	Condition string // the name of the condition under which it is made; empty: always
	Line, Col int

	properties, metadata *Value
	template             *Template
	resolving            bool // its name, now: references may go in a circle
}

// IsTemplate says whether the value of a whole file is a template, or the part of
// one that holds a pipeline: everything else may be a pipeline file.
func (v *Value) IsTemplate() bool {
	if v.Kind != Map {
		return false
	}
	for _, key := range []string{"AWSTemplateFormatVersion", "Resources", "Transform", "TemplateBody", "Properties"} {
		if v.Get(key) != nil {
			return true
		}
	}
	return v.Get("Stages") != nil && v.Get("stages") == nil
}

// Read reads a template. The values that are given replace the defaults of its
// parameters and stand for pseudo parameters such as AWS::Region. The template
// is nil when there is a fault.
func Read(file string, data []byte, given map[string]string) (*Template, []spec.Diagnostic) {
	root, faults := read(file, data)
	if len(faults) > 0 {
		return nil, faults
	}
	if body := root.Get("TemplateBody"); body != nil { // aws cloudformation get-template
		if body.Kind == Scalar {
			return Read(file, []byte(body.Text), given)
		}
		root = body
	}
	t := &Template{file: file, given: given}
	switch {
	case root.Kind != Map:
		return nil, []spec.Diagnostic{t.fault(root, "the template holds no keys and values", "a template has Resources")}
	case root.Get("Resources") == nil && root.Get("Properties") == nil && root.Get("Stages") != nil:
		root = over("Resources", over("Pipeline", over("Properties", root, entry("Type", scalar(root, pipeline)))))
	case root.Get("Resources") == nil && root.Get("Properties") != nil:
		root = over("Resources", over("Pipeline", root))
	}
	t.parameters, t.mappings, t.conditions = named(root, "Parameters"), named(root, "Mappings"), named(root, "Conditions")
	resources := root.Get("Resources")
	if resources == nil || resources.Kind != Map {
		return nil, []spec.Diagnostic{t.fault(root, "the template has no Resources", "a template lists what it makes in Resources")}
	}
	for _, e := range resources.Entries {
		r, fault := t.resource(e)
		if fault != nil {
			faults = append(faults, *fault)
			continue
		}
		t.Resources = append(t.Resources, r)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, t.unknown(given)
}

// pipeline is the type of the resource that is a pipeline.
const pipeline = "AWS::CodePipeline::Pipeline"

func (t *Template) resource(e Entry) (*Resource, *spec.Diagnostic) {
	if strings.HasPrefix(e.Key, "Fn::") {
		fault := t.fault(e.Value, e.Key+" is carried out by CloudFormation alone", "import what it made of it: aws cloudformation get-template --template-stage Processed --stack-name NAME")
		return nil, &fault
	}
	kind := e.Value.Get("Type")
	if kind == nil || kind.Kind != Scalar || kind.Text == "" {
		fault := t.fault(e.Value, "the resource "+e.Key+" has no Type", "such as Type: "+pipeline)
		return nil, &fault
	}
	r := &Resource{ID: e.Key, Type: kind.Text, Line: e.Line, Col: e.Col, properties: e.Value.Get("Properties"), metadata: e.Value.Get("Metadata"), template: t}
	if c := e.Value.Get("Condition"); c != nil && c.Kind == Scalar {
		r.Condition = c.Text
	}
	return r, nil
}

// unknown reports given values that the template does not ask for.
func (t *Template) unknown(given map[string]string) (faults []spec.Diagnostic) {
	for _, name := range words.Keys(given) {
		if t.parameters[name] != nil || strings.HasPrefix(name, "AWS::") {
			continue
		}
		hint := "it has none"
		if known := words.Keys(t.parameters); len(known) > 0 {
			hint = "it has " + strings.Join(known, ", ")
		}
		faults = append(faults, spec.Diagnostic{File: t.file, Line: 1, Col: 1, Warning: true, Message: "the template has no parameter " + words.Quoted(name), Hint: hint})
	}
	return faults
}

// Resource finds a resource by its logical ID; nil when there is none.
func (t *Template) Resource(id string) *Resource {
	for _, r := range t.Resources {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Pipelines lists the resources that are pipelines, in the order of the file.
func (t *Template) Pipelines() (all []*Resource) {
	for _, r := range t.Resources {
		if r.Type == pipeline {
			all = append(all, r)
		}
	}
	return all
}

// Made says whether the resource is made with the parameters as they are;
// known is false where the template does not tell.
func (r *Resource) Made() (made, known bool) {
	if r.Condition == "" {
		return true, true
	}
	return r.template.holds(r.Condition, 0)
}

// Properties are the resource's properties, resolved. A resource without any
// has an empty map.
func (r *Resource) Properties() *Value {
	if r.properties == nil {
		return &Value{Line: r.Line, Col: r.Col, Kind: Map}
	}
	return r.template.resolve(r.properties, 0)
}

// Property is one property, resolved; nil without it.
func (r *Resource) Property(name string) *Value {
	if v := r.properties.Get(name); v != nil {
		v = r.template.resolve(v, 0)
		if !v.Absent() {
			return v
		}
	}
	return nil
}

// Metadata is a part of the resource's metadata, as it is written; nil without it.
func (r *Resource) Metadata(name string) *Value { return r.metadata.Get(name) }

func (t *Template) fault(at *Value, message, hint string) spec.Diagnostic {
	return spec.Diagnostic{File: t.file, Line: at.Line, Col: at.Col, Message: message, Hint: hint}
}

func named(root *Value, section string) map[string]*Value {
	all := map[string]*Value{}
	if s := root.Get(section); s != nil {
		for _, e := range s.Entries {
			all[e.Key] = e.Value
		}
	}
	return all
}

// over puts a value behind a key, with other entries beside it.
func over(key string, v *Value, beside ...Entry) *Value {
	return &Value{Line: v.Line, Col: v.Col, Kind: Map, Entries: append([]Entry{{v.Line, v.Col, key, v}}, beside...)}
}

func entry(key string, v *Value) Entry { return Entry{v.Line, v.Col, key, v} }

func scalar(at *Value, text string) *Value { return &Value{Line: at.Line, Col: at.Col, Text: text} }
