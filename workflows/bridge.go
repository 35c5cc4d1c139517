package workflows

import "time"

// Bridge says where a pipeline is that stays in AWS CodePipeline, and what rollcall
// may do there. It is part of the definition: a pipeline without one runs here. The
// pause hooks of services of Amazon ECS are such a pipeline too: of one gate, of which
// each execution is a hook that a deployment waits at, and can only be answered.
type Bridge struct {
	Name     string `json:"name"` // of the bridge in the configuration
	Account  string `json:"account"`
	Region   string `json:"region"`
	ARN      string `json:"arn"`                // of the pipeline
	External string `json:"external,omitempty"` // its name in AWS, where it has another one here
	Mode     string `json:"mode"`               // watch: nothing there is ever changed | act
	Type     string `json:"type"`               // V1|V2; ECS: pause hooks, and not a pipeline of CodePipeline
	// Outside is what follows when somebody answers an approval past rollcall:
	// tell (or empty) | lock: the next stage is locked too.
	Outside string `json:"outsideApprovals,omitempty"`
	// SeenAt is when the pipeline was last looked at, and Error why it cannot be;
	// both are of views only, never in a definition.
	SeenAt *time.Time `json:"seenAt,omitempty"`
	Error  *Reason    `json:"error,omitempty"`
}

// Request is what AWS was asked to do for somebody, and what it answered.
type Request struct {
	ID      string     `json:"id"`
	Verb    Verb       `json:"verb"`
	By      Principal  `json:"by"`
	At      time.Time  `json:"at"`
	Stage   string     `json:"stage,omitempty"`
	Action  string     `json:"action,omitempty"`
	State   string     `json:"state"`           // open|done|refused
	Error   *Reason    `json:"error,omitempty"` // refused: AWS's code and words
	EndedAt *time.Time `json:"endedAt,omitempty"`
}
