package codepipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Template is a complete definition as a template of CloudFormation, with
// parameters for what is not known here. A note tells of every part that has no
// match there, or needs something.
func Template(p *workflows.Pipeline, k Known) ([]byte, []Note, error) {
	d, notes := declare(p, k)
	for i := range d.Stages {
		for _, c := range []*conditions{d.Stages[i].BeforeEntry, d.Stages[i].OnSuccess} {
			untimed(c)
		}
		if f := d.Stages[i].OnFailure; f != nil {
			untimed(&conditions{f.Conditions})
		}
	}
	over, err := overlay(p, d, true)
	if err != nil {
		return nil, nil, err
	}
	return printTemplate(d, over), append(notes, own(over, "", false)...), nil
}

// untimed takes the time limits of rules out: the resource has none.
func untimed(c *conditions) {
	if c == nil {
		return
	}
	for i := range c.Conditions {
		for j := range c.Conditions[i].Rules {
			c.Conditions[i].Rules[j].TimeoutMinutes = 0
		}
	}
}

// unknowns are the placeholders of a declaration with the parameters that a
// template has in their place.
func unknowns() [][3]string {
	return [][3]string{
		{someRole, "RoleArn", "ARN of the role that CodePipeline assumes"},
		{someBucket, "ArtifactBucket", "Name of the bucket for artifacts, in the pipeline's Region"},
		{someConnection, "ConnectionArn", "ARN of the connection to the repositories (AWS::CodeConnections::Connection)"},
		{someToken, "GitHubToken", "Token for GitHub"},
	}
}

// printTemplate writes the template; the overlay is metadata of the resource.
func printTemplate(d *declaration, over map[string]any) []byte {
	w := &yamlWriter{}
	properties := capitals(value(encoded(d)), "pipeline")
	w.line(0, "AWSTemplateFormatVersion: \"2010-09-09\"")
	w.line(0, "Description: "+yamlText("Pipeline "+d.Name+", exported by rollcall"))
	text := string(encoded(d))
	first := true
	for _, u := range unknowns() {
		if !strings.Contains(text, quoted(u[0])) {
			continue
		}
		if first {
			w.line(0, "Parameters:")
			first = false
		}
		w.line(1, u[1]+":")
		w.line(2, "Type: String")
		if u[1] == "GitHubToken" {
			w.line(2, "NoEcho: true")
		}
		w.line(2, "Description: "+yamlText(u[2]))
	}
	w.line(0, "Resources:")
	w.line(1, "Pipeline:")
	w.line(2, "Type: "+resource)
	if over != nil {
		w.line(2, "Metadata: # what AWS has no place for; rollcall import reads it")
		w.line(3, metadataKey+":")
		w.any(4, over)
	}
	w.line(2, "Properties:")
	w.value(3, properties)
	return w.out.Bytes()
}

// capitals makes a resource's properties of a declaration.
func capitals(v *cloudformation.Value, name string) *cloudformation.Value {
	if v.Kind == cloudformation.Scalar {
		for _, u := range unknowns() {
			if v.Text == u[0] {
				return &cloudformation.Value{Kind: cloudformation.Call, Text: "Ref", Items: []*cloudformation.Value{{Text: u[1]}}}
			}
		}
	}
	out := *v
	out.Items, out.Entries = nil, nil
	for _, item := range v.Items {
		out.Items = append(out.Items, capitals(item, name))
	}
	_, holds := part(name)
	for _, e := range v.Entries {
		key, inner := e.Key, name
		if name != "*" && name != "" {
			key = strings.ToUpper(key[:1]) + key[1:]
			inner = holds[key]
		}
		if key == "ArtifactStores" && name == "pipeline" {
			out.Entries = append(out.Entries, cloudformation.Entry{Key: key, Value: regional(e.Value)})
			continue
		}
		out.Entries = append(out.Entries, cloudformation.Entry{Key: key, Value: capitals(e.Value, inner)})
	}
	return &out
}

