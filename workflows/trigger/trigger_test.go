package trigger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
)

// pipeline has one GitHub source action, App, on acme/webshop's main, and these triggers.
func pipeline(triggers ...workflows.GitConfiguration) *workflows.Pipeline {
	p := &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{
		{Name: "Source", Actions: []workflows.Action{source("App", "GitHub", "acme/webshop", "main")}},
		{Name: "Build", Actions: []workflows.Action{{Name: "Test", ActionType: workflows.ActionType{Category: "Compute", Provider: "Commands"}}}},
	}}
	for _, g := range triggers {
		p.Triggers = append(p.Triggers, workflows.Trigger{ProviderType: "CodeStarSourceConnection", Git: &g})
	}
	return p
}

func source(name, provider, repository, branch string) workflows.Action {
	key := "FullRepositoryId"
	if provider == "Git" {
		key = "Repository"
	}
	return workflows.Action{
		Name:          name,
		ActionType:    workflows.ActionType{Category: "Source", Provider: provider},
		Configuration: map[string]string{key: repository, "BranchName": branch},
	}
}

func pushes(filters ...workflows.GitFilter) workflows.GitConfiguration {
	return workflows.GitConfiguration{SourceActionName: "App", Push: filters}
}

func pulls(filters ...workflows.GitFilter) workflows.GitConfiguration {
	return workflows.GitConfiguration{SourceActionName: "App", PullRequest: filters}
}

func includes(patterns ...string) *workflows.Patterns { return &workflows.Patterns{Includes: patterns} }
func excludes(patterns ...string) *workflows.Patterns { return &workflows.Patterns{Excludes: patterns} }

func push(branch string, files ...string) trigger.Event {
	return trigger.Event{Provider: "GitHub", Kind: "push", Repository: "acme/webshop", Branch: branch, Files: files}
}

func tag(name string) trigger.Event {
	return trigger.Event{Provider: "GitHub", Kind: "push", Repository: "acme/webshop", Tag: name}
}

func pull(event, base string, files ...string) trigger.Event {
	return trigger.Event{Provider: "GitHub", Kind: "pull_request", PullEvent: event, Repository: "acme/webshop", Branch: base, Files: files}
}

func with(e trigger.Event, change func(*trigger.Event)) trigger.Event {
	change(&e)
	return e
}

func created(e *trigger.Event) { e.Created, e.Files = true, nil }
func deleted(e *trigger.Event) { e.Deleted = true }
func forked(e *trigger.Event)  { e.Fork = true }

