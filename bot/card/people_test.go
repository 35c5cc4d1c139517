package card_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// U26: a principal and an author are named by one function, with all that is
// known of them; machines, rollcall itself, and whoever the sources do not tell
// from others keep their names.
func TestEverybodyIsNamedByAllThatIsKnownOfThem(t *testing.T) {
	for about, c := range map[string]struct {
		by     workflows.Principal
		author *workflows.Author
		who    [][]string // author, principal
		shows  string
	}{
		"a push, and its author by login": {workflows.Principal{ID: "github:dan", Name: "dan", Email: "dan@acme.example", Via: "github"}, &workflows.Author{Name: "Dan", Login: "dan"},
			[][]string{{"github:dan"}, {"github:dan", "mail:dan@acme.example"}}, "push from dan"},
		"an author by address alone":    {workflows.Principal{ID: "slack:U1", Name: "Ana", Via: "slack"}, &workflows.Author{Email: "dan@acme.example"}, [][]string{{"mail:dan@acme.example"}, {"slack:U1"}}, "by dan@acme.example|push from Ana"},
		"an author by a name alone":     {workflows.Principal{Name: "Ana"}, &workflows.Author{Name: "Dan"}, nil, "by Dan|push from Ana"},
		"a principal by an ID alone":    {workflows.Principal{ID: "git:dan@acme.example"}, nil, [][]string{{"git:dan@acme.example"}}, "push from git:dan@acme.example"},
		"a token":                       {workflows.Principal{ID: "token:ci", Name: "ci", Via: "api"}, nil, nil, "push from token ci"},
		"the engine":                    {workflows.EnginePrincipal(), nil, nil, "push from rollcall"},
		"nobody":                        {workflows.Principal{}, &workflows.Author{}, nil, "push from somebody"},
		"an ID that would be more text": {workflows.Principal{ID: "github:a b|c> <!channel>", Name: "x|<!channel>"}, &workflows.Author{Name: "Dan", Login: "dependabot[bot]"}, nil, "by Dan|push from x|&lt;!channel&gt;"},
	} {
		t.Run(about, func(t *testing.T) {
			e := fresh()
			e.Trigger.By, e.SourceRevisions[0].Author = c.by, c.author
			var who [][]string
			drawn := drawing{Message: ptr(card.Execution(view(e, shop())))}
			_ = drawn.Named(func(known []string) (string, string) {
				if !slices.ContainsFunc(who, func(w []string) bool { return slices.Equal(w, known) }) { // in its text and in its blocks
					who = append(who, known)
				}
				return "", ""
			})
			if diff := cmp.Diff(c.who, who); diff != "" {
				t.Error("it is asked for others:", diff)
			}
			text := rendered(drawn)
			for _, want := range strings.SplitN(c.shows, "|", 2) {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// byName is where a message says who did something; what the engine wrote into
// a reason stays as it was written.
var byName = regexp.MustCompile(`(?:by|from|asked for by|agreed:) (?:Ana|Cho|Dee|dee)\b`)

var reasons = strings.NewReplacer("not approved by Cho", "", "stopped by Ana", "")

// U26: no message of the gallery names a person in another way than by the
// one function: what chat calls them stands in all of it.
func TestNoMessageNamesAPersonInAnotherWay(t *testing.T) {
	asked := 0
	for _, d := range gallery() {
		text := rendered(d.Named(func(who []string) (string, string) { asked++; return "U9", "" }))
		if found := byName.FindString(reasons.Replace(text)); found != "" {
			t.Errorf("%s says %q:\n%s", d.Name, found, text)
		}
	}
	if asked < 100 {
		t.Errorf("only %d people were named in the whole gallery", asked)
	}
}

// U26: what chat calls people becomes a mention or a name, and nothing more.
func TestWhatChatCallsPeople(t *testing.T) {
	const drawn = "started by a push from <@github:dan mail:dan@acme.example|dan>, asks <@U7>"
	for about, c := range map[string]struct {
		calls card.Calls
		want  string
	}{
		"to be mentioned":  {func([]string) (string, string) { return "U4", "Dan" }, "started by a push from <@U4>, asks <@U7>"},
		"to be named":      {func([]string) (string, string) { return "", "Dan <!here>" }, "started by a push from Dan &lt;!here&gt;, asks <@U7>"},
		"not known":        {nobody, "started by a push from dan, asks <@U7>"},
		"known by a login": {func(who []string) (string, string) { return "", strings.Join(who, "+") }, "started by a push from github:dan+mail:dan@acme.example, asks <@U7>"},
	} {
		if got := c.calls.Text(drawn); got != c.want {
			t.Errorf("%s: %q", about, got)
		}
	}
	if card.Calls(nobody).Blocks(nil) != nil {
		t.Error("a message in words alone gets blocks")
	}
	long := strings.Repeat("<@slack:U1|A> ", 200)
	if got := card.Calls(func([]string) (string, string) { return "", strings.Repeat("x", 60) }).Text(long); got != strings.Repeat("A ", 200) {
		t.Errorf("names that do not fit make a text of %d characters", len(got))
	}
	cut := drawing{Message: ptr(card.Gate(asking(waiting(), closed("approved", slices.Repeat([]workflows.Vote{yes(ana(), 10)}, 30)...))))}
	if text := rendered(cut.Named(nobody)); strings.Contains(text, "slack:U1") {
		t.Errorf("a person is left as they were drawn:\n%s", text)
	}
}
