package actions

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// mostInputs is how many inputs GitHub takes.
const mostInputs = 25

// dispatch is what an action asks of GitHub.
type dispatch struct {
	owner, name string
	workflow    string // name of the file, or its ID
	ref         string // branch or tag
	inputs      map[string]string
	correlation string // the input that gets the token; empty: none
	token       string // the same for the same attempt and no other
	goesOn      bool   // the run is not cancelled when the action is
}

func (d dispatch) repository() string { return d.owner + "/" + d.name }

// workflowKey names the workflow among all.
func (d dispatch) workflowKey() string { return strings.ToLower(d.repository()) + "/" + d.workflow }

// dispatchOf is readDispatch for messages.
func dispatchOf(t *work.Task) dispatch {
	d, _ := readDispatch(t)
	return d
}

// readDispatch reads and checks the configuration of an action.
func readDispatch(t *work.Task) (d dispatch, err error) {
	c := t.Configuration
	if d.owner, d.name, err = api.SplitRepository(c["FullRepositoryId"]); err != nil {
		return d, fmt.Errorf("FullRepositoryId: %w", err)
	}
	if d.workflow, err = workflowName(c["Workflow"]); err != nil {
		return d, err
	}
	if d.ref, err = refOf(t); err != nil {
		return d, err
	}
	if d.inputs, err = readInputs(c["Inputs"]); err != nil {
		return d, err
	}
	if d.goesOn = strings.EqualFold(c["CancelOnStop"], "false"); !d.goesOn && c["CancelOnStop"] != "" && !strings.EqualFold(c["CancelOnStop"], "true") {
		return d, fmt.Errorf("CancelOnStop must be true or false, not %s", words.Quoted(c["CancelOnStop"]))
	}
	d.token = correlationToken(t.ID)
	if d.correlation = c["CorrelationInput"]; d.correlation != "" {
		if _, given := d.inputs[d.correlation]; given {
			return d, fmt.Errorf("the input %s is given, and is CorrelationInput too", words.Quoted(d.correlation))
		}
		d.inputs[d.correlation] = d.token
	}
	if len(d.inputs) > mostInputs {
		return d, fmt.Errorf("there are %d inputs; GitHub takes %d", len(d.inputs), mostInputs)
	}
	return d, nil
}

// tokenPrefix begins every correlation token.
const tokenPrefix = "rollcall-"

// correlationToken is what a run is known by, where its workflow shows it.
func correlationToken(task string) string {
	sum := sha256.Sum256([]byte(task))
	return tokenPrefix + hex.EncodeToString(sum[:10])
}

// workflowName checks the name of a workflow's file, or its ID: it becomes part of an address.
func workflowName(text string) (string, error) {
	name := strings.TrimPrefix(text, ".github/workflows/")
	if _, err := strconv.ParseInt(name, 10, 64); err == nil && !strings.HasPrefix(name, "-") {
		return name, nil
	}
	if !api.IsName(name) || !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".yaml") {
		return "", fmt.Errorf("the value of Workflow is %s; give the name of its file, such as deploy.yml, or its ID", words.Quoted(words.Cut(clean.Line(text), 80)))
	}
	return name, nil
}

// refOf is the branch or tag that the workflow runs on: the one that is set, else the
// branch of the commit that the execution brings of the same repository.
func refOf(t *work.Task) (string, error) {
	ref := t.Configuration["Ref"]
	if ref == "" && t.Revision != nil {
		ref = t.Revision.Branch
	}
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	switch {
	case ref == "":
		return "", fmt.Errorf("no Ref is set, and the execution brings no branch of %s; set Ref to a branch or a tag, such as main", t.Configuration["FullRepositoryId"])
	case api.IsSHA(ref):
		return "", errors.New("the Ref is a commit; GitHub starts workflows on a branch or a tag only. Give the commit as an input and have the workflow check it out")
	case len(ref) > 255 || strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("~^:?*[\\", r) }):
		return "", fmt.Errorf("the Ref %s is no branch and no tag", words.Quoted(words.Cut(clean.Line(ref), 80)))
	}
	return ref, nil
}

// readInputs reads a JSON object of texts, numbers and truth values. GitHub takes texts.
func readInputs(text string) (map[string]string, error) {
	all := map[string]string{}
	if strings.TrimSpace(text) == "" {
		return all, nil
	}
	var given map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&given); err != nil || d.More() {
		return nil, errors.New(`the value of Inputs is no JSON object; write it as '{"environment": "production"}', or as keys and values`)
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch value := given[name].(type) {
		case string:
			all[name] = value
		case json.Number:
			all[name] = value.String()
		case bool:
			all[name] = strconv.FormatBool(value)
		default:
			return nil, fmt.Errorf("the input %s is no text, number or truth value", words.Quoted(name))
		}
	}
	return all, nil
}
