package commands

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// TestMain is also the supervisor, and the service of the crash tests.
func TestMain(m *testing.M) {
	Supervise()
	mainOfHost()
	if len(os.Args) == 3 && os.Args[1] == "service" {
		serve(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// serve starts the task that standard input describes, says so, and stays.
func serve(root string) {
	var tk work.Task
	if err := json.NewDecoder(os.Stdin).Decode(&tk); err != nil {
		panic(err)
	}
	if _, err := New(Options{}).Start(context.Background(), tk, desk{Root: root}); err != nil {
		panic(err)
	}
	fmt.Println("started")
	select {}
}

// service starts a process that starts the task, and waits until it has.
func service(t *testing.T, d desk, tk work.Task) *exec.Cmd {
	t.Helper()
	cmd, said := begin(t, d, tk)
	if line, _ := bufio.NewReader(said).ReadString('\n'); line != "started\n" {
		t.Fatalf("the service said %q", line)
	}
	return cmd
}

// begin starts a process that starts the task, and what it says.
func begin(t *testing.T, d desk, tk work.Task) (*exec.Cmd, io.Reader) {
	t.Helper()
	told, err := json.Marshal(tk)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "service", d.Root)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(told)), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, out
}

// kill ends the service as the kernel's out-of-memory killer would.
func kill(t *testing.T, service *exec.Cmd) {
	t.Helper()
	if err := service.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = service.Wait()
}

func TestKilledServiceLeavesTheCommandsRunning(t *testing.T) {
	d := newDesk(t)
	tk := task(append(waits(), "echo deployed", "export VERSION=7")...)
	tk.Action.OutputVariables = []string{"VERSION"}
	kill(t, service(t, d, tk))

	next := New(Options{}) // what a new process sees
	if o, ok, err := next.Find(t.Context(), tk, d); !ok || o.State != work.Running || err != nil {
		t.Fatalf("after the crash: %+v %v %v", o, ok, err)
	}
	open(t, filepath.Join(d.Dir(), "work", "gate"))
	if o := finish(t, next, tk, d); o.State != work.Succeeded || o.Outputs["VERSION"] != "7" {
		t.Errorf("outcome %+v", o)
	}
	if log := logOf(t, d); log != "go\ndeployed\n" {
		t.Errorf("log %q", log)
	}
}

// However far a start had come when the service was killed, the commands run
// once: a lost start is looked up, and begun again only if it certainly did not happen.
func TestKilledWhileStarting(t *testing.T) {
	for _, sign := range []string{".run", ".run/lock", ".home", ".run/supervisor.log", ".run/started", "ran", ".run/ending"} {
		t.Run(sign, func(t *testing.T) {
			d := newDesk(t)
			tk := task("echo ran >> ../ran")
			svc, _ := begin(t, d, tk)
			eventually(t, sign, func() bool { return exists(filepath.Join(d.Dir(), sign)) })
			kill(t, svc)

			next := New(Options{})
			eventually(t, "an answer about the lost start", func() bool {
				_, ok, err := next.Find(t.Context(), tk, d)
				if err == nil && !ok {
					_, err = next.Start(t.Context(), tk, d)
				}
				return err == nil
			})
			if o := finish(t, next, tk, d); o.State != work.Succeeded {
				t.Errorf("outcome %+v", o)
			}
			if data, _ := os.ReadFile(filepath.Join(d.Dir(), "ran")); string(data) != "ran\n" {
				t.Errorf("it ran %d times", strings.Count(string(data), "\n"))
			}
		})
	}
}

func TestKilledSupervisorIsInDoubtAndTakesTheShellAlong(t *testing.T) {
	d := newDesk(t)
	tk := task("setsid sh -c 'echo $$ > away; exec sleep 1000' &", "echo $$ > shell", "mkfifo gate", "read line < gate", "touch ../went-on")
	svc := service(t, d, tk)
	away := pidIn(t, d, "away") // out of reach, and no reason to think that somebody supervises
	t.Cleanup(func() { _ = syscall.Kill(away, syscall.SIGKILL) })
	shell := pidIn(t, d, "shell")
	supervisor := parent(shell)
	if argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", supervisor)); !strings.Contains(string(argv), marker) {
		t.Fatalf("the shell's parent is %q", argv)
	}
	kill(t, svc)
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if o := finish(t, New(Options{}), tk, d); o.State != work.InDoubt {
		t.Errorf("outcome %+v", o)
	}
	eventually(t, "the shell's end", func() bool { return !alive(shell) })
	if exists(filepath.Join(d.Dir(), "went-on")) {
		t.Error("the shell went on without its supervisor")
	}
	if o, err := New(Options{}).Cancel(t.Context(), tk, d); err != nil || o.State != work.Cancelled {
		t.Errorf("Cancel of what nobody runs: %+v %v", o, err)
	}
}

// A service manager may end everybody at once; the supervisor stays and tells.
func TestTerminatedSupervisorStaysToTell(t *testing.T) {
	d := newDesk(t)
	tk := task("echo $$ > shell", "mkfifo gate", "read line < gate", "exit 5")
	service(t, d, tk)
	if err := syscall.Kill(parent(pidIn(t, d, "shell")), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	open(t, filepath.Join(d.Dir(), "work", "gate"))
	if o := finish(t, New(Options{}), tk, d); o.State != work.Failed || o.Error.Message != "exit status 5" {
		t.Errorf("outcome %+v", o)
	}
}

// Neither arguments nor environment of any process of ours hold a secret.
func TestSupervisorShowsNoSecret(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-secret-of-the-service")
	d, r := newDesk(t), New(Options{Secrets: func() []string { return []string{"masked-secret"} }})
	tk := task("echo $$ > shell", "mkfifo gate", "cat gate")
	if _, err := r.Start(t.Context(), tk, d); err != nil {
		t.Fatal(err)
	}
	shell := pidIn(t, d, "shell")
	for _, pid := range []int{shell, parent(shell)} {
		for _, what := range []string{"cmdline", "environ"} {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, what))
			if err != nil && !errors.Is(err, fs.ErrPermission) { // closed even to us, who are the same account
				t.Fatal(err)
			}
			if strings.Contains(string(data), "secret") {
				t.Errorf("%s of process %d holds a secret", what, pid)
			}
		}
	}
	open(t, filepath.Join(d.Dir(), "work", "gate"))
	finish(t, r, tk, d)
}