// Cases that begin with a number are scenarios of docs/conformance.md.
func TestMatch(t *testing.T) {
	mainAndSrc := pushes(workflows.GitFilter{Branches: includes("main"), FilePaths: includes("src/**")})
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("docs/%d.md", i))
	}

	for _, c := range []struct {
		about string
		p     *workflows.Pipeline
		e     trigger.Event
		want  bool
		why   string
	}{
		{"without triggers: a push to the source's branch", pipeline(), push("main"), true, "push to main"},
		{"another branch", pipeline(), push("dev"), false, "App follows main, this is push to dev"},
		{"the first push of the branch", pipeline(), with(push("main"), created), true, "push to main"},
		{"a tag", pipeline(), tag("v1"), false, "App starts on pushes to main only, this is tag v1"},
		{"a pull request", pipeline(), pull("OPEN", "main"), false, "App starts on pushes to main only, this is pull request to main"},
		{"the deleted branch", pipeline(), with(push("main"), deleted), false, "branch main was deleted"},

		{"94 main and src/**, README.md changed", pipeline(mainAndSrc), push("main", "README.md"), false, "none of 1 changed file matches"},
		{"94 main and src/**, src changed too", pipeline(mainAndSrc), push("main", "README.md", "src/a"), true, "push to main"},
		{"94 main and src/**, on another branch", pipeline(mainAndSrc), push("dev", "src/a"), false, "branch dev does not match"},
		{"95 in includes and excludes", pipeline(pushes(workflows.GitFilter{Branches: &workflows.Patterns{Includes: []string{"*"}, Excludes: []string{"main"}}})),
			push("main"), false, "branch main does not match"},
		{"95 the second filter matches", pipeline(pushes(workflows.GitFilter{Branches: includes("release/*")}, workflows.GitFilter{Branches: includes("main")})),
			push("main"), true, "push to main"},
		{"95 none of two filters matches", pipeline(pushes(workflows.GitFilter{Tags: includes("v*")}, workflows.GitFilter{Branches: includes("release/*")})),
			push("main"), false, "the filter is for tags, this is branch main, branch main does not match"},
		{"96 a new branch with a filter for files", pipeline(mainAndSrc), with(push("main"), created), false, "the first push of a branch has no changed files to compare"},
		{"96 a new branch without", pipeline(pushes(workflows.GitFilter{Branches: includes("ma*")})), with(push("main"), created), true, "push to main"},
		{"96 only the 101st file matches", pipeline(mainAndSrc), push("main", append(slices.Clone(many), "src/a")...), false, "none of the first 100 of 101 changed files matches"},
		{"96 the 100th file matches", pipeline(mainAndSrc), push("main", append(slices.Clone(many[1:]), "src/a", "docs/0.md")...), true, "push to main"},
		{"96 none of many", pipeline(mainAndSrc), push("main", many...), false, "none of 100 changed files matches"},
		{"C8 files that nobody knows", pipeline(mainAndSrc), push("main"), true, "push to main; which files changed is not known, so no filter was asked about them"},
		{"C8 a filter without files matches all the same", pipeline(pushes(workflows.GitFilter{FilePaths: includes("src/**")}, workflows.GitFilter{})), push("main"), true, "push to main"},
		{"C8 nothing differs", pipeline(mainAndSrc), with(push("main"), func(e *trigger.Event) { e.Files = []string{} }), false, "none of 0 changed files matches"},
		{"only excluded files", pipeline(pushes(workflows.GitFilter{FilePaths: excludes("docs/**")})), push("main", "docs/a"), false, "none of 1 changed file matches"},
		{"everything but excluded files", pipeline(pushes(workflows.GitFilter{FilePaths: excludes("docs/**")})), push("any", "docs/a", "src/b"), true, "push to any"},

		{"a tag's filter", pipeline(pushes(workflows.GitFilter{Tags: includes("v*")})), tag("v1.2"), true, "tag v1.2"},
		{"another tag", pipeline(pushes(workflows.GitFilter{Tags: includes("v*")})), tag("nightly"), false, "tag nightly does not match"},
		{"a branch's filter and a tag", pipeline(pushes(workflows.GitFilter{Branches: includes("*")})), tag("v1"), false, "the filter is for branches, this is tag v1"},
		{"a deleted tag", pipeline(pushes(workflows.GitFilter{Tags: includes("v*")})), with(tag("v1"), deleted), false, "tag v1 was deleted"},

		{"97 the base branch counts", pipeline(pulls(workflows.GitFilter{Branches: includes("main")})), pull("OPEN", "main"), true, "pull request to main"},
		{"97 another base", pipeline(pulls(workflows.GitFilter{Branches: includes("main")})), pull("OPEN", "dev"), false, "branch dev does not match"},
		{"97 labeled is ignored", pipeline(pulls(workflows.GitFilter{})), pull("labeled", "main"), false, "only opening, updating and closing a pull request count"},
		{"97 a merge is CLOSED", pipeline(pulls(workflows.GitFilter{Events: []string{"CLOSED"}})), pull("CLOSED", "main"), true, "pull request to main"},
		{"97 not the event asked for", pipeline(pulls(workflows.GitFilter{Events: []string{"OPEN", "UPDATED"}})), pull("CLOSED", "main"), false, "the filter is for OPEN, UPDATED, this is CLOSED"},
		{"97 a fork starts nothing", pipeline(pulls(workflows.GitFilter{})), with(pull("OPEN", "main"), forked), false, "it comes from a fork, whose code is not run here"},
		{"97 push and pull request filters are alternatives", pipeline(workflows.GitConfiguration{SourceActionName: "App", Push: []workflows.GitFilter{{Tags: includes("v*")}}, PullRequest: []workflows.GitFilter{{}}}),
			pull("CLOSED", "main"), true, "pull request to main"},
		{"97 files of a pull request that nobody knows", pipeline(pulls(workflows.GitFilter{FilePaths: includes("src/*")})), pull("OPEN", "main"), true, "pull request to main; which files changed is not known, so no filter was asked about them"},
		{"97 files of a pull request", pipeline(pulls(workflows.GitFilter{FilePaths: includes("src/*")})), pull("UPDATED", "main", "src/a"), true, "pull request to main"},
		{"a push, and filters for pull requests only", pipeline(pulls(workflows.GitFilter{})), push("main"), false, "the trigger of App has no filter for push to main"},
		{"a pull request, and filters for pushes only", pipeline(mainAndSrc), pull("OPEN", "main"), false, "the trigger of App has no filter for pull request to main"},

		{"98 a trigger on dev turns off BranchName main", pipeline(pushes(workflows.GitFilter{Branches: includes("dev")})), push("main"), false, "branch main does not match"},
		{"98 and starts on dev", pipeline(pushes(workflows.GitFilter{Branches: includes("dev")})), push("dev"), true, "push to dev"},
		{"a trigger without filters follows the branch", pipeline(workflows.GitConfiguration{SourceActionName: "App"}), push("main"), true, "push to main"},
		{"a trigger of another source leaves this one alone", pipeline(workflows.GitConfiguration{SourceActionName: "Lib"}), push("main"), true, "push to main"},

		{"another repository", pipeline(), with(push("main"), func(e *trigger.Event) { e.Repository = "acme/docs" }), false, "no source action reads acme/docs"},
	} {
		t.Run(c.about, func(t *testing.T) {
			action, ok, why := trigger.Match(c.p, c.e)
			if ok != c.want || why != c.why {
				t.Errorf("got %v, %q; want %v, %q", ok, why, c.want, c.why)
			}
			if ok != (action == "App") {
				t.Errorf("the source action is %q", action)
			}
		})
	}
}

