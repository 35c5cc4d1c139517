package codepipeline

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// properties is every property of AWS::CodePipeline::Pipeline by its part of the
// resource; "=" is followed by the part that it holds, or a list of it. A "*"
// stands for free keys, whose values are text.
const properties = `
pipeline      ArtifactStore=store ArtifactStores=regional DisableInboundStageTransitions=transition ExecutionMode Name PipelineType RestartExecutionOnUpdate RoleArn Stages=stage Tags=tag Triggers=trigger Variables=variable Version
regional      ArtifactStore=store Region
store         EncryptionKey=key Location Type
key           Id Type
transition    Reason StageName
tag           Key Value
stage         Actions=action BeforeEntry=conditions Blockers=artifact Name OnFailure=failure OnSuccess=conditions
conditions    Conditions=condition
failure       Conditions=condition Result RetryConfiguration=retry
retry         RetryMode
condition     Result Rules=rule
rule          Commands Configuration=* InputArtifacts=artifact Name Region RoleArn RuleTypeId=type TimeoutInMinutes
action        ActionTypeId=type Commands Configuration=* EnvironmentVariables=environment InputArtifacts=artifact Name Namespace OutputArtifacts=artifact OutputVariables Region RoleArn RunOrder TimeoutInMinutes
type          Category Owner Provider Version
artifact      Files Name Type
environment   Name Type Value
variable      DefaultValue Description Name
trigger       GitConfiguration=git ProviderType
git           PullRequest=filter Push=filter SourceActionName
filter        Branches=patterns Events FilePaths=patterns Tags=patterns
patterns      Excludes Includes
`

// part lists the properties of a part, and which part each of them holds.
func part(name string) (known []string, holds map[string]string) {
	holds = map[string]string{}
	for line := range strings.Lines(properties) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != name {
			continue
		}
		for _, property := range f[1:] {
			property, inner, _ := strings.Cut(property, "=")
			known, holds[property] = append(known, property), inner
		}
	}
	return known, holds
}

// convert makes a declaration of a resource's properties, which have the same
// structure under names that begin with capitals.
func (i *importer) convert(r *cloudformation.Resource) (*cloudformation.Value, []spec.Diagnostic) {
	c := &converter{file: i.file}
	resolved := r.Properties()
	i.aside(r, resolved)
	out := c.value(resolved, "pipeline")
	if out.Kind != cloudformation.Map {
		return nil, []spec.Diagnostic{{File: i.file, Line: r.Line, Col: r.Col, Message: "the resource " + r.ID + " has no properties", Hint: "a pipeline has at least Stages"}}
	}
	if out.Get("name") == nil && i.name == "" {
		set(out, "name", r.ID)
		i.note(&cloudformation.Value{Line: r.Line, Col: r.Col}, "name", Needs, "the template names no pipeline: AWS makes the name up; here it is called "+r.ID, "--name NAME calls it otherwise")
	}
	stores(out)
	for _, key := range []string{"disableInboundStageTransitions", "restartExecutionOnUpdate", "tags", "version"} {
		drop(out, key)
	}
	return out, c.faults
}

// stores makes a table by Region of the list that templates write.
func stores(declaration *cloudformation.Value) {
	all := declaration.Get("artifactStores")
	if all == nil || all.Kind != cloudformation.List {
		return
	}
	table := &cloudformation.Value{Line: all.Line, Col: all.Col, Kind: cloudformation.Map}
	for _, one := range all.Items {
		if region, store := one.Get("region"), one.Get("artifactStore"); region != nil && store != nil {
			table.Entries = append(table.Entries, cloudformation.Entry{Line: region.Line, Col: region.Col, Key: region.Text, Value: store})
		}
	}
	drop(declaration, "artifactStores")
	declaration.Entries = append(declaration.Entries, cloudformation.Entry{Line: all.Line, Col: all.Col, Key: "artifactStores", Value: table})
}

type converter struct {
	file   string
	faults []spec.Diagnostic
}

