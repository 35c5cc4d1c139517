package form_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/internal/webshop"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
)

// tainted is what a gate warns of.
const tainted = "includes 1a2b3c4, which Ana rolled back (\"checkout is down\")"

// about is Production while #43 runs there.
func about() card.Subject {
	return card.Subject{Pipeline: "webshop", Stage: "Production", Seen: webshop.ID43, Channel: "C1", Thread: "1.2"}
}

// gallery is every form there is, in the states that people meet.
func gallery() []blocktest.Drawing { return append(rollbacks(), answers()...) }

// modal is a drawing of a form.
var modal = blocktest.Modal

// asks is what a form of webshop knows: Ana reads it in Berlin, an hour later.
func asks(targets ...ledger.Target) form.Return {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	production := &workflows.Stage{Name: "Production", Rollback: workflows.RollbackPolicy{Lock: "always"}, Actions: []workflows.Action{
		{Name: "SignOff", ActionType: workflows.ActionType{Category: "Approval", Provider: "Manual"}}, {Name: "Deploy"}}}
	return form.Return{About: about(), Targets: targets, Stage: production, Reader: "Ana", Zone: berlin, Now: webshop.At(80)}
}

// known are the targets with all that can be known of them.
func known() []ledger.Target {
	all := webshop.Targets()
	all[0].Took, all[1].Took = 242, 200
	all[1].By, all[1].Compared, all[1].Undoes = workflows.Principal{ID: "github:dan", Name: "Dan"}, true, 3
	all[1].Lines, all[1].Whose = webshop.Lines(3), []string{"Ben", "Cho"}
	all[1].CompareURL = "https://github.com/acme/webshop/compare/2222222...1111111"
	all[1].Pulls = []ledger.Leaving{{Text: "#17 Speed up <search>", URL: "https://github.com/acme/webshop/pull/17"}}
	all[1].Issues = []ledger.Leaving{{Text: "SHOP-12 Search is slow", URL: "https://acme.example/browse/SHOP-12"}, {Text: "SHOP-13"}}
	old := &all[3]
	old.By, old.Compared, old.Undoes, old.Brings, old.Approvals = webshop.Ana(), true, 12, 1, 2
	old.Left = &ledger.Leave{By: "Ana", Reason: "coupons broken", At: old.Ran[0].To}
	old.Unsafe = []string{"1a2b3c4 Drop the column total (Ben)", "2b3c4d5 Two <!channel> (Cho)", "3c4d5e6 Three", "4d5e6f7 Four"}
	return all
}

func rollbacks() []blocktest.Drawing {
	places := []form.Place{{Pipeline: "api", Stage: "Production"}, {Pipeline: "webshop", Stage: "Staging"}, {Pipeline: "webshop", Stage: "Production"}}
	simple := webshop.Targets()[:2]
	many := known()
	many[1].Undoes, many[1].Lines, many[1].Whose = 400, webshop.Lines(400), []string{"Ben", "Cho", "Dan", "Eve", "Ana"}
	busy, chosen, nothing, elsewhere := asks(known()...), asks(known()...), asks(simple[:1]...), asks(simple...)
	busy.Busy, busy.Reason = "webshop#44", "checkout is down"
	busy.Freeze = &workflows.Freeze{Name: "year-end", From: webshop.At(0), To: webshop.At(9000)}
	chosen.About.Target, chosen.Lock = chosen.Targets[3].Execution, new(bool)
	elsewhere.Places = places
	unknown := form.Return{About: about(), Targets: simple}
	return []blocktest.Drawing{
		modal("rollback", form.Rollback(asks(simple...))),
		modal("rollback-known", form.Rollback(asks(known()...))),
		modal("rollback-of-who-is-not-known", form.Rollback(unknown)),
		modal("rollback-busy-frozen", form.Rollback(busy)),
		modal("rollback-to-what-was-left", form.Rollback(chosen)),
		modal("rollback-place", form.Rollback(form.Return{Places: places})),
		modal("rollback-place-chosen", form.Rollback(elsewhere)),
		modal("rollback-nothing", form.Rollback(nothing)),
		modal("rollback-400", form.Rollback(asks(many...))),
	}
}

func answers() []blocktest.Drawing {
	signOff := card.Subject{Pipeline: "webshop", Stage: "Production", Action: "SignOff", Execution: webshop.ID43, Gate: "5c3d"}
	ungated, security, whole := signOff, signOff, signOff
	ungated.Gate, security.Gate, whole.Gate, whole.Action = "", "", "", ""
	security.Action = "Security"
	reason := func(e workflows.Execution, verb workflows.Verb, about card.Subject) blocktest.Drawing {
		return modal("", form.Reason(webshop.View(e, webshop.Shop()), verb, about))
	}
	named := func(name string, d blocktest.Drawing) blocktest.Drawing { d.Name = name; return d }
	warned := webshop.Waiting()
	warned.Stages[2].Actions[0].Approval.Warning = tainted
	return []blocktest.Drawing{
		named("reject", reason(webshop.Waiting(), workflows.Reject, signOff)),
		named("approve", reason(webshop.Waiting(), workflows.Approve, signOff)),
		named("approve-warned", reason(warned, workflows.Approve, ungated)),
		modal("loading", form.Loading("Roll back Production", "Reading what ran there…")),
		modal("stop", form.Stop(webshop.View(webshop.Waiting(), webshop.Shop()), card.Subject{Pipeline: "webshop", Execution: webshop.ID43, Channel: "C1", Thread: "1.2"})),
		named("override", reason(webshop.Waiting(webshop.Yes(webshop.Ana(), 10)), workflows.Override, signOff)),
		named("override-condition", reason(unmet(), workflows.Override, whole)),
		named("reject-of-two", reason(webshop.Both(), workflows.Reject, security)),
		named("approve-of-two", reason(webshop.Both(), workflows.Approve, security)),
		named("override-of-two", reason(webshop.Both(), workflows.Override, security)),
		named("changes-approve", reason(webshop.Brings(webshop.Waiting(), "done", "3 commits since #42"), workflows.Approve, signOff)),
		named("changes-approve-400", reason(webshop.Listed(webshop.Waiting(), 400), workflows.Approve, signOff)),
		modal("start", form.Start(webshop.Shop(), card.Subject{Pipeline: "webshop"}, map[string]string{"ticket": "OPS-9"})),
	}
}

