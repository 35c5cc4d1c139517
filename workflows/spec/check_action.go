package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// action checks what can be said of an action alone.
func (c *checker) action(i, j int) {
	a := c.p.Stages[i].Actions[j]
	at := func(path ...any) []any { return append([]any{"stages", i, "actions", j}, path...) }
	if a.RunOrder < 1 || a.RunOrder > 999 {
		c.fault(fmt.Sprintf("runOrder cannot be %d", a.RunOrder), "it is a whole number from 1 to 999", at("runOrder")...)
	}
	c.actionType(a, at)
	c.timeout(a, at)
	c.configuration(a, at)
	c.commands(a, at)
	c.environment(a, at)
	switch {
	case a.Approval == nil:
	case a.IsApproval():
		c.approval(a.Approval, at)
	case a.ActionType.Provider != "":
		c.fault("approval belongs to Manual actions", "remove it, or put a Manual action before this one", at("approval")...)
	}
}

func (c *checker) actionType(a workflows.Action, at func(...any) []any) {
	t := a.ActionType
	if t.Provider == "" {
		return
	}
	where := at("actionTypeId", "provider")
	r, ok := lookup(t.Provider, t.Category, t.Owner)
	if _, judges := lookup(t.Provider, rules, ""); t.Category == rules || judges && !ok && t.Category == "" {
		c.fault(t.Provider+" is a rule, not an action", "put it into a condition, such as beforeEntry: {result: FAIL, rules: […]}", where...)
		return
	}
	if !ok {
		known, exists := lookup(t.Provider, "", "")
		switch {
		case exists:
			c.fault(fmt.Sprintf("%s is no action type with category %q and owner %q", t.Provider, t.Category, t.Owner),
				fmt.Sprintf("write provider: %s, or category %s and owner %s", t.Provider, known.category, known.owner), where...)
		case t.Owner == "Custom":
			c.custom(a, at)
		default:
			c.fault("there is no provider "+words.Quoted(t.Provider), meant(t.Provider, providers(false)), where...)
		}
		return
	}
	if !r.runs {
		c.cannotRun(t.Provider, where)
	}
	c.artifactCount(t.Provider, "input", len(a.InputArtifacts), r.minIn, r.maxIn, at("inputArtifacts")...)
	c.artifactCount(t.Provider, "output", len(a.OutputArtifacts), r.minOut, r.maxOut, at("outputArtifacts")...)
}

// custom checks an action type that its users have made themselves.
func (c *checker) custom(a workflows.Action, at func(...any) []any) {
	t := a.ActionType
	c.name(t.Provider, "provider", "_-", 35, at("actionTypeId", "provider")...)
	categories := []string{"Source", "Build", "Test", "Deploy", "Approval", "Invoke", "Compute"}
	if !slices.Contains(categories, t.Category) {
		c.fault("there is no category "+words.Quoted(t.Category), meant(t.Category, categories), at("actionTypeId", "category")...)
	}
	c.artifactCount(t.Provider, "input", len(a.InputArtifacts), 0, 5, at("inputArtifacts")...)
	c.artifactCount(t.Provider, "output", len(a.OutputArtifacts), 0, 5, at("outputArtifacts")...)
	c.cannotRun(t.Provider, at("actionTypeId", "provider"))
}

// cannotRun warns of an action that this version does not carry out; one that AWS
// has retired is refused: it never ran again in AWS either.
func (c *checker) cannotRun(provider string, path []any) {
	switch why, instead, retired := Never(provider); {
	case retired:
		c.fault(provider+" actions cannot run: "+why, instead, path...)
		return
	case why != "":
		c.warn(c.root.at(path...), provider+" actions cannot run: "+why, instead)
		return
	}
	c.warn(c.root.at(path...), provider+" actions cannot run yet: an execution fails when it comes to this one", "docs/pipelines.md lists those that can")
}

