package decider

import "github.com/rollcall-bot/rollcall/workflows"

// Stopped is the refusal of a service that is about to end.
func Stopped() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "rollcall is stopping; nothing was changed", Hint: "try again in a few seconds"}
}

// Failed is the refusal after a fault in a decision about a pipeline.
func Failed(pipeline string) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "rollcall failed while it decided about " + pipeline + "; nothing was changed", Hint: "the log of the service says why; please report it"}
}

// unwritable is the refusal while the store cannot be written.
func unwritable() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: "the data cannot be written at the moment; nothing was changed", Hint: "see to the disk: the log of the service says what it answers; it goes on by itself when it can be written again"}
}

// unknown is the answer after a commit whose end nobody knows.
func unknown() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeCommitUnknown, Message: "it is unknown whether this was saved", Hint: "look how it stands before you try again"}
}

// notCommitted is the answer after a commit that was refused: what people hear,
// and, for errors.Is, the store's error.
type notCommitted struct {
	problem *workflows.Problem
	cause   error
}

// Error is what people hear.
func (n *notCommitted) Error() string { return n.problem.Error() }

// Unwrap is for errors.Is and errors.As.
func (n *notCommitted) Unwrap() []error { return []error{n.problem, n.cause} }

// conflict is the answer after a commit that a store refused because somebody else has written.
func conflict(cause error) error {
	return &notCommitted{cause: cause, problem: &workflows.Problem{
		Code: workflows.CodeUnavailable, Message: "somebody else wrote at the same moment; nothing was changed", Hint: "try again",
	}}
}

// fenced is the answer after a commit that a store refused because another process has taken over.
func fenced(cause error) error {
	return &notCommitted{cause: cause, problem: &workflows.Problem{
		Code: workflows.CodeUnavailable, Message: "another rollcall process has taken over from this one; nothing was changed", Hint: "try again in a few seconds",
	}}
}
