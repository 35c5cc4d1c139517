package spec

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// regions checks the Regions as AWS does, also of actions that run here, to which
// they mean nothing. The pipeline's own Region is not part of a
// declaration. It is taken from the metadata that AWS puts beside it; or, when
// every action names a Region, as AWS writes it, from the first; or it is the only
// one that is named. Otherwise an action that names one wants another one than the
// pipeline's.
func (c *checker) regions(home string) {
	stores := c.root.get("artifactStores")
	region := func(i, j int) *node { return c.root.find("stages", i, "actions", j, "region") }
	all, named := true, map[string]bool{}
	for i, s := range c.p.Stages {
		for j := range s.Actions {
			r := region(i, j)
			all = all && (r != nil || s.Actions[j].IsApproval())
			if r != nil && r.kind == scalar {
				named[r.text] = true
			}
		}
	}
	if first := region(0, 0); home == "" && all && first != nil {
		home = first.text
	}
	if home == "" && len(named) == 1 {
		home = words.Keys(named)[0]
	}
	for i := range c.p.Stages {
		for j := range c.p.Stages[i].Actions {
			a, r := &c.p.Stages[i].Actions[j], region(i, j)
			if r == nil || r.kind != scalar || r.text == home {
				continue
			}
			path := []any{"stages", i, "actions", j, "region"}
			owner := a.ActionType.Owner
			switch {
			case a.IsSource():
				c.fault("a source action works in the pipeline's own Region", "remove region", path...)
			case owner == "ThirdParty" || owner == "Custom":
				c.fault(fmt.Sprintf("%s actions work in the pipeline's own Region", a.ActionType.Provider), "remove region", path...)
			case stores.get(r.text) == nil:
				c.fault("there is no store for the Region "+r.text, "add it to artifactStores, or remove region", path...)
			}
		}
	}
	if home != "" && stores != nil && len(stores.entries) > 0 && stores.get(home) == nil {
		c.fault("artifactStores has no store for the pipeline's own Region "+home, "add it", "artifactStores")
	}
}
