package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Objects are the artifacts, as objects in S3 that AWS's services read and write.
type Objects interface {
	Written
	// In returns an artifact in the store of a Region, copied there when it is elsewhere.
	In(ctx context.Context, region string, a workflows.Artifact) (artifacts.Object, error)
	// ReadFile returns one file of an artifact, at most that many bytes of it. No
	// such file: fs.ErrNotExist.
	ReadFile(ctx context.Context, a workflows.Artifact, name string, most int64) ([]byte, error)
	// Take copies an object from elsewhere, which as may read, to be an artifact of a pipeline.
	Take(ctx context.Context, pipeline, name string, from artifacts.Object, as aws.Config) (workflows.Artifact, error)
}

// Written are the objects that an action or a service of AWS's writes.
type Written interface {
	// Output is where a service of a Region is to write an artifact; Version and Digest are empty.
	Output(region, pipeline, token, artifact string) artifacts.Object
	// Adopt makes what was written there an artifact of that name. digest is the
	// SHA-256 that the writer told, in hex; empty: it is read once to know.
	Adopt(ctx context.Context, name string, o artifacts.Object, digest string) (workflows.Artifact, error)
	// Write puts a small file there, for a service that reads it.
	Write(ctx context.Context, o artifacts.Object, data []byte) (artifacts.Object, error)
}

// Options are what a frame works with.
type Options struct {
	Accounts *accounts.Accounts
	Objects  Objects // nil: artifacts are not in S3
	Now      func() time.Time
	Log      *slog.Logger
}

// Frame is what all kinds of action share. It is safe for concurrent use.
type Frame struct {
	o Options

	mu sync.Mutex
	// undone are the tasks whose last start ended with a call that certainly did nothing.
	undone map[string]bool
	// waiting are the tasks that were last seen running, by ID.
	waiting map[string]*waiting
}

// New returns a frame that has asked nobody yet.
func New(o Options) *Frame {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Frame{o: o, undone: map[string]bool{}, waiting: map[string]*waiting{}}
}

// Runner carries out the actions of one kind.
type Runner struct {
	frame *Frame
	kind  Kind
}

// Runner returns what carries out the actions of a kind.
func (f *Frame) Runner(k Kind) *Runner { return &Runner{f, k} }

// Start begins an action. An error says that AWS did not take it now, or that
// nobody knows whether it did: the engine asks Find, then starts again.
func (r *Runner) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	a, err := r.frame.attempt(ctx, t, w)
	if err != nil {
		r.note(t.ID, true)
		return work.Outcome{}, err
	}
	a.Config.RetryMaxAttempts = 1 // what the SDK repeats by itself after a lost answer might happen twice
	o, err := r.kind.Start(ctx, a)
	if err == nil {
		return r.finished(ctx, a, o), nil
	}
	o, err = r.failed(ctx, a, err)
	if err != nil {
		r.note(t.ID, surelyUndone(err))
	}
	return o, err
}

// Find looks up whether an earlier start of the task happened.
func (r *Runner) Find(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, bool, error) {
	undone := r.takeNote(t.ID)
	switch {
	case r.kind.Unrepeatable && undone:
		return work.Outcome{}, false, nil
	case r.kind.Unrepeatable && !t.Restartable:
		return work.Outcome{State: work.InDoubt, Error: &workflows.Reason{Code: "InDoubt",
			Message: "AWS's answer to the start of this action was lost, and " + r.kind.Provider + " cannot be asked whether it happened"}}, true, nil
	case r.kind.Find == nil:
		return work.Outcome{}, false, nil
	}
	a, err := r.frame.attempt(ctx, t, w)
	if err != nil {
		return work.Outcome{}, false, err
	}
	o, ok, err := r.kind.Find(ctx, a)
	if err != nil {
		o, err = r.failed(ctx, a, err)
		return o, err == nil, err
	}
	if ok && o.State == work.InDoubt && undone {
		return work.Outcome{}, false, nil
	}
	if ok {
		o = r.finished(ctx, a, o)
	}
	return o, ok, nil
}