func (c *checker) artifactCount(provider, which string, n, least, most int, path ...any) {
	if n >= least && n <= most {
		return
	}
	want := fmt.Sprintf("%d to %d %s artifacts", least, most, which)
	switch {
	case most == 0:
		want = "no " + which + " artifacts"
	case least == most:
		want = count(least, which+" artifact")
	}
	hint := fmt.Sprintf("remove %d", n-most)
	if n < least {
		hint = fmt.Sprintf("such as %sArtifacts: [app]", which)
	}
	c.fault(fmt.Sprintf("%s actions have %s, this one has %d", provider, want, n), hint, path...)
}

func (c *checker) timeout(a workflows.Action, at func(...any) []any) {
	if c.root.find(at("timeoutInMinutes")...) == nil || a.ActionType.Provider == "" {
		return
	}
	_, known := lookup(a.ActionType.Provider, "", "")
	least := 1
	if a.IsApproval() {
		least = 5
	}
	switch {
	case !known && a.ActionType.Owner != "Custom":
	case !Runs(a.ActionType):
		c.fault("timeoutInMinutes does not work on "+a.ActionType.Provider+" actions", "remove it; the provider has its own limit", at("timeoutInMinutes")...)
	case a.TimeoutMinutes < least || a.TimeoutMinutes > 86400:
		c.fault(fmt.Sprintf("timeoutInMinutes cannot be %d", a.TimeoutMinutes), fmt.Sprintf("it is from %d to 86400, which is 60 days", least), at("timeoutInMinutes")...)
	}
}

func (c *checker) configuration(a workflows.Action, at func(...any) []any) {
	provider := a.ActionType.Provider
	r, ok := lookup(provider, a.ActionType.Category, a.ActionType.Owner)
	r.anyKey = r.anyKey || !ok
	c.keys(provider, r, a.Configuration, 1000, at, func(key, value string) (message, hint string) {
		switch {
		case provider == "CodePipeline" && ok:
			return c.invokeFault(key, value)
		case provider == "GitHubWorkflow" && key != "FullRepositoryId":
			return workflowFault(key, value)
		}
		return valueFault(a, key, value)
	})
	if a.Configuration["OAuthToken"] != "" && a.ActionType.Provider == "GitHub" {
		c.warn(c.root.at(at("configuration", "OAuthToken")...), "OAuthToken is not read: no secret belongs in a pipeline file", "github.token of the service's configuration is used")
	}
	if f := a.Configuration["OutputArtifactFormat"]; f == "CODEBUILD_CLONE_REF" && runsHere(a.ActionType.Provider) {
		c.warn(c.root.at(at("configuration", "OutputArtifactFormat")...), f+" is not known here: the artifact holds the files", "remove the key")
	}
}

// keys checks a configuration: which keys, how long, and what fault says of a value.
func (c *checker) keys(provider string, r row, configuration map[string]string, longest int, at func(...any) []any, fault func(key, value string) (message, hint string)) {
	for _, key := range words.Keys(configuration) {
		value, where := configuration[key], at("configuration", key)
		switch {
		case !r.anyKey && !slices.Contains(r.keys, key):
			c.fault(fmt.Sprintf("%s has no configuration key %s", provider, words.Quoted(key)), orThe(meant(key, r.keys), "it needs no configuration"), where...)
		case key == "" || len(key) > 50:
			c.fault("a configuration key has from 1 to 50 characters", "shorten it", where...)
		case value == "":
			c.fault(key+" is empty", "remove it, or give it a value", where...)
		case len([]rune(value)) > longest:
			c.fault(fmt.Sprintf("%s has more than %d characters", key, longest), "put long texts into a file of the repository", where...)
		default:
			if message, hint := fault(key, value); message != "" {
				c.fault(message, hint, where...)
			}
		}
	}
	for _, key := range r.required {
		if _, given := configuration[key]; !given {
			c.fault(fmt.Sprintf("%s needs the configuration key %s", provider, key), "add configuration: {"+key+": …}", at("configuration")...)
		}
	}
}

