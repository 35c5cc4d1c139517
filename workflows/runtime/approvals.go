package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Approvals returns every open gate that the viewer may see, the one that has waited longest first.
func (e *Engine) Approvals(ctx context.Context, viewer workflows.Principal) ([]say.OpenApproval, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	memos, err := e.o.Memos.List(ctx, owner, openGatePrefix)
	if err != nil {
		return nil, e.unreadable(err, "the open approvals")
	}
	j := e.judge(viewer)
	open := []say.OpenApproval{}
	for _, m := range memos {
		var g gateMemo
		if err := json.Unmarshal(m.Value, &g); err != nil {
			return nil, e.unreadable(fmt.Errorf("read %s: %w", m.Key, err), "the open approvals")
		}
		verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: g.Pipeline})
		if err != nil {
			return nil, err
		}
		if !verdict.Allowed {
			continue
		}
		if g.Open == nil {
			if g.Open, err = e.openApproval(ctx, g); err != nil {
				return nil, err
			}
		}
		if g.Open != nil {
			open = append(open, *g.Open)
		}
	}
	sort.SliceStable(open, func(i, k int) bool { return open[i].Approval.OpenedAt.Before(open[k].Approval.OpenedAt) })
	return open, nil
}

// openApproval reads an open gate from the state: its memo is of an earlier
// version, which did not hold it. nil: it is open no more.
func (e *Engine) openApproval(ctx context.Context, at gateMemo) (open *say.OpenApproval, err error) {
	err = e.scan(ctx, at.Pipeline, func(s *machine.State) error {
		x, _ := s.Execution(at.Execution) // an ended one has no open gate
		openGates(&x, func(g gateMemo) {
			if g.key() == at.key() {
				open = g.Open
			}
		})
		return nil
	})
	return open, err
}
