package runtime

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options are what an [Engine] works with. Store, History, Inbox, Memos and
// Blobs are needed; everything else may be left out.
type Options struct {
	Store   Store
	History History
	Inbox   Inbox
	Memos   Memos
	Blobs   Blobs

	Runners   map[string]Runner // by the provider of the actions they carry out
	Sources   map[string]Source // by the provider of the source actions they look at
	Followers []Follower        // more through AddFollower
	Policy    *access.Policy    // nil: members may look, nobody may act
	Directory Directory         // nil: there are no outside groups, and asking for one is "could not check"

	Log          *slog.Logger     // nil: slog.Default()
	Now          func() time.Time // nil: time.Now
	Rand         io.Reader        // where IDs come from; nil: crypto/rand
	PollInterval time.Duration    // between two looks at a polled branch; 0: 30 s
}

// Engine runs pipelines.
type Engine struct{}

// New returns an engine that does nothing before Run.
func New(o Options) (*Engine, error) { return nil, errors.ErrUnsupported }

// AddFollower adds a follower; only before Run.
func (e *Engine) AddFollower(f Follower) {}

// Run works until ctx ends, then drains and returns. It may be called once.
func (e *Engine) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Ready is closed once Run can decide and write.
func (e *Engine) Ready() <-chan struct{} { return nil }

// Submit carries an intent out.
func (e *Engine) Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (workflows.Result, error) {
	return workflows.Result{}, errors.ErrUnsupported
}

// Receive makes a delivery durable and starts every pipeline that a change of it triggers.
func (e *Engine) Receive(ctx context.Context, r work.Receipt, changes []work.Change) (work.Receipt, bool, error) {
	return work.Receipt{}, false, errors.ErrUnsupported
}

// Accept makes a receipt durable; the caller carries it out and calls Finish.
func (e *Engine) Accept(ctx context.Context, r work.Receipt) (prior work.Receipt, fresh bool, err error) {
	return work.Receipt{}, false, errors.ErrUnsupported
}

// Finish notes that an accepted receipt was carried out.
func (e *Engine) Finish(ctx context.Context, key string, result []byte) error {
	return errors.ErrUnsupported
}

// Pending returns the receipts of a source that were accepted and not finished.
func (e *Engine) Pending(ctx context.Context, source string) ([]work.Receipt, error) {
	return nil, errors.ErrUnsupported
}

// Execution returns an execution, as committed, with what the viewer may do now.
func (e *Engine) Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error) {
	return workflows.Execution{}, errors.ErrUnsupported
}

// Executions lists executions of a pipeline, newest first, without offers.
func (e *Engine) Executions(ctx context.Context, viewer workflows.Principal, q workflows.ExecutionQuery) ([]workflows.Execution, error) {
	return nil, errors.ErrUnsupported
}

// Pipeline returns a pipeline as it stands; version 0 is the definition in force.
func (e *Engine) Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error) {
	return workflows.PipelineView{}, errors.ErrUnsupported
}

// Pipelines returns every pipeline that the viewer may see, by name, archived ones left out.
func (e *Engine) Pipelines(ctx context.Context, viewer workflows.Principal) ([]workflows.PipelineView, error) {
	return nil, errors.ErrUnsupported
}

// Targets returns what a stage could be rolled back to, newest first.
func (e *Engine) Targets(ctx context.Context, viewer workflows.Principal, pipeline, stage string) ([]workflows.Target, error) {
	return nil, errors.ErrUnsupported
}

// Approvals returns every open gate that the viewer may see, oldest first.
func (e *Engine) Approvals(ctx context.Context, viewer workflows.Principal) ([]workflows.OpenApproval, error) {
	return nil, errors.ErrUnsupported
}

// Log opens the log of an action; attempt 0 is the latest.
func (e *Engine) Log(ctx context.Context, viewer workflows.Principal, ref, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	return nil, errors.ErrUnsupported
}

// Tail returns the last lines of an action's log, at most lines of them.
func (e *Engine) Tail(ctx context.Context, ref, stage, action string, attempt, lines int) ([]string, error) {
	return nil, errors.ErrUnsupported
}

// Feed returns frames after a feed position that the viewer may see; it blocks until there is one, or ctx ends.
func (e *Engine) Feed(ctx context.Context, viewer workflows.Principal, after uint64, limit int) ([]event.Frame, error) {
	return nil, errors.ErrUnsupported
}

// Verdict says whether somebody may do something, why, and who else may.
func (e *Engine) Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (allowed bool, why string, holders []string, err error) {
	return false, "", nil, errors.ErrUnsupported
}

// Notebook is a follower's memory.
type Notebook struct{}

// Notebook returns the memos of an owner.
func (e *Engine) Notebook(owner string) *Notebook { return nil }

// Memo returns one memo.
func (n *Notebook) Memo(ctx context.Context, key string) ([]byte, bool, error) {
	return nil, false, errors.ErrUnsupported
}

// List returns the memos whose key begins with prefix.
func (n *Notebook) List(ctx context.Context, prefix string) ([]Memo, error) {
	return nil, errors.ErrUnsupported
}

// Note writes a memo; an empty value deletes it. It is durable when Note returns.
func (n *Notebook) Note(ctx context.Context, key string, value []byte) error {
	return errors.ErrUnsupported
}
