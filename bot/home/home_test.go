package home_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/internal/webshop"
	"github.com/rollcall-bot/rollcall/workflows"
)

const console = "https://rollcall.acme.example"

// tainted is what a gate warns of.
const tainted = "includes 1a2b3c4, which Ana rolled back (\"checkout is down\")"

// place is a pipeline's production as somebody sees it who may do everything there.
func place(p workflows.PipelineView, name string, by *workflows.Execution) home.Place {
	p.Name = name
	p.Stages[2].Environment = "production"
	offers := []workflows.Offer{{Verb: workflows.RollBack, Stage: "Production"}}
	if !p.Stages[2].Transition.Enabled {
		offers = append(offers, workflows.Offer{Verb: workflows.Unlock, Stage: "Production"})
	}
	p.Stages[2].Offers = offers
	return home.Place{View: card.View{Pipeline: p, Execution: workflows.Execution{Pipeline: name}, Numbers: map[string]int{webshop.ID42: 42}, URL: console}, Stage: "Production", Brought: by}
}

// gate is a gate of webshop#43.
func gate(change func(a *card.Asking)) card.Asking {
	a := webshop.Asking(webshop.Waiting(), webshop.SignOff())
	if change != nil {
		change(&a)
	}
	return a
}

// ana is what Ana sees on a working day.
func ana() home.Person {
	brought := webshop.Ended(workflows.StatusSucceeded, "", "")
	by := webshop.Back(workflows.StatusSucceeded, workflows.TriggerRollback)
	failed := webshop.Uncertain()
	never := webshop.Shop()
	never.Stages[2].Running, never.Stages[2].LatestExecution = nil, nil
	mine := webshop.Waiting()
	automatic := webshop.Back(workflows.StatusSucceeded, workflows.TriggerAutomated)
	automatic.Rollback.FailedExecution, automatic.Rollback.Reason = webshop.ID45, "webshop#45 failed: exit status 1"
	view := func(e workflows.Execution) card.View { return webshop.View(e, webshop.Shop()) }
	return home.Person{
		Waiting: []card.Asking{gate(nil), gate(func(a *card.Asking) {
			a.Execution.ID, a.Execution.Number, a.Approval.Warning = webshop.ID45, 45, tainted
		})},
		Mine:      []home.Own{{View: view(mine), Card: "https://acme.slack.com/archives/C1/p12"}, {View: view(webshop.Fresh())}},
		Places:    []home.Place{place(webshop.Shop(), "webshop", &brought), place(webshop.Locked(), "api", &by), place(failed, "search", nil), place(never, "admin", nil)},
		Rollbacks: []card.View{view(by), view(automatic)},
		Start:     true, Accounts: []string{"ana@acme.example", "ana-dev (GitHub)"}, Now: webshop.At(60), URL: console,
	}
}

// many is what somebody sees of 1,000 pipelines who may do everything in all of them.
func many() home.Person {
	p := ana()
	p.Places, p.Waiting, p.Mine = nil, nil, nil
	for i := range 25 {
		p.Places = append(p.Places, place(webshop.Locked(), fmt.Sprintf("service-%02d", i), nil))
	}
	for i := range 12 {
		p.Waiting = append(p.Waiting, gate(func(a *card.Asking) { a.Execution.ID, a.Execution.Number = fmt.Sprint(i), 100+i }))
		p.Mine = append(p.Mine, home.Own{View: webshop.View(webshop.Waiting(), webshop.Shop())})
	}
	p.More, p.Found = 975, "service-07"
	return p
}

// admin is what somebody sees who can mend what is not well.
func admin() home.Person {
	p := home.Person{Now: webshop.At(0), Open: []string{"access.allowAll is on: every member may do everything"}, Unseen: []string{"webshop#7 waiting for approval in Production: Slack does not take its messages in #webshop (not_in_channel): /invite @rollcall"}}
	for i := range 15 {
		p.Open = append(p.Open, fmt.Sprintf("setting %d is open", i))
	}
	return p
}

// hostile is a day on which all text from outside wants to be more than text.
func hostile() home.Person {
	p := ana()
	evil := blocktest.Hostile
	p.Waiting = []card.Asking{gate(func(a *card.Asking) {
		a.Stage, a.Action, a.Approval.Warning, a.Execution.SourceRevisions[0].RevisionSummary = evil, evil, evil, evil
	})}
	p.Mine[0].Execution.SourceRevisions[0].RevisionSummary = evil
	p.Rollbacks[0].Execution.Rollback.Reason = evil
	lock := &p.Places[1].Pipeline.Stages[2].Transition
	lock.Reason, lock.Cause = evil, "person"
	p.Accounts, p.Open, p.Unseen = []string{evil}, []string{evil}, []string{evil}
	return p
}

func gallery() []blocktest.Drawing {
	several := home.Person{Waiting: []card.Asking{gate(nil), gate(func(a *card.Asking) { a.Action = "Security" }), gate(func(a *card.Asking) { a.Execution.ID, a.Execution.Number = webshop.ID45, 45 })}}
	return append([]blocktest.Drawing{
		blocktest.Modal("home", home.Home(ana())),
		blocktest.Modal("home-empty", home.Home(home.Person{})),
		blocktest.Modal("home-many", home.Home(many())),
		blocktest.Modal("home-admin", home.Home(admin())),
		blocktest.Modal("home-hostile", home.Home(hostile())),
		blocktest.Modal("home-several", home.Home(several)),
		blocktest.Message("overview", home.Overview(ana())),
		blocktest.Message("overview-empty", home.Overview(home.Person{})),
		blocktest.Message("overview-many", home.Overview(many())),
	}, lists()...)
}

