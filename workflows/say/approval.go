package say

import "github.com/rollcall-bot/rollcall/workflows"

// OpenApproval is a gate that waits, with what an approver needs to know.
type OpenApproval struct {
	Pipeline        string                     `json:"pipeline"`
	Execution       string                     `json:"execution"`
	Number          int                        `json:"number"`
	Stage           string                     `json:"stage"`
	Action          string                     `json:"action"`
	Approval        workflows.Approval         `json:"approval"`
	SourceRevisions []workflows.SourceRevision `json:"sourceRevisions"`
	StartedBy       workflows.StartedBy        `json:"trigger"`
	Undelivered     string                     `json:"undelivered,omitempty"` // as in [workflows.Execution]
	StatusText      string                     `json:"statusText,omitempty"`  // how the gate stands, in words; filled in by the API
}