// Poll says how an action stands.
func (r *Runner) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	a, err := r.frame.attempt(ctx, t, w)
	if err != nil {
		return work.Outcome{}, err
	}
	a.hinted = r.frame.takeHint(t.ID)
	o, err := r.kind.Poll(ctx, a)
	if err != nil {
		return r.failed(ctx, a, err)
	}
	if a.hinted && o.State == work.Running && o.PollAfter == 0 {
		o.PollAfter = shortInterval // what was asked last may be from before the hint
	}
	return r.finished(ctx, a, o), nil
}

// Cancel asks AWS to stop an action, and says how it ended.
func (r *Runner) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	a, err := r.frame.attempt(ctx, t, w)
	if err != nil {
		return work.Outcome{}, err
	}
	if t.Handle == "" {
		o, ok, err := r.Find(ctx, t, w)
		switch {
		case err != nil:
			return work.Outcome{}, err
		case !ok:
			return work.Outcome{State: work.Cancelled, Summary: "it had not begun"}, nil
		case o.State != work.Running || o.Handle == "":
			return o, nil // it has ended, or nobody can know whether it runs
		}
		a.Task.Handle = o.Handle
	}
	if r.kind.Cancel == nil {
		return work.Outcome{State: work.Cancelled, Summary: r.kind.Provider + " cannot be stopped: it goes on in AWS"}, nil
	}
	o, err := r.kind.Poll(ctx, a)
	if err == nil && o.State == work.Running {
		if err = r.kind.Cancel(ctx, a); err == nil {
			a.forgetAnswer()
			o, err = r.kind.Poll(ctx, a)
		}
	}
	switch {
	case err != nil:
		return work.Outcome{}, sentence(err)
	case o.State == work.Running:
		return r.finished(ctx, a, o), nil
	}
	o.State, o.Error = work.Cancelled, nil
	return r.finished(ctx, a, o), nil
}

// note remembers whether the last call of a start certainly did nothing: then what
// nobody can look up is not in doubt. What can be looked up always is, for a start of
// several calls may have made the first of them.
func (r *Runner) note(task string, undone bool) {
	r.frame.mu.Lock()
	defer r.frame.mu.Unlock()
	delete(r.frame.undone, task)
	if undone {
		r.frame.undone[task] = true
	}
}

func (r *Runner) takeNote(task string) bool {
	r.frame.mu.Lock()
	defer r.frame.mu.Unlock()
	undone := r.frame.undone[task]
	delete(r.frame.undone, task)
	return undone
}

// finished adds to an outcome what the kind need not say.
func (r *Runner) finished(ctx context.Context, a *Attempt, o work.Outcome) work.Outcome {
	o.Task = a.Task.ID
	if o.State == work.Running && o.PollAfter == 0 {
		o.PollAfter = a.interval()
	}
	r.frame.noteWaiting(a, &o)
	if o.State == work.Failed && o.Error == nil {
		o.Error = &workflows.Reason{Code: "ActionFailed", Message: r.kind.Provider + " failed without saying why"}
	}
	if o.State == work.Failed {
		r.lookUp(ctx, a, &o)
	}
	return o
}

// laterError says that AWS cannot take something now.
type laterError struct{ text string }

// Error is the text for people.
func (e *laterError) Error() string { return e.text }

// Later is the error of a start that AWS cannot take now, such as at a limit: it
// is tried again until the action's deadline, and people see the text.
func Later(format string, args ...any) error { return &laterError{fmt.Sprintf(format, args...)} }

// Fail is the outcome of an action that failed. f may be nil.
func Fail(code, message string, f *workflows.Finding) work.Outcome {
	return work.Outcome{State: work.Failed, Error: &workflows.Reason{Code: code, Message: message, Finding: f}}
}

// surelyUndone says whether an error means that the call did nothing.
func surelyUndone(err error) bool {
	var later *laterError
	var said *saidError
	if errors.As(err, &later) {
		return true
	}
	if errors.As(err, &said) {
		return said.class != accounts.Unknown
	}
	return accounts.Classify(err) != accounts.Unknown
}
