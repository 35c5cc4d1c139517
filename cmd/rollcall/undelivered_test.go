package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// C4, by the binary and over HTTP: the app is not in the private channel of a
// new pipeline. Whoever looks by the API or the command line reads that the
// question is not delivered and what mends it, a restart forgets nothing, and
// the invitation brings card and question.
func TestWhatSlackRefusesIsSaidByTheAPIUntilItIsDelivered(t *testing.T) {
	w := newWorld(t)
	room := w.slack.AddChannel(slackfake.Channel{ID: "CSHOP", Name: "shop", Private: true, Members: []string{w.ana.ID, w.ben.ID}})
	w.write("pipelines/shop.yaml", `
name: shop
channel: "#shop"
owners: [group:release-managers]
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}]
  - name: Production
    actions: [{name: SignOff, provider: Manual, approval: {from: [ana@acme.example]}}]
`)
	w.until("the pipeline is in force", func() bool { _, err := w.api.Pipeline(t.Context(), "shop"); return err == nil })
	w.commit("one", "First")
	if _, err := w.api.Start(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	question := func() (g say.OpenApproval) {
		var out struct{ Approvals []say.OpenApproval }
		ask := func() error { return w.api.Do(t.Context(), http.MethodGet, "/approvals", nil, &out) }
		if err := w.answered(ask); err == nil && len(out.Approvals) == 1 {
			g = out.Approvals[0]
		}
		return g
	}
	says := func(text string) bool {
		return strings.Contains(text, "#shop") && strings.Contains(text, "/invite @rollcall")
	}
	undelivered := func() bool {
		var e workflows.Execution
		err := w.answered(func() (err error) { e, err = w.api.Execution(t.Context(), "shop#1"); return err })
		return err == nil && says(e.Undelivered) && says(question().Undelivered)
	}
	w.until("the API says that nobody sees the question", undelivered)
	w.until("the owners are told", func() bool {
		notified := func(u slackfake.User) bool {
			all := w.slack.Direct(u.ID)
			return len(all) == 1 && strings.Contains(all[0].Text, "waiting for approval in Production") && says(all[0].Text)
		}
		return notified(w.ana) && notified(w.ben)
	})
	t.Setenv("ROLLCALL_URL", "http://"+w.addr)
	t.Setenv("ROLLCALL_TOKEN", token)
	var out, wrong bytes.Buffer
	if code := run([]string{"status", "shop#1"}, &out, &wrong); code != 0 || !strings.Contains(out.String(), "not shown in chat") || !says(out.String()) {
		t.Errorf("the command line says, with status %d:\n%s%s", code, &out, &wrong)
	}
	// A notification goes out before it is noted: killed in between, the service sends it again.
	w.until("it is noted who was notified", func() bool { _, got := w.scraped(token); return got[`rollcall_follower_lag{follower="slack"}`] == "0" })
	w.kill()
	w.start()
	if !undelivered() {
		t.Errorf("after the restart: %+v", question())
	}
	room.Members = append(room.Members, w.slack.Users()[0].ID)
	w.slack.AddChannel(room)
	w.until("card and question are there", func() bool { return len(w.slack.Messages("#shop")) == 2 })
	w.until("nothing is called undelivered", func() bool {
		e, err := w.api.Execution(t.Context(), "shop#1")
		return err == nil && e.Undelivered == "" && question().Undelivered == ""
	})
	asked := w.slack.Messages("#shop")[1]
	w.acknowledged("a click", func() (slackfake.Ack, error) { return w.slack.Click(t.Context(), w.ana.ID, asked.At(), "approve") })
	w.until("the question was a real one", func() bool {
		e, err := w.api.Execution(t.Context(), "shop#1")
		return err == nil && e.Status == workflows.StatusSucceeded
	})
	if n := len(w.slack.Direct(w.ana.ID)); n != 1 {
		t.Error(fmt.Sprint("ana was told ", n, " times"))
	}
}
