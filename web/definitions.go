package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Diagnostic is one fault of a declaration that was sent, at a line and a
// column (from 1).
type Diagnostic struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Warning bool   `json:"warning,omitempty"` // worth knowing; the declaration is accepted
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Declare reads a declaration, YAML or JSON, and reports everything that is
// wrong with it. The pipeline is nil when something is that is not a warning.
type Declare func(data []byte) (*workflows.Pipeline, []Diagnostic)

// faulty is the refusal of a declaration with all that is wrong with it.
type faulty struct {
	problem     *workflows.Problem
	diagnostics []Diagnostic
}

func (f *faulty) Error() string { return f.problem.Error() }
func (f *faulty) Unwrap() error { return f.problem }

// put puts a declaration in force. Equal content is no new version, and
// nothing is started by it.
func (a *api) put(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	name := r.PathValue("pipeline")
	seen, err := versionSeen(r)
	if err != nil {
		return 0, nil, err
	}
	p, warnings, err := a.declaration(w, r)
	if err != nil {
		return 0, nil, err
	}
	if p.Name != name {
		return 0, nil, invalid("name", fmt.Sprintf("the declaration is of %s, and was sent to %s", p.Name, name), "a pipeline cannot be renamed; send it to its own name")
	}
	res, err := a.Doer.Submit(r.Context(), workflows.Intent{Verb: workflows.Edit, Pipeline: name, NewDefinition: p, IfCurrent: seen}, by)
	if err != nil {
		return 0, nil, err
	}
	answer := edited{Changed: res.Changed, Weakened: notNil(res.Weakened), Cancels: notNil(res.Cancels), Warnings: notNil(warnings)}
	if answer.PipelineView, err = a.Reader.Pipeline(r.Context(), by, name, 0); err != nil {
		// It is in force, whether or not they may look at it.
		answer.PipelineView = workflows.PipelineView{Name: name, Version: res.Version, ManagedBy: "api", ExecutionMode: p.ExecutionMode, Definition: p, Stages: []workflows.StageView{}}
	}
	tag(w, answer.Version)
	return http.StatusOK, answer, nil
}

// edited is a pipeline with what an edit did to it.
type edited struct {
	workflows.PipelineView
	Changed  bool             `json:"changed"`  // false: it was so already
	Weakened []event.Weakened `json:"weakened"` // the gates that ask for less than before
	Cancels  []string         `json:"cancels"`  // the executions that it ends ("webshop#42")
	Warnings []Diagnostic     `json:"warnings"`
}

// declaration reads the body. Its kind is what the request says; without a
// word it is whatever can be read.
func (a *api) declaration(w http.ResponseWriter, r *http.Request) (*workflows.Pipeline, []Diagnostic, error) {
	data, err := io.ReadAll(body(w, r))
	if err != nil {
		return nil, nil, bodyProblem(err)
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		kind = r.Header.Get("Content-Type")
	}
	var found []Diagnostic
	switch kind {
	case "application/json":
		found = notJSON(data)
	case "", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", "application/octet-stream":
	default:
		return nil, nil, invalid("Content-Type", "a declaration is not read from "+kind, "send application/json or application/yaml")
	}
	var p *workflows.Pipeline
	if found == nil {
		p, found = a.Declare(data)
	}
	if p == nil {
		return nil, nil, &faulty{summary(found), found}
	}
	return p, found, nil
}

// notJSON finds the place where a text stops being JSON.
func notJSON(data []byte) []Diagnostic {
	var wrong *json.SyntaxError
	var any json.RawMessage
	err := json.Unmarshal(data, &any)
	if err == nil {
		return nil
	}
	at := len(data)
	if errors.As(err, &wrong) {
		at = int(wrong.Offset)
	}
	before := string(data[:max(0, min(at, len(data))-1)])
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return []Diagnostic{{Line: line, Column: column, Message: "this is not JSON: " + err.Error(), Hint: "send application/yaml if it is YAML"}}
}

// summary is the refusal for whoever shows one sentence only: the first fault, and how many follow.
func summary(found []Diagnostic) *workflows.Problem {
	var faults []Diagnostic
	for _, d := range found {
		if !d.Warning {
			faults = append(faults, d)
		}
	}
	if len(faults) == 0 {
		return invalid("", "the declaration cannot be read", "see rollcall validate")
	}
	first := faults[0]
	message := fmt.Sprintf("the declaration is faulty at line %d, column %d: %s", first.Line, first.Column, first.Message)
	if more := len(faults) - 1; more > 0 {
		message += fmt.Sprintf(", and %d more", more)
	}
	return invalid("", message, first.Hint)
}

// versionSeen is the version that the sender changed, by If-Match or
// ?version=; empty: whichever is in force. 0 is that of a pipeline which does not exist.
func versionSeen(r *http.Request) (string, error) {
	text := strings.Trim(strings.TrimPrefix(r.Header.Get("If-Match"), "W/"), `"`)
	field := "If-Match"
	if q := r.URL.Query().Get("version"); q != "" {
		text, field = q, "version"
	}
	if n, err := strconv.Atoi(text); text != "" && (err != nil || n < 0) {
		return "", invalid(field, field+" must be the version that you have seen", "send its number, or nothing")
	} else if text != "" {
		text = strconv.Itoa(n)
	}
	return text, nil
}

// tag names the definition's version for If-Match.
func tag(w http.ResponseWriter, version int) { w.Header().Set("ETag", fmt.Sprintf(`"%d"`, version)) }

// archive takes a pipeline out of service. What runs may finish.
func (a *api) archive(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	res, err := a.Doer.Submit(r.Context(), workflows.Intent{Verb: workflows.Archive, Pipeline: r.PathValue("pipeline")}, by)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"name": r.PathValue("pipeline"), "archived": true, "changed": res.Changed}, nil
}

func (a *api) versions(_ http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	all, err := a.History.Versions(r.Context(), by, r.PathValue("pipeline"))
	return http.StatusOK, map[string]any{"versions": notNil(all)}, err
}
