package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// cli runs the real binary as somebody would on the service's host.
func (w *fixture) cli(args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	var out, errs strings.Builder
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "ROLLCALL_TEST_AS_SERVICE=1", "ROLLCALL_URL=http://"+w.addr, "ROLLCALL_TOKEN="+token, "HOME="+w.dir, "XDG_CONFIG_HOME="+w.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.dir, &out, &errs
	err = cmd.Run()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// must runs the real binary, and wants status 0.
func (w *fixture) must(args ...string) (stdout string) {
	w.t.Helper()
	status, out, errs := w.cli(args...)
	if status != 0 {
		w.t.Fatalf("rollcall %v: status %d\n%s%s", args, status, out, errs)
	}
	return out
}

// refuses runs the real binary, and wants status 1 and these words.
func (w *fixture) refuses(words string, args ...string) {
	w.t.Helper()
	if status, out, errs := w.cli(args...); status != 1 || !strings.Contains(errs, words) {
		w.t.Errorf("rollcall %v: status %d\n%s%s\nwant 1 and %q", args, status, out, errs, words)
	}
}

// slow makes the deployment wait until somebody lets it go on, and the token fetch backups.
func (w *fixture) slow() {
	w.write("work/deploy.sh", `
echo "deploy $ROLLCALL_EXECUTION $ROLLCALL_ATTEMPT begins" >> "$LEDGER"
while ! test -e "$SHOP.go"; do sleep 0.05; done
cp dist/page "$SHOP"
echo "deploy $ROLLCALL_EXECUTION $ROLLCALL_ATTEMPT ends" >> "$LEDGER"
`)
	text := strings.Replace(w.read("rollcall.yaml"), "approve, resolve, edit, override]}", "approve, resolve, edit, override, audit]}", 1)
	w.write("rollcall.yaml", text)
	w.kill()
	w.start()
}

// said is what was said outside about a commit, messages by when they were posted,
// and all that was built and deployed before #3.
func (w *fixture) said(sha string) string {
	var all []string
	for _, s := range w.github.Statuses(sha) {
		all = append(all, s.Description)
	}
	for _, m := range w.slack.Messages("#deploys") {
		if strings.Contains(w.slack.Rendered(m), sha[:7]) {
			all = append(all, m.TS)
		}
	}
	for line := range strings.Lines(w.read("ledger")) {
		if !strings.Contains(line, "webshop#3") {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

// revision is the commit of an execution.
func (w *fixture) revision(n int) string { return w.execution(n).SourceRevisions[0].RevisionID }

// A backup of the running service, with one execution deploying and one before its gate, is
// restored beside a life that went on: no command runs, nothing starts, nothing is posted; what
// was under way is in doubt, and people take it up from there. (Contract, Care.)
func TestARestoreStartsNothing(t *testing.T) {
	w := newWorld(t)
	w.slow()
	one := w.push("one", "One")
	w.until("#1 asks", func() bool { return w.gate(1) != nil })
	w.approve(w.ana, 1)
	w.approve(w.ben, 1)
	w.until("#1 deploys", func() bool { return strings.Contains(w.read("ledger"), " 1 begins") })
	w.until("#1 has its messages", func() bool { return len(w.posts("rollcall_execution", w.execution(1).ID)) == 1 })
	w.push("two", "Two")
	w.until("#2 waits", func() bool { return len(w.executions()) == 2 && w.execution(2).WaitsFor != nil })

	w.refuses("is there already, and a backup is never written over a file", "backup", w.path("rollcall.yaml"))
	if out := w.must("backup", "b.tar"); out != "written: b.tar\n" {
		t.Errorf("backup said %q", out)
	}
	if info, err := os.Stat(w.path("b.tar")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the backup is %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(w.path(".rollcall-backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	w.refuses("another rollcall uses", "check", "--config", "rollcall.yaml")
	w.refuses("another rollcall uses", "backup", "--config", "rollcall.yaml", "c.tar")
	w.refuses("never restored over a database", "restore", "b.tar", "--config", "rollcall.yaml")

	w.write("shop.go", "") // life goes on: #1 ends, #2 asks, and is approved and deployed
	w.ended(1, workflows.StatusSucceeded)
	w.until("#2 asks", func() bool { return w.gate(2) != nil })
	w.approve(w.ana, 2)
	w.approve(w.ben, 2)
	w.ended(2, workflows.StatusSucceeded)
	w.kill()

	w.damagedThenRestored()
	before := w.said(one)
	w.start()
	w.push("three", "Three") // when this has gone all the way, so has everything before it
	w.until("#3 has a card", func() bool {
		return len(w.executions()) == 3 && len(w.posts("rollcall_execution", w.execution(3).ID)) == 1
	})
	w.until("#3 waits", func() bool { return w.execution(3).WaitsFor != nil && len(w.github.Statuses(w.revision(3))) > 2 })
	if now := w.said(one); now != before {
		t.Errorf("was said and done\n%s\nand before\n%s", now, before)
	}
	w.takenUp()
}

// damagedThenRestored takes the data folder away, and brings the backup back.
func (w *fixture) damagedThenRestored() {
	w.t.Helper()
	data := w.path("data")
	if err := os.Rename(data, data+".old"); err != nil {
		w.t.Fatal(err)
	}
	whole := w.read("b.tar")
	w.write("half.tar", whole[:len(whole)/2])
	w.refuses("the backup is not sound, and nothing was restored", "restore", "half.tar", "--config", "rollcall.yaml")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		w.t.Errorf("left behind: %v", err)
	}
	out := w.must("restore", "b.tar", "--config", "rollcall.yaml")
	if !regexp.MustCompile(`(?m)^restored .*: 1 pipeline as of 20\d\d-.*Z\nwebshop#1 Production/Deploy was under way, and whether it ran is not known: resolve it once the service runs\n$`).MatchString(out) {
		w.t.Errorf("restore said %q", out)
	}
	if out := w.must("check", "--config", "rollcall.yaml"); !strings.HasPrefix(out, "ok "+data) {
		w.t.Errorf("check said %q", out)
	}
}

// takenUp has people say what became of what was under way; the rest goes on from there.
func (w *fixture) takenUp() {
	w.t.Helper()
	offers := w.execution(1).Offers
	if !slices.ContainsFunc(offers, func(o workflows.Offer) bool { return o.Verb == workflows.Resolve && o.Action == "Deploy" }) {
		w.t.Errorf("#1 offers %+v", offers)
	}
	if out := w.must("status", "webshop#1"); !strings.Contains(out, "rollcall was restored from a backup of ") {
		w.t.Errorf("status says\n%s", out)
	}
	w.must("resolve", "webshop#1", "Deploy", "succeeded", "-m", "the page says two by now")
	w.ended(1, workflows.StatusSucceeded)
	w.until("#3, which has taken the place of #2, asks", func() bool { return w.gate(3) != nil })
	if out := w.must("start", "webshop", "-o", "name"); out != "webshop#4\n" {
		w.t.Errorf("the next one is %q", out)
	}
	w.kill()
	w.must("check", "--config", "rollcall.yaml")
	w.must("backup", "--config", "rollcall.yaml", "c.tar")
}
