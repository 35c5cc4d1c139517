package access

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// Leaves are the who-expressions behind some of them: addresses, outside groups,
// tokens and everyone, in the order in which they are found, each once. The
// configuration's groups are opened, and whoever stands in for somebody is behind them.
func (p *Policy) Leaves(who ...string) []string {
	var all []string
	add := func(who string) {
		if who != "" && !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	for _, w := range who {
		p.means(w, map[string]bool{}, func(kind, who string) bool {
			add(who)
			if kind == subject.Mail {
				add(p.deputy(who))
			}
			return false
		})
	}
	return all
}
