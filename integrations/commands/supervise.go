package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// pollEvery is how often a supervisor looks for a cancel and at the clock.
const pollEvery = 200 * time.Millisecond

// Supervise is the first thing that main and TestMain do. It protects this process
// from others of its account (on Linux): commands that run as the service cannot
// read its environment or memory. When this process was started as a supervisor,
// it does that work and exits; otherwise it returns at once.
func Supervise() {
	forbidTracing()
	if len(os.Args) != 3 || os.Args[1] != marker {
		return
	}
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		fmt.Fprintln(os.Stderr, "rollcall starts supervisors by itself; this one got no job:", err)
		os.Exit(2)
	}
	if err := supervise(j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// supervise runs the job to its end. An error means that the folder's state
// is all there is to know.
func supervise(j job) error {
	// The shell dies with the thread that started it (see attributes), so this one must stay.
	runtime.LockOSThread()
	dropCapabilities()
	unix.CloseOnExec(lockFD)
	// Caught, not ignored: what is ignored would be ignored in the commands too.
	// A service manager that ends a whole group ends the commands, and this
	// process stays to write down how.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	syscall.Umask(0o022)
	becomeSubreaper()

	log, err := openLog(j.LogFile, j.MaxLog, j.Secrets)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	if j.Folder.has(cancelMark) {
		return answered(j.Folder.end(ending{How: cancelled}))
	}
	if err := j.Folder.mark(startedMark); err != nil {
		return err
	}
	shell, output, err := j.begin()
	if err != nil {
		return answered(j.Folder.end(ending{How: notRun, Code: "ActionFailed", Message: "the shell could not be started: " + err.Error()}))
	}
	_ = answered(nil)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(log, output) // the log never fails: a full disk must not stop a deploy
	}()
	e := j.watch(shell, log)
	select {
	case <-copied:
	case <-time.After(5 * time.Second): // a process out of reach has the pipe open
		output.Close()
		<-copied
	}
	j.conclude(&e, log)
	_ = log.Close() // whoever sees the ending may read the whole log
	return j.writeEnding(e)
}

// answered tells the service that the answer is in the run folder now.
func answered(err error) error {
	if err == nil {
		_, _ = os.Stdout.Write([]byte{'.'}) // nobody may be listening any more
	}
	os.Stdout.Close()
	return err
}

// begin starts the shell with its output in a pipe.
func (j job) begin() (pid int, output *os.File, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	output, in, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer in.Close()
	pid, err = syscall.ForkExec(j.Shell, []string{"sh", "-e", "-c", j.Script}, &syscall.ProcAttr{
		Dir:   j.Work,
		Env:   j.Env,
		Files: []uintptr{null.Fd(), in.Fd(), in.Fd()},
		Sys:   attributes(j.As),
	})
	if err != nil {
		output.Close()
	}
	return pid, output, err
}

// watch waits for the shell's end, brings it about at a cancel or the
// deadline, and returns when no process of the commands is left.
func (j job) watch(shell int, log *boundedLog) ending {
	ended, alone := reap(shell)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var e ending
	var killAt time.Time
	for {
		select {
		case status := <-ended:
			killRemaining(shell, alone)
			return e.with(status)
		case now := <-tick.C:
			switch {
			case len(ended) > 0: // it was faster
				continue
			case e.How == "" && j.Folder.has(cancelMark):
				e.How = cancelled
				log.Note("cancelled: ending the commands")
			case e.How == "" && !j.Deadline.IsZero() && !time.Now().Before(j.Deadline):
				e.How = timedOut
				log.Note("the deadline has come: ending the commands")
			case e.How != "" && now.After(killAt):
				killGroup(shell, syscall.SIGKILL)
				continue
			default:
				continue
			}
			killAt = now.Add(j.Grace)
			killGroup(shell, syscall.SIGTERM)
		}
	}
}

func (e ending) with(status syscall.WaitStatus) ending {
	if e.How == "" {
		e.How, e.At = exited, time.Now()
	}
	if status.Signaled() {
		e.Signal = status.Signal().String()
	} else {
		e.Status = status.ExitStatus()
	}
	return e
}

// reap collects every child of this process, adopted ones too. ended gives
// the shell's status, alone is closed when no child is left.
func reap(shell int) (ended chan syscall.WaitStatus, alone chan struct{}) {
	ended, alone = make(chan syscall.WaitStatus, 1), make(chan struct{})
	go func() {
		defer close(alone)
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, 0, nil)
			switch {
			case err == syscall.EINTR:
			case err != nil: // ECHILD
				return
			case pid == shell:
				ended <- status
			}
		}
	}()
	return ended, alone
}

// killRemaining ends what the shell left running. Whoever loses a parent becomes a
// child of this process, so a few rounds reach everybody; the bound is for
// processes that cannot be killed.
func killRemaining(shell int, alone <-chan struct{}) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for range 500 {
		killChildren(shell)
		select {
		case <-alone:
			return
		case <-again.C:
		}
	}
}

// conclude takes the output variables over and says in the log what is odd.
func (j job) conclude(e *ending, log *boundedLog) {
	if e.How != exited || e.Status != 0 || e.Signal != "" {
		return
	}
	e.Outputs, e.Notes = j.readOutputs()
	for _, note := range e.Notes {
		log.Note(note)
	}
}

// writeEnding writes the ending, again and again while the disk refuses: as long
// as this process has the lock, nobody takes the run for lost. It gives up
// when the run folder has been removed.
func (j job) writeEnding(e ending) error {
	for {
		err := j.Folder.end(e)
		if err == nil || !wire.TransientIO(err) {
			return err
		}
		time.Sleep(time.Second)
	}
}

// killGroup signals the shell's process group; the shell has not been reaped yet.
func killGroup(shell int, s syscall.Signal) { _ = syscall.Kill(-shell, s) }
