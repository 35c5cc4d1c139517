package bot

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// mentionable are the holders of a right who can be called: not everybody, and no machine.
func mentionable(holders []string) []string {
	return slices.DeleteFunc(slices.Clone(holders), func(who string) bool { return who == everyone || strings.HasPrefix(who, "token:") })
}

// withoutVoters are those of a list of who-expressions who have not answered a gate.
func withoutVoters(who []string, g *workflows.Approval) []string {
	return slices.DeleteFunc(slices.Clone(who), func(w string) bool {
		return slices.ContainsFunc(g.Votes, func(v workflows.Vote) bool { return v.By.HasMail(w) || v.By.ID == w })
	})
}

// canStill are those whom a gate asks and who have not answered it, with the
// deputies of those who have one: whom to send somebody to who may not answer.
// Groups of the configuration are opened. When nobody is left it is all of them.
func (b *Bot) canStill(g *workflows.Approval) []string {
	all := b.expand(g.From)
	var can []string
	add := func(who ...string) {
		for _, w := range withoutVoters(who, g) {
			if w != "" && !slices.Contains(can, w) {
				can = append(can, w)
			}
		}
	}
	for _, who := range withoutVoters(all, g) { // nobody stands in for those who have answered
		add(who)
		for of, deputy := range b.deputies {
			if strings.EqualFold(of, who) {
				add(deputy)
			}
		}
	}
	if len(can) == 0 {
		return all
	}
	return can
}
