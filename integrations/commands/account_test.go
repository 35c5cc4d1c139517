package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// host is a process of its own that runs one task, with a secret in its
// environment, as the service does it.
type host struct {
	Root, User string
	Lines      []string
}

const (
	asService       = "COMMANDS_TEST_AS_SERVICE"
	secretOfService = "hunter2-in-the-environment" // other tests have tokens in theirs, too
)

// serve is that process.
func (s host) serve() error {
	d, r := desk{Root: s.Root}, New(Options{User: s.User})
	if err := r.Check(filepath.Dir(d.Dir())); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	tk := task(s.Lines...)
	tk.Action.OutputVariables = []string{"VERSION"}
	tk.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "all"}}
	o, err := r.Start(ctx, tk, d)
	for err == nil && o.State == work.Running && ctx.Err() == nil {
		<-again.C
		o, err = r.Poll(ctx, tk, d)
	}
	if err != nil {
		return err
	}
	log, err := os.ReadFile(d.LogFile())
	fmt.Printf("%s %s VERSION=%s artifacts=%d\n%s", o.State, o.Summary, o.Outputs["VERSION"], len(o.Artifacts), log)
	return errors.Join(err, folder(d.Dir()).empty())
}

// run starts the process, as daemon where this one is root, with these
// capabilities, and returns what it says.
func (s host) run(t *testing.T, capabilities []uintptr) string {
	t.Helper()
	d := newDesk(t)
	s.Root = d.Root
	told, err := json.Marshal(s)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{"SLACK_BOT_TOKEN=" + secretOfService, asService + "=" + string(told), "PATH=" + os.Getenv("PATH")}
	if os.Geteuid() == 0 {
		daemon, err := user.Lookup("daemon")
		must(t, err)
		uid, _ := strconv.Atoi(daemon.Uid)
		gid, _ := strconv.Atoi(daemon.Gid)
		must(t, filepath.WalkDir(d.Root, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, uid, gid))
		}))
		for dir := filepath.Join(d.Root, "runs"); dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o711))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, AmbientCaps: capabilities}
	}
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return string(out)
}

// T7: a command that runs as the service looks for the service's secrets in
// every process that it can see, and in its supervisor's memory.
func TestCommandsCannotReadTheService(t *testing.T) {
	said := host{Lines: []string{
		`cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep ^SLACK_BOT_TOKEN=hunter2 && echo FOUND in an environment`,
		`for p in $PPID $(ps -o ppid= -p $PPID 2>/dev/null); do for f in mem environ maps auxv; do`,
		`  (exec 3</proc/$p/$f && head -c 1 <&3 >/dev/null) 2>/dev/null && echo "FOUND $f of $p"; done; ls /proc/$p/fd 2>/dev/null && echo "FOUND fd of $p"; done`,
		`env | grep SLACK_BOT_TOKEN && echo FOUND in the own one`,
		"export VERSION=1; echo looked",
	}}.run(t, nil)
	if !strings.Contains(said, "looked\n") || strings.Contains(said, "FOUND") || strings.Contains(said, secretOfService) {
		t.Errorf("it said:\n%s", said)
	}
}

// T7: `user` works with capabilities in place of root: everything that root does
// for it, and the commands have none of them.
func TestCapabilitiesInsteadOfRoot(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if os.Geteuid() != 0 || err != nil || len(lacks()) > 0 {
		t.Skip("giving capabilities to somebody else needs root and a user nobody")
	}
	s := host{User: "nobody", Lines: []string{
		"id -u; id -G", "umask 077; grep ^Cap /proc/self/status",
		`mkdir -p ~/cache/mod private; echo x >~/cache/mod/x; echo mine >private/mine; chmod 500 ~/cache/mod; chmod 0 private/mine; chmod 700 private`,
		`chmod 400 private/mine; export VERSION=1`, `setsid sh -c 'echo $$ >left; exec sleep 1000' & while [ ! -s left ]; do sleep 0.01; done; cat left`,
	}}
	var all []uintptr
	for c := range capabilities() {
		all = append(all, c)
	}
	said := s.run(t, all)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if lines[0] != "succeeded  VERSION=1 artifacts=1" || len(lines) < 8 || lines[1] != nobody.Uid || lines[2] != nobody.Gid {
		t.Fatalf("it said:\n%s", said)
	}
	for _, line := range lines {
		if name, bits, ok := strings.Cut(line, ":\t"); ok && name != "CapBnd" && name != "CapInh" && strings.Trim(bits, "0") != "" {
			t.Errorf("the commands have capabilities: %s", line)
		}
	}
	if pid, err := strconv.Atoi(lines[len(lines)-1]); err != nil || alive(pid) {
		t.Errorf("a process of the commands lives on: %s", lines[len(lines)-1])
	}
	for c, name := range capabilities() {
		var others []uintptr
		for _, o := range all {
			if o != c {
				others = append(others, o)
			}
		}
		if said := s.run(t, others); !strings.Contains(said, "the service lacks "+name+";") {
			t.Errorf("without %s it said:\n%s", name, said)
		}
	}
}

// T7: the unit that is shipped for it gives what is needed, and no more.
func TestTheUnitGivesTheCapabilities(t *testing.T) {
	unit, err := os.ReadFile("../../examples/systemd/commands-user.conf")
	must(t, err)
	var names []string
	for _, name := range capabilities() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, set := range []string{"AmbientCapabilities=", "CapabilityBoundingSet="} {
		if want := "\n" + set + strings.Join(names, " ") + "\n"; !strings.Contains(string(unit), want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
}

// mainOfHost makes the test binary that process.
func mainOfHost() {
	told := os.Getenv(asService)
	if told == "" {
		return
	}
	var s host
	if err := json.NewDecoder(bytes.NewBufferString(told)).Decode(&s); err == nil {
		err = s.serve()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}