func (c *converter) value(v *cloudformation.Value, name string) *cloudformation.Value {
	switch {
	case name == "":
		return v
	case v.Kind == cloudformation.List:
		out := *v
		out.Items = nil
		for _, item := range v.Items {
			out.Items = append(out.Items, c.value(item, name))
		}
		return &out
	case v.Kind != cloudformation.Map:
		return v
	case name == "*":
		return texts(v)
	}
	known, holds := part(name)
	out := *v
	out.Entries = nil
	for _, e := range v.Entries {
		inner, ok := holds[e.Key]
		if !ok {
			hint := "it has " + strings.Join(known, ", ")
			if near, ok := words.Nearest(e.Key, known); ok {
				hint = "did you mean " + near + "?"
			}
			c.faults = append(c.faults, spec.Diagnostic{File: c.file, Line: e.Line, Col: e.Col, Message: "this part of " + resource + " has no property " + words.Quoted(e.Key), Hint: hint})
			continue
		}
		e.Key, e.Value = strings.ToLower(e.Key[:1])+e.Key[1:], c.value(e.Value, inner)
		out.Entries = append(out.Entries, e)
	}
	return &out
}

// texts gives free keys their values as text: structures as JSON, as AWS does.
func texts(v *cloudformation.Value) *cloudformation.Value {
	out := *v
	out.Entries = nil
	for _, e := range v.Entries {
		if e.Value.Kind == cloudformation.Map || e.Value.Kind == cloudformation.List {
			e.Value = &cloudformation.Value{Line: e.Value.Line, Col: e.Value.Col, Text: e.Value.JSON(), Missing: gather(e.Value)}
		}
		out.Entries = append(out.Entries, e)
	}
	return &out
}

// gather lists what is missing anywhere in a value.
func gather(v *cloudformation.Value) []string {
	all := append([]string(nil), v.Missing...)
	for _, item := range v.Items {
		all = append(all, gather(item)...)
	}
	for _, e := range v.Entries {
		all = append(all, gather(e.Value)...)
	}
	return all
}

// prepare mends what placeholders and old forms would break, before the checks.
func (i *importer) prepare(declaration *cloudformation.Value) {
	actions(declaration, func(stage, action *cloudformation.Value) {
		where := stage.Get("name").String() + "/" + action.Get("name").String()
		i.ownRegion(action)
		for _, key := range []string{"runOrder", "timeoutInMinutes"} {
			if v := action.Get(key); v != nil && len(v.Missing) > 0 {
				i.note(v, where, NoMatch, key+" is left out: "+strings.Join(v.Missing, "; "), "give the parameter a value with --parameter NAME=VALUE")
				drop(action, key)
			}
		}
		c := action.Get("configuration")
		if v := c.Get("OAuthToken"); v != nil {
			drop(c, "OAuthToken")
			i.note(v, where, NoMatch, "OAuthToken is left out: no secret belongs in a pipeline file", "github.token or github.app of the service's configuration is used (docs/github.md)")
		}
		if v := c.Get("FullRepositoryId"); v != nil && len(v.Missing) > 0 && !strings.Contains(v.Text, "/") {
			v.Text += "/" + v.Text
		}
		if v := c.Get("ExternalEntityLink"); v != nil && len(v.Missing) > 0 && !strings.HasPrefix(v.Text, "http") {
			v.Text = "https://" + v.Text
		}
	})
	rules(declaration, func(_, rule *cloudformation.Value, _ string) { i.ownRegion(rule) })
}

// ownRegion leaves out the Region of the stack, which is the pipeline's own.
func (i *importer) ownRegion(work *cloudformation.Value) {
	if r := work.Get("region"); r != nil && r.OwnRegion() {
		drop(work, "region")
	}
}

// missing notes each placeholder, with what it stands for.
func (i *importer) missing(declaration *cloudformation.Value) {
	d := &listing{}
	d.value(origin{entry: cloudformation.Entry{Line: declaration.Line, Col: declaration.Col, Value: declaration}}, true)
	seen := map[*cloudformation.Value]bool{}
	for _, o := range d.lines {
		v := o.entry.Value
		if len(v.Missing) == 0 || seen[v] {
			continue
		}
		seen[v] = true
		where, key := o.where, o.entry.Key
		if where == "" && key != "" {
			where, key = o.path[0], ""
		}
		text := unique(v.Missing)
		if v.Open() {
			i.open = true
			text = words.Quoted(v.Text) + " stands for what the template does not tell: " + text
		}
		if key != "" {
			text = key + ": " + text
		}
		i.note(v, where, Needs, text, "write the value; of a parameter give it with --parameter NAME=VALUE, such as AWS::AccountId=111122223333")
	}
}

func unique(all []string) string {
	var out []string
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}
