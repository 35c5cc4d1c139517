package app

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/commands"
	"github.com/rollcall-bot/rollcall/workflows"
)

// TestMain lets the test binary be the supervisor of its commands.
func TestMain(m *testing.M) {
	commands.Supervise()
	os.Exit(m.Run())
}

// C3: whatever of ours fails behind commands that succeeded, and whatever
// onFailure says, what they put live stays live, and the stage runs once.
func TestWhatWeCannotKeepOverturnsNothing(t *testing.T) {
	const away = `trap - EXIT; rollcall_outputs() { :; }; `
	type epilogue struct {
		name, does string
		ends       workflows.Status
		note       string
	}
	cases := []epilogue{
		{"replaced", `exec true`, workflows.StatusSucceeded, "output variable VERSION was not exported"},
		{"unreadable", away + `mkdir "$HOME/.rollcall-exported"`, workflows.StatusSucceeded, "could not be read"},
		{"link", away + `ln -s /etc/passwd "$HOME/.rollcall-exported"`, workflows.StatusSucceeded, "could not be read"},
		{"homeless", `rm -rf "$HOME"`, workflows.StatusSucceeded, "VERSION was not exported"},
		{"secret", `export VERSION=hunter2-of-the-service`, workflows.StatusSucceeded, "VERSION holds a secret"},
		{"unpacked", `rm -rf dist`, workflows.StatusFailed, `output artifact "dist" could not be stored`},
		{"leading-out", `ln -s /etc dist/etc`, workflows.StatusFailed, `output artifact "dist" could not be stored`},
	}
	dir := t.TempDir()
	repository := filepath.Join(dir, "shop")
	for _, args := range [][]string{{"init", "-q", "-b", "main", repository}, {"-C", repository, "-c", "user.name=Ana", "-c", "user.email=ana@acme.example", "commit", "-q", "--allow-empty", "-m", "First"}} {
		if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git: %v\n%s", err, out)
		}
	}
	p := newFixture(t, "sources: {allowFileURLs: true}\nrunners: {commands: {enabled: true}}\napi: {tokens: [{name: ci, token: {env: KEEPING_TOKEN}, may: [view, start]}]}\n", "KEEPING_TOKEN=hunter2-of-the-service")
	follows := []string{"", "ROLLBACK", "RETRY"}
	for _, c := range cases {
		for _, f := range follows {
			onFailure := ""
			if f != "" {
				onFailure = "onFailure: {result: " + f + "}"
			}
			p.write(c.name+f+".yaml", fmt.Sprintf(`
name: %[1]s
variables: [{name: n, defaultValue: "1"}, {name: end, defaultValue: "true"}]
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "file://%[2]s", BranchName: main, PollForSourceChanges: "false"}, outputArtifacts: [app]}]
  - name: Production
    environment: production
    %[3]s
    actions:
      - name: Deploy
        provider: Commands
        commands: ["mkdir dist; touch dist/it; export VERSION=1", "echo \"#{variables.n}\" >>'%[4]s/%[1]s.live'", "eval \"#{variables.end}\""]
        outputVariables: [VERSION]
        inputArtifacts: [app]
        outputArtifacts: [{name: dist, files: ["dist/*"]}]
`, c.name+f, repository, onFailure, dir))
		}
	}
	p.read()
	for n, end := range []func(epilogue) string{func(epilogue) string { return "true" }, func(c epilogue) string { return c.does }} {
		for _, c := range cases {
			for _, f := range follows {
				_, err := p.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Start, Pipeline: c.name + f,
					Variables: map[string]string{"n": fmt.Sprint(n + 1), "end": end(c)}}, workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range cases {
			for _, f := range follows {
				p.ended(c.name+f, n+1)
			}
		}
	}
	for _, c := range cases {
		for _, f := range follows {
			name := c.name + f
			e := p.ended(name, 2)
			a := e.Stages[1].Actions[0]
			said := a.Summary
			if a.Error != nil {
				said = a.Error.Message
			}
			live, err := os.ReadFile(filepath.Join(dir, name+".live"))
			if err != nil || string(live) != "1\n2\n" {
				t.Errorf("%s: live was %q, %v", name, live, err)
			}
			if e.Status != c.ends || !strings.Contains(said, c.note) || strings.Contains(said, dir) || strings.Contains(said, "hunter2") {
				t.Errorf("%s: %s, %q, want %s and %q", name, e.Status, said, c.ends, c.note)
			}
			if _, err := p.engine.Execution(t.Context(), workflows.EnginePrincipal(), name+"#3"); err == nil {
				t.Errorf("%s: something followed by itself", name)
			}
		}
	}
}

// ended waits for the end of an execution.
func (p *fixture) ended(pipeline string, number int) workflows.Execution {
	p.t.Helper()
	ref := fmt.Sprintf("%s#%d", pipeline, number)
	again, late := time.NewTicker(20*time.Millisecond), time.After(5*time.Minute)
	defer again.Stop()
	for {
		e, err := p.engine.Execution(p.t.Context(), workflows.EnginePrincipal(), ref)
		if err == nil && e.Status.Final() {
			return e
		}
		select {
		case <-again.C:
		case <-late:
			p.t.Fatalf("%s does not end: %s %v", ref, cmp.Or(e.Status, "unknown"), err)
		}
	}
}
