package inbound

import (
	"context"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Void are the rows that close what was accepted and not finished, without
// effect: whoever asked has an answer by now, or has asked again. A repeat hears why.
func Void(ctx context.Context, m Memos, open []work.Receipt, why string) (c record.Commit, err error) {
	for _, r := range open {
		c.Receipts = append(c.Receipts, record.Result{Ignored: []string{r.Source + ": " + why}}.Finish(r))
	}
	unfinished, err := m.List(ctx, record.RuntimeOwner, deliveryPrefix)
	for _, one := range unfinished {
		c.Memos = append(c.Memos, record.NewMemo(record.RuntimeOwner, one.Key, nil))
	}
	return c, err
}
