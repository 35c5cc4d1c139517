package runtime

import (
	"context"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// Asks says whether an open gate, named by its token, asks somebody: they are one of
// those whom its `ask` names, or else one of those who may answer, and an approval of
// theirs would count now. who is the person as they are known at this moment. An
// error is a look-up that failed.
func (e *Engine) Asks(ctx context.Context, execution, token string, p workflows.Principal) (who workflows.Principal, asks bool, err error) {
	if who, err = e.now(ctx, p); err != nil || who.Stranger != "" {
		return who, false, err
	}
	n, err := e.needed(ctx, execution, token)
	if err != nil || n == nil {
		return who, false, err
	}
	can, _, err := n.try(ctx, who)
	if err != nil || !can || len(n.pol.Ask) == 0 {
		return who, can, err
	}
	fits, err := e.judge(who).count(ctx, &machine.NeedFacts{Who: n.pol.Ask}, nil)
	for _, is := range fits {
		asks = asks || is
	}
	return who, asks && err == nil, err
}
