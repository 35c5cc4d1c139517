package audit

import (
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Trail is what the record says of one execution: what ran, who let it and by
// which rule, who was refused. All of it is read from records, which a chain
// proves, and nothing from what is kept of them elsewhere.
type Trail struct {
	Execution       string                     `json:"execution"` // "webshop#42"
	ID              string                     `json:"id"`
	Pipeline        string                     `json:"pipeline"`
	ExternalID      string                     `json:"externalId,omitempty"` // AWS's, of one that runs there
	Number          int                        `json:"number"`
	Version         int                        `json:"version"` // of the definition that it runs
	Type            string                     `json:"type"`
	Status          workflows.Status           `json:"status"`
	StatusReason    *workflows.Reason          `json:"statusReason,omitempty"`
	Trigger         workflows.StartedBy        `json:"trigger"`
	StartedAt       time.Time                  `json:"startedAt"`
	EndedAt         *time.Time                 `json:"endedAt,omitempty"`
	SourceRevisions []workflows.SourceRevision `json:"sourceRevisions"`
	Variables       map[string]string          `json:"variables,omitempty"`
	Artifacts       []workflows.Artifact       `json:"artifacts"` // with the digest of each
	Gates           []Gate                     `json:"gates"`
	Votes           []Vote                     `json:"votes"` // of all gates, in their order
	Refusals        []Refusal                  `json:"refusals"`
	Overrides       []Override                 `json:"overrides"`
	Locks           []Lock                     `json:"locks"`              // of its stages, that came with what it did
	Requests        []Request                  `json:"requests,omitempty"` // what AWS was asked to do
	Rollback        *workflows.Rollback        `json:"rollback,omitempty"`
	Left            []Entry                    `json:"left,omitempty"` // rollbacks away from it
	Notes           []workflows.Note           `json:"notes,omitempty"`
	History         []Entry                    `json:"history"` // one line per event
	FirstRecord     uint64                     `json:"firstRecord"`
	Record          uint64                     `json:"record"` // the newest that is about it: its place in the chain
	Hash            string                     `json:"hash"`   // of that record
}

// Entry is one line of what happened.
type Entry struct {
	Record uint64              `json:"record"`
	At     time.Time           `json:"at"`
	By     workflows.Principal `json:"by"`
	What   string              `json:"what"`
}

// Place is where in a pipeline something happened.
type Place struct {
	Stage   string `json:"stage,omitempty"`
	Action  string `json:"action,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
}

// Gate is an approval as it was opened and decided.
type Gate struct {
	Place
	OpenedAt time.Time  `json:"openedAt"`
	ClosedAt *time.Time `json:"closedAt,omitempty"`
	Result   string     `json:"result"` // open|approved|overridden|rejected|expired|withdrawn
	Reason   string     `json:"reason,omitempty"`
	Rule     Rule       `json:"rule"` // in force when it opened
	// Decided is the rule in force when it closed, where an edit had changed it meanwhile.
	Decided *Rule  `json:"ruleWhenDecided,omitempty"`
	Record  uint64 `json:"record"` // in which it opened
	Closed  uint64 `json:"closedRecord,omitempty"`
}

// Rule is what a definition asked of a gate.
type Rule struct {
	Version int                       `json:"version"` // of the definition that was in force
	Text    string                    `json:"text"`    // "2 of group:release-managers, with a comment"
	Policy  *workflows.ApprovalPolicy `json:"policy,omitempty"`
}

// Vote is one answer at a gate.
type Vote struct {
	By      workflows.Principal `json:"by"`
	At      time.Time           `json:"at"`
	Answer  string              `json:"answer"` // approve|reject
	Comment string              `json:"comment"`
	Via     string              `json:"via"`
	Groups  []string            `json:"groups,omitempty"` // of the rule, that the person was in at that time
	Judged  []string            `json:"judged,omitempty"` // the changes it was about
	Dropped string              `json:"dropped,omitempty"`
	Place
	Record uint64 `json:"record"`
}

// Refusal is something that somebody asked for and did not get.
type Refusal struct {
	By      workflows.Principal `json:"by"`
	At      time.Time           `json:"at"`
	Verb    workflows.Verb      `json:"verb"`
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Place
	Record uint64 `json:"record"`
}

// Request is what AWS was asked to do for somebody, and its answer.
type Request struct {
	workflows.Request
	Record uint64 `json:"record"`                 // in which it was asked for
	Closed uint64 `json:"closedRecord,omitempty"` // in which AWS's answer is
}

// Override is a check that somebody set aside by their right.
type Override struct {
	By      workflows.Principal `json:"by"`
	At      time.Time           `json:"at"`
	What    string              `json:"what"` // approval, or the kind of the condition
	Without string              `json:"without,omitempty"`
	Reason  string              `json:"reason"`
	Place
	Record uint64 `json:"record"`
}

// Lock is a change of the way into a stage.
type Lock struct {
	By     workflows.Principal `json:"by"`
	At     time.Time           `json:"at"`
	Stage  string              `json:"stage"`
	Locked bool                `json:"locked"`
	Cause  string              `json:"cause,omitempty"`
	Reason string              `json:"reason,omitempty"`
	Only   bool                `json:"only,omitempty"` // unlocked for this execution alone
	Record uint64              `json:"record"`
}
