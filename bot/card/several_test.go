package card_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
)

// lost is webshop#43 with two actions of which nobody knows whether they ran.
func lost() workflows.Execution {
	e := waiting()
	e.Offers = nil
	e.Stages[2].Actions = nil
	for _, name := range []string{"Deploy", "Migrate"} {
		a := action(name, workflows.StatusInProgress)
		a.Needs = workflows.NeedsResolve
		e.Stages[2].Actions = append(e.Stages[2].Actions, a)
		e.Offers = append(e.Offers, workflows.Offer{Verb: workflows.Resolve, Stage: "Production", Action: name})
	}
	return e
}

func several() []drawing {
	second := asking(both(), both().Stages[2].Actions[1])
	second.Action = "Security"
	return []drawing{
		message("execution-two-gates", card.Execution(view(both(), shop()))),
		message("execution-two-in-doubt", card.Execution(view(lost(), shop()))),
		message("details-two-gates", card.Details(view(both(), shop()))),
		message("gate-of-two", card.Gate(second)),
		message("reminder-of-two", second.Reminder()),
	}
}

// U1: whoever presses knows what they press. Over every message there is.
func TestNoTwoButtonsOfAMessageSayTheSame(t *testing.T) {
	for _, d := range gallery() {
		if twice := d.Lookalikes(); len(twice) > 0 {
			t.Errorf("%s has twice: %s\n%s", d.Name, strings.Join(twice, "; "), rendered(d))
		}
	}
}

// U11, case 11: the case of a name counts, so no refusal is written otherwise
// than it was said. Over every refusal that there is, and some with names in front.
func TestARefusalIsSaidAsItWasWritten(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	all := []workflows.Problem{{Message: "shop#1 has ended", Hint: "shop has Build and Production"}, {Message: "v has no variable note", Hint: "help lists what there is"}, {Message: "élan is archived"}}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]*) \| [^|]+ \|$`).FindAllStringSubmatch(string(page), -1) {
		all = append(all, workflows.Problem{Message: row[1], Hint: strings.TrimSpace(row[2])})
	}
	if len(all) < 100 {
		t.Fatalf("the page lists %d refusals", len(all))
	}
	for _, p := range all {
		text := rendered(message("refusal", card.Refusal(&p, nil, "")))
		want := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
		if !strings.Contains(text, "🙅 "+want(p.Message)) || !strings.Contains(text, want(p.Hint)) {
			t.Errorf("%q (%s) is said as %s", p.Message, p.Hint, text)
		}
	}
}

// D6: every view of what runs says what must be known of it.
func TestEveryViewSaysWhatIsWrongWithWhatRuns(t *testing.T) {
	const want = "uncertain, without 1 of 2 approvals"
	p := uncertain()
	p.Stages[2].Running.Without = "1 of 2 approvals"
	unsure := asking(waiting(), signOff())
	unsure.View.Pipeline = p
	for _, d := range []drawing{
		message("pipelines", home.Pipelines("Pipelines", []workflows.PipelineView{p}, at(0), "")),
		message("status", home.Status(p, nil, at(0), "")),
		message("gate", card.Gate(unsure)),
	} {
		if text := rendered(d); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", d.Name, want, text)
		}
	}
}

// U1: whatever the names are, and however long.
func TestNoTwoButtonsSayTheSameWhateverTheNames(t *testing.T) {
	names := rapid.OneOf(rapid.SampledFrom([]string{"QA", "Security", strings.Repeat("x", 99) + "1", strings.Repeat("x", 99) + "2"}), rapid.StringMatching(`[A-Za-z0-9.@_-]{1,100}`))
	rapid.Check(t, func(t *rapid.T) {
		e := waiting()
		e.Stages[2].Actions, e.Offers = nil, nil
		for i, name := range rapid.SliceOfNDistinct(names, 2, 3, rapid.ID).Draw(t, "actions") {
			a := signOff()
			a.Name, a.Approval.Token = name, fmt.Sprint(i)
			if rapid.Bool().Draw(t, "in doubt") {
				a.Needs, a.Approval = workflows.NeedsResolve, nil
				e.Offers = append(e.Offers, workflows.Offer{Verb: workflows.Resolve, Stage: "Production", Action: name})
			} else {
				for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject, workflows.Override} {
					e.Offers = append(e.Offers, workflows.Offer{Verb: verb, Stage: "Production", Action: name})
				}
			}
			e.Stages[2].Actions = append(e.Stages[2].Actions, a)
		}
		for _, d := range []drawing{message("card", card.Execution(view(e, shop()))), message("details", card.Details(view(e, shop())))} {
			if twice := d.Lookalikes(); len(twice) > 0 {
				t.Fatalf("%s has twice: %s", d.Name, strings.Join(twice, "; "))
			}
		}
	})
}
