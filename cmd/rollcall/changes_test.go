package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// What is in an execution, from outside: a first release and one of twelve
// commits, with the pull request and the issue behind them, while it waits, after
// it was deployed, after a restart, and of the rollback from it.
func TestWhatIsInAnExecution(t *testing.T) {
	w := newWorld(t)
	changes := func(n int) map[string]any {
		t.Helper()
		status, answer := w.request(http.MethodGet, fmt.Sprintf("/api/v1/executions/webshop%%23%d/changes?stage=Production", n), nil)
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, answer)
		}
		return answer
	}
	list := func(answer map[string]any, field string) (all []map[string]any) {
		for _, one := range answer[field].([]any) {
			all = append(all, one.(map[string]any))
		}
		return all
	}
	first := w.push("one", "First")
	w.until("the first waits", func() bool { return w.gate(1) != nil })
	if c := changes(1); c["from"] != nil || c["to"] != first || c["total"] != 1.0 || c["complete"] != true || c["direction"] != "ahead" {
		t.Errorf("a first release: %v", c)
	}
	w.approve(w.ana, 1)
	w.approve(w.ben, 1)
	w.ended(1, workflows.StatusSucceeded)

	issue := w.jira.Open("OPS", "Story", "Sell shoes")
	shas := []string{}
	for i := range 11 {
		shas = append(shas, w.commit(fmt.Sprint("page ", i), fmt.Sprintf("%s-%d: Ship %d", []string{"OPS", "UTF"}[i%2], 8*(i%2)+1, i)))
	}
	w.github.Keep(githubfake.Pull{Repository: "acme/webshop", Number: 7, Action: "closed", Merged: true, Title: "Shoes", MergeCommit: shas[4], Commits: []string{shas[4]}})
	last := w.push("last", "Twelfth")
	w.until("the second waits", func() bool { return w.gate(2) != nil })
	check := func(when string) {
		t.Helper()
		c := changes(2)
		commits, issues := list(c, "commits"), list(c, "issues")
		if c["from"] != first || c["to"] != last || c["total"] != 12.0 || c["complete"] != true || c["direction"] != "ahead" || len(commits) != 12 || len(list(c, "dropped")) != 0 {
			t.Fatalf("%s: %v", when, c)
		}
		if url := fmt.Sprint(c["compareUrl"]); !strings.Contains(url, first) || !strings.Contains(url, last) {
			t.Errorf("%s: compare at %s", when, url)
		}
		newest, pulled := commits[0], commits[7]
		if newest["id"] != last || newest["summary"] != "Twelfth" || newest["pullRequest"] != nil || !strings.Contains(fmt.Sprint(newest["url"]), last) || newest["author"].(map[string]any)["email"] != "dan@acme.example" {
			t.Errorf("%s: newest %v", when, newest)
		}
		if pull, ok := pulled["pullRequest"].(map[string]any); !ok || pulled["id"] != shas[4] || pull["number"] != 7.0 || pull["title"] != "Shoes" || pull["url"] == "" {
			t.Errorf("%s: the one of a pull request: %v", when, pulled)
		}
		if len(issues) != 1 || issues[0]["key"] != issue || issues[0]["summary"] != "Sell shoes" || !strings.HasSuffix(fmt.Sprint(issues[0]["url"]), "/browse/"+issue) {
			t.Errorf("%s: issues %v", when, issues)
		}
	}
	check("while it waits")
	calls := w.github.PullReads()
	w.until("the gate lists ten of them, and the issue", func() bool {
		posts := w.posts("rollcall_gate", w.execution(2).ID)
		if len(posts) != 1 {
			return false
		}
		text := w.slack.Rendered(posts[0])
		return strings.Contains(text, "12 commits since #1") && strings.Contains(text, "Twelfth (Dan)") && strings.Contains(text, "and 2 more") && strings.Contains(text, "🎫 "+issue) && strings.Count(text, "• ") == 10
	})
	w.approve(w.ana, 2)
	w.approve(w.ben, 2)
	w.ended(2, workflows.StatusSucceeded)
	check("after it was deployed")
	w.until("the pull request says that it is in production, and who approved", func() bool {
		all := w.github.Comments("acme/webshop", 7)
		return len(all) == 1 && strings.Contains(all[0].Body, "in production since") && strings.Contains(all[0].Body, ", approved by ana and ben ([webshop#2](http")
	})
	w.until("the announcement names the issue", func() bool {
		posts := w.posts("rollcall_announcement", w.execution(2).ID)
		return len(posts) == 1 && strings.Contains(w.slack.Rendered(posts[0]), "🎫 "+issue)
	})
	notes := regexp.MustCompile(`^# webshop#2 in Production

## Story
- \[` + issue + ` Sell shoes\]\(http[^)]*/browse/` + issue + `\) \(Dan\)

## Other changes
- `)
	if text := w.must("notes", "webshop", "Production"); !notes.MatchString(text) || !strings.Contains(text, "UTF-9: Ship 9 (Dan)\n") || strings.Count(text, issue+" ") != 1 {
		t.Errorf("notes:\n%s", text)
	}
	t.Setenv("GITHUB_API_URL", serve(t, w.github))
	t.Setenv("GITHUB_TOKEN", "gh-token-story")
	for range 2 {
		w.must("notes", "webshop", "Production", "--github-release", "v2")
	}
	if all := w.github.Releases(); len(all) != 1 || !all[0].Draft || all[0].Target != last || all[0].Repository != "acme/webshop" || !notes.MatchString(all[0].Body) {
		t.Errorf("releases: %+v", all)
	}
	w.types(w.ana, "notes webshop production #1")
	w.onlyVisibleTo(w.ana, "webshop#2 in Production, since #1", issue+" Sell shoes (Dan)")
	w.until("the issue says where it is", func() bool {
		i, _ := w.jira.Issue(issue)
		links := w.jira.RemoteLinks(issue)
		return len(i.Comments) == 1 && strings.Contains(i.Comments[0], "webshop: in production since ") && strings.Contains(i.Comments[0], "[webshop#2|") && strings.Contains(i.Comments[0], ", approved by ana and ben") &&
			len(links) == 1 && links[0].Title == "production: webshop#2 deployed"
	})
	w.kill()
	w.start()
	check("after a restart")
	if n := w.github.PullReads() - calls; n != 0 {
		t.Errorf("%d more calls of GitHub for pull requests that were known", n)
	}

	if status, answer := w.post("/api/v1/pipelines/webshop/stages/Production/rollback", map[string]any{"target": "webshop#1", "reason": "checkout is down"}); status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	w.ended(3, workflows.StatusSucceeded)
	c := changes(3)
	w.until("the pull request says that it was rolled back", func() bool {
		all := w.github.Comments("acme/webshop", 7)
		return len(all) == 1 && strings.Contains(all[0].Body, "rolled back from production") && strings.Contains(all[0].Body, "webshop#3")
	})
	w.until("each has its deployment", func() bool {
		states := map[string]string{}
		for _, d := range w.github.Deployments() {
			states[d.Task+" "+d.SHA] += d.State()
		}
		return len(states) == 3 && states["deploy "+first] == "success" && states["deploy "+last] == "success" && states["deploy:rollback "+first] == "success"
	})
	if c["from"] != last || c["to"] != first || c["direction"] != "back" || c["total"] != 12.0 || c["complete"] != true || len(list(c, "dropped")) != 12 || list(c, "dropped")[0]["id"] != last {
		t.Errorf("the rollback: %v", c)
	}
	w.until("the issue says that it is no longer there", func() bool {
		i, _ := w.jira.Issue(issue)
		links := w.jira.RemoteLinks(issue)
		return len(i.Comments) == 1 && strings.Contains(i.Comments[0], "webshop: rolled back in production on ") && strings.Contains(i.Comments[0], "went back to #1") && len(links) == 1 && links[0].Title == "production: webshop#3 rolled back"
	})
}
