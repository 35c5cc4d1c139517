package cloudformation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// template is as much of a template as the fake understands, in JSON.
type template struct {
	Transform  any
	Parameters map[string]struct {
		Type    string
		Default any
	}
	Resources map[string]templateResource
	Outputs   map[string]struct{ Value any }
}

type templateResource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
}

const nestedStack = "AWS::CloudFormation::Stack"

func read(body string) (template, *api.Error) {
	var t template
	if err := json.Unmarshal([]byte(body), &t); err != nil {
		return t, invalid("Template format error: JSON not well-formed. (%v)", err)
	}
	if len(t.Resources) == 0 {
		return t, invalid("Template format error: At least one Resources member must be defined.")
	}
	return t, nil
}

// needs is the capability that a template asks for; empty: none.
func (t template) needs() string {
	needs := ""
	for _, name := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[name]
		if !strings.HasPrefix(r.Type, "AWS::IAM::") {
			continue
		}
		if needs == "" {
			needs = "CAPABILITY_IAM"
		}
		for p := range r.Properties {
			if p != "PolicyName" && strings.HasSuffix(p, "Name") {
				needs = "CAPABILITY_NAMED_IAM"
			}
		}
	}
	if t.Transform != nil {
		needs = "CAPABILITY_AUTO_EXPAND"
	}
	return needs
}

// check is what CloudFormation refuses at once.
func (t template) check(parameters map[string]string, capabilities []string) *api.Error {
	var unknown, missing []string
	for name := range parameters {
		if _, ok := t.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	for name, p := range t.Parameters {
		if _, ok := parameters[name]; !ok && p.Default == nil {
			missing = append(missing, name)
		}
	}
	slices.Sort(unknown)
	slices.Sort(missing)
	needs := t.needs()
	switch {
	case len(unknown) > 0:
		return invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	case len(missing) > 0:
		return invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	case needs != "" && !slices.Contains(capabilities, needs) && (needs != "CAPABILITY_IAM" || !slices.Contains(capabilities, "CAPABILITY_NAMED_IAM")):
		return api.Refuse("InsufficientCapabilitiesException", "Requires capabilities : [%s]", needs)
	}
	return nil
}

// value resolves Ref of a parameter, and makes up what a resource is or has.
func (t template) value(v any, parameters map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["Ref"].(string); ok && len(v) == 1 {
			if p, ok := t.Parameters[name]; ok {
				if given, ok := parameters[name]; ok {
					return given
				}
				return fmt.Sprint(p.Default)
			}
			return strings.ToLower(name) + "-1"
		}
		out := map[string]any{}
		for k, inner := range v {
			out[k] = t.value(inner, parameters)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = t.value(inner, parameters)
		}
		return out
	}
	return v
}

// properties are a resource's, resolved.
func (t template) properties(name string, parameters map[string]string) any {
	return t.value(any(t.Resources[name].Properties), parameters)
}

// change is what a change set does to a resource.
type change struct {
	name, kind, action, replacement, policy string
}

// differences lists what changes from one template to another. A property that names the resource cannot be changed in
// place: it is replaced, as with most resources of AWS.
func differences(from template, fromValues map[string]string, to template, toValues map[string]string) (all []change) {
	names := maps.Clone(from.Resources)
	if names == nil {
		names = map[string]templateResource{}
	}
	maps.Copy(names, to.Resources)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := from.Resources[name]
		is, has := to.Resources[name]
		switch {
		case !had:
			all = append(all, change{name: name, kind: is.Type, action: "Add"})
		case !has:
			c := change{name: name, kind: was.Type, action: "Remove", policy: "Delete"}
			if was.DeletionPolicy != "" {
				c.policy = was.DeletionPolicy
			}
			all = append(all, c)
		default:
			before, _ := from.properties(name, fromValues).(map[string]any) // no properties: nil
			after, _ := to.properties(name, toValues).(map[string]any)
			if reflect.DeepEqual(before, after) && was.Type == is.Type {
				continue
			}
			c := change{name: name, kind: is.Type, action: "Modify", replacement: "False"}
			for _, p := range slices.Sorted(maps.Keys(after)) {
				if strings.HasSuffix(p, "Name") && !reflect.DeepEqual(before[p], after[p]) {
					c.replacement = "True"
				}
			}
			all = append(all, c)
		}
	}
	return all
}
