package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// marker is the first argument of a supervisor; the second is the run folder,
// for people who look at the list of processes.
const marker = "supervise-command"

// lockFD is where the supervisor inherits the run's lock.
const lockFD = 3

// spawn starts the supervisor and returns once it has said that the run folder
// tells the rest. The lock is inherited: it stays taken until both this
// process has closed it and the supervisor has gone.
func spawn(ctx context.Context, f folder, lock *os.File, j job) error {
	spec, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("describe the job to its supervisor: %w", err)
	}
	self, err := self()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	errs, err := os.OpenFile(f.control(errorsFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	defer errs.Close()
	answer, said, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	defer answer.Close()
	cmd := exec.Command(self) //nolint:noctx // it must outlive every context of ours
	cmd.Args = []string{"rollcall", marker, string(f)}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(spec), said, errs
	cmd.ExtraFiles = []*os.File{lock} // becomes lockFD
	cmd.SysProcAttr = supervisor(j.As)
	err = cmd.Start()
	said.Close()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	go func() { _ = cmd.Wait() }() // only so that it leaves no zombie; what it did is in the run folder

	defer context.AfterFunc(ctx, func() { answer.Close() })()
	if _, err := io.ReadFull(answer, make([]byte, 1)); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the supervisor: %w", ctx.Err())
		}
		why, _ := os.ReadFile(f.control(errorsFile))
		return fmt.Errorf("the supervisor ended before it began: %s", orElse(oneLine(words.CutBytes(string(why), 500)), "it left no word"))
	}
	return nil
}

// self is the path of the running program. On Linux it is the very file that
// runs, even after an upgrade has replaced or removed it.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", errors.Join(errors.New("this program cannot find its own file"), err)
	}
	return path, nil
}
