package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// headPrefix is of the memos PIPELINE/ACTION: the revision that the pipeline has last taken notice of.
const headPrefix = "head/"

// Starter starts pipelines for changes, each once, however often they are reported.
type Starter struct {
	o         *Options
	catalogue *Catalogue
	locks     *locks
}

// NewStarter returns a starter of the pipelines in the catalogue.
func NewStarter(o *Options, c *Catalogue) *Starter {
	return &Starter{o: o, catalogue: c, locks: newLocks(o)}
}

// request is one pipeline to be started by a change.
type request struct {
	pipeline string
	intent   workflows.Intent
	at       time.Time // when the change became known
	head     *head     // of the branch, when it is polled as well; nil: it is not
}

// started is what became of a request: an execution, or a refusal.
type started struct {
	execution *workflows.Execution
	refused   *workflows.Problem
}

func (s started) refusal() error {
	if s.refused == nil {
		return nil
	}
	return s.refused
}

// head is a branch that is polled, as one pipeline follows it, with a commit
// that just became known.
type head struct {
	key    string // of the pipeline's memo
	branch string // watchKey
	commit string
	before string // the commit that the branch was at, as the push says; empty: it does not
	looked string // the commit that the branch itself was at when it was looked at; empty: it was not
	left   bool   // a push says that the branch has left that
}

// seenHead is what a pipeline has last seen of a branch.
type seenHead struct {
	Branch string `json:"branch"` // watchKey: another one counts as never seen
	Commit string `json:"commit"`
	Before string `json:"before,omitempty"` // what the branch was at before, as the push said
	// Looked is what the branch itself was at when it was looked at, and Left that a push
	// says that it has left that since: pushes may be delivered long after.
	Looked string    `json:"looked,omitempty"`
	Left   bool      `json:"left,omitempty"`
	Token  string    `json:"token,omitempty"` // of the start that it led to; empty: none
	At     time.Time `json:"at,omitzero"`
}

// memo records that the pipeline has seen the commit.
func (h *head) memo(token string, at time.Time) record.Memo {
	return record.NewMemo(record.RuntimeOwner, h.key, seenHead{Branch: h.branch, Commit: h.commit, Before: h.before, Looked: h.looked, Left: h.left, Token: token, At: at})
}

// seen reads what a pipeline has last seen of a branch, also as it is written.
func (s *Starter) seen(ctx context.Context, key string) (last seenHead, raw []byte, err error) {
	raw, ok, err := s.o.Memos.Memo(ctx, record.RuntimeOwner, key)
	if err == nil && ok {
		err = json.Unmarshal(raw, &last)
	}
	if err != nil {
		return last, nil, unreadable(fmt.Errorf("read %s: %w", key, err), "what was last seen of the branch")
	}
	return last, raw, nil
}

// start starts one pipeline. Where the branch is polled as well, whoever comes
// second with the same commit, poll or webhook, gets the first one's execution.
// The error leaves open whether it was started.
func (s *Starter) start(ctx context.Context, r request, with record.Attachment) (started, error) {
	if r.head == nil {
		return s.submit(ctx, r, with)
	}
	unlock, err := s.locks.lock(ctx, r.head.key)
	if err != nil {
		return started{}, err
	}
	defer unlock()
	return s.startLocked(ctx, r, with)
}

// startLocked is start for a branch that is polled; the key of its head is locked.
func (s *Starter) startLocked(ctx context.Context, r request, with record.Attachment) (started, error) {
	last, _, err := s.seen(ctx, r.head.key)
	if err != nil {
		return started{}, err
	}
	if last.Branch == r.head.branch && last.Commit == r.head.commit && last.Token != "" && r.at.Sub(last.At) < samePush {
		r.intent.Token = last.Token
	}
	if last.Branch == r.head.branch && last.Before != "" && last.Before == r.head.commit && last.Commit != r.head.before {
		return s.submit(ctx, r, with) // this push came late: the branch has left its commit
	}
	if r.head.looked == "" && last.Branch == r.head.branch {
		r.head.looked, r.head.left = last.Looked, last.Left || last.Looked != "" && last.Looked == r.head.before
	}
	with.Memos = append(slices.Clip(with.Memos), r.head.memo(r.intent.Token, r.at))
	return s.submit(ctx, r, with)
}

func (s *Starter) submit(ctx context.Context, r request, with record.Attachment) (started, error) {
	got, refused, err := s.o.Decider.Submit(ctx, r.intent, with)
	return started{execution: got.Execution, refused: refused}, err
}

// startAll starts pipelines side by side, so that they can share one commit.
func (s *Starter) startAll(ctx context.Context, all []request) ([]started, error) {
	got, errs := make([]started, len(all)), make([]error, len(all))
	var group sync.WaitGroup
	for i, r := range all {
		group.Go(func() { got[i], errs[i] = s.start(ctx, r, record.Attachment{}) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return got, nil
}