func TestDetectionCanBeTurnedOff(t *testing.T) {
	for key, value := range map[string]string{"DetectChanges": "false", "PollForSourceChanges": "False"} {
		p := pipeline()
		p.Stages[0].Actions[0].Configuration[key] = value
		if _, ok, why := trigger.Match(p, push("main")); ok || why != "App does not detect changes ("+key+" is false)" {
			t.Errorf("%s: got %v, %q", key, ok, why)
		}
		p.Triggers = pipeline(pushes(workflows.GitFilter{Branches: includes("main")})).Triggers
		if _, ok, _ := trigger.Match(p, push("main")); !ok {
			t.Errorf("%s turned a trigger off", key)
		}
	}
}

func TestRepositories(t *testing.T) {
	for _, c := range []struct {
		provider, repository string // of the source action
		from, event          string // provider and repository of the event
		want                 bool
	}{
		{"GitHub", "acme/webshop", "GitHub", "acme/webshop", true},
		{"GitHub", "Acme/WebShop", "GitHub", "acme/webshop", true},
		{"CodeStarSourceConnection", "acme/webshop", "GitHub", "acme/webshop", true},
		{"GitHub", "acme/webshop", "GitHub", "acme/webshop2", false},
		{"GitHub", "acme/webshop", "Git", "acme/webshop", false},
		{"GitHub", "", "GitHub", "", false},
		{"Git", "https://git.example/acme/webshop.git", "Git", "https://git.example/acme/webshop", true},
		{"Git", "https://git.example/acme/webshop/", "Git", "https://git.example/acme/webshop.git/", true},
		{"Git", "/srv/webshop", "Git", "/srv/webshop/", true},
		{"Git", "/srv/WebShop", "Git", "/srv/webshop", false},
		{"Git", "/srv/webshop", "GitHub", "/srv/webshop", false},
		{"S3", "acme/webshop", "GitHub", "acme/webshop", false},
	} {
		p := pipeline()
		p.Stages[0].Actions[0] = source("App", c.provider, c.repository, "main")
		e := trigger.Event{Provider: c.from, Kind: "push", Repository: c.event, Branch: "main"}
		if got := trigger.Follows(p, e); got != c.want {
			t.Errorf("%s %s follows %s %s: got %v", c.provider, c.repository, c.from, c.event, got)
		}
		if _, got, _ := trigger.Match(p, e); got != c.want {
			t.Errorf("%s %s, push to %s %s: started %v", c.provider, c.repository, c.from, c.event, got)
		}
	}
}

