package vars

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Fill resolves every value of a configuration. The error names the key and
// what has no value.
func Fill(configuration map[string]string, value func(Ref) (string, bool)) (map[string]string, error) {
	filled := make(map[string]string, len(configuration))
	if len(configuration) == 0 {
		return filled, nil
	}
	for _, key := range slices.Sorted(maps.Keys(configuration)) {
		v, err := Resolve(configuration[key], value)
		if err != nil {
			return filled, fmt.Errorf("%s: %w", key, err)
		}
		filled[key] = v
	}
	return filled, nil
}

// FillCommands replaces the variables in command lines by variables of the
// environment, which it adds to env: a value is never part of a line that a
// shell reads, and is one word of it wherever it stands, see [Shell].
func FillCommands(commands []string, env map[string]string, value func(Ref) (string, bool)) ([]string, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	names := map[Ref]string{}
	places := Shell(commands)
	for _, p := range places {
		if p.Fault != nil {
			return nil, fmt.Errorf("commands: line %d: %w", p.Line+1, p.Fault)
		}
	}
	var lines []string
	for _, line := range commands {
		var missing error
		rewritten, err := Rewrite(line, func(r Ref) string {
			quote := len(places) > 0 && places[0].Quote
			places = places[min(1, len(places)):]
			name, known := names[r]
			if !known {
				name = fmt.Sprintf("ROLLCALL_VAR_%d", len(names)+1)
				names[r] = name
				v, ok := value(r)
				if !ok {
					missing = errors.Join(missing, fmt.Errorf("commands: %s has no value", r))
				}
				env[name] = v
			}
			if quote {
				return `"${` + name + `}"`
			}
			return "${" + name + "}"
		})
		if err != nil {
			return nil, fmt.Errorf("commands: %w", err)
		}
		if missing != nil {
			return nil, missing
		}
		lines = append(lines, rewritten)
	}
	return lines, nil
}

// inJSON is a value as it stands inside a text of JSON: it ends neither that text nor
// the object around it, whoever wrote it.
func inJSON(value string, ok bool) (string, bool) {
	quoted, err := json.Marshal(value)
	if err != nil || len(quoted) < 2 {
		return "", false
	}
	return string(quoted[1 : len(quoted)-1]), ok
}

// FillTask resolves the variables of a task, by what its execution knows.
func FillTask(t *work.Task, e *workflows.Execution) (err error) {
	value := func(r Ref) (string, bool) { return e.Value(r.Namespace, r.Key) }
	if t.Configuration, err = Fill(t.Action.Configuration, value); err != nil {
		return err
	}
	if text := t.Action.Configuration["Inputs"]; text != "" && t.Action.ActionType.Provider == "GitHubWorkflow" {
		if t.Configuration["Inputs"], err = Resolve(text, func(r Ref) (string, bool) { return inJSON(value(r)) }); err != nil {
			return fmt.Errorf("the key Inputs: %w", err)
		}
	}
	env := make(map[string]string, len(t.Action.EnvironmentVariables))
	for _, v := range t.Action.EnvironmentVariables {
		env[v.Name] = v.Value
	}
	if t.Environment, err = Fill(env, value); err != nil {
		return err
	}
	if err := fillApproval(&t.Action, value); err != nil {
		return err
	}
	maps.Copy(t.Environment, t.Names())
	t.Commands, err = FillCommands(t.Action.Commands, t.Environment, value)
	return err
}

// fillApproval resolves the issue in which a gate is answered. The policy is
// replaced, never written: it is the definition's.
func fillApproval(a *workflows.Action, value func(Ref) (string, bool)) error {
	if a.Approval == nil || a.Approval.Jira == nil || a.Approval.Jira.Issue == "" {
		return nil
	}
	const issue = "approval.jira.issue"
	filled, err := Fill(map[string]string{issue: a.Approval.Jira.Issue}, value)
	if err != nil {
		return err
	}
	policy, jira := *a.Approval, *a.Approval.Jira
	jira.Issue = strings.TrimSpace(filled[issue])
	policy.Jira, a.Approval = &jira, &policy
	return nil
}
