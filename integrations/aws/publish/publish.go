// Package publish tells AWS what happens in pipelines that run here: events in
// CodePipeline's shapes on a bus of EventBridge, metrics in CloudWatch, and
// messages about approvals to topics of SNS.
//
// Each is a follower with a memo of how far it has come in each pipeline, kept
// after every call. What was told in a call whose answer was lost is told again:
// every event has an ID, the same each time. Pipelines that stay in AWS are left
// out: AWS tells of those itself.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// Reader reads what was committed.
type Reader interface {
	Execution(ctx context.Context, viewer workflows.Principal, ref string) (workflows.Execution, error)
	// Pipeline returns a version of a definition; 0: the one in force.
	Pipeline(ctx context.Context, viewer workflows.Principal, name string, version int) (workflows.PipelineView, error)
}

// Notes are memos of a follower.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns
}

// Options is what followers work with.
type Options struct {
	Metrics   string // namespace of CloudWatch; empty: none are told
	Bus       string // name or ARN; empty: no events are told
	Approvals bool   // messages to the topics that approvals name

	PublicURL string // where an execution can be looked at: PublicURL/executions/ID
	RoleARN   string // the base role, whose account events are of; empty: asked for
	Accounts  *accounts.Accounts
	Reader    Reader
	Notes     func(follower string) Notes
	Log       *slog.Logger
	Now       func() time.Time // nil: time.Now
}

// Followers returns the followers that are switched on.
func Followers(o Options) (all []*Follower) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	add := func(name string, wanted bool, c channel) {
		if wanted {
			all = append(all, &Follower{o: &o, name: name, to: c, notes: o.Notes(name)})
		}
	}
	add("aws-events", o.Bus != "", &events{o: &o})
	add("aws-metrics", o.Metrics != "", &metrics{&o})
	add("aws-approvals", o.Approvals, &approvals{&o})
	return all
}

// channel is one way of telling.
type channel interface {
	// concerns says whether an event is worth a call.
	concerns(e *event.Event) bool
	// items are what an event says there.
	items(f *facts, e *event.Event) []any
	// most is how many items a call takes.
	most() int
	// send tells items and returns the indexes of those that must be told again;
	// all of them must be after an error.
	send(ctx context.Context, f *facts, all []item) (again []int, err error)
}

// mark is where an item is from.
type mark struct {
	ID    string `json:"id"`
	Seq   uint64 `json:"seq"`
	Index int    `json:"index"` // of the event in its frame
}

// item is what is to be told, with the ID by which a repeat is known.
type item struct {
	mark

	at   time.Time
	what any
}

// Follower tells one channel.
type Follower struct {
	o     *Options
	name  string
	to    channel
	notes Notes
}

// Name is the follower's name.
func (f *Follower) Name() string { return f.name }

// Concerns says whether a frame is worth a call.
func (f *Follower) Concerns(frame event.Frame) bool {
	return slices.ContainsFunc(frame.Events, func(e event.Event) bool { return e.Execution != "" && f.to.concerns(&e) })
}

func (m mark) before(n mark) bool { return m.Seq < n.Seq || m.Seq == n.Seq && m.Index < n.Index }

// position is how far a follower has come in a pipeline.
type position struct {
	Seq   uint64 `json:"seq"`
	Index int    `json:"index"` // of the last event of that frame that was told
	// Beyond are items behind it that were told all the same.
	Beyond []mark `json:"beyond,omitempty"`
}

func (p *position) covers(seq uint64, index int) bool {
	return seq < p.Seq || seq == p.Seq && index <= p.Index
}

// Follow tells what the batch says and was not told yet.
func (f *Follower) Follow(ctx context.Context, b event.Batch) error {
	known := &facts{o: f.o, ctx: ctx, pipeline: b.Pipeline, executions: map[string]*workflows.Execution{}, versions: map[int]*workflows.Pipeline{}}
	pos, err := f.position(ctx, b.Pipeline)
	if err != nil {
		return err
	}
	items := f.collect(known, pos, b.Frames)
	if known.err != nil {
		return known.err
	}
	for part := range slices.Chunk(items, f.to.most()) {
		again, err := f.to.send(ctx, known, part)
		if err != nil {
			code, message := accounts.Words(err)
			return fmt.Errorf("%s of %s: %s %s", f.name, b.Pipeline, code, message)
		}
		if err := f.advance(ctx, b.Pipeline, pos, part, again); err != nil {
			return err
		}
		if len(again) > 0 {
			return fmt.Errorf("%s of %s: AWS did not take %d of %d", f.name, b.Pipeline, len(again), len(part))
		}
	}
	return nil
}