func TestSeveralSourceActions(t *testing.T) {
	p := pipeline(workflows.GitConfiguration{SourceActionName: "App", Push: []workflows.GitFilter{{Branches: includes("main")}}})
	p.Stages[0].Actions = append(p.Stages[0].Actions, source("Next", "GitHub", "acme/webshop", "next"), source("Lib", "GitHub", "acme/lib", "main"))

	for branch, want := range map[string]string{"main": "App", "next": "Next"} {
		if got, ok, why := trigger.Match(p, push(branch)); !ok || got != want {
			t.Errorf("push to %s: got %s, %v, %s", branch, got, ok, why)
		}
	}
	_, ok, why := trigger.Match(p, push("dev"))
	if want := "branch dev does not match; Next follows next, this is push to dev"; ok || why != want {
		t.Errorf("got %v, %q; want %q", ok, why, want)
	}
	if trigger.Follows(&workflows.Pipeline{Name: "empty"}, push("main")) {
		t.Error("a pipeline without stages follows something")
	}
}

// 95: however many entries match, the pipeline is named once, with one source action.
func TestSeveralEntriesStartOnce(t *testing.T) {
	all := workflows.GitFilter{Branches: includes("**")}
	p := pipeline(pushes(all, all), pushes(all))
	if action, ok, why := trigger.Match(p, push("main")); action != "App" || !ok || why != "push to main" {
		t.Errorf("got %s, %v, %q", action, ok, why)
	}
}

// The files of a pull request cost a question, which is only asked where the answer matters.
func TestNeedsFiles(t *testing.T) {
	src := includes("src/**")
	for _, c := range []struct {
		about string
		p     *workflows.Pipeline
		e     trigger.Event
		want  bool
	}{
		{"a filter for files", pipeline(pulls(workflows.GitFilter{FilePaths: src})), pull("OPEN", "main"), true},
		{"the second filter wants them", pipeline(pulls(workflows.GitFilter{Branches: includes("x")}, workflows.GitFilter{FilePaths: src})), pull("OPEN", "main"), true},
		{"a filter without files starts it anyway", pipeline(pulls(workflows.GitFilter{}, workflows.GitFilter{FilePaths: src})), pull("OPEN", "main"), false},
		{"of another base branch", pipeline(pulls(workflows.GitFilter{Branches: includes("dev"), FilePaths: src})), pull("OPEN", "main"), false},
		{"of another event", pipeline(pulls(workflows.GitFilter{Events: []string{"CLOSED"}, FilePaths: src})), pull("OPEN", "main"), false},
		{"of another repository", pipeline(pulls(workflows.GitFilter{FilePaths: src})), with(pull("OPEN", "main"), func(e *trigger.Event) { e.Repository = "acme/docs" }), false},
		{"from a fork", pipeline(pulls(workflows.GitFilter{FilePaths: src})), with(pull("OPEN", "main"), forked), false},
		{"known already, and the filter does not match", pipeline(pulls(workflows.GitFilter{FilePaths: src})), pull("OPEN", "main", "README.md"), true},
		{"no filters at all", pipeline(), pull("OPEN", "main"), false},
	} {
		if got := trigger.NeedsFiles(c.p, c.e); got != c.want {
			t.Errorf("%s: got %v", c.about, got)
		}
	}
}

