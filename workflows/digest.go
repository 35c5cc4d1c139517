package workflows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest identifies the whole definition: equal content, equal digest, no new version.
func (p *Pipeline) Digest() string { return digest(p) }

// Digest identifies what the stage runs, leaving out who may and who hears
// (approval, rollback, announce). Two executions whose stages have equal
// digests did the same work there.
func (s *Stage) Digest() string {
	runs := *s
	runs.Rollback, runs.Announce, runs.OnFailure = RollbackPolicy{}, "", nil
	runs.Actions = make([]Action, len(s.Actions))
	for i, a := range s.Actions {
		a.Approval = nil
		if a.IsApproval() {
			a.TimeoutMinutes = 0
		}
		runs.Actions[i] = a
	}
	return digest(runs)
}

func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("workflows: a definition always marshals: " + err.Error())
	}
	// Digests are compared with those of rows from the time when the key was hold,
	// and so are made of the same bytes. In a text the quotes would be escaped.
	b = bytes.ReplaceAll(b, []byte(`"rollback":{"lock":`), []byte(`"rollback":{"hold":`))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
