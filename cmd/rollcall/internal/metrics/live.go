package metrics

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// live is what must be known of an unfinished execution until it ends. A parked
// one stays for days, and there may be thousands: it is small.
type live struct {
	*shape
	began  time.Time
	opened []opened
}

// opened is an attempt or a gate that has not ended.
type opened struct {
	stage, action string
	at            time.Time
}

// shape is the actions of an execution. Executions that have the same ones share it.
type shape struct{ actions []shaped }

type shaped struct{ stage, action, provider string }

// provider is whose an action is; a rule of a condition is none of them.
func (s *shape) provider(stage, action string) string {
	for i := range s.actions {
		if a := &s.actions[i]; a.action == action && a.stage == stage {
			return a.provider
		}
	}
	return "rule"
}

// open notes that an attempt or a gate begins.
func (l *live) open(stage, action string, at time.Time) {
	l.close(stage, action)
	l.opened = append(l.opened, opened{stage, action, at})
}

// close returns when it began; ok is false when that is not known.
func (l *live) close(stage, action string) (began time.Time, ok bool) {
	for i := range l.opened {
		if o := &l.opened[i]; o.action == action && o.stage == stage {
			began = o.at
			l.opened = slices.Delete(l.opened, i, i+1)
			return began, true
		}
	}
	return began, false
}

// begin notes an execution that begins, or begins again.
func (c *counter) begin(x *workflows.Execution, at time.Time) *live {
	l := &live{shape: c.shapeOf(x), began: at}
	c.live[x.ID] = l
	return l
}

func (c *counter) shapeOf(x *workflows.Execution) *shape {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for i := range x.Stages {
		for k := range x.Stages[i].Actions {
			a := &x.Stages[i].Actions[k]
			for _, part := range [...]string{x.Stages[i].Name, a.Name, a.Provider} {
				_, _ = h.WriteString(part)
				_ = h.WriteByte(0)
			}
		}
	}
	s := c.shapes[h.Sum64()]
	if s == nil {
		s = &shape{}
		for i := range x.Stages {
			for k := range x.Stages[i].Actions {
				s.actions = append(s.actions, shaped{x.Stages[i].Name, x.Stages[i].Actions[k].Name, x.Stages[i].Actions[k].Provider})
			}
		}
		c.shapes[h.Sum64()] = s
	}
	return s
}

// of returns what is known of an execution: of one that began before this
// process did, what its row says. nil: nothing.
func (c *counter) of(ctx context.Context, id string) *live {
	if l := c.live[id]; l != nil {
		return l
	}
	x, ok, err := c.rows.Execution(ctx, id)
	if err != nil || !ok {
		return nil
	}
	l := c.begin(&x, x.StartedAt)
	for i := range x.Stages {
		s := &x.Stages[i]
		for k := range s.Actions {
			if a := &s.Actions[k]; a.Approval != nil && a.Approval.Closed == "" {
				l.open(s.Name, a.Name, a.Approval.OpenedAt)
			} else if a.Approval == nil && a.StartedAt != nil && a.EndedAt == nil {
				l.open(s.Name, a.Name, *a.StartedAt)
			}
		}
	}
	return l
}
