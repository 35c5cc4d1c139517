package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// ending is a GitHub whose token ends.
type ending struct {
	http.Handler
	ends time.Time
}

func (e ending) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("GitHub-Authentication-Token-Expiration", e.ends.UTC().Format("2006-01-02 15:04:05 UTC"))
	e.Handler.ServeHTTP(w, r)
}

// Admins, whom the configuration names by an address or by a group of Slack's, get
// one direct message about each credential that ends soon, and see it on App Home;
// nobody else does, and a restart repeats nothing. The metrics have each date.
func TestAdminsHearOfCredentialsThatEnd(t *testing.T) {
	w := newWorld(t)
	w.kill()
	ends := time.Now().Add(5*24*time.Hour + time.Hour)
	w.slack.AddGroup(slackfake.Group{ID: "SOPS", Handle: "ops", Members: []string{w.ben.ID, w.guest.ID}})
	w.configure("signingSecret: "+signing, serve(t, w.slack), serve(t, ending{w.github, ends}), serve(t, w.jira))
	w.write("rollcall.yaml", "admins: [ana@acme.example, slack-group:SOPS]\n"+strings.Replace(w.read("rollcall.yaml"), "token: jira-token-story,", "token: jira-token-story, tokenExpires: \""+ends.UTC().Format(time.DateOnly)+"\",", 1))
	w.start()
	day := ends.UTC().Format(time.DateOnly)
	heard := func(u slackfake.User) (n int) {
		for _, c := range w.slack.Channels(u.ID) {
			for _, m := range w.slack.Messages(c.ID) {
				if c.Direct == u.ID && strings.Contains(w.slack.Rendered(m), "ends on "+day) {
					n++
				}
			}
		}
		return n
	}
	w.until("both admins have both messages", func() bool { return heard(w.ana) == 2 && heard(w.ben) == 2 })
	home := func(u slackfake.User, holds func(text string) bool) {
		t.Helper()
		w.until("the home of "+u.Name, func() bool {
			if _, err := w.slack.OpenHome(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			v, ok := w.slack.Home(u.ID)
			return ok && holds(w.slack.RenderedView(v))
		})
	}
	both := func(text string) bool {
		return strings.Contains(text, "github.token ends on "+day) && strings.Contains(text, "jira.token ends on "+day)
	}
	home(w.ana, both)
	home(w.ben, both)
	home(w.dan, func(text string) bool {
		if strings.Contains(text, "ends on") {
			t.Fatalf("the home of somebody else:\n%s", text)
		}
		return strings.Contains(text, "webshop")
	})
	_, shown := w.scraped(token)
	for _, name := range []string{"github.token", "jira.token"} {
		if shown[`rollcall_credential_expiry_timestamp_seconds{credential="`+name+`"}`] == "" {
			t.Errorf("the metrics say nothing of %s", name)
		}
	}
	w.kill()
	w.start()
	home(w.ben, both) // the new process has looked: before that it knows of no end
	for _, u := range []slackfake.User{w.ana, w.ben, w.dan, w.guest} {
		if want := map[string]int{w.ana.ID: 2, w.ben.ID: 2}[u.ID]; heard(u) != want {
			t.Errorf("%s has %d messages, want %d", u.Name, heard(u), want)
		}
	}
}
