package bot

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// canStill are those whom a gate asks and who have not answered it, with the
// deputies of those who have one: whom to send somebody to who may not answer.
// Groups of the configuration are opened. When nobody is left it is all of them.
func (b *Bot) canStill(g *workflows.Approval) []string {
	answered := func(who string) bool {
		return slices.ContainsFunc(g.Votes, func(v workflows.Vote) bool { return v.By.ID == who || v.By.HasMail(who) })
	}
	var can []string
	add := func(who string) {
		if who != "" && !answered(who) && !slices.Contains(can, who) {
			can = append(can, who)
		}
	}
	all := b.expand(g.From)
	for _, who := range all {
		if answered(who) {
			continue // nobody stands in for those who are here
		}
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
