package spec

import (
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// NeedsBucket lists the providers of a pipeline's actions and rules that work in AWS
// and read or write artifacts, each once, in the order of the file: AWS finds
// artifacts in S3 and nowhere else.
func NeedsBucket(p *workflows.Pipeline) (names []string) {
	add := func(t workflows.ActionType, artifacts int) {
		if artifacts > 0 && t.Owner == "AWS" && !slices.Contains(strings.Fields(local), t.Provider) && !slices.Contains(names, t.Provider) {
			names = append(names, t.Provider)
		}
	}
	rules := func(c *workflows.Condition) {
		for i := 0; c != nil && i < len(c.Rules); i++ {
			add(c.Rules[i].RuleType, len(c.Rules[i].InputArtifacts))
		}
	}
	for _, s := range p.Stages {
		rules(s.BeforeEntry)
		for _, a := range s.Actions {
			add(a.ActionType, len(a.InputArtifacts)+len(a.OutputArtifacts))
		}
		rules(s.OnSuccess)
		if s.OnFailure != nil {
			rules(s.OnFailure.Condition)
		}
	}
	return names
}
