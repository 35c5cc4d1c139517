package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

const good = `name: %s
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Deploy
    actions: [{name: Ship, provider: Commands, commands: [%q], inputArtifacts: [app]}]
`

// restart is the service as it starts again on what it left.
func (p *fixture) restart() { p.definitions = p.App.definitions() }

// fresh are the names of the files that a look would parse.
func (p *fixture) fresh() (names []string) {
	p.t.Helper()
	if p.known == nil {
		if err := p.loadKnown(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
	paths, err := p.list()
	if err != nil {
		p.t.Fatal(err)
	}
	all, err := p.readAll(paths, &templateCache{folder: p.folder, opened: map[string]template{}})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range all {
		if r.fresh {
			names = append(names, filepath.Base(r.path))
		}
	}
	return names
}

// A start knows a file that has not changed by its digest, and parses, submits and
// writes nothing for it; whatever differs, in the file, in a template of it or in
// the program that reads it, is read anew. Broken files are broken after a start as before it.
func TestAStartParsesOnlyWhatChanged(t *testing.T) {
	p := newFixture(t, "")
	p.write("shop.yaml", fmt.Sprintf(good, "shop", "ship"))
	p.write("till.yaml", "name: till\nextends: base/service.yaml\nparameters: {deploy: till}\n")
	p.write("base/service.yaml", fmt.Sprintf(service, "ship"))
	p.write("service.yaml", fmt.Sprintf(service, "send"))
	p.write("bad.yaml", "name: bad\n")
	p.write("copy.yaml", fmt.Sprintf(good, "shop", "send"))
	p.read() // copy.yaml sorts first, and is in force
	shop := filepath.Join(p.folder, "shop.yaml")
	info, err := os.Stat(shop)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		about  string
		change func()
		fresh  []string
	}{
		{"nothing", func() {}, []string{"bad.yaml"}},
		{"a file is touched", func() { _ = os.Chtimes(shop, time.Time{}, time.Now().Add(time.Hour)) }, []string{"bad.yaml"}},
		{"a change of the same length, with its time set back", func() {
			p.write("shop.yaml", fmt.Sprintf(good, "shop", "shop"))
			_ = os.Chtimes(shop, time.Time{}, info.ModTime())
		}, []string{"bad.yaml", "shop.yaml"}},
		{"a change of a template", func() { p.write("base/service.yaml", fmt.Sprintf(service, "deploy")) }, []string{"bad.yaml", "till.yaml"}},
		{"a change of a template in the folder itself", func() { p.write("service.yaml", fmt.Sprintf(service, "sent")) }, []string{"bad.yaml", "service.yaml"}},
		{"a file that is new", func() { p.write("bank.yaml", fmt.Sprintf(good, "bank", "ship")) }, []string{"bad.yaml", "bank.yaml"}},
		{"a file that breaks", func() { p.write("bank.yaml", "name: bank\n") }, []string{"bad.yaml", "bank.yaml"}},
		{"and stays broken", func() {}, []string{"bad.yaml", "bank.yaml"}},
		{"a file that goes", func() { _ = os.Remove(filepath.Join(p.folder, "bank.yaml")) }, []string{"bad.yaml"}},
		{"and comes back as it was", func() { p.write("bank.yaml", fmt.Sprintf(good, "bank", "ship")) }, []string{"bad.yaml", "bank.yaml"}},
	} {
		step.change()
		p.restart()
		if got := p.fresh(); !slices.Equal(got, step.fresh) {
			t.Errorf("%s: %q would be parsed, want %q", step.about, got, step.fresh)
		}
		said := len(p.log.String())
		p.read()
		text := p.log.String()[said:]
		for _, broken := range []string{"bad.yaml", "shop.yaml"} {
			if !strings.Contains(text, "is broken and changes nothing\" file="+filepath.Join(p.folder, broken)) {
				t.Errorf("%s: nobody hears that %s is broken:\n%s", step.about, broken, text)
			}
		}
		if got := p.fresh(); len(got) != 0 {
			t.Errorf("%s: %q would be parsed again", step.about, got)
		}
	}
	p.restart()
	p.reading = "another program"
	if got := p.fresh(); len(got) != 6 {
		t.Errorf("another program parses %q", got)
	}
}

// An unchanged file costs a start no commit; SIGHUP reads it all the same; and what
// somebody else took out of force is put in force again.
func TestAnUnchangedFileCostsNoCommit(t *testing.T) {
	p := newFixture(t, "")
	p.write("shop.yaml", fmt.Sprintf(good, "shop", "ship"))
	p.read()
	path := filepath.Join(p.folder, "shop.yaml")
	memos := func() string {
		t.Helper()
		all, err := p.engine.MemosOf(filesOwner).List(t.Context(), "")
		if err != nil || len(all) != 1 {
			t.Fatalf("%d files are known, %v", len(all), err)
		}
		return string(all[0].Value)
	}
	row, head := memos(), p.head()
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	p.restart()
	p.read()
	if now := memos(); now != row || p.head() != head {
		t.Errorf("a start wrote %s over %s, and the log went from %d to %d", now, row, head, p.head())
	}
	p.readAnew()
	if got := p.fresh(); len(got) != 1 {
		t.Errorf("after SIGHUP %q are parsed", got)
	}
	if p.read(); p.head() != head {
		t.Errorf("the log went from %d to %d for a file that says the same", head, p.head())
	}
	if _, err := p.engine.Submit(t.Context(), workflows.Intent{Verb: workflows.Archive, Pipeline: "shop", ManagedBy: fileManager + path}, workflows.EnginePrincipal()); err != nil {
		t.Fatal(err)
	}
	p.restart()
	if got := p.read(); got["shop"] != "ship" {
		t.Errorf("a file that is known is not in force: %v", got)
	}
}

func (p *fixture) head() uint64 {
	p.t.Helper()
	at, err := p.engine.Head(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

// Of a file that was written a moment ago nobody can say by its stamp that it is unchanged.
func TestAStampIsOnlyOfWhatHasSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after  time.Duration
		coarse bool
		stamp  bool
	}{{0, false, false}, {time.Second, false, true}, {time.Second, true, false}, {3 * time.Second, true, true}} {
		if got := stampOf(info, info.ModTime().Add(c.after), c.coarse); (got != stamp{}) != c.stamp {
			t.Errorf("%v after the write, coarse %v: %v", c.after, c.coarse, got)
		}
	}
}
