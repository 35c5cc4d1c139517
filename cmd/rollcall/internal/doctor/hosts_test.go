package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Every branch that a pipeline follows is read as the service reads it.
func TestBranchesOfHostsAreRead(t *testing.T) {
	root := t.TempDir()
	at := filepath.Join(root, "acme", "shop.git")
	for _, args := range [][]string{{"init", "-q", "-b", "main", at}, {"-C", at, "-c", "user.name=A", "-c", "user.email=a@acme.example", "commit", "-q", "--allow-empty", "-m", "one"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	source := func(name, branch string) workflows.Action {
		return workflows.Action{ActionType: workflows.ActionType{Category: "Source", Provider: "GitLab"}, Configuration: map[string]string{"FullRepositoryId": name, "BranchName": branch}}
	}
	file := filepath.Join(t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(file, []byte("gitlab: {url: \"file://"+root+"/\"}\nsources: {allowFileURLs: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults, err := config.Inspect(file)
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	d := &doctor{c: c}
	d.pipelines = []*workflows.Pipeline{{Stages: []workflows.Stage{{Actions: []workflows.Action{source("acme/shop", "main"), source("acme/shop", "main"), source("acme/shop", "gone"), source("acme/other", "main"), source("acme/#{variables.x}", "main"), source("shop", "main")}}}}}
	got := map[string]selftest.Result{}
	for _, r := range d.gitlab(context.Background()) {
		got[r.About] = r
	}
	for about, want := range map[string]struct {
		status selftest.Status
		says   string
	}{
		"webhook": {selftest.Warning, "no gitlab.webhookSecret"}, "acme/shop main": {selftest.OK, "can be read"}, "acme/shop gone": {selftest.Failed, "has no branch"},
		"acme/other main": {selftest.Failed, "cannot be read"}, "shop main": {selftest.Failed, "owner/name"},
	} {
		if r := got[about]; r.Status != want.status || !strings.Contains(r.Message, want.says) || (r.Status != selftest.OK) != (len(r.Fix) > 0) {
			t.Errorf("%s: %+v", about, r)
		}
	}
	if len(got) != 5 {
		t.Errorf("%+v", got)
	}
}
