package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Print returns a complete definition as a canonical pipeline file: short
// forms, defaults left out, always the same bytes. Parse reads it back as the
// same definition.
func Print(p *workflows.Pipeline) []byte {
	w := &printer{}
	w.text("name", p.Name)
	if p.ExecutionMode != workflows.ModeSuperseded {
		w.text("executionMode", string(p.ExecutionMode))
	}
	w.text("channel", p.Channel)
	w.texts("owners", p.Owners)
	if t := p.Ticket; t != nil {
		w.begin("ticket")
		w.text("project", t.Project)
		w.text("issueType", t.IssueType)
		w.texts("labels", t.Labels)
		w.texts("stages", t.Stages)
		w.text("closeOnSuccess", t.CloseOnSuccess)
		w.text("reopenWithin", t.ReopenWithin)
		w.line("logTail", strconv.Itoa(t.LogTail))
		w.end()
	}
	if len(p.Variables) > 0 {
		w.begin("variables")
		for _, v := range p.Variables {
			w.item()
			w.text("name", v.Name)
			if v.DefaultValue != nil {
				w.line("defaultValue", quote(*v.DefaultValue))
			}
			w.text("description", v.Description)
			w.text("pattern", v.Pattern)
			w.endItem()
		}
		w.end()
	}
	w.triggers(p.Triggers)
	w.begin("stages")
	for i := range p.Stages {
		w.stage(&p.Stages[i])
	}
	w.end()
	return w.out.Bytes()
}

// PrintJSON is Print as JSON: what the API shows as a definition, one key per
// line. Parse reads it back as the same definition.
func PrintJSON(p *workflows.Pipeline) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		panic("spec: a definition always marshals: " + err.Error())
	}
	return out.Bytes()
}

// printer writes block style YAML. item makes the next line begin with "- ".
type printer struct {
	out    bytes.Buffer
	indent int
	dash   bool
}

func (w *printer) write(text string) {
	if w.dash {
		fmt.Fprintf(&w.out, "%s- %s\n", strings.Repeat("  ", w.indent-1), text)
	} else {
		fmt.Fprintf(&w.out, "%s%s\n", strings.Repeat("  ", w.indent), text)
	}
	w.dash = false
}

func (w *printer) line(key, value string) { w.write(quote(key) + ": " + value) }
func (w *printer) begin(key string)       { w.write(quote(key) + ":"); w.indent++ }
func (w *printer) end()                   { w.indent-- }
func (w *printer) item()                  { w.indent++; w.dash = true }
func (w *printer) endItem()               { w.indent--; w.dash = false }

// text writes a key unless its value is empty.
func (w *printer) text(key, value string) {
	if value != "" {
		w.line(key, quote(value))
	}
}

func (w *printer) texts(key string, values []string) {
	if len(values) > 0 {
		w.line(key, flow(values))
	}
}

func flow(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote returns text as a YAML scalar: as it is where it can mean nothing
// else, otherwise in double quotes, with JSON's escapes.
func quote(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !madeOf(string(r), "._/@-") }) &&
		madeOf(text[:1], "") && !('0' <= text[0] && text[0] <= '9')
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return text
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("spec: a string always marshals: " + err.Error())
	}
	return unprintable().Replace(strings.TrimSuffix(out.String(), "\n"))
}

func (w *printer) triggers(triggers []workflows.Trigger) {
	if len(triggers) == 0 {
		return
	}
	w.begin("triggers")
	for _, t := range triggers {
		w.item()
		w.text("providerType", t.ProviderType)
		if t.Schedule != nil {
			w.line("schedule", "{cron: "+quote(t.Schedule.Cron)+", timezone: "+quote(t.Schedule.Timezone)+"}")
		}
		if t.Git != nil {
			w.begin("gitConfiguration")
			w.text("sourceActionName", t.Git.SourceActionName)
			w.filters("push", t.Git.Push)
			w.filters("pullRequest", t.Git.PullRequest)
			w.end()
		}
		w.endItem()
	}
	w.end()
}

func (w *printer) filters(key string, filters []workflows.GitFilter) {
	if len(filters) == 0 {
		return
	}
	w.begin(key)
	for _, f := range filters {
		w.item()
		w.texts("events", f.Events)
		w.patterns("branches", f.Branches)
		w.patterns("filePaths", f.FilePaths)
		w.patterns("tags", f.Tags)
		w.endItem()
	}
	w.end()
}

func (w *printer) patterns(key string, p *workflows.Patterns) {
	switch {
	case p == nil:
	case len(p.Excludes) == 0:
		w.texts(key, p.Includes)
	default:
		w.begin(key)
		w.texts("includes", p.Includes)
		w.texts("excludes", p.Excludes)
		w.end()
	}
}

