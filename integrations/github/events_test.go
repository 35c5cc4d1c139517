package github

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestEventsWithATriggerOfTheirOwn(t *testing.T) {
	run := githubfake.RunEvent{Repository: "acme/webshop", Workflow: "CI", Path: ".github/workflows/ci.yml", Branch: "main", Commit: sha, Conclusion: "success", Event: "push", Actor: "ana-dev"}
	fork, gone := run, run
	fork.HeadRepository, gone.HeadRepository = "mallory/webshop", "-"
	for _, c := range []struct {
		name, event string
		payload     []byte
		want        string // of the change; else why it is ignored
	}{
		{"release", "release", githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1", Author: "ana-dev"}.Payload(), "release v1"},
		{"prerelease", "release", githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1-rc", Prerelease: true, Author: "ana-dev"}.Payload(), "release v1-rc pre"},
		{"draft", "release", githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1", Draft: true}.Payload(), "release v1: a draft starts nothing"},
		{"edited", "release", githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1", Action: "edited"}.Payload(), "release: edited starts nothing"},
		{"run", "workflow_run", run.Payload(), "workflow_run main " + sha + " CI .github/workflows/ci.yml success by push"},
		{"run for a fork", "workflow_run", fork.Payload(), "workflow_run main " + sha + " CI .github/workflows/ci.yml success by push fork"},
		{"run for a fork that is gone", "workflow_run", gone.Payload(), "workflow_run main " + sha + " CI .github/workflows/ci.yml success by push fork"},
		{"run under way", "workflow_run", githubfake.RunEvent{Repository: "acme/webshop", Action: "in_progress"}.Payload(), "workflow_run: in_progress starts nothing"},
		{"deployment", "deployment", githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "main", Commit: sha, Environment: "staging", Creator: "ana-dev"}.Payload(), "deployment main " + sha + " staging"},
		{"deployment of rollcall's", "deployment", githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "main", Commit: sha, Note: map[string]any{"execution": "01890a5d-ac96-774b-bcce-b302099a8057"}}.Payload(), "deployment of main: rollcall made it"},
		{"the same as a text", "deployment", githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "main", Commit: sha, Note: `{"execution":"01890a5d-ac96-774b-bcce-b302099a8057"}`}.Payload(), "deployment of main: rollcall made it"},
		{"another tool's payload", "deployment", githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "main", Commit: sha, Note: "by hand"}.Payload(), "deployment main " + sha},
		{"deployment of a pull request's merge", "deployment", githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "refs/pull/7/merge", Commit: sha}.Payload(), "deployment refs/pull/7/merge " + sha + " fork"},
		{"merge group", "merge_group", githubfake.MergeGroup{Repository: "acme/webshop", Base: "main", Number: 7, Commit: sha}.Payload(), "merge_group main " + sha + " gh-readonly-queue/main/pr-7-" + sha},
		{"merge group destroyed", "merge_group", githubfake.MergeGroup{Repository: "acme/webshop", Base: "main", Commit: sha, Action: "destroyed"}.Payload(), "merge_group: destroyed starts nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.event, c.payload)
			if err != nil {
				t.Fatal(err)
			}
			said := got.ignored
			if said == "" {
				said = summed(got.change)
			}
			if said != c.want {
				t.Errorf("%s\nwant %s", said, c.want)
			}
		})
	}
}

