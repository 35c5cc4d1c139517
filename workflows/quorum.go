package workflows

import (
	"fmt"
	"maps"
	"slices"
)

// Missing says in words what a gate still lacks, given its votes; empty: it is through.
func (p *ApprovalPolicy) Missing(votes []Vote) []string {
	yes := 0
	in := map[string]int{}
	for _, v := range votes {
		if v.Answer == "approve" {
			yes++
			for _, who := range v.In {
				in[who]++
			}
		}
	}
	words := []string{}
	switch n := p.Required - yes; {
	case n == 1:
		words = append(words, "1 more approval")
	case n > 1:
		words = append(words, fmt.Sprintf("%d more approvals", n))
	}
	for _, group := range slices.Sorted(maps.Keys(p.AtLeast)) {
		if n := p.AtLeast[group] - in[group]; n > 0 {
			words = append(words, fmt.Sprintf("%d of %s", n, group))
		}
	}
	return words
}
