package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Print returns a complete definition as a canonical pipeline file: short
// forms, defaults left out, always the same bytes. Parse reads it back as the
// same definition.
func Print(p *workflows.Pipeline) []byte {
	w := &printer{}
	w.text("name", p.Name)
	if p.ExecutionMode != workflows.ModeSuperseded {
		w.text("executionMode", p.ExecutionMode)
	}
	w.text("channel", p.Channel)
	if p.LogTail != nil {
		w.line("logTail", strconv.Itoa(*p.LogTail))
	}
	w.texts("owners", p.Owners)
	if t := p.Ticket; t != nil {
		w.section("ticket")
		w.text("project", t.Project)
		w.text("issueType", t.IssueType)
		w.texts("labels", t.Labels)
		w.texts("components", t.Components)
		w.text("priority", t.Priority)
		w.texts("stages", t.Stages)
		w.text("closeOnSuccess", t.CloseOnSuccess)
		w.text("reopenWithin", t.ReopenWithin)
		w.line("logTail", strconv.Itoa(t.LogTail))
		w.ticketLimits(t)
		w.end()
	}
	if j := p.Jira; j != nil {
		w.section("jira")
		w.texts("stages", j.Stages)
		w.text("status", j.Status)
		w.text("fixVersion", j.FixVersion)
		w.end()
	}
	if len(p.Variables) > 0 {
		w.section("variables")
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
	w.text("roleArn", p.RoleArn)
	w.stores(p)
	w.section("stages")
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
func (w *printer) section(key string)     { w.write(quote(key) + ":"); w.indent++ }
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

// ticketLimits writes what few pipelines say of their tickets.
func (w *printer) ticketLimits(t *workflows.Ticket) {
	if t.MaxPerHour > 0 {
		w.line("maxPerHour", strconv.Itoa(t.MaxPerHour))
	}
	if len(t.Fields) == 0 {
		return
	}
	w.section("fields")
	for _, name := range words.Keys(t.Fields) {
		w.line(name, unprintable().Replace(string(t.Fields[name])))
	}
	w.end()
}

// stores writes where AWS finds artifacts.
func (w *printer) stores(p *workflows.Pipeline) {
	if p.ArtifactStore != nil {
		w.line("artifactStore", flowStore(p.ArtifactStore))
	}
	if len(p.ArtifactStores) > 0 {
		w.section("artifactStores")
		for _, region := range words.Keys(p.ArtifactStores) {
			store := p.ArtifactStores[region]
			w.line(region, flowStore(&store))
		}
		w.end()
	}
}

// flowStore writes a store in one line; its types have one word each and are left out.
func flowStore(s *workflows.ArtifactStore) string {
	var keys []string
	if s.Location != "" {
		keys = append(keys, "location: "+quote(s.Location))
	}
	if s.EncryptionKey != nil {
		keys = append(keys, "encryptionKey: {id: "+quote(s.EncryptionKey.ID)+"}")
	}
	return "{" + strings.Join(keys, ", ") + "}"
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
	w.section("triggers")
	for _, t := range triggers {
		w.item()
		w.text("providerType", t.ProviderType)
		if t.Schedule != nil {
			w.line("schedule", "{cron: "+quote(t.Schedule.Cron)+", timezone: "+quote(t.Schedule.Timezone)+"}")
		}
		if t.Event != nil {
			w.line("event", unprintable().Replace(string(t.Event)))
			w.pairs("variables", t.Variables)
		}
		w.eventOnGitHub(&t)
		if t.Git != nil {
			w.section("gitConfiguration")
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
	w.section(key)
	for _, f := range filters {
		w.item()
		w.texts("events", f.Events)
		w.patterns("branches", f.Branches)
		w.patterns("filePaths", f.FilePaths)
		w.patterns("tags", f.Tags)
		if w.dash {
			w.write("{}") // a filter without keys matches every change
		}
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
		w.section(key)
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
		w.section("onFailure")
		w.text("result", f.Result)
		w.text("retryMode", f.RetryMode)
		w.condition("condition", f.Condition)
		w.end()
	}
	var policy []string
	for _, r := range [][3]string{{"lock", s.Rollback.Lock, "always"}, {"eligible", s.Rollback.Eligible, "any"}, {"approval", s.Rollback.Approval, "skipRecent"}} {
		if r[1] != r[2] {
			policy = append(policy, r[0]+": "+quote(r[1]))
		}
	}
	if on := &s.Rollback.OnAlarm; len(on.Alarms) > 0 {
		watch := "alarms: " + flow(on.Alarms)
		for _, r := range [][3]string{{"for", on.For, "10m"}, {"region", on.Region, ""}, {"roleArn", on.RoleArn, ""}} {
			if r[1] != r[2] {
				watch += ", " + r[0] + ": " + quote(r[1])
			}
		}
		policy = append(policy, "onAlarm: {"+watch+"}")
	}
	if policy != nil {
		w.line("rollback", "{"+strings.Join(policy, ", ")+"}")
	}
	if usual := map[bool]string{true: "success", false: "never"}[s.Environment != ""]; s.Announce != usual {
		w.text("announce", s.Announce)
	}
	w.section("actions")
	for i := range s.Actions {
		w.action(&s.Actions[i], s.Environment == "")
	}
	w.end()
	w.endItem()
}
