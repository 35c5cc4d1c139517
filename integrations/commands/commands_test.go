package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name    string
		lines   []string
		state   string
		message string
		log     string
	}{
		{"lines share one shell", []string{"x=1", "cd /", `echo "$x $PWD"`}, work.Succeeded, "", "1 /\n"},
		{"the first failing line ends it", []string{"echo one", "false", "echo two"}, work.Failed, "exit status 1", "one\n"},
		{"the exit status is told", []string{"echo trouble >&2", "exit 3"}, work.Failed, "exit status 3", "trouble\n"},
		{"a signal is told", []string{"kill -9 $$"}, work.Failed, "ended by signal: killed", ""},
		{"an unknown program", []string{"no-such-program"}, work.Failed, "exit status 127", "sh: 1: no-such-program: not found\n"},
		{"nothing on standard input", []string{"cat", "echo done"}, work.Succeeded, "", "done\n"},
		{"no commands at all", nil, work.Failed, `action "Make" has no commands`, ""},
		{"too many commands", []string{strings.Repeat("true;", 30_000)}, work.Failed, `the commands of action "Make" are 150000 bytes long, at most 120000 are possible; move them into a script of the repository`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			o := run(t, New(Options{}), task(c.lines...), d)
			message := ""
			if o.Error != nil {
				message = o.Error.Message
			}
			if o.State != c.state || message != c.message {
				t.Errorf("outcome %s %q, want %s %q", o.State, message, c.state, c.message)
			}
			if data, _ := os.ReadFile(d.LogFile()); !strings.HasSuffix(string(data), c.log) {
				t.Errorf("log %q, want %q", data, c.log)
			}
		})
	}
}

// T10: whoever may see an execution may not see its logs for that: an outcome,
// which becomes its row and an event, holds nothing of the log, however it ended.
func TestAnOutcomeHoldsNothingOfTheLog(t *testing.T) {
	for _, end := range []string{"exit 3", "kill -9 $$", "true", "missing-command", "sleep 60"} {
		tk := task("echo marker-of-the-log", end)
		if end == "sleep 60" {
			tk.Deadline = time.Now().Add(time.Second)
		}
		o := run(t, New(Options{}), tk, newDesk(t))
		if text := fmt.Sprintf("%+v %+v", o, o.Error); strings.Contains(text, "marker-of-the-log") {
			t.Errorf("after %q: %s", end, text)
		}
	}
}

