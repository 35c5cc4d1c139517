package main

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// A digest has a colon of its own; only the names of types are types.
func TestRevisionsOnTheCommandLine(t *testing.T) {
	for text, want := range map[string]workflows.RevisionOverride{
		"App=706e3cc":                 {ActionName: "App", RevisionValue: "706e3cc"},
		"App=COMMIT_ID:706e3cc":       {ActionName: "App", RevisionType: "COMMIT_ID", RevisionValue: "706e3cc"},
		"Img=sha256:4f5e":             {ActionName: "Img", RevisionValue: "sha256:4f5e"},
		"Img=IMAGE_DIGEST:sha256:4f5": {ActionName: "Img", RevisionType: "IMAGE_DIGEST", RevisionValue: "sha256:4f5"},
		"Zip=S3_OBJECT_KEY:a=b/c.zip": {ActionName: "Zip", RevisionType: "S3_OBJECT_KEY", RevisionValue: "a=b/c.zip"},
		"Zip=S3_OBJECT_VERSION_ID:v7": {ActionName: "Zip", RevisionType: "S3_OBJECT_VERSION_ID", RevisionValue: "v7"},
		"App=":                        {ActionName: "App"},
	} {
		if got, err := parseRevision(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if got, err := parseRevision("706e3cc"); err == nil {
		t.Errorf("no action, and %+v", got)
	}
}
