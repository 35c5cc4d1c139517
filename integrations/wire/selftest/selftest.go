// Package selftest holds what a look at the outside has found: values that
// integrations make and `rollcall doctor` prints. Pure.
package selftest

import "github.com/rollcall-bot/rollcall/workflows"

// Result is what somebody who looks, and changes nothing, has found out about one
// thing outside: a token, a channel, a permission.
type Result struct {
	About   string             `json:"about,omitempty"` // which one, where there are several: "bridge prod-eu"
	Status  Status             `json:"status"`
	Message string             `json:"message"`           // what was found, without a full stop
	Fix     []string           `json:"fix,omitempty"`     // what to do, in this order
	Finding *workflows.Finding `json:"finding,omitempty"` // what the vendor's refusal means, where that is known
}

// Status says how a check ended.
type Status string

// The ends of a check. Only failed means that something does not work.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, and is better done otherwise
	Failed  Status = "failed"
	Unknown Status = "unknown" // it could not be found out, with the rights that there are
	Skipped Status = "skipped" // something else must be mended first
)
