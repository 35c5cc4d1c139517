package runner

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Kind is one kind of action. An error of its functions is what AWS answered, or
// that it did not; the frame knows what that means for the action.
type Kind struct {
	Category, Provider string // of the action type; "Rule" is the category of rules
	// Start begins the work with the attempt's token in it, or ends it at once:
	// Running with a Handle, Succeeded or Failed.
	Start func(ctx context.Context, a *Attempt) (work.Outcome, error)
	// Find looks up a start whose answer was lost; false: it certainly did not
	// happen. nil: repeating Start with the same token is safe.
	Find func(ctx context.Context, a *Attempt) (work.Outcome, bool, error)
	// Poll says how the work stands that the attempt's handle names.
	Poll func(ctx context.Context, a *Attempt) (work.Outcome, error)
	// Cancel asks AWS to stop the work; the next Poll says how it ended. nil: it cannot be stopped.
	Cancel func(ctx context.Context, a *Attempt) error
	// Unrepeatable says that nothing can find out whether a start happened, and
	// that it must not happen twice: after a lost answer it is in doubt.
	Unrepeatable bool
	// Needs are the permissions that these calls take for an action. Variables in
	// its settings have become "*".
	Needs func(a *workflows.Action, at policy.Place) []policy.Statement
	// Service says whose role, of those that services of AWS's act as, reads and
	// writes artifacts on the way: "the CodeBuild project webshop". nil: nobody's.
	Service func(a *workflows.Action) string
	// Check asks AWS, with calls that change nothing, whether what an action names is
	// there and takes the work: a [SettingsError], or what AWS answered.
	Check func(ctx context.Context, c aws.Config, a *workflows.Action) error
	// Subject is what the action works on: a finding names who else changed or deleted
	// it, where CloudTrail says it.
	Subject Subject
	// Optional are permissions that only Check takes, or the explanation of a failure:
	// actions run without them. nil: none.
	Optional func(a *workflows.Action, at policy.Place) []policy.Statement
}

// Subject names a thing by the setting that holds its name, and the events of
// CloudTrail by which others change or delete it; empty: there are none.
type Subject struct{ Setting, Changed, Deleted string }

// Name is what the kind is registered by: "Build/CodeBuild".
func (k *Kind) Name() string { return k.Category + "/" + k.Provider }