// Nothing of the service's environment reaches a command, and what a person
// typed is never parsed as shell.
func TestEnvironmentIsAnAllowList(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-secret-of-the-service")
	t.Setenv("LANG", "en_GB.UTF-8")
	d := newDesk(t)
	tk := task("/usr/bin/env", `echo "tag is $ROLLCALL_VALUE_1"`)
	tk.Environment = map[string]string{"ROLLCALL_VALUE_1": "x; touch pwned", "ROLLCALL_EXECUTION": "webshop#42"}
	if o := run(t, New(Options{}), tk, d); o.State != work.Succeeded {
		t.Fatalf("outcome %+v", o)
	}
	log := logOf(t, d)
	var names []string
	for line := range strings.Lines(log) {
		if name, _, ok := strings.Cut(line, "="); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	want := []string{"CODEBUILD_SRC_DIR", "HOME", "LANG", "PATH", "PWD", "ROLLCALL_EXECUTION", "ROLLCALL_VALUE_1"}
	if diff := cmp.Diff(want, slices.DeleteFunc(names, func(n string) bool { return n == "_" || n == "SHLVL" || n == "OLDPWD" })); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if !strings.Contains(log, "tag is x; touch pwned\n") || exists(filepath.Join(d.Dir(), "work", "pwned")) {
		t.Errorf("the value was parsed: %q", log)
	}
}

func TestArtifactsKeepModesAndLinks(t *testing.T) {
	d := newDesk(t)
	src := d.shelf("srcdigest")
	for path, text := range map[string]string{"app/run.sh": "#!/bin/sh\necho ran\n", "readme": "hello\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other := d.shelf("otherdigest")
	if err := os.MkdirAll(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "tool"), []byte("tool\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tk := task("app/run.sh", `cat "$CODEBUILD_SRC_DIR_my_tools/tool" ../my-tools/tool`, "mkdir -p dist/sub", "cp app/run.sh dist/sub", "ln -s sub/run.sh dist/link", "echo no > left-out")
	tk.Inputs = []workflows.Artifact{{Name: "app", Digest: "srcdigest"}, {Name: "my-tools", Digest: "otherdigest"}}
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "dist", Files: []string{"dist/**"}}}
	o := run(t, New(Options{}), tk, d)
	if o.State != work.Succeeded || len(o.Artifacts) != 1 || o.Artifacts[0].Name != "dist" {
		t.Fatalf("outcome %+v\n%s", o, logOf(t, d))
	}
	if log := logOf(t, d); log != "ran\ntool\ntool\n" {
		t.Errorf("log %q", log)
	}
	dist := d.shelf(o.Artifacts[0].Digest)
	if info, err := os.Stat(filepath.Join(dist, "dist/sub/run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the script lost its mode: %v %v", info, err)
	}
	if link, _ := os.Readlink(filepath.Join(dist, "dist/link")); link != "sub/run.sh" {
		t.Errorf("the link is %q", link)
	}
	if exists(filepath.Join(dist, "left-out")) {
		t.Error("a file that no glob names was packed")
	}
}

func TestMissingInputIsFinal(t *testing.T) {
	d := newDesk(t)
	tk := task("touch ran")
	tk.Inputs = []workflows.Artifact{{Name: "app", Digest: "gone"}}
	o := run(t, New(Options{}), tk, d)
	if o.State != work.Failed || o.Error.Code != "ArtifactMissing" || !strings.Contains(o.Error.Message, `"app"`) {
		t.Errorf("outcome %+v", o)
	}
	if o, ok, err := New(Options{}).Find(t.Context(), tk, d); !ok || o.State != work.Failed || err != nil {
		t.Errorf("Find: %+v %v %v", o, ok, err)
	}
}

func TestOutputVariables(t *testing.T) {
	big := func(n int) string { return fmt.Sprintf(`export BIG="$(head -c %d /dev/zero | tr '\0' x)"`, n) }
	for _, c := range []struct {
		name  string
		lines []string
		want  map[string]string
		fails string
	}{
		{"exported", []string{"export VERSION=1.2", "OTHER=not-exported", "export UNASKED=1"}, map[string]string{"VERSION": "1.2"}, ""},
		{"any bytes", []string{`export VERSION="a b
c=d 'e' \"f\""`}, map[string]string{"VERSION": "a b\nc=d 'e' \"f\""}, ""},
		{"exit in the middle", []string{"export VERSION=1", "exit 0", "export VERSION=2"}, map[string]string{"VERSION": "1"}, ""},
		{"a trap of their own", []string{"trap 'echo bye' EXIT", "export VERSION=1"}, map[string]string{"VERSION": "1"}, ""},
		{"no overwriting, other PATH", []string{"set -C", "PATH=/nowhere", "export VERSION=1"}, map[string]string{"VERSION": "1"}, ""},
		{"failing is failing", []string{"export VERSION=1", "exit 7"}, nil, "exit status 7"},
		{"a long one", []string{big(122_881)}, map[string]string{"BIG": strings.Repeat("x", 122_881)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			tk := task(c.lines...)
			tk.Action.OutputVariables = []string{"VERSION", "OTHER", "BIG"}
			o := run(t, New(Options{}), tk, d)
			if c.fails != "" {
				if o.State != work.Failed || !strings.HasPrefix(o.Error.Message, c.fails) || o.Outputs != nil {
					t.Errorf("outcome %s %+v %v", o.State, o.Error, o.Outputs)
				}
				return
			}
			if o.State != work.Succeeded {
				t.Fatalf("outcome %+v", o.Error)
			}
			if diff := cmp.Diff(c.want, o.Outputs); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
		})
	}
}

// C3: what the commands did is their exit status. Whatever of ours fails behind
// it is said beside it, in the log and in the summary.
func TestWhatWeCannotKeepIsANote(t *testing.T) {
	const exported = `"$HOME/.rollcall-exported"`
	for _, c := range []struct {
		name  string
		lines []string
		note  string
	}{
		{"the shell was replaced", []string{"export VERSION=1", "exec true"}, "output variable VERSION was not exported"},
		{"the file of exports is a link", []string{"trap - EXIT", "rollcall_outputs() { :; }", "ln -s /etc/passwd " + exported}, "the exported variables could not be read: "},
		{"a folder", []string{"trap - EXIT", "rollcall_outputs() { :; }", "mkdir " + exported}, "their file is not what the script wrote"},
		{"a pipe", []string{"trap - EXIT", "rollcall_outputs() { :; }", "mkfifo " + exported}, "their file is not what the script wrote"},
		{"too large", []string{"trap - EXIT", "rollcall_outputs() { :; }", "head -c 5000000 /dev/zero >" + exported}, "their file is not what the script wrote"},
		{"the home is gone", []string{"export VERSION=1", `rm -rf "$HOME"`}, "output variable VERSION was not exported"},
		{"no room for the log", []string{"export VERSION=1", "rm -f ../../../log", "exec true"}, "output variable VERSION was not exported"},
		{"it holds a secret", []string{"export VERSION=1-hunter2-2"}, "output variable VERSION holds a secret and was not taken over"},
		{"it holds a secret in base64", []string{"export VERSION=$(printf user:hunter2 | base64)"}, "output variable VERSION holds a secret and was not taken over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			tk := task(c.lines...)
			tk.Action.OutputVariables = []string{"VERSION"}
			o := run(t, New(Options{Secrets: func() []string { return []string{"hunter2"} }}), tk, d)
			if o.State != work.Succeeded || o.Error != nil || o.EndedAt.IsZero() {
				t.Errorf("outcome %s %+v", o.State, o.Error)
			}
			if !strings.Contains(o.Summary, c.note) || strings.Contains(o.Summary, d.Root) || len(o.Outputs) > 0 {
				t.Errorf("summary %q, want %q in it; outputs %v", o.Summary, c.note, o.Outputs)
			}
			if log, err := os.ReadFile(d.LogFile()); err == nil && !strings.Contains(string(log), "[rollcall] ") {
				t.Errorf("log %q", log)
			}
		})
	}
}

