package main

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// parseRevision reads "ACTION=REVISION" or "ACTION=TYPE:REVISION". Without a type
// it is the only one that the action's provider has; an S3 source has two, so
// there it must be said.
func parseRevision(text string) (workflows.RevisionOverride, error) {
	action, revision, ok := strings.Cut(text, "=")
	if !ok {
		return workflows.RevisionOverride{}, &exit{2, "--revision: " + text + " is not ACTION=REVISION"}
	}
	kinds := []string{"COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}
	if kind, value, typed := strings.Cut(revision, ":"); typed && slices.Contains(kinds, kind) {
		return workflows.RevisionOverride{ActionName: action, RevisionType: kind, RevisionValue: value}, nil
	}
	return workflows.RevisionOverride{ActionName: action, RevisionValue: revision}, nil
}