// summed is what tells changes apart of a change, in one line.
func summed(c work.Change) string {
	words := []string{c.Event, c.Tag, c.Branch, c.Commit, c.HeadBranch, strings.Join(c.Workflow, " "), c.Conclusion}
	if c.Cause != "" {
		words = append(words, "by "+c.Cause)
	}
	words = append(words, c.Environment, map[bool]string{true: "pre"}[c.Prerelease], map[bool]string{true: "fork"}[c.Fork])
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// Two runs of a commit, or two tries of one run, are two events; the same event delivered by two hooks is one.
func TestEventsOfOneCommitDiffer(t *testing.T) {
	run := githubfake.RunEvent{Repository: "acme/webshop", Workflow: "CI", Branch: "main", Commit: sha, Conclusion: "success", ID: 1}
	again, other := run, run
	again.Attempt, other.ID = 2, 2
	ids := map[string]bool{}
	for _, r := range []githubfake.RunEvent{run, run, again, other} {
		got, err := parse("workflow_run", r.Payload())
		if err != nil {
			t.Fatal(err)
		}
		ids[got.change.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("%d events of three: %v", len(ids), ids)
	}
}

// Of a release a variable may name everything that is short.
func TestExcerptsAreShort(t *testing.T) {
	long := strings.Repeat("x", 5000)
	assets := make([]any, 300)
	for i := range assets {
		assets[i] = map[string]any{"name": fmt.Sprint("a", i), "url": "https://example/" + long[:900]}
	}
	payload, err := json.Marshal(map[string]any{"action": "published", "repository": map[string]any{"full_name": "acme/webshop"}, "installation": map[string]any{"id": 1},
		"release": map[string]any{"tag_name": "v1", "body": long, "name": "One", "upload_url": "https://x", "html_url": "https://y", "assets": assets}})
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Release      map[string]any
		Installation any
	}
	if err := json.Unmarshal(excerpt(payload, "release"), &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Release["tag_name"] != "v1" || kept.Release["name"] != "One" || kept.Release["html_url"] != "https://y" || kept.Release["body"] != nil || kept.Release["upload_url"] != nil || kept.Installation != nil || len(kept.Release["assets"].([]any)) != mostListed {
		t.Errorf("kept %v", kept.Release)
	}
}

// Whatever stands in a field that decides nothing, a delivery is not refused for it.
func TestOddTypesRefuseNothing(t *testing.T) {
	decisive := []string{
		"ref", "before", "after", "created", "deleted", "forced", "commits", "commits.id", "commits.added", "commits.removed", "commits.modified",
		"head_commit", "head_commit.id", "head_commit.added", "head_commit.removed", "head_commit.modified", "head_commit.author", "commits.author", "repository", "repository.full_name", "pusher", "sender",
		"action", "number", "pull_request", "pull_request.head", "pull_request.head.sha", "pull_request.head.ref", "pull_request.head.repo", "pull_request.head.repo.full_name",
		"pull_request.base", "pull_request.base.sha", "pull_request.base.ref", "pull_request.base.repo", "pull_request.base.repo.full_name", "pull_request.user",
		"release", "release.tag_name", "release.draft", "release.prerelease",
		"workflow_run", "workflow_run.head_sha", "workflow_run.head_commit", "workflow_run.head_commit.id", "workflow_run.head_commit.author", "workflow_run.head_repository", "workflow_run.head_repository.full_name", "workflow",
		"deployment", "deployment.sha", "merge_group", "merge_group.head_sha", "merge_group.base_ref", "merge_group.head_commit", "merge_group.head_commit.id", "merge_group.head_commit.author",
	}
	samples := map[string][]byte{
		"push": push().Payload(), "pull_request": githubfake.Pull{Repository: "acme/webshop", Number: 7, Action: "opened", Base: "main", Head: "cart", Commit: sha, Author: "ana"}.Payload(),
		"release":      githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1"}.Payload(),
		"workflow_run": githubfake.RunEvent{Repository: "acme/webshop", Workflow: "CI", Branch: "main", Commit: sha, Conclusion: "success"}.Payload(),
		"deployment":   githubfake.DeploymentEvent{Repository: "acme/webshop", Ref: "main", Commit: sha, Environment: "staging"}.Payload(),
		"merge_group":  githubfake.MergeGroup{Repository: "acme/webshop", Base: "main", Number: 7, Commit: sha}.Payload(),
	}
	if root := os.Getenv("ROLLCALL_SAMPLES"); root != "" {
		files, _ := filepath.Glob(filepath.Join(root, "github", "*.json"))
		for _, file := range files {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			samples[strings.SplitN(filepath.Base(file), "-", 2)[0]+" "+filepath.Base(file)] = payload
		}
	}
	tried := 0
	for name, payload := range samples {
		event := strings.Fields(name)[0]
		var whole any
		if err := json.Unmarshal(payload, &whole); err != nil {
			t.Fatal(err)
		}
		everyField(whole, "", func(path string, set func(any)) {
			if slices.Contains(decisive, path) {
				return
			}
			for _, odd := range []any{nil, 7.5, "odd", []any{1}, map[string]any{"a": 1}}[tried%2*2:] {
				set(odd)
				tried++
				spoilt, err := json.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := parse(event, spoilt); err != nil {
					t.Errorf("%s with %v at %s: %v", name, odd, path, err)
				}
			}
		})
	}
	if tried < 300 {
		t.Errorf("only %d spoilt payloads", tried)
	}
}

// everyField calls f for each field of a document, with what sets it; it is set back afterwards.
func everyField(doc any, path string, f func(path string, set func(any))) {
	switch doc := doc.(type) {
	case map[string]any:
		for key, value := range doc {
			if strings.HasSuffix(key, "url") && key != "html_url" { // there are a hundred of them
				continue
			}
			at := strings.TrimPrefix(path+"."+key, ".")
			f(at, func(odd any) { doc[key] = odd })
			doc[key] = value
			everyField(value, at, f)
		}
	case []any:
		for _, element := range doc[:min(len(doc), 1)] {
			everyField(element, path, f)
		}
	}
}