// C3: an artifact that cannot be stored is the failure of storing it, not of the
// commands. C19i: its reason names what is in the run folder, not where that is.
func TestArtifactNotStored(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		err   error
		state string
	}{
		{"nothing matches", nil, errors.New("no file matches dist/* (globs are relative to the action's folder)"), work.Failed},
		{"a link that leads out", nil, errors.New("the link dist/etc leads to /etc, outside the folder; leave it out"), work.Failed},
		{"it was removed meanwhile", nil, &os.PathError{Op: "open", Path: "WORK/dist", Err: syscall.ENOENT}, work.Failed},
		{"the commands failed", []string{"exit 3"}, errors.New("never asked"), "exit status 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := keepsNothing{newDesk(t), c.err}
			tk := task(append([]string{"true"}, c.lines...)...)
			tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "dist"}}
			o := run(t, New(Options{}), tk, d)
			if c.lines != nil {
				if o.State != work.Failed || o.Error.Code != "ActionFailed" || o.Error.Message != c.state {
					t.Errorf("outcome %s %+v", o.State, o.Error)
				}
				return
			}
			if o.State != c.state || o.Error.Code != "ArtifactNotStored" || !strings.HasPrefix(o.Error.Message, `the commands succeeded, but output artifact "dist" could not be stored: `) {
				t.Errorf("outcome %s %+v", o.State, o.Error)
			}
			if strings.Contains(o.Error.Message, d.Root) {
				t.Errorf("the reason says where the run folder is: %s", o.Error.Message)
			}
		})
	}
	d := keepsNothing{newDesk(t), fmt.Errorf("write: %w", syscall.ENOSPC)}
	tk := task("true")
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "dist"}}
	if _, err := New(Options{}).Start(t.Context(), tk, d); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an error that passes", func() bool {
		_, err := New(Options{}).Poll(t.Context(), tk, d)
		return errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), d.Root)
	})
}

