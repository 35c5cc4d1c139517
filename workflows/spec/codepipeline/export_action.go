package codepipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// action is an action as AWS takes it.
func (e *exporter) action(s *workflows.Stage, a *workflows.Action) action {
	where := s.Name + "/" + a.Name
	out := action{
		Name: a.Name, ActionTypeID: a.ActionType, RunOrder: a.RunOrder, Namespace: a.Namespace, Configuration: maps.Clone(a.Configuration),
		Commands: a.Commands, InputArtifacts: artifacts(a.InputArtifacts), OutputArtifacts: a.OutputArtifacts, OutputVariables: a.OutputVariables,
		Region: a.Region, RoleArn: a.RoleArn,
	}
	e.actionType(where, a, &out)
	if a.IsApproval() && a.TimeLimit() != 7*24*time.Hour {
		out.TimeoutMinutes = a.TimeoutMinutes
	}
	for _, v := range a.EnvironmentVariables {
		if v.Value != "" && v.Type != "PARAMETER_STORE" && len(out.EnvironmentVariables) < 10 {
			out.EnvironmentVariables = append(out.EnvironmentVariables, v)
		}
	}
	e.long(where, a.Commands)
	if a.ActionType.Provider == "Commands" && (len(a.InputArtifacts) == 0 || len(a.OutputArtifacts) > 1) {
		e.note(where, Needs, "AWS's Commands take from 1 to 10 input artifacts and make at most 1", "give it an input artifact, or make several actions of it")
	}
	if len(a.OutputVariables) > 15 {
		e.note(where, Needs, fmt.Sprintf("it has %d output variables; AWS takes 15", len(a.OutputVariables)), "leave some out")
	}
	for _, o := range a.OutputArtifacts {
		if len(o.Files) > 10 {
			e.note(where, Needs, fmt.Sprintf("the artifact %s has %d files; AWS takes 10", o.Name, len(o.Files)), "make fewer patterns of them")
		}
	}
	return out
}

// long notes commands that AWS does not take.
func (e *exporter) long(where string, commands []string) {
	if len(commands) > 50 || slices.ContainsFunc(commands, func(c string) bool { return len([]rune(c)) > 1000 }) {
		e.note(where, Needs, "AWS takes at most 50 commands of 1000 characters", "put them into a script of the repository")
	}
}

// actionType finds AWS's counterpart of an action type.
func (e *exporter) actionType(where string, a *workflows.Action, out *action) {
	t := a.ActionType
	repository := repositoryOf(a)
	switch {
	case t.Owner == "AWS" && t.Provider == "Commands":
		out.ActionTypeID.Category = "Compute"
	case t.Provider == connection:
		e.connect(where, out, a.Configuration["FullRepositoryId"])
	case t.Owner == "ThirdParty" && t.Provider == "GitHub":
		owner, name, _ := strings.Cut(a.Configuration["FullRepositoryId"], "/")
		out.Configuration = map[string]string{"Owner": owner, "Repo": name, "Branch": a.Configuration["BranchName"], "OAuthToken": someToken}
		if poll := a.Configuration["PollForSourceChanges"]; poll != "" {
			out.Configuration["PollForSourceChanges"] = poll
		}
		e.note(where, Needs, "the token for GitHub is not known here: "+someToken+" stands for it, or the template's parameter GitHubToken", "a connection is better: AWS calls this action type version 1 and advises against it")
	case t.Owner == "Rollcall" && repository != "":
		out.ActionTypeID = workflows.ActionType{Category: "Source", Owner: "AWS", Provider: connection, Version: "1"}
		e.connect(where, out, repository)
		e.note(where, Same, t.Provider+" is "+connection+" there", "")
		e.outputs(where, a)
	case t.Owner == "Rollcall":
		out.ActionTypeID.Owner, out.ActionTypeID.Provider = "Custom", "Rollcall-"+t.Provider
		e.note(where, NoMatch, t.Provider+" is rollcall's own: it stands there as a custom action type, which AWS refuses until somebody makes it", "put an action of AWS in its place")
	case t.Owner == "Custom" || !spec.Known(t):
		e.note(where, Needs, "the custom action type "+words.Quoted(t.Provider)+" must be there", "aws codepipeline create-custom-action-type")
	}
}

// repositoryOf is the repository of a source of ours at a host that AWS has connections to.
func repositoryOf(a *workflows.Action) string {
	switch a.ActionType.Provider {
	case "GitHub", "Bitbucket", "GitLab":
		return a.Configuration["FullRepositoryId"]
	case "Git":
		for _, host := range []string{"https://github.com/", "https://gitlab.com/", "https://bitbucket.org/"} {
			if rest, ok := strings.CutPrefix(strings.TrimSuffix(a.Configuration["Repository"], ".git"), host); ok && strings.Count(rest, "/") == 1 {
				return rest
			}
		}
	}
	return ""
}

// connect makes the configuration of a source that AWS reads over a connection.
func (e *exporter) connect(where string, out *action, repository string) {
	c := map[string]string{"FullRepositoryId": repository}
	for _, key := range []string{"BranchName", "DetectChanges", "OutputArtifactFormat", "ConnectionArn"} {
		if v := out.Configuration[key]; v != "" {
			c[key] = v
		}
	}
	if poll := out.Configuration["PollForSourceChanges"]; poll != "" && c["DetectChanges"] == "" {
		c["DetectChanges"] = poll
	}
	if c["ConnectionArn"] == "" {
		c["ConnectionArn"] = e.or(e.known.ConnectionArn, someConnection, where, "the connection to the repository", "ConnectionArn")
	}
	out.Configuration = c
}

// outputs notes the variables of a source that AWS's source does not give.
func (e *exporter) outputs(where string, a *workflows.Action) {
	given := []string{"AuthorDate", "AuthorDisplayName", "AuthorEmail", "AuthorId", "BranchName", "CommitId", "CommitMessage", "ConnectionArn", "FullRepositoryName", "ProviderType"}
	all, _ := source.Outputs(a)
	for _, key := range all {
		ref := "#{" + a.Namespace + "." + key + "}"
		if a.Namespace == "" || slices.Contains(given, key) || !strings.Contains(string(spec.Print(e.p)), ref) {
			continue
		}
		e.note(where, Needs, ref+" is used, and "+connection+" does not give it", "use one of "+strings.Join(given, ", "))
	}
}
