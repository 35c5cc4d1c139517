package store

import (
	"bytes"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// endingKeys are the keys under which an execution is found by the end of its
// ID. One in AWS has a second one, by AWS's ID: that is in AWS once, but may be
// here in several pipelines, so ours follows it.
func endingKeys(e *workflows.Execution) [][]byte {
	keys := [][]byte{backwards(e.ID)}
	if e.ExternalID != "" && !strings.Contains(e.ExternalID, "\x00") {
		keys = append(keys, append(append(backwards(strings.ToLower(e.ExternalID)), 0), e.ID...))
	}
	return keys
}

// endingOf is the execution to which a key leads.
func endingOf(key []byte) (id string) {
	if _, id, external := bytes.Cut(key, []byte{0}); external {
		return string(id)
	}
	return string(backwards(string(key)))
}
