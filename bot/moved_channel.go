package bot

import (
	"github.com/rollcall-bot/rollcall/workflows"
)

// hasMoved says whether the pipeline posts in another channel than the one in
// which the execution's card stands.
func (f *following) hasMoved(mem *memory) bool {
	return f.channel != "" && mem.In != "" && mem.In != f.channel
}

// hasUnread says whether people still have to read something of an execution: it
// goes on, or what came of it was not told.
func (f *following) hasUnread(mem *memory, e *workflows.Execution) bool {
	if !e.Status.Final() {
		return true
	}
	if _, failed := failedIn(e); failed && mem.Said[failureKey(e)].TS == "" {
		return true
	}
	for _, s := range e.Stages {
		if s.Status == workflows.StatusSucceeded && f.announces(s.Name) && mem.Said[announcementKey(s.Name)].TS == "" {
			return true
		}
	}
	return false
}

// resetMessages forgets what stands in a channel that refuses us and that the pipeline
// has left: the card and the open questions are posted anew where it posts now.
// What was told once is not told again.
func (f *following) resetMessages(mem *memory) {
	f.log.With(mem.about()...).Info("an execution's messages move, because its channel refuses them and the pipeline posts elsewhere now", "from", mem.In, "to", f.channel)
	mem.Card = spot{}
	for token, g := range mem.Gates {
		g.spot = spot{}
		mem.Gates[token] = g
	}
	for key, s := range mem.Said {
		s.Live, s.Issues = false, true // what it offers and names stays there
		mem.Said[key] = s
	}
}
