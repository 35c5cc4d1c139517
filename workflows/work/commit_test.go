package work

import (
	"slices"
	"strings"
	"testing"
)

// A commit, or a pull request by its label, says that nobody should roll back past it.
func TestUnsafeToRollBackPast(t *testing.T) {
	for text, want := range map[string]bool{
		"Drop the column total\n\nRollback: unsafe": true, "x\n\n  rollback :UNSAFE \nCo-authored-by: Ana <a@b.example>": true, "rollback: unsafe": true,
		"": false, "Make rollback: unsafe a label": false, "x\n\nrollback: unsafe?": false, "x\n\nrollback: safe": false, "rollback unsafe": false,
	} {
		if got := SaysUnsafe(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for label, want := range map[string]bool{"rollback: unsafe": true, "Rollback:unsafe": true, "rollback": false} {
		if p := (&Pull{Labels: []string{"bug", label}}); p.Unsafe() != want {
			t.Errorf("label %q: %v", label, p.Unsafe())
		}
	}
	if (*Pull)(nil).Unsafe() {
		t.Error("no pull request is unsafe")
	}
}

// What looks like an issue key counts wherever people write one: in a text, in a
// branch, twice beside each other; in lower case, or inside a word, it is none.
func TestMentions(t *testing.T) {
	for text, want := range map[string]string{
		"SHOP-12: sell shoes":                        "SHOP-12",
		"Merge branch 'feature/SHOP-12-shoes'":       "SHOP-12",
		"Merge pull request #7 from acme/SHOP-12":    "SHOP-12",
		"SHOP-1 SHOP-2,SHOP-3\nOPS_2-9 and SHOP-1":   "SHOP-1 SHOP-2 SHOP-3 OPS_2-9",
		"[SHOP-12] (SHOP-13)":                        "SHOP-12 SHOP-13",
		"shop-12, xSHOP-1, SHOP-0, SHOP-01, SHOP-1a": "",
		"UTF-8":  "UTF-8", // only the tracker knows better
		"A-1":    "",
		"":       "",
		"v1.2.3": "",
	} {
		if got := strings.Join(Mentions(text), " "); got != want {
			t.Errorf("%q mentions %q, want %q", text, got, want)
		}
	}
	var many strings.Builder
	for i := range 100 {
		many.WriteString(" SHOP-" + strings.Repeat("1", i%10+1) + strings.Repeat("2", i%9))
	}
	if got := Mentions(many.String()); len(got) != mostMentions || len(slices.Compact(slices.Sorted(slices.Values(got)))) != mostMentions {
		t.Errorf("%d keys of a text of hundreds", len(got))
	}
}
