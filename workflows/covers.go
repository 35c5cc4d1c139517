package workflows

import (
	"path"
	"slices"
	"strings"
)

// Covers says whether patterns such as "webshop", "web*" or "*/Production"
// name a stage of a pipeline. One without a slash names the whole pipeline; no
// pattern at all names everything. A pattern for stages never names a pipeline
// as such (an empty stage). Bad patterns name nothing.
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
