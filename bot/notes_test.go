package bot

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows/changes"
)

// Notes of any size fit into a message of Slack, count what they leave out, and say
// to the last line that they are not complete.
func TestNotesFitIntoAMessage(t *testing.T) {
	for _, c := range []struct{ groups, items, length int }{{1, 1, 20}, {1, 400, 60}, {3, 12, 199}, {40, 30, 80}, {1, 12, 5000}, {2, 12, 150}} {
		n := changes.Notes{Title: "webshop#42 in Production", CompareURL: "https://github.com/acme/webshop/compare/1...2", Why: strings.Repeat("GitHub <is> away & ", 40)}
		for g := range c.groups {
			group := changes.Group{Title: fmt.Sprint("Group ", g)}
			for i := range c.items {
				group.Items = append(group.Items, fmt.Sprintf("%d.%d %s", g, i, strings.Repeat("<&", c.length/2)))
			}
			n.Groups = append(n.Groups, group)
		}
		text := card.Say(notesText(&n)).Text
		if m := utf8.RuneCountInString(text); m > 2500 || !strings.Contains(text, "Not complete: GitHub &lt;is&gt; away") || !strings.Contains(text, "0.0 ") || !strings.Contains(text, n.CompareURL) {
			t.Errorf("%+v: %d characters:\n%s", c, m, text)
		}
		counted := strings.Count(text, "• ")
		for line := range strings.Lines(text) {
			var more int
			if k, _ := fmt.Sscanf(line, "and %d more", &more); k == 1 {
				counted += more
			} else if k, _ := fmt.Sscanf(line, "%d more do not fit", &more); k == 1 {
				counted += more
			}
		}
		if counted != c.groups*c.items {
			t.Errorf("%+v: %d of %d are shown or counted:\n%s", c, counted, c.groups*c.items, text)
		}
	}
	if text := notesText(&changes.Notes{Title: "x", Complete: true}); text != "x\n\nNo changes are known." {
		t.Errorf("%q", text)
	}
}
