package runtime_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// pulling starts on pull requests to main that change something below src.
func pulling(name string) string {
	return strings.Replace(named(name), "stages:", `triggers:
  - {providerType: CodeStarSourceConnection, gitConfiguration: {sourceActionName: App, pullRequest: [{branches: {includes: [main]}, filePaths: {includes: ["src/**"]}}]}}
stages:`, 1)
}

func pull(commit string, files ...string) work.Change {
	c := push(commit)[0]
	c.Event, c.PullEvent, c.HeadBranch, c.Number, c.Files = "pull_request", "OPEN", "basket", 7, files
	return c
}

// 97: the base branch decides, the head commit runs, and is said to be of its own branch.
func TestAPullRequestRunsItsHead(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(pulling("web"))
		got, _ := w.receive("github/1", []work.Change{pull("c7", "src/a")})
		if len(got.Started) != 1 {
			t.Fatalf("got %+v", got)
		}
		if r := w.execution(got.Started[0]).SourceRevisions[0]; r.RevisionID != "c7" || r.Branch != "basket" || !r.AnyBranch {
			t.Errorf("the revision is %+v", r)
		}
	})
}

func TestNothingFromAForkStarts(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(pulling("web"))
		c := pull("c7", "src/a")
		c.Fork = true
		if got, _ := w.receive("github/1", []work.Change{c}); len(got.Started) != 0 || len(got.Ignored) != 1 || got.Ignored[0] != "web: it comes from a fork, whose code is not run here" {
			t.Errorf("got %+v", got)
		}
	})
}

// A pull request is accepted while its files are asked for, then received under
// the same key. Another delivery of the same one starts nothing more.
func TestAnAcceptedPullRequestIsReceivedLater(t *testing.T) {
	play(t, func(w *world) {
		w.boot()
		w.define(pulling("web"))
		c := pull("c7")
		if needed, err := w.NeedsFiles(w.t.Context(), c); !needed || err != nil {
			t.Fatalf("files needed: %v %v", needed, err)
		}
		if needed, _ := w.NeedsFiles(w.t.Context(), push("c7")[0]); needed {
			t.Error("files are needed of a push that no filter looks at")
		}
		payload, _ := json.Marshal(c)
		for _, key := range []string{"github/1", "github/2"} {
			if _, fresh, err := w.Accept(w.t.Context(), work.Receipt{Key: key, Source: "github", Payload: payload}); !fresh || err != nil {
				t.Fatalf("%s: %v %v", key, fresh, err)
			}
		}
		w.crash()
		w.boot()
		pending, err := w.Pending(w.t.Context(), "github")
		if err != nil || len(pending) != 2 || string(pending[0].Payload) != string(payload) {
			t.Fatalf("pending %+v %v", pending, err)
		}
		c.Files = []string{"src/a"}
		first, _ := w.receive("github/1", []work.Change{c})
		second, _ := w.receive("github/2", []work.Change{c})
		again, _ := w.receive("github/1", []work.Change{c})
		if len(first.Started) != 1 || len(second.Started) != 1 || second.Started[0] != first.Started[0] || len(again.Started) != 1 {
			t.Errorf("first %+v, second %+v, again %+v", first, second, again)
		}
		if !strings.Contains(strings.Join(second.Ignored, ""), "the same push came a moment ago as github/1") {
			t.Errorf("the second is told %+v", second)
		}
		if pending, _ := w.Pending(w.t.Context(), "github"); len(pending) != 0 {
			t.Errorf("still pending: %+v", pending)
		}
		if list, err := w.Executions(w.t.Context(), workflows.EnginePrincipal(), record.Query{Pipeline: "web"}); err != nil || len(list) != 1 {
			t.Errorf("%d executions, %v", len(list), err)
		}
	})
}