// invokeFault says what is wrong with the configuration of an action that
// starts another pipeline. Its lists are JSON text; variables stand inside.
func (c *checker) invokeFault(key, value string) (message, hint string) {
	var items []map[string]string
	var want []string
	switch key {
	case "PipelineName":
		if value == c.p.Name {
			return "the pipeline starts itself", "it would never end; name another pipeline"
		}
		if !strings.Contains(value, "#{") && (!madeOf(value, inNames) || len(value) > 100) {
			return "PipelineName cannot be " + words.Quoted(value), "use letters, digits and . @ - _"
		}
		return "", ""
	case "Variables":
		want = []string{"name", "value"}
	case "SourceRevisions":
		want = []string{"actionName", "revisionType", "revisionValue"}
	default:
		return "", ""
	}
	example := `[{"` + strings.Join(want, `": "…", "`) + `": "…"}]`
	d := json.NewDecoder(strings.NewReader(value))
	if err := d.Decode(&items); err != nil || d.More() {
		return key + " is not a list in JSON", "write it as text: '" + example + "'"
	}
	for _, item := range items {
		for _, k := range want {
			if item[k] == "" {
				return fmt.Sprintf("an entry of %s has no %s", key, k), "each is as in " + example
			}
		}
		if len(item) > len(want) {
			return "an entry of " + key + " has keys that mean nothing", "each is as in " + example
		}
	}
	if len(items) < 1 || len(items) > 50 {
		return fmt.Sprintf("%s has %s", key, count(len(items), "entry")), "it has from 1 to 50"
	}
	return "", ""
}

// valueFault says what is wrong with a value that our own runners read. What
// holds a variable is only known when the action starts.
func valueFault(a workflows.Action, key, value string) (message, hint string) {
	if key == "Repository" {
		if message, hint = source.Fault(value); message != "" {
			return message, hint
		}
	}
	if strings.Contains(value, "#{") {
		return "", ""
	}
	switch key {
	case "Repository", "BranchName", "FullRepositoryId":
		if !runsHere(a.ActionType.Provider) {
			return "", ""
		}
		owner, name, slash := strings.Cut(value, "/")
		switch a.ActionType.Provider {
		case "CodeStarSourceConnection", "GitLab": // GitLab's groups have groups
			owner, name = path.Split(value)
			owner = strings.ReplaceAll(strings.TrimSuffix(owner, "/"), "/", "-")
		case "Bitbucket": // a person's own repositories at Data Center
			owner = strings.TrimPrefix(owner, "~")
		}
		switch {
		case strings.HasPrefix(value, "-") || strings.ContainsAny(value, " \t\r\n"):
			return fmt.Sprintf("%s cannot be %s", key, words.Quoted(value)), "it has no spaces and does not begin with -"
		case key == "BranchName" && strings.HasPrefix(value, "refs/"):
			return fmt.Sprintf("BranchName cannot be %s", words.Quoted(value)), "write the name alone, such as main"
		case key == "FullRepositoryId" && (!slash || !madeOf(owner, "-_.") || !madeOf(name, "-_.") || owner == "" || name == ""):
			return fmt.Sprintf("FullRepositoryId cannot be %s", words.Quoted(value)), "write owner/name, such as acme/webshop"
		}
	case "DetectChanges", "PollForSourceChanges":
		if !slices.Contains([]string{"true", "false"}, strings.ToLower(value)) && runsHere(a.ActionType.Provider) {
			return fmt.Sprintf("%s must be true or false, not %s", key, words.Quoted(value)), "write true or false"
		}
	case "ExternalEntityLink":
		if a.IsApproval() && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://") {
			return "ExternalEntityLink must be a link", "it begins with https://"
		}
	case "seconds":
		if waitSeconds(&a) < 0 {
			return "seconds must be a number from 0 to a year, not " + words.Quoted(value), "such as seconds: 30"
		}
	case "outcome":
		if a.ActionType.Provider == "Wait" && value != "succeed" && value != "fail" {
			return "outcome cannot be " + words.Quoted(value), meant(value, []string{"succeed", "fail"})
		}
	}
	return "", ""
}

// waitSeconds is how long a Wait action takes: 0 when that is not known yet, -1 for nonsense.
func waitSeconds(a *workflows.Action) float64 {
	text := strings.TrimSpace(a.Configuration["seconds"])
	if a.ActionType.Provider != "Wait" || text == "" || strings.Contains(text, "#{") {
		return 0
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > 365*24*3600 {
		return -1
	}
	return seconds
}
