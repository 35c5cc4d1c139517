package workflows

import (
	"path"
	"slices"
	"strings"
)

// Scope is a list of patterns such as "webshop", "web*" or "*/Production". One
// without a slash names the whole pipeline; no pattern at all names everything.
// Bad patterns name nothing.
type Scope []string

// Covers says whether the scope names a stage of a pipeline. A pattern for
// stages never names a pipeline as such (an empty stage).
func (patterns Scope) Covers(pipeline, stage string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		p, s, staged := strings.Cut(pattern, "/")
		return fits(p, pipeline) && (!staged || stage != "" && fits(s, stage))
	})
}

// Touches says whether the scope names the pipeline or any stage of it.
func (patterns Scope) Touches(pipeline string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		p, _, _ := strings.Cut(pattern, "/")
		return fits(p, pipeline)
	})
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