// T12: a secret that commands print or export, in whatever form, stands neither in
// the log, from which cards and tickets take their lines, nor in the outcome.
func TestNoFormOfASecretGetsOut(t *testing.T) {
	const secret = "xoxb-17/Geheim+and?more"
	for form, print := range map[string]string{
		"plain":                "printf %s \"$S\"",
		"base64":               "printf %s \"$S\" | base64 -w 0",
		"base64 of a login":    "printf 'x-access-token:%s' \"$S\" | base64 -w 0",
		"base64 in lines":      "printf 'the environment of the whole service: SLACK_BOT_TOKEN=%s' \"$S\" | base64",
		"hex":                  "printf %s \"$S\" | od -An -v -tx1 | tr -d ' \\n'",
		"a query":              "printf 'token=xoxb-17%%2FGeheim%%2Band%%3Fmore&x'",
		"to the other channel": "printf %s \"$S\" >&2; printf %s \"$S\"",
	} {
		t.Run(form, func(t *testing.T) {
			for _, status := range []string{"0", "3"} {
				d := newDesk(t)
				tk := task(`S="xoxb-17/Geheim+"; S="${S}and?more"`, print, `export VERSION="$(`+print+`)"`, "exit "+status)
				tk.Action.OutputVariables = []string{"VERSION"}
				o := run(t, New(Options{Secrets: func() []string { return []string{secret} }}), tk, d)
				said, err := json.Marshal(o)
				must(t, err)
				log := logOf(t, d)
				for place, text := range map[string]string{"log": log, "outcome": string(said)} {
					for _, part := range []string{"Geheim", "R2VoZWlt", "dlaGVpb", "HZWhlaW", "47656865696d", "Geheim%2B"} { // the middle of it, in each form
						if strings.Contains(strings.ReplaceAll(text, "\n", ""), part) {
							t.Errorf("exit %s: %s is in the %s: %s", status, part, place, text)
						}
					}
				}
				if !strings.Contains(log, masked) {
					t.Errorf("log %q", log)
				}
			}
		})
	}
}

// keepsNothing is a desk whose shelf is broken.
type keepsNothing struct {
	desk
	err error
}

func (k keepsNothing) Pack(_, dir string, _ []string) (workflows.Artifact, error) {
	if p := new(os.PathError); errors.As(k.err, &p) {
		return workflows.Artifact{}, &os.PathError{Op: p.Op, Path: strings.Replace(p.Path, "WORK", dir, 1), Err: p.Err}
	}
	return workflows.Artifact{}, k.err
}

func TestStartIsIdempotent(t *testing.T) {
	d := newDesk(t)
	tk := task(append([]string{"echo ran >> ../ran"}, waits()...)...)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			o, err := New(Options{}).Start(t.Context(), tk, d)
			if err != nil || o.State != work.Running {
				t.Errorf("Start: %+v %v", o, err)
			}
		})
	}
	wg.Wait()
	open(t, filepath.Join(d.Dir(), "work", "gate"))
	if o := finish(t, New(Options{}), tk, d); o.State != work.Succeeded {
		t.Errorf("outcome %+v", o)
	}
	if o, err := New(Options{}).Start(t.Context(), tk, d); err != nil || o.State != work.Succeeded {
		t.Errorf("Start after the end: %+v %v", o, err)
	}
	if o, err := New(Options{}).Cancel(t.Context(), tk, d); err != nil || o.State != work.Succeeded {
		t.Errorf("Cancel after the end: %+v %v", o, err)
	}
	if data, _ := os.ReadFile(filepath.Join(d.Dir(), "ran")); string(data) != "ran\n" {
		t.Errorf("it ran %d times", strings.Count(string(data), "\n"))
	}
}

func TestFind(t *testing.T) {
	d, r := newDesk(t), New(Options{})
	tk := task(waits()...)
	if _, ok, err := r.Find(t.Context(), tk, d); ok || err != nil {
		t.Errorf("before the start: ok %v, err %v", ok, err)
	}
	if err := folder(d.Dir()).create(); err != nil {
		t.Fatal(err)
	}
	lock, err := folder(d.Dir()).tryLock(syscall.LOCK_EX)
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	if _, ok, err := r.Find(t.Context(), tk, d); ok || err == nil {
		t.Errorf("while it is being started: ok %v, err %v; want an error", ok, err)
	}
	lock.Close()
	if _, err := r.Start(t.Context(), tk, d); err != nil {
		t.Fatal(err)
	}
	if o, ok, err := r.Find(t.Context(), tk, d); !ok || o.State != work.Running || o.Handle == "" || err != nil {
		t.Errorf("while it runs: %+v %v %v", o, ok, err)
	}
	open(t, filepath.Join(d.Dir(), "work", "gate"))
	finish(t, r, tk, d)
	if o, ok, err := r.Find(t.Context(), tk, d); !ok || o.State != work.Succeeded || err != nil {
		t.Errorf("after the end: %+v %v %v", o, ok, err)
	}
}

