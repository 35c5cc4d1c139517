package form_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/internal/webshop"
	"github.com/rollcall-bot/rollcall/workflows"
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

func rollbacks() []blocktest.Drawing {
	places := []form.Place{{Pipeline: "api", Stage: "Production"}, {Pipeline: "webshop", Stage: "Staging"}, {Pipeline: "webshop", Stage: "Production"}}
	compared, many := webshop.Targets(), webshop.Targets()
	compared[1].Compared, compared[1].Undoes, compared[1].CompareURL = true, 3, "https://github.com/acme/webshop/compare/2222222...1111111"
	compared[3].Compared, compared[3].Undoes, compared[3].Brings = true, 12, 1
	many[1].Compared, many[1].Undoes, many[1].Lines, many[1].CompareURL = true, 400, webshop.Lines(400), compared[1].CompareURL
	return []blocktest.Drawing{
		modal("rollback", form.Rollback(form.Return{About: about(), Targets: webshop.Targets()[:2]})),
		modal("rollback-busy-changed", form.Rollback(form.Return{About: about(), Targets: webshop.Targets(), Busy: "webshop#44", Reason: "checkout is down"})),
		modal("rollback-place", form.Rollback(form.Return{Places: places})),
		modal("rollback-place-chosen", form.Rollback(form.Return{About: about(), Places: places, Targets: webshop.Targets()[:2]})),
		modal("rollback-nothing", form.Rollback(form.Return{About: about(), Targets: webshop.Targets()[:1]})),
		modal("changes-rollback", form.Rollback(form.Return{About: about(), Targets: compared})),
		modal("changes-rollback-400", form.Rollback(form.Return{About: about(), Targets: many})),
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
