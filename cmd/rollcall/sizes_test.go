package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// commits makes n commits, the last of which is pushed. Each is dated before its parent.
func (w *fixture) commits(n int, page string) (last string) {
	w.t.Helper()
	var in strings.Builder
	for i := 1; i < n; i++ {
		text := fmt.Sprintf("%s %d", page, i)
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Dan <dan@acme.example> %d +0000\ndata %d\n%s\n", time.Now().Add(-time.Duration(i)*time.Hour).Unix(), len(text), text)
		if i == 1 {
			in.WriteString("from refs/heads/main^0\n")
		}
	}
	cmd := exec.CommandContext(w.t.Context(), "git", "fast-import", "--quiet", "--force")
	cmd.Dir, cmd.Stdin = w.path("work"), strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("fast-import: %v\n%s", err, out)
	}
	return w.push(page, fmt.Sprintf("%s %d", page, n))
}

// lists says whether a text names the newest of n commits of a page, ten at most, and how many more there are.
func lists(text, page string, n int) bool {
	for i := n; i > n-10 && i > 0; i-- {
		if !strings.Contains(text, fmt.Sprintf("%s %d (Dan)", page, i)) {
			return false
		}
	}
	more := ""
	if n > 10 {
		more = fmt.Sprintf("and %d more", n-10)
	}
	return strings.Count(text, "      • ") == min(n, 10) && strings.Contains(text, more) && (n > 10 || !strings.Contains(text, " more\n"))
}

// A gate, its Approve, the card and the rollback form on a release of 1, 12 and
// 400 commits: the first says all, the last the right number and the ten newest,
// with the page that compares them; the form follows the target that is chosen.
// Everything stays within Slack's limits, which its fake checks.
func TestReleasesOfAnySize(t *testing.T) {
	w := newWorld(t)
	heads := []string{w.push("zero", "Begin")}
	released := func(n int) {
		w.approve(w.ana, n)
		w.approve(w.ben, n)
		w.ended(n, workflows.StatusSucceeded)
	}
	released(1)
	for i, size := range []struct {
		n    int
		text string
	}{{1, "1 commit"}, {12, "12 commits"}, {400, "400 commits"}} {
		number, page := i+2, "size"+fmt.Sprint(size.n)
		heads = append(heads, w.commits(size.n, page))
		compare := "/compare/" + heads[i] + "..." + heads[i+1]
		w.until(fmt.Sprintf("the gate of #%d says what comes", number), func() bool {
			e := w.execution(number)
			posts := w.posts("rollcall_gate", e.ID)
			if len(posts) != 1 {
				return false
			}
			text := w.slack.Rendered(posts[0])
			confirms := false
			for _, b := range posts[0].Buttons() {
				confirms = confirms || b.ActionID == "approve" && strings.Contains(b.Confirm, size.text+" since #"+fmt.Sprint(number-1))
			}
			return strings.Contains(text, size.text) && lists(text, page, size.n) && strings.Contains(string(posts[0].Blocks), compare) && confirms
		})
		w.until(fmt.Sprintf("the card of #%d says how much comes", number), func() bool {
			posts := w.posts("rollcall_execution", w.execution(number).ID)
			return len(posts) == 1 && strings.Contains(w.slack.Rendered(posts[0]), fmt.Sprintf("#%d → #%d · %s", number-1, number, size.text)) && strings.Contains(string(posts[0].Blocks), compare)
		})
		released(number)
		w.undoes(number, number-1, size.n, page, "undoes "+size.text, "/compare/"+heads[i]+"..."+heads[i+1])
	}
	// Another target, another number: the form says what that one undoes.
	w.undoes(4, 2, 400, "size400", "undoes 412 commits", "/compare/"+heads[1]+"..."+heads[3])
	status, c := w.request(http.MethodGet, "/api/v1/executions/webshop%234/changes?stage=Production", nil)
	if status != http.StatusOK || c["total"] != 400.0 || c["complete"] != true || len(c["commits"].([]any)) != 400 {
		t.Errorf("%d: total %v, complete %v: %v", status, c["total"], c["complete"], c["why"])
	}
}

// undoes opens the rollback form on the card of #n, chooses a target, and waits until the form says what that undoes.
func (w *fixture) undoes(n, target, of int, page, text, compare string) {
	w.t.Helper()
	shown := func() (slackfake.View, bool) {
		views := w.slack.Views(w.ana.ID)
		if len(views) == 0 {
			return slackfake.View{}, false
		}
		return views[len(views)-1], true
	}
	w.until(fmt.Sprintf("the form on #%d opens", n), func() bool {
		w.pressUnless(func() bool { _, open := shown(); return open }, w.ana, "rollcall_execution", n, "rollback")
		return w.soon(func() bool { v, open := shown(); return open && len(v.Options("target")) > 0 })
	})
	chosen := false
	w.until(fmt.Sprintf("the form says what #%d undoes", target), func() bool {
		v, open := shown()
		if !open {
			return false
		}
		for _, o := range v.Options("target") {
			if !chosen && strings.Contains(o.Text, fmt.Sprintf("#%d", target)) {
				_, err := w.slack.Choose(w.t.Context(), w.ana.ID, slackfake.Target{View: v.ID}, "target", o.Value)
				chosen = err == nil
				return false
			}
		}
		said := w.slack.RenderedView(v)
		return strings.Contains(said, text) && strings.Contains(string(v.Blocks), compare) && (of > 12 || lists(said, page, of)) && strings.Count(said, "      • ") == min(of, 10)
	})
	v, _ := shown()
	if _, err := w.slack.Dismiss(w.t.Context(), w.ana.ID, v.ID); err != nil {
		w.t.Fatal(err)
	}
}
