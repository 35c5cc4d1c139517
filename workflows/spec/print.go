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
	return strings.NewReplacer("\u0085", `\u0085`, "\uFEFF", `\uFEFF`, "\x7f", `\u007F`).Replace(strings.TrimSuffix(out.String(), "\n"))
}

func (w *printer) triggers(triggers []workflows.Trigger) {
	if len(triggers) == 0 {
		return
	}
	w.begin("triggers")
	for _, t := range triggers {
		w.item()
		w.text("providerType", t.ProviderType)
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
	if s.OnFailure != nil {
		w.line("onFailure", "{result: "+quote(s.OnFailure.Result)+"}")
	}
	var rules []string
	for _, r := range [][3]string{{"hold", s.Rollback.Hold, "always"}, {"eligible", s.Rollback.Eligible, "any"}, {"approval", s.Rollback.Approval, "skipRecent"}} {
		if r[1] != r[2] {
			rules = append(rules, r[0]+": "+quote(r[1]))
		}
	}
	if rules != nil {
		w.line("rollback", "{"+strings.Join(rules, ", ")+"}")
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
	t := a.ActionType
	if r, ok := lookup(t.Provider, "", ""); ok && r.category == t.Category && r.owner == t.Owner && t.Version == "1" {
		w.text("provider", t.Provider)
	} else {
		w.line("actionTypeId", fmt.Sprintf("{category: %s, owner: %s, provider: %s, version: %s}", quote(t.Category), quote(t.Owner), quote(t.Provider), quote(t.Version)))
	}
	if a.RunOrder != 1 {
		w.line("runOrder", strconv.Itoa(a.RunOrder))
	}
	w.text("namespace", a.Namespace)
	if len(a.Configuration) > 0 {
		w.begin("configuration")
		for _, key := range sortedKeys(a.Configuration) {
			w.line(key, quote(a.Configuration[key]))
		}
		w.end()
	}
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
