package doctor_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/credentials"
	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/doctor"
)

// memos are a service's.
type memos map[string][]byte

func (m memos) Memo(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := m[key]
	return v, ok, nil
}

func (m memos) Note(_ context.Context, key string, value []byte) error {
	m[key] = value
	return nil
}

// The doctor says when credentials end, warns in the last 30 days, and says what has no end.
func TestWhenCredentialsEnd(t *testing.T) {
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	seen := func(w *world, secret string) {
		kept := memos{}
		if _, err := credentials.FirstSeen(t.Context(), kept, "jira.token", secret); err != nil {
			t.Fatal(err)
		}
		if err := credentials.Show(t.Context(), kept, filepath.Join(w.dir, "data"), "jira.token"); err != nil {
			t.Fatal(err)
		}
	}
	session := func(ends time.Time) {
		t.Setenv("AWS_SESSION_TOKEN", "very-secret-session")
		t.Setenv("AWS_CREDENTIAL_EXPIRATION", ends.UTC().Format(time.RFC3339))
	}
	soon := time.Now().Add(3 * time.Hour)
	for _, c := range []struct {
		name string
		set  func(w *world)
		want string // a line
	}{
		{"Slack's bot token", func(*world) {}, "ok slack token: slack.botToken does not end"},
		{"blocks that the workspace refused", func(w *world) {
			w.write("data/slack-blocks.json", `[{"kind":"data_table","at":"2026-12-01T10:00:00Z","version":"v1"}]`)
		}, "ok slack blocks: the workspace refused data_table on 2026-12-01; what it would show is drawn plainly. It is tried again after 2026-12-31, or by the next version"},
		{"GitHub's, far away", func(w *world) { w.tokenEnds(t, day(90)+" 10:00:00 UTC") }, "ok github token: belongs to rollcall-bot; it ends on " + day(90)},
		{"GitHub's, soon", func(w *world) { w.tokenEnds(t, day(20)+" 10:00:00 UTC") }, "warning github token: belongs to rollcall-bot; it ends on " + day(20)},
		{"Jira's by the configuration", func(w *world) { w.replace("{env: JIRA_TOKEN}", "{env: JIRA_TOKEN}, tokenExpires: "+day(40)) }, "ok jira token: jira.token ends on " + day(40)},
		{"Jira's, soon", func(w *world) { w.replace("{env: JIRA_TOKEN}", "{env: JIRA_TOKEN}, tokenExpires: "+day(6)) }, "warning jira token: jira.token ends on " + day(6)},
		{"Jira's by when it was first seen", func(w *world) { seen(w, "very-secret-jira-5") }, "ok jira token: jira.token may end on " + day(365) + ", a year after " + day(0)},
		{"Jira's, another than was seen", func(w *world) { seen(w, "very-secret-old") }, "ok jira token: nobody knows yet when jira.token ends"},
		{"a session of AWS", func(*world) { session(soon) }, "warning aws credentials: those of the environment end on " + soon.UTC().Format("2006-01-02 15:04 UTC")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			w.write("rollcall.yaml", w.config)
			var lines []string
			for _, l := range doctor.Run(t.Context(), doctor.Options{Config: filepath.Join(w.dir, "rollcall.yaml")}).Checks {
				lines = append(lines, string(l.Status)+" "+strings.TrimSpace(l.Section+" "+l.About)+": "+l.Message)
			}
			all := strings.Join(lines, "\n")
			if !strings.Contains(all, c.want) || strings.Contains(all, "very-secret") {
				t.Errorf("want %s:\n%s", c.want, all)
			}
		})
	}
}

// tokenEnds has GitHub say when the token ends, as it does.
func (w *world) tokenEnds(t *testing.T, ends string) {
	t.Helper()
	from, to := strings.Index(w.config, "github: {apiURL: \""), strings.Index(w.config, ", token: {env: GITHUB_TOKEN}")
	at := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("GitHub-Authentication-Token-Expiration", ends)
		w.github.ServeHTTP(rw, r)
	}))
	w.config = w.config[:from] + "github: {apiURL: \"" + at + "\"" + w.config[to:]
}
