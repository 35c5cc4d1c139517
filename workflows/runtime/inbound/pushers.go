package inbound

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	pushedPrefix = "pushed/"            // REPOSITORY/COMMIT/LOGIN: who pushed it
	pushedKept   = 400 * 24 * time.Hour // as long as what was pushed may still wait to go live
)

// pushed records who pushed a commit, or merged it in the browser.
type pushed struct {
	By workflows.Author `json:"by"`
	At time.Time        `json:"at"`
}

func pushedKey(repository, commit, login string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(repository)))
	return pushedPrefix + hex.EncodeToString(sum[:8]) + "/" + commit + "/" + login
}

// pushers are memos of who pushed the commits of a delivery, whether or not it
// starts anything: they go live with whatever is deployed next.
func (s *Starter) pushers(changes []work.Change) (memos []record.Memo) {
	for _, c := range changes {
		login, known := strings.CutPrefix(c.By.ID, "github:")
		if !known || c.Event != "push" || !slices.ContainsFunc(s.catalogue.Pipelines(), func(p *workflows.Pipeline) bool { return trigger.Follows(p, eventOf(c)) }) {
			continue
		}
		value := pushed{By: workflows.Author{Name: c.By.Name, Email: c.By.Email, Login: login}, At: s.o.Now()}
		for _, commit := range c.Commits {
			memos = append(memos, record.NewMemo(record.RuntimeOwner, pushedKey(c.Repository, commit, login), value))
		}
	}
	return memos
}
