package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/workflows"
)

// service is a template: what fifty services have in common.
const service = `
parameters: [{name: deploy}]
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Deploy
    actions: [{name: Ship, provider: Commands, commands: ["%s ${{parameters.deploy}}"], inputArtifacts: [app]}]
`

// fixture is a service with a pipelines folder, of which nothing but the engine runs.
type fixture struct {
	t      *testing.T
	folder string
	log    *log
	*definitions
}

// log gathers what the service says.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newFixture takes what more its configuration says, and variables of its environment.
func newFixture(t *testing.T, more string, environment ...string) *fixture {
	t.Helper()
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	p := &fixture{t: t, folder: filepath.Join(dir, "pipelines"), log: &log{}}
	p.write("../rollcall.yaml", "admins: [ana@acme.example]\nlisten: 127.0.0.1:0\n"+more)
	c, err := config.Load(filepath.Join(dir, "rollcall.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, slog.New(slog.NewTextHandler(p.log, nil)), Extras{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.engine.Run(ctx) }()
	<-a.engine.Ready()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.db.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("log of the service:\n" + p.log.String())
		}
	})
	p.definitions = a.definitions()
	return p
}

func (p *fixture) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.folder, name)
	if err := os.MkdirAll(p.folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// read reads the files, and returns the pipelines in force with the command of their last action.
func (p *fixture) read() map[string]string {
	p.t.Helper()
	if err := p.reload(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return p.commands()
}

// commands are the pipelines in force with the command of their last action.
func (p *fixture) commands() map[string]string {
	p.t.Helper()
	views, err := p.engine.Pipelines(p.t.Context(), workflows.EnginePrincipal())
	if err != nil {
		p.t.Fatal(err)
	}
	in := map[string]string{}
	for _, v := range views {
		last := v.Definition.Stages[len(v.Definition.Stages)-1].Actions
		in[v.Name] = strings.Join(last[len(last)-1].Commands, ";")
	}
	return in
}

func TestAChangedTemplateIsInForceInAllThatExtendIt(t *testing.T) {
	p := newFixture(t, "")
	p.write("base/service.yaml", fmt.Sprintf(service, "ship"))
	p.write("service.yaml", fmt.Sprintf(service, "send"))
	p.write("shop.yaml", "name: shop\nextends: base/service.yaml\nparameters: {deploy: shop}\n")
	p.write("till.yaml", "name: till\nextends: base/service.yaml\nparameters: {deploy: till}\n")
	p.write("bank.yaml", "name: bank\nextends: service.yaml\nparameters: {deploy: bank}\n")
	if diff := cmp.Diff(map[string]string{"shop": "ship shop", "till": "ship till", "bank": "send bank"}, p.read()); diff != "" {
		t.Fatalf("a template is no pipeline, and those that extend it are:\n%s", diff)
	}
	p.write("base/service.yaml", fmt.Sprintf(service, "deploy"))
	if diff := cmp.Diff(map[string]string{"shop": "deploy shop", "till": "deploy till", "bank": "send bank"}, p.read()); diff != "" {
		t.Fatalf("after a change of the template:\n%s", diff)
	}

	p.write("base/service.yaml", "parameters: [{name: deploy}]\nstages: 7\n")
	if diff := cmp.Diff(map[string]string{"shop": "deploy shop", "till": "deploy till", "bank": "send bank"}, p.read()); diff != "" {
		t.Fatalf("a broken template changes nothing:\n%s", diff)
	}
	p.read() // nothing has changed: it is not all read again
	if n := strings.Count(p.log.String(), "is broken and changes nothing"); n != 2 {
		t.Errorf("%d times a file is said to be broken, want once for both that extend it", n)
	}
	if err := os.Remove(filepath.Join(p.folder, "base/service.yaml")); err != nil {
		t.Fatal(err)
	}
	p.read()
	if !strings.Contains(p.log.String(), "cannot be read") {
		t.Error("nobody is told that the template has gone")
	}
	p.write("base/service.yaml", fmt.Sprintf(service, "ship"))
	if got := p.read(); got["shop"] != "ship shop" {
		t.Errorf("the template is back, and in force is %v", got)
	}
	if err := os.Remove(filepath.Join(p.folder, "till.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := p.read(); got["till"] != "" || len(got) != 2 {
		t.Errorf("a file has vanished, and in force is %v", got)
	}
}

// TestAFileInForceKeepsItsName (D8): a second file of a name is the broken one, whatever it is called.
func TestAFileInForceKeepsItsName(t *testing.T) {
	p := newFixture(t, "")
	defines := func(name, command string) string {
		return strings.NewReplacer("parameters: [{name: deploy}]", "name: "+name, " ${{parameters.deploy}}", "").Replace(fmt.Sprintf(service, command))
	}
	for _, step := range []struct {
		about, name, text string // an empty text removes the file
		inForce           map[string]string
		broken            string
	}{
		{"the first", "shop.yaml", defines("shop", "ship"), map[string]string{"shop": "ship"}, ""},
		{"a copy that sorts before it", "shop-backup.yaml", defines("shop", "old"), map[string]string{"shop": "ship"}, "shop-backup.yaml"},
		{"a change of the first", "shop.yaml", defines("shop", "send"), map[string]string{"shop": "send"}, "shop-backup.yaml"},
		{"the first is broken", "shop.yaml", "name: shop\n", map[string]string{"shop": "send"}, "shop.yaml"},
		{"the first takes another name", "shop.yaml", defines("till", "send"), map[string]string{"shop": "old", "till": "send"}, ""},
		{"both change places", "shop.yaml", defines("shop", "send"), map[string]string{"shop": "old", "till": "send"}, "shop.yaml"},
		{"the one in force goes", "shop-backup.yaml", "", map[string]string{"shop": "send"}, ""},
	} {
		before := len(p.log.String())
		if p.write(step.name, step.text); step.text == "" {
			if err := os.Remove(filepath.Join(p.folder, step.name)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(step.inForce, p.read()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step.about, diff)
		}
		said := p.log.String()[before:]
		for _, name := range []string{"shop.yaml", "shop-backup.yaml"} {
			if strings.Contains(said, "is broken and changes nothing\" file="+filepath.Join(p.folder, name)) != (step.broken == name || step.about == "the first is broken" && name == "shop-backup.yaml") {
				t.Errorf("%s: which file is broken? %s", step.about, said)
			}
		}
	}
}

// The test of a pipeline may lie beside it: it is nobody's definition.
func TestATestBesideAPipelineIsLeftAlone(t *testing.T) {
	p := newFixture(t, "")
	p.write("shop.test.yaml", "pipeline: shop.yaml\ntests: [{name: nothing, steps: [{start: ana}]}]\n")
	p.write("shop.test.yml", "pipeline: shop.yaml\n")
	files, err := p.list()
	if err != nil || len(files) != 0 {
		t.Errorf("%d files are read, %v", len(files), err)
	}
}

func TestATemplateFromElsewhereIsNotRead(t *testing.T) {
	p := newFixture(t, "")
	p.write("../secret.yaml", fmt.Sprintf(service, "leak"))
	p.write("shop.yaml", "name: shop\nextends: link.yaml\nparameters: {deploy: shop}\n")
	if err := os.Symlink("../secret.yaml", filepath.Join(p.folder, "link.yaml")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if got := p.read(); len(got) != 0 {
		t.Errorf("in force is %v", got)
	}
}

// What the configuration freezes is frozen in every pipeline that it names, and thawed when it is taken out.
func TestFreezesReachThePipelines(t *testing.T) {
	p := newFixture(t, `freeze: [{name: forever, from: 2020-01-01, to: 2100-01-01, on: ["shop/*"]}, {name: once, from: 2020-01-01, to: 2020-01-02}]`+"\n")
	p.write("service.yaml", fmt.Sprintf(service, "ship"))
	p.write("shop.yaml", "name: shop\nextends: service.yaml\nparameters: {deploy: shop}\n")
	p.write("till.yaml", "name: till\nextends: service.yaml\nparameters: {deploy: till}\n")
	p.read()
	for name, want := range map[string]int{"shop": 1, "till": 0} {
		for deadline := time.Now().Add(5 * time.Minute); ; runtime.Gosched() {
			v, err := p.engine.Pipeline(t.Context(), workflows.EnginePrincipal(), name, 0)
			if err == nil && len(v.Freezes) == want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has the freezes %+v, %v", name, v.Freezes, err)
			}
		}
	}
	p.say()
	if text := p.log.String(); !strings.Contains(text, "name=forever") || !strings.Contains(text, "the freeze once is over") {
		t.Error("the freezes are not said at the start")
	}
}
