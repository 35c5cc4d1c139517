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

// Known is what a pipeline needs in AWS and a pipeline file need not say. What
// is empty becomes a placeholder in a declaration and a parameter of a template.
type Known struct {
	RoleArn       string // of the pipeline
	Bucket        string // for artifacts
	ConnectionArn string // of the sources
}

// The placeholders of what is not known. They have the form that AWS wants.
const (
	someRole       = "arn:aws:iam::000000000000:role/REPLACE-service-role"
	someBucket     = "replace-artifact-bucket"
	someConnection = "arn:aws:codeconnections:replace-region:000000000000:connection/REPLACE"
	someToken      = "REPLACE-GitHub-token"
)

// The declaration of CodePipeline, in the order in which AWS documents it.
type (
	declaration struct {
		Name           string              `json:"name"`
		RoleArn        string              `json:"roleArn"`
		PipelineType   string              `json:"pipelineType"`
		ExecutionMode  string              `json:"executionMode"`
		ArtifactStore  *store              `json:"artifactStore,omitempty"`
		ArtifactStores map[string]*store   `json:"artifactStores,omitempty"`
		Variables      []variable          `json:"variables,omitempty"`
		Triggers       []workflows.Trigger `json:"triggers,omitempty"`
		Stages         []stage             `json:"stages"`
	}
	store struct {
		Type          string `json:"type"`
		Location      string `json:"location"`
		EncryptionKey any    `json:"encryptionKey,omitempty"`
	}
	variable struct {
		Name         string  `json:"name"`
		DefaultValue *string `json:"defaultValue,omitempty"`
		Description  string  `json:"description,omitempty"`
	}
	stage struct {
		Name        string      `json:"name"`
		BeforeEntry *conditions `json:"beforeEntry,omitempty"`
		Actions     []action    `json:"actions"`
		OnSuccess   *conditions `json:"onSuccess,omitempty"`
		OnFailure   *failure    `json:"onFailure,omitempty"`
	}
	conditions struct {
		Conditions []condition `json:"conditions"`
	}
	condition struct {
		Result string `json:"result"`
		Rules  []rule `json:"rules"`
	}
	failure struct {
		Result             string            `json:"result,omitempty"`
		RetryConfiguration map[string]string `json:"retryConfiguration,omitempty"`
		Conditions         []condition       `json:"conditions,omitempty"`
	}
	rule struct {
		Name           string               `json:"name"`
		RuleTypeID     workflows.ActionType `json:"ruleTypeId"`
		Configuration  map[string]string    `json:"configuration,omitempty"`
		Commands       []string             `json:"commands,omitempty"`
		InputArtifacts []artifact           `json:"inputArtifacts,omitempty"`
		TimeoutMinutes int                  `json:"timeoutInMinutes,omitempty"`
		Region         string               `json:"region,omitempty"`
		RoleArn        string               `json:"roleArn,omitempty"`
	}
	action struct {
		Name                 string                     `json:"name"`
		ActionTypeID         workflows.ActionType       `json:"actionTypeId"`
		RunOrder             int                        `json:"runOrder"`
		Namespace            string                     `json:"namespace,omitempty"`
		Configuration        map[string]string          `json:"configuration,omitempty"`
		Commands             []string                   `json:"commands,omitempty"`
		InputArtifacts       []artifact                 `json:"inputArtifacts,omitempty"`
		OutputArtifacts      []workflows.OutputArtifact `json:"outputArtifacts,omitempty"`
		OutputVariables      []string                   `json:"outputVariables,omitempty"`
		EnvironmentVariables []workflows.EnvironmentVar `json:"environmentVariables,omitempty"`
		TimeoutMinutes       int                        `json:"timeoutInMinutes,omitempty"`
		Region               string                     `json:"region,omitempty"`
		RoleArn              string                     `json:"roleArn,omitempty"`
	}
	artifact struct {
		Name string `json:"name"`
	}
)

// Declaration is a complete definition as the input of `aws codepipeline
// create-pipeline --cli-input-json`. A note tells of every part that has no match
// there, or needs something.
func Declaration(p *workflows.Pipeline, k Known) ([]byte, []Note, error) {
	d, notes := declare(p, k)
	over, err := overlay(p, d, false)
	if err != nil {
		return nil, nil, err
	}
	whole := struct {
		Pipeline *declaration `json:"pipeline"`
		Tags     []tag        `json:"tags,omitempty"`
	}{Pipeline: d}
	if over != nil {
		if whole.Tags, err = packed(over); err != nil {
			return nil, nil, err
		}
	}
	return encoded(whole), append(notes, own(over, "", false)...), nil
}