// unmet is webshop#43 before Production, whose entry condition does not hold.
func unmet() workflows.Execution {
	e := webshop.Ended(workflows.StatusFailed, "ConditionFailed", "the entry condition of Production failed")
	coverage := webshop.Action("beforeEntry:coverage", workflows.StatusFailed)
	coverage.Error = &workflows.Reason{Code: "ActionFailed", Message: "71 %, wanted are 80 %"}
	e.Stages[2] = webshop.Stage("Production", workflows.StatusFailed, webshop.Action("Deploy", workflows.StatusNotStarted))
	e.Stages[2].Conditions = []workflows.ConditionExecution{{Kind: workflows.BeforeEntry, Result: "FAIL", Status: workflows.StatusFailed,
		Rules: []workflows.ActionExecution{webshop.Action("beforeEntry:window", workflows.StatusSucceeded), coverage}}}
	return e
}

func TestGolden(t *testing.T) { blocktest.Golden(t, gallery()) }

func TestGalleryIsWithinSlacksLimits(t *testing.T) {
	for _, d := range gallery() {
		for _, f := range d.Faults() {
			t.Errorf("%s: %s", d.Name, f)
		}
	}
}

// D6: every view of what runs says what must be known of it.
func TestTheFormSaysWhatIsWrongWithATarget(t *testing.T) {
	const want = "uncertain, without 1 of 2 approvals"
	all := webshop.Targets()
	all[1].Uncertain, all[1].Without = true, "1 of 2 approvals"
	if text := modal("", form.Rollback(form.Return{About: about(), Targets: all})).String(); !strings.Contains(text, want) {
		t.Errorf("it does not say %q:\n%s", want, text)
	}
}

// What a person must know before they roll back stands above the choice, what is
// long below all that they fill in: the button is near, also on a phone.
func TestFactsStandAboveAndListsBelow(t *testing.T) {
	f := asks(known()...)
	f.About.Target = f.Targets[3].Execution
	text := modal("", form.Rollback(f)).String()
	last := -1
	for _, want := range []string{"last deploy took 4 min 2 s", "marked *rollback: unsafe*", "#40 was rolled back by Ana on Mar 11: coupons broken", "Roll back to: {target}", "Lock Production afterwards", "Reason (optional)", "#40 undoes 12 commits, brings 1", "Not offered: #41"} {
		at := strings.Index(text, want)
		if at <= last {
			t.Errorf("%q is missing, or stands above what comes before it:\n%s", want, text)
		}
		last = at
	}
}

// The box is as the stage's rollback.lock says, until somebody ticks it themselves.
func TestTheBoxOfTheLock(t *testing.T) {
	ticked, empty := true, false
	for _, c := range []struct {
		policy string
		chosen *bool
		want   bool
	}{{"always", nil, true}, {"manual", nil, true}, {"never", nil, false}, {"never", &ticked, true}, {"always", &empty, false}} {
		f := asks(known()...)
		f.Stage.Rollback.Lock, f.Lock = c.policy, c.chosen
		if got := strings.Contains(modal("", form.Rollback(f)).String(), "(*) Lock Production afterwards"); got != c.want {
			t.Errorf("%s, chosen %v: ticked %v", c.policy, c.chosen, got)
		}
	}
}

// Nobody is warned of undoing their own work alone.
func TestOnesOwnChangesAreNoAlert(t *testing.T) {
	for whose, want := range map[string]bool{"Ana": false, "ana": false, "Ben": true, "Ana,Ben": true} {
		f := asks(known()...)
		f.Targets[1].Whose = strings.Split(whose, ",")
		if got := strings.Contains(modal("", form.Rollback(f)).String(), "Undoes 3 commits of"); got != want {
			t.Errorf("%s: %v", whose, got)
		}
	}
}

// Where a rollback asks nobody, the form says so, and why; else how many.
func TestTheFormSaysWhetherPeopleApproveAgain(t *testing.T) {
	for _, c := range []struct {
		policy    string
		approvals int
		gated     bool
		want      string
	}{{"", 0, true, "No approval is asked: it is one of the last 5 successes."}, {"skip", 0, true, "No approval is asked."}, {"require", 2, true, "Asks for 2 approvals again."}, {"", 0, false, "nothing is rebuilt.)"}} {
		f := asks(known()...)
		f.Stage.Rollback.Approval, f.Targets[1].Approvals = c.policy, c.approvals
		if !c.gated {
			f.Stage.Actions = f.Stage.Actions[1:]
		}
		if text := modal("", form.Rollback(f)).String(); !strings.Contains(text, c.want) {
			t.Errorf("%+v:\n%s", c, text)
		}
	}
}
