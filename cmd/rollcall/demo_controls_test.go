package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/demo"
)

// A pipeline file waits until somebody looks, and does what the page's controls
// say: an action fails once, a gate is added and answered, the clock opens a window.
func TestDemoOfAFileIsSteered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte(`name: own
stages:
  - name: Source
    actions: [{name: App, provider: GitHub, configuration: {FullRepositoryId: acme/app, BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Pack, provider: Commands, commands: [make], inputArtifacts: [app]}]
  - name: Live
    beforeEntry: {result: FAIL, rules: [{name: Late, provider: DeploymentWindow, timeoutInMinutes: 20160, configuration: {Cron: "* * 9 ? * MON"}}]}
    actions: [{name: Go, provider: Commands, commands: [deploy], inputArtifacts: [app]}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	v := visitDemo(t, dir, freeAddr(t), file)
	control := func(body map[string]any) {
		t.Helper()
		var ok struct {
			OK    bool
			Error string
		}
		if err := v.call(http.MethodPost, "/demo/api/control", body, &ok); err != nil || !ok.OK {
			t.Fatalf("%v: %v %s", body, err, ok.Error)
		}
	}
	control(map[string]any{"what": "speed", "speed": 4})
	control(map[string]any{"what": "fail", "stage": "Build", "action": "Pack"})
	var s demo.State
	picture := func(what string, holds func(*demo.Picture) bool) {
		t.Helper()
		v.until(what, func() bool { s = v.state(); return s.Picture != nil && len(s.Picture.Stages) == 3 && holds(s.Picture) })
	}
	picture("the build fails", func(p *demo.Picture) bool {
		return p.Execution == "#1" && p.Stages[1].Steps[0][0].Status == "Failed" && !p.Stages[1].Steps[0][0].Fails
	})
	control(map[string]any{"what": "gate", "stage": "Build"})
	picture("the gate is there", func(p *demo.Picture) bool { return len(p.Stages[1].Steps) == 2 && p.Stages[1].Gate })
	if err := v.act("command", map[string]any{"as": "UDAN", "channel": "CDEPLOYS", "text": "start own"}); err != nil {
		t.Fatal(err)
	}
	gate := ""
	picture("the gate asks", func(p *demo.Picture) bool {
		gate = p.Stages[1].Steps[0][0].Gate
		return p.Execution == "#2" && gate != ""
	})
	v.until("Ben approves", func() bool {
		var ok struct{ OK bool }
		return v.call(http.MethodPost, "/demo/api/control", map[string]any{"what": "approve", "gate": gate, "as": "UBEN"}, &ok) == nil && ok.OK
	})
	before := int64(0)
	picture("it comes to its window", func(p *demo.Picture) bool { before = p.Clock; return p.Stages[1].Status == "Succeeded" })
	control(map[string]any{"what": "skip", "to": "monday"})
	picture("the window opens", func(p *demo.Picture) bool { return p.Stages[2].Status == "Succeeded" && p.Ahead && p.Clock > before })
	v.leaves()
}