// encoded is a value as JSON for people.
func encoded(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("codepipeline: a declaration always marshals: " + err.Error())
	}
	return out.Bytes()
}

// overlay is what makes the definition again of what the declaration alone says.
func overlay(p *workflows.Pipeline, d *declaration, template bool) (map[string]any, error) {
	text := encoded(map[string]any{"pipeline": d})
	if template {
		text = printTemplate(d, nil)
	}
	again, faults := Import("export", text, Options{})
	if len(again) != 1 {
		return nil, fmt.Errorf("%s has no form in CodePipeline: %s", p.Name, faults[0].Message)
	}
	return difference(tree(again[0].Pipeline), tree(p)), nil
}

// declare makes a declaration that AWS takes, and notes what had to change.
func declare(p *workflows.Pipeline, k Known) (*declaration, []Note) {
	e := exporter{p: p, known: k}
	d := &declaration{Name: p.Name, RoleArn: p.RoleArn, PipelineType: "V2", ExecutionMode: p.ExecutionMode}
	if d.RoleArn == "" {
		d.RoleArn = e.or(k.RoleArn, someRole, "roleArn", "the role of the pipeline", "RoleArn")
	}
	for region, s := range p.ArtifactStores {
		if d.ArtifactStores == nil {
			d.ArtifactStores = map[string]*store{}
		}
		d.ArtifactStores[region] = e.store(&s)
	}
	if d.ArtifactStores == nil {
		d.ArtifactStore = e.store(p.ArtifactStore)
	}
	for _, v := range p.Variables {
		d.Variables = append(d.Variables, variable{v.Name, v.DefaultValue, v.Description})
	}
	for i := range p.Stages {
		d.Stages = append(d.Stages, e.stage(&p.Stages[i]))
	}
	for _, t := range p.Triggers {
		switch {
		case t.Event != nil:
			e.note("triggers", NoMatch, "a trigger by events of EventBridge starts nothing there; kept for import", "a rule of EventBridge with that pattern, and the pipeline as its target, starts it in AWS")
		case t.Schedule == nil && t.Git == nil:
			event, _ := t.OnGitHub()
			e.note("triggers", NoMatch, "a trigger by the event "+event+" of GitHub starts nothing there; kept for import", "a workflow on GitHub can start the pipeline with aws codepipeline start-pipeline-execution")
		case t.Git == nil:
			e.note("triggers", NoMatch, "the schedule "+words.Quoted(t.Schedule.Cron)+" starts nothing there; kept for import", "an EventBridge rule or schedule can start the pipeline")
		case !e.connected(d, t.Git.SourceActionName):
			e.note("triggers", NoMatch, "AWS follows no changes of "+t.Git.SourceActionName+"; kept for import", "")
		default:
			d.Triggers = append(d.Triggers, workflows.Trigger{ProviderType: connection, Git: t.Git})
		}
	}
	return d, e.notes
}

// connection is the provider of sources that AWS reads over a connection.
const connection = "CodeStarSourceConnection"

// connected says whether a source is one that triggers can follow in AWS.
func (e *exporter) connected(d *declaration, source string) bool {
	return slices.ContainsFunc(d.Stages[0].Actions, func(a action) bool { return a.Name == source && a.ActionTypeID.Provider == connection })
}

type exporter struct {
	p     *workflows.Pipeline
	known Known
	notes []Note
}

func (e *exporter) note(where string, fit string, text, todo string) {
	n := Note{Where: where, Fit: fit, Text: text, Todo: todo}
	if !slices.Contains(e.notes, n) {
		e.notes = append(e.notes, n)
	}
}

// or is a value that is known, or its placeholder.
func (e *exporter) or(known, placeholder, where, what, parameter string) string {
	if known != "" {
		return known
	}
	e.note(where, Needs, what+" is not known here: "+placeholder+" stands for it, or the template's parameter "+parameter, "")
	return placeholder
}

func (e *exporter) store(s *workflows.ArtifactStore) *store {
	out := &store{Type: "S3"}
	if s != nil {
		out.Location = s.Location
		if s.EncryptionKey != nil {
			out.EncryptionKey = s.EncryptionKey
		}
	}
	if out.Location == "" {
		out.Location = e.or(e.known.Bucket, someBucket, "artifactStore", "the bucket for artifacts", "ArtifactBucket")
	}
	return out
}

