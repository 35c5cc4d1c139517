package runtime

import (
	"context"
	"errors"

	"github.com/rollcall-bot/rollcall/workflows"
)

// asProblem returns the refusal in an error.
func asProblem(err error) (*workflows.Problem, bool) {
	var p *workflows.Problem
	ok := errors.As(err, &p)
	return p, ok
}

// unchecked is what people hear when the outside did not answer. That trying
// again helps is said only where it may.
func unchecked(err error, what string) *workflows.Problem {
	p := &workflows.Problem{Code: workflows.CodeUnavailable, Message: "could not check " + what + "; nothing was decided", Hint: "try again in a moment"}
	if why, lasting := asProblem(err); lasting {
		p.Message, p.Hint = "could not check "+what+": "+why.Message+"; nothing was decided", why.Hint
	}
	return p
}

// unreadable is what people hear when the store does not answer.
func (e *Engine) unreadable(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e.log.Error("the store does not answer", "wanted", what, "err", err)
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: what + " could not be read; nothing was changed", Hint: "the log of the service says why"}
}
