package actions

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// readFile reads what a workflow's file says of starts by hand: whether there may be any,
// and the inputs that it knows; true: a start must give them.
type readFile func(file []byte) (manual bool, inputs map[string]bool, err error)

// Checks asks GitHub whether the workflows are there that actions run, and take
// their inputs; about names each action. read reads the file of a workflow. It changes
// nothing; whether the token may dispatch is known only of an app and of a classic token.
func Checks(ctx context.Context, o Options, actions map[string]*workflows.Action, read readFile) []selftest.Result {
	client, err := api.New(o.APIURL, o.Token, o.App, o.Transport)
	if err != nil {
		return nil // the other checks say so
	}
	checks := make([]selftest.Result, 0, len(actions))
	for _, about := range words.Keys(actions) {
		check := workflowCheck(ctx, client, actions[about], read)
		check.About = about
		checks = append(checks, check)
	}
	return checks
}

func workflowCheck(ctx context.Context, client *github.Client, a *workflows.Action, read readFile) selftest.Result {
	check := selftest.Result{Status: selftest.Failed}
	c := a.Configuration
	owner, name, err := api.SplitRepository(c["FullRepositoryId"])
	file, nameErr := workflowName(c["Workflow"])
	if err != nil || nameErr != nil {
		return selftest.Result{Status: selftest.Skipped, Message: "which workflow it runs is known when it starts"} // variables
	}
	var at *github.Workflow
	if id, notNumber := runOf(file); notNumber == nil {
		at, _, err = client.Actions.GetWorkflowByID(ctx, owner, name, id)
	} else {
		at, _, err = client.Actions.GetWorkflowByFileName(ctx, owner, name, file)
	}
	if err != nil {
		check.Message = "the workflow " + file + " of " + owner + "/" + name + " cannot be read: " + api.Said(err)
		check.Fix = []string{"check Workflow and FullRepositoryId, and give the token or app the permission Actions: read and write on the repository"}
		return check
	}
	if at.GetState() != "active" {
		check.Message, check.Fix = "the workflow "+file+" is "+strings.ReplaceAll(at.GetState(), "_", " "), []string{"enable it under Actions of " + owner + "/" + name}
		return check
	}
	ref := c["Ref"]
	if strings.Contains(ref, "#{") {
		ref = ""
	}
	content, _, _, err := client.Repositories.GetContents(ctx, owner, name, at.GetPath(), &github.RepositoryContentGetOptions{Ref: ref})
	if err != nil || content == nil {
		return selftest.Result{Status: selftest.Unknown, Message: "the workflow is there; what it takes could not be read: " + api.Said(err), Fix: []string{"to know it here, give the token or app the permission Contents: read"}}
	}
	text, err := content.GetContent()
	var manual bool
	var inputs map[string]bool
	if err == nil {
		manual, inputs, err = read([]byte(text))
	}
	if err != nil {
		return selftest.Result{Status: selftest.Unknown, Message: "the workflow is there; its file cannot be read: " + err.Error()}
	}
	return inputsCheck(a, file, manual, inputs)
}

// inputsCheck compares what an action gives with what the workflow takes.
func inputsCheck(a *workflows.Action, file string, manual bool, inputs map[string]bool) selftest.Result {
	check := selftest.Result{Status: selftest.Failed}
	given, err := readInputs(a.Configuration["Inputs"])
	if name := a.Configuration["CorrelationInput"]; err == nil && name != "" {
		given[name] = ""
	}
	var unknown, missing []string
	for _, name := range words.Keys(given) {
		if _, known := inputs[name]; !known {
			unknown = append(unknown, name)
		}
	}
	for _, name := range words.Keys(inputs) {
		if _, is := given[name]; inputs[name] && !is {
			missing = append(missing, name)
		}
	}
	switch {
	case err != nil:
		check.Message = err.Error()
	case !manual:
		check.Message, check.Fix = file+" has no workflow_dispatch, so it cannot be started", []string{"add workflow_dispatch under on: in the file"}
	case len(unknown) > 0:
		check.Message, check.Fix = file+" knows no input "+strings.Join(unknown, ", "), []string{"take them out of the action, or add them under workflow_dispatch"}
		if known := words.Keys(inputs); len(known) > 0 {
			check.Message += "; it knows " + strings.Join(known, ", ")
		}
	case len(missing) > 0:
		check.Message, check.Fix = fmt.Sprintf("%s needs the input %s", file, strings.Join(missing, ", ")), []string{"add it to Inputs of the action"}
	default:
		check.Status, check.Message = selftest.OK, file+" can be started with these inputs; whether the token may do that (Actions: write) shows when it does"
	}
	return check
}
