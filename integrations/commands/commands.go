package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Provider is the provider's name in a pipeline file.
const Provider = "Commands"

const (
	pollAfter     = 250 * time.Millisecond
	defaultMaxLog = 64 << 20
	defaultGrace  = 10 * time.Second
)

// Options are what a [Runner] needs; the zero value works.
type Options struct {
	// Host is who we are: of tasks whose run folders another host has, the runner
	// says nothing, because nothing here knows how they stand.
	Host string
	// User runs commands as somebody else than the service, which must be root
	// then or have the capabilities for it. Empty: as the service.
	User string
	// Secrets returns the values that logs must not show. It is asked at every
	// start; values shorter than 4 bytes are not masked.
	Secrets func() []string
	// Fetch returns the secrets that a task's environment names, by variable. They
	// are handed to the commands alone, and logs do not show them. refused says why
	// that can never be; an error, why it cannot be now. nil: none can be fetched.
	Fetch func(ctx context.Context, t work.Task) (values map[string]string, refused *workflows.Reason, err error)
	// MaxLog is how many bytes of output the log of one attempt keeps; 0: 64 MiB.
	MaxLog int64
	// Grace is the time between SIGTERM and SIGKILL at a deadline or a cancel; 0: 10 s.
	Grace time.Duration
	// Log takes what operators should know; nil: nothing is logged.
	Log *slog.Logger
}

// Runner carries out Commands actions. It keeps nothing in memory: everything
// is read from the run folder, so several runners may look at the same task.
type Runner struct {
	o Options
}