// A mark without an ending and without the lock is what a power cut leaves.
func TestStartedWithoutEndingIsInDoubt(t *testing.T) {
	d, r := newDesk(t), New(Options{})
	tk := task("echo ran >> ../ran")
	tk.Restartable = true // by another attempt, never by this one
	f := folder(d.Dir())
	if err := errors.Join(f.create(), f.mark(startedMark)); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() (work.Outcome, error){
		"Start": func() (work.Outcome, error) { return r.Start(t.Context(), tk, d) },
		"Poll":  func() (work.Outcome, error) { return r.Poll(t.Context(), tk, d) },
		"Find": func() (work.Outcome, error) {
			o, ok, err := r.Find(t.Context(), tk, d)
			if !ok {
				t.Error("Find says that it did not start")
			}
			return o, err
		},
	} {
		if o, err := call(); err != nil || o.State != work.InDoubt {
			t.Errorf("%s: %+v %v", name, o, err)
		}
	}
	if exists(filepath.Join(d.Dir(), "ran")) {
		t.Error("it ran again")
	}
}

func TestDeadline(t *testing.T) {
	for within := 300 * time.Millisecond; ; within *= 2 {
		d := newDesk(t)
		tk := task("trap 'echo ending nicely' TERM", "echo listening", "sleep 1000 &", "wait || :", "exit 0")
		tk.Deadline = time.Now().Add(within)
		o := run(t, New(Options{}), tk, d)
		if o.State != work.Failed || o.Error.Code != "ActionTimedOut" {
			t.Fatalf("outcome %+v", o)
		}
		log, _ := os.ReadFile(d.LogFile())
		if !strings.Contains(string(log), "listening\n") && within < time.Minute {
			continue // it came before the commands had begun
		}
		heardTheDeadline(t, string(log))
		return
	}
}

func heardTheDeadline(t *testing.T, log string) {
	t.Helper()
	if !strings.Contains(log, "ending nicely\n") || !strings.Contains(log, "[rollcall] the deadline has come") {
		t.Errorf("log %q", log)
	}
}

