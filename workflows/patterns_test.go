package workflows_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"main", "main", true},
		{"main", "main2", false},
		{"main", "Main", false},
		{"main*", "main-x", true},
		{"main*", "main/x", false}, // * stays within a part
		{"main**", "main/x", true},
		{"**", "a/b/c", true},
		{"dir/*", "dir/a", true},
		{"dir/*", "dir/a/b", false},
		{"dir/**", "dir/a/b", true},
		{"dir/**", "dir", false},
		{"dir/**", "dirt/a", false},
		{"common/**/*.js", "common/app.js", true}, // "**/" may be empty
		{"common/**/*.js", "common/a/b/app.js", true},
		{"common/**/*.js", "common/app.ts", false},
		{"**/README.md", "README.md", true},
		{"**/README.md", "docs/README.md", true},
		{"**/README.md", "xREADME.md", false},
		{"v?", "v1", true},
		{"v?", "v", false},
		{"a?b", "a/b", false},
		{"v[0-9].*", "v1.2", true},
		{"v[0-9].*", "va.2", false},
		{"v[!0-9]", "va", true},
		{"v[!0-9]", "v1", false},
		{"v[!0-9]", "v/", false},
		{`x[*?\]`, "x*", true},
		{`x[*?\]`, `x\`, true},
		{`x[*?\]`, "xa", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[^a]", "^", true},
		{"[^a]", "b", false},
		{"*.{js,ts}", "app.ts", true},
		{"*.{js,ts}", "app.tsx", false},
		{"{src,lib}/**", "lib/a/b", true},
		{`a\*b`, "a*b", true},
		{`a\*b`, "axb", false},
		{"a.b", "axb", false}, // a dot is a dot
		{"a+(b)|c$^", "a+(b)|c$^", true},
		{"a}b,c", "a}b,c", true},
		{"größe?", "größe→", true},
		{"[ä-ü]", "ö", true},
		{"a*", "a\nb", true},
		{"", "", true},
	} {
		if err := (&workflows.Patterns{Includes: []string{c.pattern}}).Check(); err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		if got := (&workflows.Patterns{Includes: []string{c.pattern}}).Match(c.name); got != c.want {
			t.Errorf("%q matches %q: got %v", c.pattern, c.name, got)
		}
	}
	for _, bad := range []string{"[", "[]", "[!]", "a[b", "{a", "{a,{b,c}}", `a\`, "[z-a]", "\xff", "[\xff]"} {
		if (&workflows.Patterns{Includes: []string{bad}}).Check() == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestExcludesWinAndEachNameIsJudgedAlone(t *testing.T) {
	for _, c := range []struct {
		about              string
		includes, excludes []string
		names              []string
		want               bool
	}{
		{"neither", nil, nil, []string{"a"}, true},
		{"no names", nil, nil, nil, false},
		{"only excludes: everything else", nil, []string{"docs/**"}, []string{"src/a"}, true},
		{"only excludes", nil, []string{"docs/**"}, []string{"docs/a"}, false},
		{"in both", []string{"main"}, []string{"main"}, []string{"main"}, false},
		{"one of several includes", []string{"a", "b"}, nil, []string{"b"}, true},
		{"one of several names is enough", []string{"src/**"}, []string{"**/*.md"}, []string{"README.md", "src/x.md", "src/a"}, true},
		{"none of several names", []string{"src/**"}, []string{"**/*.md"}, []string{"README.md", "src/x.md"}, false},
		{"a bad exclude lets nothing pass", []string{"**"}, []string{"["}, []string{"a"}, false},
	} {
		p := &workflows.Patterns{Includes: c.includes, Excludes: c.excludes}
		if got := p.Match(c.names...); got != c.want {
			t.Errorf("%s: got %v", c.about, got)
		}
	}
	if none := (*workflows.Patterns)(nil); !none.Match("anything") {
		t.Error("no patterns are a filter")
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"**/a", "[!a-c]{x,y}", `\[`, "[]-a]", "a**b?", "[é-\x00]"} {
		f.Add(seed, "a/b")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		includes := (&workflows.Patterns{Includes: []string{pattern}}).Match(name)
		excludes := !(&workflows.Patterns{Excludes: []string{pattern}}).Match(name)
		if err := (&workflows.Patterns{Includes: []string{pattern}}).Check(); err != nil {
			if includes || !excludes {
				t.Errorf("%q is refused (%v) and still lets %q pass", pattern, err, name)
			}
		} else if includes != excludes {
			t.Errorf("%q: %q is included %v, excluded %v", pattern, name, includes, excludes)
		}
	})
}