func (e *exporter) stage(s *workflows.Stage) stage {
	out := stage{Name: s.Name, BeforeEntry: e.conditions(s, s.BeforeEntry), OnSuccess: e.conditions(s, s.OnSuccess)}
	for i := range s.Actions {
		out.Actions = append(out.Actions, e.action(s, &s.Actions[i]))
	}
	if f := s.OnFailure; f != nil {
		out.OnFailure = &failure{Result: f.Result}
		if f.RetryMode != "" {
			out.OnFailure.RetryConfiguration = map[string]string{"retryMode": f.RetryMode}
		}
		if c := e.conditions(s, f.Condition); c != nil {
			out.OnFailure.Conditions = c.Conditions
			if out.OnFailure.Result == "" {
				out.OnFailure.Result = f.Condition.Result
			}
		}
	}
	return out
}

func (e *exporter) conditions(s *workflows.Stage, c *workflows.Condition) *conditions {
	if c == nil {
		return nil
	}
	out := condition{Result: c.Result}
	for _, r := range c.Rules {
		e.long(s.Name+"/"+r.Name, r.Commands)
		out.Rules = append(out.Rules, rule{r.Name, r.RuleType, r.Configuration, r.Commands, artifacts(r.InputArtifacts), r.TimeoutMinutes, r.Region, r.RoleArn})
	}
	return &conditions{[]condition{out}}
}

func artifacts(names []string) (all []artifact) {
	for _, n := range names {
		all = append(all, artifact{n})
	}
	return all
}

// value parses what was encoded: keys keep the order in which they are documented.
func value(text []byte) *cloudformation.Value {
	v, faults := cloudformation.Values("", text)
	if v == nil {
		panic("codepipeline: a declaration always reads back: " + faults[0].Message)
	}
	return v
}

// own notes the keys of an overlay: what AWS has no place for. In a stage with an
// environment, usual, some keys only follow from that.
func own(over map[string]any, where string, usual bool) (notes []Note) {
	gone, _ := over[without].([]any)
	usual = usual || over["environment"] != nil
	for _, key := range words.Keys(over) {
		at := strings.TrimPrefix(where+"/", "/")
		switch list, isList := over[key].([]any); {
		case key == without || key == "name":
		case isList && slices.Contains([]string{"stages", "actions", "rules", "variables"}, key) && names(list) != nil:
			for _, v := range list {
				m := v.(map[string]any)
				notes = append(notes, own(m, at+m["name"].(string), usual)...)
			}
		case key == "beforeEntry" || key == "onSuccess" || key == "onFailure" || key == "condition":
			if m, ok := over[key].(map[string]any); ok {
				notes = append(notes, own(m, at+key, usual)...)
			}
		case slices.Contains([]string{"actionTypeId", "configuration", "triggers"}, key): // told where it was made
		case slices.Contains([]string{"announce", "restartable"}, key) && usual: // follows from the environment
		default:
			notes = append(notes, Note{Where: at + key, Fit: NoMatch, Text: lost(key), Todo: ""})
		}
	}
	for _, key := range gone {
		if text, ok := key.(string); ok && !slices.Contains([]string{"roleArn", "artifactStore"}, text) {
			notes = append(notes, Note{Where: strings.TrimPrefix(where+"/"+text, "/"), Fit: NoMatch, Text: "AWS wants it; it is left out again by import"})
		}
	}
	return notes
}

// lost says what becomes of a key that only rollcall has.
func lost(key string) string {
	what := map[string]string{
		"approval":             "AWS takes the answer of one person, whoever may give it; who and how many stays rollcall's",
		"channel":              "AWS posts nothing in Slack",
		"owners":               "AWS tells nobody",
		"ticket":               "AWS opens no tickets",
		"rollback":             "AWS has its own rules of rolling back, and watches no alarms after a success",
		"environment":          "AWS announces nothing and opens no tickets",
		"timeoutInMinutes":     "AWS takes a time limit for approvals alone",
		"restartable":          "AWS has no action whose result is unknown",
		"environmentVariables": "AWS takes up to 10, none empty, plain or of Secrets Manager",
		"pattern":              "AWS checks no values",
	}[key]
	if what == "" {
		what = "AWS has no such key"
	}
	return what + "; kept for import"
}
