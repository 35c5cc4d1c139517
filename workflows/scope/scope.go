// Package scope says what patterns for pipelines and stages cover, in rules and in
// freezes: "webshop", "web*", "*/Production". One without a slash names the whole
// pipeline; no pattern at all names everything; bad patterns name nothing. Pure.
package scope

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Covers says whether the patterns name a stage of a pipeline. A pattern for
// stages never names a pipeline as such (an empty stage).
func Covers(patterns []string, pipeline, stage string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		p, s, staged := strings.Cut(pattern, "/")
		return fits(p, pipeline) && (!staged || stage != "" && fits(s, stage))
	})
}

// Touches says whether the patterns name the pipeline or any stage of it.
func Touches(patterns []string, pipeline string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		p, _, _ := strings.Cut(pattern, "/")
		return fits(p, pipeline)
	})
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Frozen says whether a freeze keeps executions out of a stage at a time.
func Frozen(f *workflows.Freeze, at time.Time, pipeline, stage string) bool {
	return !at.Before(f.From) && at.Before(f.To) && Covers(f.On, pipeline, stage)
}
