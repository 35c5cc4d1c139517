package say

import "github.com/rollcall-bot/rollcall/workflows"

// AccessQuestion asks whether somebody may do something.
type AccessQuestion struct {
	Who      string         `json:"who"` // an e-mail address, or token:NAME
	Verb     workflows.Verb `json:"verb"`
	Pipeline string         `json:"pipeline"`
	Stage    string         `json:"stage,omitempty"` // empty: the pipeline itself
}

// AccessAnswer says whether somebody may do something, and why.
type AccessAnswer struct {
	AccessQuestion
	Name    string   `json:"name"` // of whom it was found to be
	Allowed bool     `json:"allowed"`
	Reason  string   `json:"reason"`  // a sentence: the rule that allows it, or what is missing
	Holders []string `json:"holders"` // who has the right, as the rules name them
	// Gates are the approval actions there that name their approvers: they do not
	// need the right. Only for approve and reject.
	Gates []GateAccess `json:"gates,omitempty"`
}

// GateAccess says whether somebody may answer an approval action.
type GateAccess struct {
	Action  string   `json:"action"`
	Allowed bool     `json:"allowed"`
	From    []string `json:"from"` // whom it names
}