// collect lists what is to be told, in order.
func (f *Follower) collect(known *facts, pos *position, frames []event.Frame) (items []item) {
	for _, frame := range frames {
		for i := range frame.Events {
			e := &frame.Events[i]
			if e.Execution == "" || e.IsHistory() || pos.covers(frame.Seq, i) || !f.to.concerns(e) || known.elsewhere(e.Execution) {
				continue
			}
			for n, what := range f.to.items(known, e) {
				one := item{mark: mark{fmt.Sprintf("%s/%d.%d.%d", known.pipeline, frame.Seq, i, n), frame.Seq, i}, at: e.At, what: what}
				if !slices.Contains(pos.Beyond, one.mark) {
					items = append(items, one)
				}
			}
		}
	}
	return items
}

func (f *Follower) position(ctx context.Context, pipeline string) (*position, error) {
	p := &position{Index: -1}
	raw, ok, err := f.notes.Memo(ctx, "position/"+pipeline)
	if err == nil && ok {
		err = json.Unmarshal(raw, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: reading how far it has come in %s: %w", f.name, pipeline, err)
	}
	return p, nil
}

// advance notes how far it has come: through the items before the first that must
// be told again, and which behind it need not be.
func (f *Follower) advance(ctx context.Context, pipeline string, p *position, part []item, again []int) error {
	for i, one := range part {
		switch {
		case slices.Contains(again, i):
		case len(again) > 0 && !one.before(part[again[0]].mark):
			p.Beyond = append(p.Beyond, one.mark)
		default:
			p.Seq, p.Index = one.Seq, one.Index
		}
	}
	if len(again) == 0 { // all behind it that was told is no gap any more
		for _, m := range p.Beyond {
			if !p.covers(m.Seq, m.Index) {
				p.Seq, p.Index = m.Seq, m.Index
			}
		}
		p.Beyond = nil
	}
	raw, err := json.Marshal(p)
	if err == nil {
		err = f.notes.Note(ctx, "position/"+pipeline, raw)
	}
	if err != nil {
		return fmt.Errorf("%s: noting how far it has come in %s: %w", f.name, pipeline, err)
	}
	return nil
}

// facts are what is known around the events of a batch.
type facts struct {
	o          *Options
	ctx        context.Context //nolint:containedctx // of one call of Follow
	pipeline   string
	err        error // trouble of our own: nothing may be told without it
	executions map[string]*workflows.Execution
	versions   map[int]*workflows.Pipeline
}

// execution is an execution as it stands; nil: there is none any more.
func (f *facts) execution(id string) *workflows.Execution {
	if e, known := f.executions[id]; known {
		return e
	}
	e, err := f.o.Reader.Execution(f.ctx, workflows.EnginePrincipal(), id)
	switch {
	case gone(err):
		f.executions[id] = nil
		return nil
	case err != nil:
		f.err = errors.Join(f.err, err)
		return nil
	}
	f.executions[id] = &e
	return &e
}

// definition is the definition of an execution's version; nil: there is none any more.
func (f *facts) definition(e *workflows.Execution) *workflows.Pipeline {
	if p, known := f.versions[e.Version]; known {
		return p
	}
	view, err := f.o.Reader.Pipeline(f.ctx, workflows.EnginePrincipal(), f.pipeline, e.Version)
	if err != nil && !gone(err) {
		f.err = errors.Join(f.err, err)
		return nil
	}
	f.versions[e.Version] = view.Definition
	return view.Definition
}

// elsewhere says whether an execution runs in AWS CodePipeline, or is not there any more.
func (f *facts) elsewhere(id string) bool {
	e := f.execution(id)
	return e == nil || e.ExternalID != ""
}

func gone(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && slices.Contains([]string{workflows.CodeExecutionNotFound, workflows.CodePipelineNotFound, workflows.CodeVersionNotFound}, p.Code)
}

// page is where people look at an execution.
func (o *Options) page(e *workflows.Execution) string { return o.PublicURL + "/executions/" + e.ID }

// config is where calls go.
func (o *Options) place(region string, roles ...string) accounts.Place {
	return accounts.Place{Region: region, Roles: roles, Session: "rollcall-publish"}
}
