// Package codepipeline turns AWS CodePipeline's own forms of a pipeline into
// pipeline files and back: what `aws codepipeline get-pipeline` prints and
// create-pipeline takes, and the resource AWS::CodePipeline::Pipeline of a
// template. Both ways come with notes on every part that is not the same on the
// other side. Keys that only rollcall has travel along in a place that AWS keeps
// for others (tags, metadata), so that what was exported is imported unchanged.
package codepipeline

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
)

// Options say how a file is to be read.
type Options struct {
	Name       string            // of the pipeline here; empty: as it is called there
	Parameters map[string]string // values of a template's parameters, also of pseudo parameters such as AWS::Region
}

// Imported is a pipeline of a file, with what has to be said about it.
type Imported struct {
	ID        string // the resource's logical ID in a template; empty otherwise
	Line, Col int
	Pipeline  *workflows.Pipeline
	Open      bool   // it holds placeholders, which begin with REPLACE-
	Notes     []Note // at least one for each action and each rule, in the order of the file
}

// Import reads a file: a declaration of CodePipeline, with or without what AWS
// puts around it, or a template that holds pipelines. Either there is at least
// one pipeline, or one of the faults is an error.
func Import(file string, data []byte, o Options) ([]Imported, []spec.Diagnostic) {
	root, faults := cloudformation.Values(file, data)
	if root != nil && root.IsTemplate() {
		return fromTemplate(file, data, o)
	}
	if len(faults) > 0 {
		if _, better := spec.Parse(file, data); len(better) > 0 {
			faults = better
		}
		return nil, faults
	}
	declaration := root
	if inner := root.Get("pipeline"); inner != nil {
		declaration = inner
	}
	if declaration.Kind != cloudformation.Map {
		return nil, []spec.Diagnostic{{File: file, Line: root.Line, Col: root.Col, Message: "the file holds no pipeline", Hint: "give it what aws codepipeline get-pipeline prints, or a CloudFormation template"}}
	}
	i := importer{file: file, name: o.Name, tags: root.Get("tags")}
	if arn := root.Get("metadata").Get("pipelineArn"); arn != nil {
		i.arn = arn.Text
	}
	if kind := declaration.Get("pipelineType"); kind.String() == "V1" {
		i.note(kind, "pipelineType", Same, "it is of type V1; here it runs as V2 does", "")
	}
	p, faults := i.pipeline(declaration)
	if p == nil {
		return nil, faults
	}
	return []Imported{{Line: declaration.Line, Col: declaration.Col, Pipeline: p, Open: i.open, Notes: i.sorted()}}, nil
}

func fromTemplate(file string, data []byte, o Options) (all []Imported, faults []spec.Diagnostic) {
	t, faults := cloudformation.Read(file, data, o.Parameters)
	if t == nil {
		return nil, faults
	}
	found := t.Pipelines()
	if len(found) == 0 {
		return nil, append(faults, spec.Diagnostic{File: file, Line: 1, Col: 1, Message: "the template holds no " + resource, Hint: "import the template that makes the pipeline; nested stacks and constructs have one of their own"})
	}
	for _, r := range found {
		i := importer{file: file, name: o.Name, metadata: r.Metadata(metadataKey), region: o.Parameters["AWS::Region"]}
		declaration, bad := i.convert(r)
		if len(bad) == 0 {
			var p *workflows.Pipeline
			if p, bad = i.pipeline(declaration); p != nil {
				i.beside(t, r, p)
				all = append(all, Imported{ID: r.ID, Line: r.Line, Col: r.Col, Pipeline: p, Open: i.open, Notes: i.sorted()})
			}
		}
		faults = append(faults, bad...)
	}
	if slices.ContainsFunc(faults, func(d spec.Diagnostic) bool { return !d.Warning }) {
		return nil, faults
	}
	return all, faults
}

// resource is the type of the resource of a template that is a pipeline.
const resource = "AWS::CodePipeline::Pipeline"

// importer reads one pipeline.
type importer struct {
	file, name  string
	arn, region string // where it comes from, as far as that is known
	tags        *cloudformation.Value
	metadata    *cloudformation.Value
	notes       []Note
	open        bool // a placeholder was found
}

func (i *importer) sorted() []Note {
	slices.SortStableFunc(i.notes, func(a, b Note) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col)) })
	return i.notes
}

// pipeline checks a declaration as a pipeline file is checked and says of each
// of its parts what becomes of it.
func (i *importer) pipeline(declaration *cloudformation.Value) (*workflows.Pipeline, []spec.Diagnostic) {
	if i.name != "" {
		set(declaration, "name", i.name)
	}
	i.prepare(declaration)
	i.missing(declaration)
	p, faults := i.parse(declaration)
	if p == nil {
		return nil, faults
	}
	p, err := i.restore(p)
	if err != nil {
		return nil, []spec.Diagnostic{{File: i.file, Line: declaration.Line, Col: declaration.Col, Message: err.Error(), Hint: "export it again, or take rollcall's part out"}}
	}
	i.parts(declaration, p)
	return p, nil
}

// set gives a key of a map another text, in its place.
func set(v *cloudformation.Value, key, text string) {
	for n := range v.Entries {
		if v.Entries[n].Key == key {
			old := v.Entries[n].Value
			v.Entries[n].Value = &cloudformation.Value{Line: old.Line, Col: old.Col, Text: text}
			return
		}
	}
	v.Entries = append(v.Entries, cloudformation.Entry{Line: v.Line, Col: v.Col, Key: key, Value: &cloudformation.Value{Line: v.Line, Col: v.Col, Text: text}})
}

// drop takes a key out of a map.
func drop(v *cloudformation.Value, key string) {
	v.Entries = slices.DeleteFunc(v.Entries, func(e cloudformation.Entry) bool { return e.Key == key })
}

// list returns the items behind a key.
func list(v *cloudformation.Value, key string) []*cloudformation.Value {
	if l := v.Get(key); l != nil && l.Kind == cloudformation.List {
		return l.Items
	}
	return nil
}

// actions walks over a declaration's actions.
func actions(declaration *cloudformation.Value, each func(stage, action *cloudformation.Value)) {
	for _, stage := range list(declaration, "stages") {
		for _, action := range list(stage, "actions") {
			each(stage, action)
		}
	}
}

// rules walks over a declaration's rules.
func rules(declaration *cloudformation.Value, each func(stage, rule *cloudformation.Value, where string)) {
	for _, stage := range list(declaration, "stages") {
		for _, kind := range []string{"beforeEntry", "onSuccess", "onFailure"} {
			holder := stage.Get(kind)
			conditions := append([]*cloudformation.Value{holder, holder.Get("condition")}, list(holder, "conditions")...)
			for _, c := range conditions {
				for _, rule := range list(c, "rules") {
					each(stage, rule, fmt.Sprintf("%s %s/%s", stage.Get("name"), kind, rule.Get("name")))
				}
			}
		}
	}
}