// regional makes the list that templates write of a table by Region.
func regional(table *cloudformation.Value) *cloudformation.Value {
	out := &cloudformation.Value{Kind: cloudformation.List}
	for _, e := range table.Entries {
		out.Items = append(out.Items, &cloudformation.Value{Kind: cloudformation.Map, Entries: []cloudformation.Entry{
			{Key: "Region", Value: &cloudformation.Value{Text: e.Key}}, {Key: "ArtifactStore", Value: capitals(e.Value, "store")},
		}})
	}
	return out
}

// yamlWriter writes block style YAML that every version of YAML reads the same.
type yamlWriter struct {
	out  bytes.Buffer
	dash bool // the next line begins an item
}

func (w *yamlWriter) line(indent int, text string) {
	if w.dash {
		fmt.Fprintf(&w.out, "%s- %s\n", strings.Repeat("  ", indent-1), text)
	} else {
		fmt.Fprintf(&w.out, "%s%s\n", strings.Repeat("  ", indent), text)
	}
	w.dash = false
}

// value writes the entries or items of a value.
func (w *yamlWriter) value(indent int, v *cloudformation.Value) {
	for _, e := range v.Entries {
		if inline, ok := inline(e.Value); ok {
			w.line(indent, yamlText(e.Key)+": "+inline)
			continue
		}
		w.line(indent, yamlText(e.Key)+":")
		w.value(indent+1, e.Value)
	}
	for _, item := range v.Items {
		w.dash = true
		if inline, ok := inline(item); ok {
			w.line(indent+1, inline)
			continue
		}
		w.value(indent+1, item)
	}
}

// inline is a value that fits behind its key.
func inline(v *cloudformation.Value) (string, bool) {
	switch {
	case v.Kind == cloudformation.Call:
		return "!Ref " + v.Items[0].Text, true
	case v.Kind == cloudformation.Map && len(v.Entries) == 0:
		return "{}", true
	case v.Kind == cloudformation.List && len(v.Items) == 0:
		return "[]", true
	case v.Kind == cloudformation.Map || v.Kind == cloudformation.List:
		return "", false
	case v.Plain:
		return v.Text, true
	}
	return yamlText(v.Text), true
}

// any writes JSON's values.
func (w *yamlWriter) any(indent int, v any) { w.value(indent, fromAny(v)) }

func fromAny(v any) *cloudformation.Value {
	switch v := v.(type) {
	case map[string]any:
		out := &cloudformation.Value{Kind: cloudformation.Map}
		keys := words.Keys(v)
		if i := slices.Index(keys, "name"); i > 0 { // people look for it first
			keys = append([]string{"name"}, slices.Delete(keys, i, i+1)...)
		}
		for _, key := range keys {
			out.Entries = append(out.Entries, cloudformation.Entry{Key: key, Value: fromAny(v[key])})
		}
		return out
	case []any:
		out := &cloudformation.Value{Kind: cloudformation.List}
		for _, item := range v {
			out.Items = append(out.Items, fromAny(item))
		}
		return out
	case string:
		return &cloudformation.Value{Text: v}
	case json.Number:
		return &cloudformation.Value{Text: v.String(), Plain: true}
	}
	return &cloudformation.Value{Text: fmt.Sprint(v), Plain: true}
}

// yamlText is text as a scalar: as it is where it can mean nothing else in any
// version of YAML, otherwise in double quotes.
func yamlText(text string) string {
	simple := text != "" && (text[0] >= 'a' && text[0] <= 'z' || text[0] >= 'A' && text[0] <= 'Z') && !strings.HasSuffix(text, ":") &&
		strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789._/-:@") == ""
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		simple = false
	}
	if simple {
		return text
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("codepipeline: a string always marshals: " + err.Error())
	}
	return strings.NewReplacer("\u0085", `\u0085`, "\uFEFF", `\uFEFF`, "\x7f", `\u007F`).Replace(strings.TrimSuffix(out.String(), "\n"))
}
