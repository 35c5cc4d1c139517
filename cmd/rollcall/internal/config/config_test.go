package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/scope"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func write(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pipelines"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rollcall.yaml")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFillsInDefaultsAndReadsSecrets(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-1")
	path := write(t, 0o644, `
admins: [ana@acme.example]
slack:
  botToken: {env: SLACK_BOT_TOKEN}
  signingSecret: {file: signing.txt}
api:
  tokens: [{name: ci, token: {file: signing.txt}, may: [view, start]}]
aws:
  connections: {"arn:aws:codeconnections:eu-west-1:111122223333:connection/b": {cloneURL: https://bitbucket.org/, token: {file: bitbucket.txt}}}
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "signing.txt"), []byte("a very long secret value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "bitbucket.txt"), []byte("another very long secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if to := c.AWS.Connections["arn:aws:codeconnections:eu-west-1:111122223333:connection/b"]; to.CloneURL != "https://bitbucket.org/" || !slices.Contains(c.Secrets(), "another very long secret") {
		t.Errorf("the connection leads to %q; its token is known as a secret: %t", to.CloneURL, slices.Contains(c.Secrets(), "another very long secret"))
	}
	if got := c.Slack.SigningSecret.Reveal(); got != "a very long secret value" {
		t.Errorf("signing secret = %q", got)
	}
	if c.Listen != "127.0.0.1:8484" || c.PublicURL != "http://127.0.0.1:8484" || c.Slack.Command != "/rollcall" || c.GitHub != nil {
		t.Errorf("defaults: %+v", c)
	}
	if want := filepath.Join(filepath.Dir(path), "data"); c.DataDir != want {
		t.Errorf("dataDir = %s, want %s", c.DataDir, want)
	}
	for _, text := range []string{fmt.Sprint(*c.Slack), fmt.Sprintf("%#v %+v %+v", *c.Slack, c.API, c.AWS)} {
		if strings.Contains(text, "xoxb-1") || strings.Contains(text, "very long") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
	if p := c.Policy(); len(p.Tokens["ci"]) != 2 {
		t.Errorf("policy tokens: %v", p.Tokens)
	}
}

// Each file of testdata/faults names its faults in the golden file beside it, all at once and in order.
func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, 0o644, string(data))
			_, err = Load(path)
			var ps Problems
			if !errors.As(err, &ps) {
				t.Fatalf("Load = %v, want Problems", err)
			}
			got := strings.ReplaceAll(ps.Error(), filepath.Dir(path)+"/", "") + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A date is a day in the freeze's own time zone, and the last one is still frozen.
func TestFreezesAreDaysInTheirZone(t *testing.T) {
	c, err := Load(write(t, 0o644, `
admins: [ana@acme.example]
freeze:
  - {name: year-end, from: 2026-12-20, to: 2027-01-04, timezone: Europe/Berlin, on: ["*/Production"], mayPass: [ana@acme.example]}
  - {name: clocks, from: 2026-03-29, to: 2026-03-29, timezone: Europe/Berlin}
  - {name: sale, from: 2026-11-27T06:00, to: "2026-11-27 18:30"}
  - {name: abroad, from: 2026-11-27T06:00:00-05:00, to: 2026-11-28T06:00:00}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := [][3]string{
		{"year-end", "2026-12-19T23:00:00Z", "2027-01-04T23:00:00Z"},
		{"clocks", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // a day of 23 hours
		{"sale", "2026-11-27T06:00:00Z", "2026-11-27T18:30:00Z"},
		{"abroad", "2026-11-27T11:00:00Z", "2026-11-28T06:00:00Z"},
	}
	got := c.Freezes()
	if len(got) != len(want) {
		t.Fatalf("got %d freezes: %+v", len(got), got)
	}
	for i, f := range got {
		if is := [3]string{f.Name, f.From.UTC().Format(time.RFC3339), f.To.UTC().Format(time.RFC3339)}; is != want[i] {
			t.Errorf("got %v, want %v", is, want[i])
		}
	}
	if f := got[0]; !scope.Frozen(&f, f.To.Add(-time.Second), "webshop", "Production") || scope.Frozen(&f, f.To, "webshop", "Production") || scope.Frozen(&f, f.From, "webshop", "Build") || len(f.MayPass) != 1 {
		t.Errorf("it holds from %s until %s on %v for all but %v", f.From, f.To, f.On, f.MayPass)
	}
}

func TestLiteralSecretsOnlyInPrivateFiles(t *testing.T) {
	const text = "jira: {url: https://j.example, token: plain-secret, project: OPS}\n"
	if _, err := Load(write(t, 0o600, text)); err != nil {
		t.Errorf("mode 0600: %v", err)
	}
	_, err := Load(write(t, 0o644, text))
	if err == nil || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), "plain-secret") {
		t.Errorf("mode 0644: %v", err)
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	f.Add([]byte("listen: 127.0.0.1:1\nadmins: [a@b]\n"))
	f.Add([]byte("slack: {botToken: {env: X}}\naccess: {rules: [{allow: [x]}]}\n"))
	f.Add([]byte("? a\n: &x [*x]\n<<: {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &decoder{file: "f.yaml", dir: t.TempDir()}
		c := &Config{}
		d.decodeFile(data, c)
		c.defaults()
		d.check(c)
	})
}