// New returns a runner. See [Runner.Check] for what can be wrong with a machine.
func New(o Options) *Runner {
	if o.MaxLog <= 0 {
		o.MaxLog = defaultMaxLog
	}
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	if o.Secrets == nil {
		o.Secrets = func() []string { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{o: o}
}

// Check says in one sentence why commands could not run on this machine: no
// sh, an unknown user, a service that is not root, or a folder (the parent of
// the run folders) that the user cannot enter. nil: they can.
func (r *Runner) Check(folder string) error {
	if _, err := shell(); err != nil {
		return err
	}
	who, err := lookUp(r.o.User)
	if err != nil {
		return err
	}
	return who.reaches(folder)
}

// shell finds sh and says plainly when there is none.
func shell() (string, error) {
	path, err := exec.LookPath("sh")
	if err != nil {
		return "", errors.New("there is no sh in PATH; commands need a POSIX shell")
	}
	return path, nil
}

// Start lays the run folder out and hands the commands to a supervisor. It
// returns once the supervisor has durably noted the start. Called again with
// the same task it never runs the commands twice, not even those of a
// restartable action: starting again is another attempt, with another folder.
func (r *Runner) Start(ctx context.Context, t work.Task, w work.Workspace) (_ work.Outcome, err error) {
	if err := r.checkHost(t); err != nil {
		return work.Outcome{}, err
	}
	f := folder(w.Dir())
	defer f.scrubs(&err)
	if err := f.create(); err != nil {
		return work.Outcome{}, err
	}
	lock, err := f.claim(ctx)
	if err != nil {
		return work.Outcome{}, err
	}
	if lock == nil { // over or running, thanks to an earlier call
		return r.status(t, w)
	}
	defer lock.Close()
	if f.has(startedMark) {
		return inDoubt(t), nil
	}
	j, refusal, err := r.prepare(ctx, t, w)
	switch {
	case err != nil:
		return work.Outcome{}, err
	case refusal != nil:
		return r.finish(t, w, ending{How: notRun, Code: refusal.Code, Message: refusal.Message, Finding: refusal.Finding})
	}
	if err := spawn(ctx, f, lock, j); err != nil {
		return work.Outcome{}, err
	}
	return r.status(t, w)
}

// finish makes an ending durable that needed no supervisor; the caller has the lock.
func (r *Runner) finish(t work.Task, w work.Workspace, e ending) (work.Outcome, error) {
	if err := folder(w.Dir()).end(e); err != nil {
		return work.Outcome{}, err
	}
	return r.outcome(t, w, e)
}

// Poll reads from the run folder how the commands stand; once they have
// succeeded it packs the output artifacts.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (_ work.Outcome, err error) {
	if err := r.checkHost(t); err != nil {
		return work.Outcome{}, err
	}
	defer folder(w.Dir()).scrubs(&err)
	return r.status(t, w)
}

// checkHost refuses the tasks of another host. Its run folder is not here, and what
// is missing here must not be taken for work that never began or was lost.
func (r *Runner) checkHost(t work.Task) error {
	if t.Host == "" || t.Host == r.o.Host {
		return nil
	}
	return fmt.Errorf("the commands of %s belong to the host %s, and this is %s: ask there, by starting rollcall with that host's data folder", t.ID, t.Host, cmp.Or(r.o.Host, "none"))
}

// status turns the state of the run folder into an outcome. A task that is
// looked at has been started: a folder that knows nothing of it has lost its
// evidence, which is in doubt, not "did not run".
func (r *Runner) status(t work.Task, w work.Workspace) (work.Outcome, error) {
	state, e, err := folder(w.Dir()).state()
	switch {
	case err != nil:
		return work.Outcome{}, err
	case state == over:
		return r.outcome(t, w, e)
	case state == running, state == starting:
		return work.Outcome{Task: t.ID, State: work.Running, Handle: t.ID, PollAfter: pollAfter}, nil
	default:
		return inDoubt(t), nil
	}
}

// Cancel asks the supervisor to end the commands. It is confirmed when their
// ending is there, or when nobody is left who could run them.
func (r *Runner) Cancel(ctx context.Context, t work.Task, w work.Workspace) (_ work.Outcome, err error) {
	if err := r.checkHost(t); err != nil {
		return work.Outcome{}, err
	}
	f := folder(w.Dir())
	defer f.scrubs(&err)
	if err := f.create(); err != nil {
		return work.Outcome{}, err
	}
	if err := f.mark(cancelMark); err != nil {
		return work.Outcome{}, err
	}
	lock, err := f.tryLock(syscall.LOCK_EX)
	if err != nil {
		return work.Outcome{}, err
	}
	if lock == nil {
		return r.status(t, w)
	}
	defer lock.Close()
	e, ended, err := f.ending()
	switch {
	case err != nil:
		return work.Outcome{}, err
	case ended:
		return r.outcome(t, w, e)
	case f.has(startedMark):
		return work.Outcome{Task: t.ID, State: work.Cancelled, Summary: "the supervisor of the commands had already gone; how far they came is unknown"}, nil
	}
	return r.finish(t, w, ending{How: cancelled})
}

// Find looks a start of unknown outcome up. ok is false when the commands
// certainly did not start and no supervisor is left that could still start
// them. While one is about to, the answer is an error: ask again.
func (r *Runner) Find(ctx context.Context, t work.Task, w work.Workspace) (o work.Outcome, ok bool, err error) {
	if err := r.checkHost(t); err != nil {
		return work.Outcome{}, false, err
	}
	defer folder(w.Dir()).scrubs(&err)
	state, _, err := folder(w.Dir()).state()
	switch {
	case err != nil:
		return work.Outcome{}, false, err
	case state == starting:
		return work.Outcome{}, false, fmt.Errorf("the commands of %s are just being started; ask again", t.ID)
	case state == untouched:
		return work.Outcome{}, false, nil
	}
	o, err = r.status(t, w)
	return o, err == nil, err
}

func inDoubt(t work.Task) work.Outcome {
	return work.Outcome{Task: t.ID, State: work.InDoubt, Error: &workflows.Reason{
		Code:    "ActionFailed",
		Message: "the commands were started, but their result is unknown: their supervisor ended without a word (killed, or the machine went down)",
	}}
}

// outcome says what an ending means for the action. What the commands did is
// their exit status: whatever of ours failed behind it is a note.
func (r *Runner) outcome(t work.Task, w work.Workspace, e ending) (work.Outcome, error) {
	o := work.Outcome{Task: t.ID, State: work.Failed, EndedAt: e.At}
	fail := func(code, message string) (work.Outcome, error) {
		o.Error = &workflows.Reason{Code: code, Message: folder(w.Dir()).scrub(message)}
		return o, nil
	}
	switch {
	case e.How == cancelled:
		o.State = work.Cancelled
		return o, nil
	case e.How == timedOut:
		return fail("ActionTimedOut", "the commands were still running at their deadline and were ended")
	case e.How == notRun:
		o, err := fail(e.Code, e.Message)
		o.Error.Finding = e.Finding
		return o, err
	case e.Signal != "":
		return fail("ActionFailed", "ended by signal: "+e.Signal)
	case e.Status != 0:
		return fail("ActionFailed", fmt.Sprintf("exit status %d", e.Status))
	}
	for _, out := range t.Action.OutputArtifacts {
		a, err := w.Pack(out.Name, folder(w.Dir()).work(t), out.Files)
		if wire.TransientIO(err) {
			return work.Outcome{}, fmt.Errorf("store output artifact %q: %w", out.Name, err)
		}
		if err != nil {
			return fail("ArtifactNotStored", fmt.Sprintf("the commands succeeded, but output artifact %q could not be stored: %v", out.Name, err))
		}
		o.Artifacts = append(o.Artifacts, a)
	}
	if e.Message != "" { // as earlier versions wrote it
		e.Notes = append(e.Notes, e.Message)
	}
	o.State, o.Outputs, o.Summary = work.Succeeded, e.Outputs, strings.Join(e.Notes, "; ")
	return o, nil
}

// oneLine makes a text fit into an error.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
