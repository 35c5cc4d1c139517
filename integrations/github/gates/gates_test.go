package gates

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// hub answers as GitHub's API: what is in answers by method and path, tokens, else 404.
type hub struct {
	answers map[string]string
	status  map[string]int
	asked   []string
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/app/installations/"); ok && r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":"of-%s","expires_at":%q}`, strings.TrimSuffix(id, "/access_tokens"), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		return
	}
	at := r.Method + " " + r.URL.EscapedPath()
	h.asked = append(h.asked, at+" "+r.Header.Get("Authorization"))
	if status := h.status[at]; status != 0 {
		w.WriteHeader(status)
	} else if h.answers[at] == "" {
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprint(w, h.answers[at])
}

// gatesOver are gates of these rows whose GitHub is at http://hub.test/.
func gatesOver(t *testing.T, h *hub, rows ...Row) *Gates {
	t.Helper()
	clients, err := api.NewInstallations("http://hub.test", api.App{ID: 7, PrivateKey: githubfake.PrivateKey()}, wirefake.Direct(h))
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(Options{APIURL: "http://hub.test", Installations: clients, Usual: 3, Rows: rows, People: map[string]string{"Ana-GH": "ana@acme.example"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A token goes to a run of the repository that asks, at the API of the configuration, and
// nowhere else; what makes no sense is refused, and what is not for us ignored.
func TestWhichRequestsAreTaken(t *testing.T) {
	g := gatesOver(t, &hub{}, Row{Repository: "acme/*", Environment: "production"})
	whole := func(change func(p map[string]any)) []byte {
		p := map[string]any{"action": "requested", "environment": "production", "event": "push", "deployment_callback_url": "http://hub.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule",
			"deployment": map[string]any{"id": 5, "sha": strings.Repeat("a", 40), "ref": "main"}, "repository": map[string]any{"full_name": "acme/webshop", "html_url": "https://github.com/acme/webshop"},
			"sender": map[string]any{"login": "ana-gh"}, "installation": map[string]any{"id": 9}}
		if change != nil {
			change(p)
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	callback := func(to string) func(map[string]any) {
		return func(p map[string]any) { p["deployment_callback_url"] = to }
	}
	const elsewhere = "the callback does not lead"
	for _, c := range []struct {
		about   string
		change  func(p map[string]any)
		ignored string // a part; "!": it makes no sense
	}{
		{"what GitHub sends", nil, ""},
		{"in capitals", func(p map[string]any) { p["environment"] = "Production" }, ""},
		{"another environment", func(p map[string]any) { p["environment"] = "staging" }, "no row of github.gates is for it"},
		{"another owner", func(p map[string]any) {
			p["repository"] = map[string]any{"full_name": "evil/webshop"}
		}, "no row of github.gates is for it"},
		{"another host", callback("http://evil.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule"), elsewhere},
		{"a host that begins alike", callback("http://hub.test.evil.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule"), elsewhere},
		{"a user part", callback("http://hub.test@evil.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule"), elsewhere},
		{"another scheme", callback("https://hub.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule"), elsewhere},
		{"another repository", callback("http://hub.test/repos/acme/other/actions/runs/41/deployment_protection_rule"), elsewhere},
		{"a path that climbs", callback("http://hub.test/repos/acme/webshop/actions/runs/../../../user/deployment_protection_rule"), elsewhere},
		{"no run", callback("http://hub.test/repos/acme/webshop/actions/runs//deployment_protection_rule"), elsewhere},
		{"run zero", callback("http://hub.test/repos/acme/webshop/actions/runs/0/deployment_protection_rule"), elsewhere},
		{"a query", callback("http://hub.test/repos/acme/webshop/actions/runs/41/deployment_protection_rule?x=1"), elsewhere},
		{"no callback", callback(""), elsewhere},
		{"no installation", func(p map[string]any) { delete(p, "installation") }, "names no installation"},
		{"another action", func(p map[string]any) { p["action"] = "completed" }, "asks for nothing"},
		{"a deployment that was made long ago", func(p map[string]any) {
			p["deployment"].(map[string]any)["updated_at"] = time.Now().Add(-7 * 24 * time.Hour).UTC().Format(time.RFC3339)
		}, ""},
		{"no environment", func(p map[string]any) { delete(p, "environment") }, "!"},
		{"no commit", func(p map[string]any) { p["deployment"] = map[string]any{"id": 5} }, "!"},
		{"no repository", func(p map[string]any) { p["repository"] = map[string]any{"full_name": "acme/.."} }, "!"},
	} {
		q, ignored, err := g.read(whole(c.change))
		switch {
		case (err != nil) != (c.ignored == "!"):
			t.Errorf("%s: %v", c.about, err)
		case err == nil && (!strings.Contains(ignored, c.ignored) || (ignored == "") != (c.ignored == "")):
			t.Errorf("%s: ignored %q, want %q", c.about, ignored, c.ignored)
		case err == nil && ignored == "" && (q.Run != 41 || q.Installation != 9 || q.Repository != "acme/webshop"):
			t.Errorf("%s: %+v", c.about, q)
		}
	}
	q, _, _ := g.read(whole(nil))
	in := g.start("p", &q)
	if in.Trigger.By.ID != "github:ana-gh" || in.Trigger.By.Email != "ana@acme.example" || in.Change[0].RevisionID != strings.Repeat("a", 40) || in.Variables[varPage] != "https://github.com/acme/webshop/actions/runs/41" {
		t.Errorf("the start: %+v", in)
	}
}

// No two environments share a pipeline, and every name is one that a pipeline may have.
func TestPipelinesOfEnvironmentsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for _, of := range [][2]string{{"acme/webshop", "production"}, {"acme/webshop.production", "x"}, {"acme/webshop", "production.x"}, {"acme/web-shop", "production"}, {"acme-web/shop", "production"},
		{"acme/webshop", "prod eu"}, {"acme/webshop", "prod-eu"}, {"acme/webshop", "prod/eu"}, {"acme/" + strings.Repeat("w", 100), "a"}, {"acme/" + strings.Repeat("w", 99) + "v", "a"}, {"acme/webshop", strings.Repeat("ü", 120)}} {
		p := (&Row{}).pipeline(of[0], of[1])
		if other := seen[p.Name]; other != "" || len(p.Name) > 100 || strings.Trim(p.Name+p.Stages[0].Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.@_-") != "" {
			t.Errorf("%v is %q in stage %q, as is %q", of, p.Name, p.Stages[0].Name, other)
		}
		seen[p.Name] = fmt.Sprint(of)
	}
	if p := (&Row{}).pipeline("acme/webshop", "production"); p.Name != "github-acme.webshop.production" || p.Stages[0].Name != "production" {
		t.Errorf("the usual one is %s", p.Name)
	}
}

// What lies between two deployments is what GitHub's comparison says; without it nothing
// is claimed, and when GitHub is away nobody is told that it was looked at.
func TestWhatLiesBetweenDeployments(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	commit := func(id, text, login string) string {
		return fmt.Sprintf(`{"sha":%q,"html_url":"https://github.com/c/%s","commit":{"message":%q,"author":{"name":"N","email":"n@x"},"committer":{"name":"N","email":"n@x"}},"author":{"login":%q},"committer":{"login":%q},"parents":[]}`, id, id, text, login, login)
	}
	at := "GET /repos/acme/webshop/compare/" + a + "..." + b
	h := &hub{answers: map[string]string{
		at: `{"status":"diverged","ahead_by":2,"behind_by":1,"html_url":"https://github.com/cmp","commits":[` + commit("c1", "SHOP-1 one\n\nmore", "ana-gh") + `,` + commit("c2", "two", "ben-gh") + `]}`,
		"GET /repos/acme/webshop/compare/" + b + "..." + a: `{"status":"diverged","ahead_by":1,"behind_by":2,"commits":[` + commit("c0", "lost", "cho-gh") + `]}`,
	}, status: map[string]int{}}
	g := gatesOver(t, h)
	g.history.learn("Acme/Webshop", 9)
	of := work.Range{Provider: g.Provider(), Repository: "acme/webshop", From: a, To: b}
	c, err := g.Compare(t.Context(), of)
	if err != nil || !c.Complete || c.Count != 2 || c.Undone != 1 || c.CompareURL != "https://github.com/cmp" || !slices.Equal(c.Commits, []string{"c2", "c1"}) || c.New[1].Summary != "SHOP-1 one" || c.Lost[0].ID != "c0" {
		t.Errorf("%+v, %v", c, err)
	}
	if !slices.ContainsFunc(c.Authors, func(who workflows.Author) bool { return who.Login == "ana-gh" && who.Email == "ana@acme.example" }) {
		t.Errorf("people %+v", c.Authors)
	}
	if !strings.HasSuffix(h.asked[0], "token of-9") {
		t.Errorf("asked %q", h.asked)
	}
	h.status[at] = 503
	if c, err := g.Compare(t.Context(), of); err == nil {
		t.Errorf("while GitHub is away: %+v", c)
	}
	h.status[at] = 404
	if c, err := g.Compare(t.Context(), of); err != nil || c.Complete || !strings.Contains(c.Why, "Contents: read") {
		t.Errorf("not shown: %+v, %v", c, err)
	}
	h.status[at], h.answers[at] = 0, `{"files":[]}`
	if c, err := g.Compare(t.Context(), of); err != nil || c.Complete || c.Why == "" {
		t.Errorf("an answer that says nothing: %+v, %v", c, err)
	}
	if c, err := g.Compare(t.Context(), work.Range{Repository: "acme/webshop", To: b}); err != nil || c.Complete || c.Why == "" {
		t.Errorf("the first: %+v, %v", c, err)
	}
}

// The self-test names what the app lacks, environments that do not ask, and those that
// administrators may pass.
func TestTheSelfTestKnowsGates(t *testing.T) {
	h := &hub{answers: map[string]string{
		"GET /installation/repositories":                                              `{"total_count":2,"repositories":[{"full_name":"acme/webshop"},{"full_name":"acme/docs"},{"full_name":"other/x"}]}`,
		"GET /app/installations/3":                                                    `{"id":3,"permissions":{"deployments":"read","actions":"read","contents":"write"},"events":["deployment_protection_rule","workflow_run"]}`,
		"GET /repos/acme/webshop/environments":                                        `{"environments":[{"name":"production"},{"name":"staging"}]}`,
		"GET /repos/acme/docs/environments":                                           `{"environments":[{"name":"production"}]}`,
		"GET /repos/acme/webshop/environments/production":                             `{"name":"production","can_admins_bypass":true}`,
		"GET /repos/acme/webshop/environments/production/deployment_protection_rules": `{"custom_deployment_protection_rules":[{"enabled":true,"app":{"id":7}}]}`,
		"GET /repos/acme/docs/environments/production":                                `{"name":"production","can_admins_bypass":false}`,
		"GET /repos/acme/docs/environments/production/deployment_protection_rules":    `{"custom_deployment_protection_rules":[{"enabled":true,"app":{"id":8}}]}`,
	}}
	check := func() (lines []string) {
		for _, r := range Checks(t.Context(), CheckOptions{APIURL: "http://hub.test", App: &api.App{ID: 7, InstallationID: 3, PrivateKey: githubfake.PrivateKey()}, Transport: wirefake.Direct(h), Rows: []Row{{Repository: "acme/*", Environment: "production"}}}) {
			lines = append(lines, fmt.Sprintf("%s %s: %s", r.Status, r.About, r.Message))
		}
		return lines
	}
	got := check()
	for _, want := range []string{
		"failed gates: the app lacks for github.gates the event Deployment status and the permission Deployments: read and write",
		"warning acme/webshop production: administrators of the repository can let a deployment past the approval",
		"failed acme/docs production: no protection rule of this app",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no line begins with %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
	h.answers["GET /app/installations/3"] = `{"id":3,"permissions":{"deployments":"write","actions":"read","contents":"read"},"events":["deployment_protection_rule","workflow_run","deployment_status"]}`
	h.answers["GET /repos/acme/webshop/environments/production"] = `{"name":"production","can_admins_bypass":false}`
	h.answers["GET /repos/acme/docs/environments/production/deployment_protection_rules"] = `{"custom_deployment_protection_rules":[{"enabled":true,"app":{"id":7}}]}`
	for _, line := range check() {
		if !strings.HasPrefix(line, string(selftest.OK)) {
			t.Error(line)
		}
	}
}
