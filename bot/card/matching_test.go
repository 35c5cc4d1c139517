package card

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The forms that are read by hand, because every start of the program would pay for
// regular expressions, are these.
func TestFormsAreWhatTheirExpressionsSay(t *testing.T) {
	var (
		bareStatus = regexp.MustCompile(`^exit (status|code) \d+$`)
		logNoise   = regexp.MustCompile(`(?i)^\[rollcall\] |^(error: )?(process completed with )?exit(ed with)? (status|code):? \d+\.?$|^g?make(\[\d+\])?: \*\*\* .* Error \d+$`)
		referable  = regexp.MustCompile(`^[a-z]+:[\w.@+:/'-]{1,150}$`)
		referred   = regexp.MustCompile(`<@([a-z]+:[^<>|]*)\|([^<>]*)>`)
	)
	slots := [][]string{ // one of each makes what nearly matches
		{"", "", "<@", "error: ", "Error: ", "x", "a <"}, {"", "", "process completed with ", "<@"},
		{"exit", "Exited with", "exit with", "make", "gmake", "gmake[2]", "make[x]", "[rollcall] ", "github", "git8", "mail"},
		{" status", " code", ": *** ", ": *** x", ":", ":dan mail:d@a.b", " "}, {"", ":", " Error", ":dan", strings.Repeat("x", 150)}, {"", " ", "|", "<"},
		{"1", "42", "x", "", "dan|d", "ä"}, {"", ".", " ", ">", "> and <@slack:U1|Ana>"},
	}
	rapid.Check(t, func(r *rapid.T) {
		text := ""
		for _, one := range slots {
			text += rapid.SampledFrom(one).Draw(r, "part")
		}
		for _, c := range []struct {
			what      string
			got, want bool
		}{
			{"a bare status", isBareStatus(text), bareStatus.MatchString(text)},
			{"noise", isLogNoise(text), logNoise.MatchString(text)},
			{"referable", isReferable(text), referable.MatchString(text)},
		} {
			if c.got != c.want {
				r.Errorf("%q is %s: %v, want %v", text, c.what, c.got, c.want)
			}
		}
		want := referred.ReplaceAllString(text, "($1)($2)")
		var got strings.Builder
		for rest := text; ; {
			before, ref, after, found := cutReference(rest)
			if got.WriteString(before); !found {
				break
			}
			got.WriteString("(" + ref.who + ")(" + ref.called + ")")
			rest = after
		}
		if got.String() != want {
			r.Errorf("%q has the references %q, want %q", text, got.String(), want)
		}
	})
}