func lists() []blocktest.Drawing {
	all := []workflows.PipelineView{webshop.Shop(), webshop.Locked()}
	all[1].Name = "api"
	help := []home.HelpLine{{Name: "status", Usage: "status [P|E]", Does: "a pipeline, or one execution", Possible: true}, {Name: "start", Usage: "start P", Does: "start an execution"}}
	views := []card.View{webshop.View(webshop.Back(workflows.StatusInProgress, workflows.TriggerAutomated), webshop.Shop()), webshop.View(webshop.Broken(), webshop.Shop()), webshop.View(webshop.Waiting(), webshop.Shop())}
	return []blocktest.Drawing{
		blocktest.Message("pipelines", home.Pipelines("Pipelines", all, webshop.At(0), console)),
		blocktest.Message("status", home.Status(webshop.Shop(), nil, webshop.At(0), console)),
		blocktest.Message("status-locked", home.Status(webshop.Locked(), nil, webshop.At(0), console)),
		blocktest.Message("executions", home.Executions("webshop", views, console)),
		blocktest.Message("help", home.Help("/rollcall", help)),
		blocktest.Message("who", home.Who("webshop", []home.Right{{What: "start", You: true, Holders: []string{"everyone", "Cho"}}, {What: "approve in Production"}})),
	}
}

func TestGolden(t *testing.T) { blocktest.Golden(t, gallery()) }

func TestGalleryIsWithinSlacksLimits(t *testing.T) {
	for _, d := range gallery() {
		for _, f := range d.Faults() {
			t.Errorf("%s: %s", d.Name, f)
		}
		if twice := d.Lookalikes(); len(twice) > 0 {
			t.Errorf("%s has twice: %s", d.Name, strings.Join(twice, "; "))
		}
	}
}

// Whatever there is to see, and however much of it, App Home can be published,
// and what can be answered there can be told apart.
func TestAnyHomeIsWithinSlacksLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := blocktest.Text()
		several := func(label string) int { return rapid.SampledFrom([]int{0, 1, 3, 40}).Draw(t, label) }
		p := home.Person{Now: webshop.At(0), Start: rapid.Bool().Draw(t, "start"), More: several("more"), Found: rapid.SampledFrom([]string{"", strings.Repeat("x", 100)}).Draw(t, "found"), URL: rapid.SampledFrom([]string{"", console}).Draw(t, "url")}
		for i := range several("waiting") {
			p.Waiting = append(p.Waiting, gate(func(a *card.Asking) {
				a.Execution.ID, a.Execution.Number, a.Execution.Pipeline = fmt.Sprint(i/2), i/2, blocktest.Name(t)
				a.Stage, a.Action = blocktest.Name(t), blocktest.Name(t)
				a.Approval.Warning, a.Execution.SourceRevisions[0].RevisionSummary = text.Draw(t, "warning"), text.Draw(t, "summary")
			}))
		}
		for range several("places") {
			pl := place(webshop.Locked(), blocktest.Name(t), nil)
			pl.Pipeline.Stages[2].Transition.Reason = text.Draw(t, "lock")
			p.Places = append(p.Places, pl)
		}
		for range several("mine") {
			v := webshop.View(webshop.Waiting(), webshop.Shop())
			v.Execution.SourceRevisions[0].RevisionSummary = text.Draw(t, "mine")
			p.Mine = append(p.Mine, home.Own{View: v, Card: text.Draw(t, "card")})
			p.Rollbacks = append(p.Rollbacks, webshop.View(webshop.Back(workflows.StatusSucceeded, workflows.TriggerRollback), webshop.Shop()))
			p.Open, p.Unseen, p.Accounts = append(p.Open, text.Draw(t, "open")), append(p.Unseen, text.Draw(t, "unseen")), append(p.Accounts, text.Draw(t, "account"))
		}
		calls := rapid.SampledFrom(blocktest.Called()).Draw(t, "called")
		for _, d := range []blocktest.Drawing{blocktest.Modal("home", home.Home(p)), blocktest.Message("overview", home.Overview(p))} {
			for _, f := range d.Named(calls).Refused() {
				t.Errorf("%s: %s", d.Name, f)
			}
		}
	})
}

// What is wrong with what runs is said wherever it is listed.
func TestEveryListSaysWhatIsWrongWithWhatRuns(t *testing.T) {
	const want = "uncertain, without 1 of 2 approvals"
	p := webshop.Uncertain()
	p.Stages[2].Running.Without = "1 of 2 approvals"
	for _, d := range []blocktest.Drawing{
		blocktest.Modal("home", home.Home(home.Person{Places: []home.Place{place(p, "webshop", nil)}})),
		blocktest.Message("overview", home.Overview(home.Person{Places: []home.Place{place(p, "webshop", nil)}})),
		blocktest.Message("pipelines", home.Pipelines("Pipelines", []workflows.PipelineView{p}, webshop.At(0), "")),
		blocktest.Message("status", home.Status(p, nil, webshop.At(0), "")),
	} {
		if text := d.String(); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", d.Name, want, text)
		}
	}
}
