package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// CodePipeline's names of the rights lock and unlock are read as these.
func TestRightsUnderCodePipelinesNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(file, []byte("access: {rules: [{allow: [disable, unlock], to: [everyone]}]}\napi: {tokens: [{name: ci, token: secret, may: [enable]}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Policy()
	if got := p.Rules[0].Allow; !slices.Equal(got, []workflows.Verb{workflows.Lock, workflows.Unlock}) {
		t.Errorf("the rule allows %v", got)
	}
	if got := p.Tokens["ci"]; !slices.Equal(got, []workflows.Verb{workflows.Unlock}) {
		t.Errorf("the token may %v", got)
	}
}