// 99, first half: PollForSourceChanges left out on S3 means polling.
func TestPolls99(t *testing.T) {
	for _, c := range []struct {
		provider, key, value string
		want                 bool
	}{
		{"S3", "", "", true},
		{"S3", "PollForSourceChanges", "true", true},
		{"S3", "PollForSourceChanges", "False", false},
		{"CodeCommit", "", "", true},
		{"CodeCommit", "PollForSourceChanges", "false", false},
		{"Git", "", "", true},
		{"Git", "PollForSourceChanges", "false", false},
		{"Git", "DetectChanges", "false", false},
		{"GitHub", "", "", false},
		{"GitHub", "PollForSourceChanges", "True", true},
		{"GitHub", "PollForSourceChanges", "false", false},
		{"CodeStarSourceConnection", "", "", false},
		{"CodeStarSourceConnection", "PollForSourceChanges", "true", true},
		{"ECR", "", "", false},
	} {
		a := source("App", c.provider, "acme/webshop", "main")
		if c.key != "" {
			a.Configuration[c.key] = c.value
		}
		if got := a.Polls(); got != c.want {
			t.Errorf("%s with %s %q: got %v", c.provider, c.key, c.value, got)
		}
	}
	if deploy := (&workflows.Action{ActionType: workflows.ActionType{Category: "Deploy", Provider: "S3"}}); deploy.Polls() {
		t.Error("a deployment to S3 is polled")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("main", "refs", "src/a", "src/**", "m*", true)
	f.Add("", "v1", "", "[!a-c]", "{a,b}", false)
	f.Fuzz(func(t *testing.T, branch, tagged, file, include, exclude string, isPull bool) {
		filter := workflows.GitFilter{Branches: includes(include), FilePaths: excludes(exclude)}
		p := pipeline(workflows.GitConfiguration{SourceActionName: "App", Push: []workflows.GitFilter{filter}, PullRequest: []workflows.GitFilter{filter}})
		e := push(branch, file)
		if e.Tag = tagged; isPull {
			e = pull("OPEN", branch, file)
		}
		action, ok, why := trigger.Match(p, e)
		if ok != (action == "App") || why == "" {
			t.Fatalf("got %q, %v, %q", action, ok, why)
		}
		if e.Fork = true; ok {
			if _, ok, _ := trigger.Match(p, e); ok {
				t.Fatal("a fork starts it")
			}
		}
	})
}

// An image is followed by its tag, an object by its key, a branch by its name:
// what was pushed elsewhere starts nothing.
func TestWhatASourceActionFollows(t *testing.T) {
	action := func(provider string, configuration ...string) *workflows.Pipeline {
		a := workflows.Action{Name: "App", ActionType: workflows.ActionType{Category: "Source", Provider: provider}, Configuration: map[string]string{}}
		for i := 0; i < len(configuration); i += 2 {
			a.Configuration[configuration[i]] = configuration[i+1]
		}
		return &workflows.Pipeline{Name: "webshop", Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{a}}}}
	}
	tagged := action("ECR", "RepositoryName", "shop", "ImageTag", "prod")
	latest := action("ECR", "RepositoryName", "shop")
	object := action("S3", "S3Bucket", "acme", "S3ObjectKey", "app.zip")
	commit := action("CodeCommit", "RepositoryName", "shop", "BranchName", "main")
	for _, c := range []struct {
		p               *workflows.Pipeline
		e               trigger.Event
		follows, starts bool
		why             string
	}{
		{tagged, trigger.Event{Provider: "ECR", Of: "image", Kind: "push", Repository: "shop", Branch: "prod"}, true, true, "image prod"},
		{tagged, trigger.Event{Provider: "ECR", Of: "image", Kind: "push", Repository: "shop", Branch: "latest"}, true, false, "App follows prod, this is image latest"},
		{tagged, trigger.Event{Provider: "ECR", Of: "image", Kind: "push", Repository: "store", Branch: "prod"}, false, false, "no source action reads store"},
		{latest, trigger.Event{Provider: "ECR", Of: "image", Kind: "push", Repository: "shop", Branch: "latest"}, true, true, "image latest"},
		{latest, trigger.Event{Provider: "ECR", Of: "image", Kind: "push", Repository: "shop", Branch: "latest", Deleted: true}, true, false, "image latest was deleted"},
		{latest, trigger.Event{Provider: "Git", Kind: "push", Repository: "shop", Branch: "latest"}, false, false, "no source action reads shop"},
		{object, trigger.Event{Provider: "S3", Of: "object", Kind: "push", Repository: "acme", Branch: "app.zip"}, true, true, "object app.zip"},
		{object, trigger.Event{Provider: "S3", Of: "object", Kind: "push", Repository: "acme", Branch: "other.zip"}, false, false, "no source action reads acme"},
		{commit, trigger.Event{Provider: "CodeCommit", Kind: "push", Repository: "shop", Branch: "main"}, true, true, "push to main"},
		{commit, trigger.Event{Provider: "CodeCommit", Kind: "push", Repository: "shop", Branch: "next"}, true, false, "App follows main, this is push to next"},
	} {
		_, ok, why := trigger.Match(c.p, c.e)
		if trigger.Follows(c.p, c.e) != c.follows || ok != c.starts || why != c.why {
			t.Errorf("%+v: follows %v, starts %v: %s", c.e, trigger.Follows(c.p, c.e), ok, why)
		}
	}
}