func (w *printer) stage(s *workflows.Stage) {
	w.item()
	w.text("name", s.Name)
	w.text("environment", s.Environment)
	w.condition("beforeEntry", s.BeforeEntry)
	w.condition("onSuccess", s.OnSuccess)
	switch f := s.OnFailure; {
	case f == nil:
	case f.Condition == nil && f.RetryMode == "":
		w.line("onFailure", "{result: "+quote(f.Result)+"}")
	default:
		w.begin("onFailure")
		w.text("result", f.Result)
		w.text("retryMode", f.RetryMode)
		w.condition("condition", f.Condition)
		w.end()
	}
	var policy []string
	for _, r := range [][3]string{{"hold", s.Rollback.Hold, "always"}, {"eligible", s.Rollback.Eligible, "any"}, {"approval", s.Rollback.Approval, "skipRecent"}} {
		if r[1] != r[2] {
			policy = append(policy, r[0]+": "+quote(r[1]))
		}
	}
	if policy != nil {
		w.line("rollback", "{"+strings.Join(policy, ", ")+"}")
	}
	if usual := map[bool]string{true: "success", false: "never"}[s.Environment != ""]; s.Announce != usual {
		w.text("announce", s.Announce)
	}
	w.begin("actions")
	for i := range s.Actions {
		w.action(&s.Actions[i], s.Environment == "")
	}
	w.end()
	w.endItem()
}

func (w *printer) action(a *workflows.Action, restartable bool) {
	w.item()
	w.text("name", a.Name)
	w.provider("actionTypeId", "", a.ActionType)
	if a.RunOrder != 1 {
		w.line("runOrder", strconv.Itoa(a.RunOrder))
	}
	w.text("namespace", a.Namespace)
	w.configuration(a.Configuration)
	w.texts("inputArtifacts", a.InputArtifacts)
	w.artifacts(a.OutputArtifacts)
	w.texts("commands", a.Commands)
	w.texts("outputVariables", a.OutputVariables)
	if len(a.EnvironmentVariables) > 0 {
		w.begin("environmentVariables")
		for _, v := range a.EnvironmentVariables {
			w.line(v.Name, quote(v.Value))
		}
		w.end()
	}
	if a.TimeoutMinutes != timeLimit(a) {
		w.line("timeoutInMinutes", strconv.Itoa(a.TimeoutMinutes))
	}
	if a.Restartable != restartable {
		w.line("restartable", strconv.FormatBool(a.Restartable))
	}
	w.approval(a.Approval)
	w.endItem()
}

// provider writes the short form where that means the same.
func (w *printer) provider(key, category string, t workflows.ActionType) {
	if r, ok := lookup(t.Provider, category, ""); ok && r.category == t.Category && r.owner == t.Owner && t.Version == "1" {
		w.text("provider", t.Provider)
	} else {
		w.line(key, fmt.Sprintf("{category: %s, owner: %s, provider: %s, version: %s}", quote(t.Category), quote(t.Owner), quote(t.Provider), quote(t.Version)))
	}
}

func (w *printer) configuration(values map[string]string) {
	if len(values) > 0 {
		w.begin("configuration")
		for _, key := range sortedKeys(values) {
			w.line(key, quote(values[key]))
		}
		w.end()
	}
}

func (w *printer) condition(key string, c *workflows.Condition) {
	if c == nil {
		return
	}
	w.begin(key)
	w.text("result", c.Result)
	w.begin("rules")
	for _, r := range c.Rules {
		w.item()
		w.text("name", r.Name)
		w.provider("ruleTypeId", rules, r.RuleType)
		w.configuration(r.Configuration)
		w.texts("commands", r.Commands)
		w.texts("inputArtifacts", r.InputArtifacts)
		if r.TimeoutMinutes != 0 {
			w.line("timeoutInMinutes", strconv.Itoa(r.TimeoutMinutes))
		}
		w.endItem()
	}
	w.end()
	w.end()
}

func (w *printer) artifacts(out []workflows.OutputArtifact) {
	if len(out) == 0 {
		return
	}
	each := make([]string, len(out))
	for i, o := range out {
		if each[i] = quote(o.Name); len(o.Files) > 0 {
			each[i] = "{name: " + quote(o.Name) + ", files: " + flow(o.Files) + "}"
		}
	}
	w.line("outputArtifacts", "["+strings.Join(each, ", ")+"]")
}

func (w *printer) approval(p *workflows.ApprovalPolicy) {
	usual := &workflows.ApprovalPolicy{Required: 1, Comment: "optional"}
	if p == nil || reflect.DeepEqual(p, usual) {
		return
	}
	w.begin("approval")
	w.line("required", strconv.Itoa(p.Required))
	w.texts("from", p.From)
	if !slices.Equal(p.Ask, p.From) {
		w.line("ask", flow(p.Ask))
	}
	if len(p.AtLeast) > 0 {
		w.begin("atLeast")
		for _, who := range sortedKeys(p.AtLeast) {
			w.line(who, strconv.Itoa(p.AtLeast[who]))
		}
		w.end()
	}
	if p.RequesterMayApprove {
		w.line("requesterMayApprove", "true")
	}
	if p.Comment != usual.Comment {
		w.text("comment", p.Comment)
	}
	w.texts("remindAt", p.RemindAt)
	w.end()
}
