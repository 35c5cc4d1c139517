package commands

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Provider is the provider's name in a pipeline file.
const Provider = "Commands"

// Options are what a [Runner] needs; the zero value works.
type Options struct {
	// User runs commands as somebody else than the service, which must be root
	// then. Empty: as the service.
	User string
	// Secrets returns the values that logs must not show. It is asked at every
	// start; values shorter than 4 bytes are not masked.
	Secrets func() []string
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
func New(o Options) *Runner { return &Runner{o: o} }

// Check says in one sentence why commands could not run on this machine: no
// sh, an unknown user, a service that is not root, or a folder (the parent of
// the run folders) that the user cannot enter. nil: they can.
func (r *Runner) Check(folder string) error { return nil }

// Start lays the run folder out and hands the commands to a supervisor. It
// returns once the supervisor has durably noted the start. Called again with
// the same task it never runs the commands twice, except after an unknown
// outcome of a restartable action.
func (r *Runner) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, nil
}

// Poll reads from the run folder how the commands stand; once they have
// succeeded it packs the output artifacts.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, nil
}

// Cancel asks the supervisor to end the commands.
func (r *Runner) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{}, nil
}

// Find looks a start of unknown outcome up. ok is false when the commands
// certainly did not start and no supervisor is left that could still start them.
func (r *Runner) Find(ctx context.Context, t work.Task, w work.Workspace) (o work.Outcome, ok bool, err error) {
	return work.Outcome{}, false, nil
}