// A cancel reaches those too who do not listen, and those who left the group.
func TestCancelKillsEverybody(t *testing.T) {
	d, r := newDesk(t), New(Options{Grace: 50 * time.Millisecond})
	tk := task(
		"trap '' TERM",
		`sh -c 'echo $$ > child; setsid sh -c "echo \$\$ > grandchild; exec sleep 1000" & sleep 1000' &`,
		"mkfifo gate", "cat gate")
	if _, err := r.Start(t.Context(), tk, d); err != nil {
		t.Fatal(err)
	}
	pids := []int{pidIn(t, d, "child"), pidIn(t, d, "grandchild")}
	if o, err := r.Cancel(t.Context(), tk, d); err != nil || o.State != work.Running && o.State != work.Cancelled {
		t.Fatalf("Cancel: %+v %v", o, err)
	}
	if o := finish(t, r, tk, d); o.State != work.Cancelled {
		t.Errorf("outcome %+v", o)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
	if o, err := r.Cancel(t.Context(), tk, d); err != nil || o.State != work.Cancelled {
		t.Errorf("a second Cancel: %+v %v", o, err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	d := newDesk(t)
	tk := task(`setsid sh -c 'echo $$ > left; exec sleep 1000' &`, "while [ ! -s left ]; do sleep 0.01; done")
	if o := run(t, New(Options{}), tk, d); o.State != work.Succeeded {
		t.Fatalf("outcome %+v", o)
	}
	if pid := pidIn(t, d, "left"); alive(pid) {
		t.Errorf("process %d lives on", pid)
	}
}

func TestCancelBeforeTheStartPreventsIt(t *testing.T) {
	d, r := newDesk(t), New(Options{})
	tk := task("touch ../ran")
	if o, err := r.Cancel(t.Context(), tk, d); err != nil || o.State != work.Cancelled {
		t.Fatalf("Cancel: %+v %v", o, err)
	}
	if o := run(t, r, tk, d); o.State != work.Cancelled || exists(filepath.Join(d.Dir(), "ran")) {
		t.Errorf("Start after Cancel: %+v", o)
	}
}

func TestLogMasksAndBounds(t *testing.T) {
	d := newDesk(t)
	r := New(Options{MaxLog: 4000, Secrets: func() []string { return []string{"hunter2-and-more"} }})
	run(t, r, task("printf hunter2-; sleep 0.1; echo and-more", "seq 100000", "echo hunter2-and-more is last", "exit 1"), d)
	log := logOf(t, d)
	if strings.Contains(log, "hunter2") {
		t.Error("the secret is in the log")
	}
	if !strings.HasPrefix(log, "***\n1\n2\n") || !strings.HasSuffix(log, "99999\n100000\n*** is last\n") || !strings.Contains(log, "bytes are left out here") {
		t.Errorf("log %.50q … %q", log, log[len(log)-200:])
	}
	if len(log) > 4200 {
		t.Errorf("the log has %d bytes", len(log))
	}
}

func TestRunAsSomebodyElse(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if os.Geteuid() != 0 || err != nil {
		t.Skip("becoming somebody else needs root and a user nobody")
	}
	d := newDesk(t)
	r := New(Options{User: "nobody"})
	tk := task("id -u", "echo made > made; echo home > ~/home", "ls .. >/dev/null 2>&1 && echo sees || echo blind", "cat ../.run/lock || true", "export VERSION=1")
	tk.Action.OutputVariables = []string{"VERSION"}
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "all"}}

	if o := run(t, r, tk, d); o.State != work.Failed || !strings.Contains(o.Error.Message, "chmod o+x") {
		t.Errorf("in a closed folder: %+v", o)
	}
	d = newDesk(t)
	for dir := filepath.Join(d.Root, "runs"); dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Check(filepath.Dir(d.Dir())); err != nil {
		t.Error(err)
	}
	o := run(t, r, tk, d)
	if o.State != work.Succeeded || o.Outputs["VERSION"] != "1" || len(o.Artifacts) != 1 {
		t.Errorf("outcome %+v", o)
	}
	if log := logOf(t, d); !strings.HasPrefix(log, nobody.Uid+"\nblind\n") || !strings.Contains(log, "Permission denied") {
		t.Errorf("log %q", log)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	if err := New(Options{User: "no-such-user"}).Check(t.TempDir()); err == nil || !strings.Contains(err.Error(), `"no-such-user"`) {
		t.Errorf("unknown user: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := New(Options{}).Check(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no sh in PATH") {
		t.Errorf("no shell: %v", err)
	}
	if o := run(t, New(Options{}), task("true"), newDesk(t)); o.State != work.Failed || !strings.Contains(o.Error.Message, "no sh in PATH") {
		t.Errorf("no shell: %+v", o)
	}
}

// The cancel came while somebody else was starting, and could only leave its mark.
func TestCancelDuringTheStartPreventsIt(t *testing.T) {
	d := newDesk(t)
	f := folder(d.Dir())
	if err := errors.Join(f.create(), f.mark(cancelMark)); err != nil {
		t.Fatal(err)
	}
	if o := run(t, New(Options{}), task("touch ../ran"), d); o.State != work.Cancelled || exists(filepath.Join(d.Dir(), "ran")) {
		t.Errorf("outcome %+v", o)
	}
}

// pidIn waits for a file of the work folder that holds a process number.
func pidIn(t *testing.T, d desk, name string) (pid int) {
	t.Helper()
	eventually(t, "the process number in "+name, func() bool {
		data, _ := os.ReadFile(filepath.Join(d.Dir(), "work", name))
		n, err := strconv.Atoi(strings.TrimSpace(string(data)))
		pid = n
		return err == nil
	})
	return pid
}

// alive says whether the process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
