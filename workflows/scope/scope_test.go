package scope_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/scope"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns, on    string // PIPELINE or PIPELINE/STAGE
		covers, touches bool
	}{
		{"", "webshop", true, true},
		{"", "webshop/Production", true, true},
		{"webshop", "webshop", true, true},
		{"webshop", "webshop/Production", true, true},
		{"webshop", "billing", false, false},
		{"web*", "webshop/Build", true, true},
		{"web*", "web/shop", true, true},
		{"*/Production", "webshop/Production", true, true},
		{"*/Production", "webshop/production", false, true},
		{"*/Production", "webshop", false, true}, // no pipeline as such
		{"*/*", "webshop", false, true},
		{"billing */Pro*", "webshop/Production", true, true},
		{"web[", "web[", false, false},
		{"web*/[", "webshop/[", false, true},
	} {
		pipeline, stage, _ := strings.Cut(c.on, "/")
		patterns := strings.Fields(c.patterns)
		if covers, touches := scope.Covers(patterns, pipeline, stage), scope.Touches(patterns, pipeline); covers != c.covers || touches != c.touches {
			t.Errorf("%q on %s: covers %v, touches %v", c.patterns, c.on, covers, touches)
		}
	}
}

func TestAFreezeEndsBeforeItsEnd(t *testing.T) {
	from := time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
	f := &workflows.Freeze{From: from, To: from.Add(time.Hour), On: []string{"*/Production"}}
	for after, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour - 1: true, time.Hour: false} {
		if got := scope.Frozen(f, from.Add(after), "webshop", "Production"); got != want {
			t.Errorf("%s after its beginning: %v", after, got)
		}
		if scope.Frozen(f, from.Add(after), "webshop", "Build") {
			t.Errorf("%s after its beginning it holds in another stage", after)
		}
	}
}
