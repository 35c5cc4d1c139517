package client

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Access prints whether somebody may do something, why, and who may.
func (p Printer) Access(a *say.AccessAnswer) {
	answer := "no"
	if a.Allowed {
		answer = "yes"
	}
	p.say("%s: %s", answer, a.Reason)
	for _, g := range a.Gates {
		p.say("%s: approvers are %s", g.Action, strings.Join(g.From, ", "))
	}
	if len(a.Holders) > 0 && len(a.Gates) == 0 {
		p.say("who may: %s", strings.Join(a.Holders, ", "))
	}
}
