package card_test

import (
	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// openGates are what else an open gate says, and what is left of a closed one.
func openGates() []drawing {
	few := asking(waiting(), signOff())
	few.From, few.Command = few.Approval.From, "/rollcall"
	few.Answerable = say.Answerable{Short: []say.Shortage{{Need: 2, Can: 1}}, Excluded: []workflows.Principal{ana()}}
	group := asking(waiting(yes(ana(), 10)), signOff(yes(ana(), 10)))
	group.Answerable = say.Answerable{Short: []say.Shortage{{Who: "group:security", Need: 1}}}
	behind := asking(waiting(), signOff())
	behind.Behind, behind.Next = []string{"#45", "#46"}, id45
	commented := yes(cho(), 40)
	commented.Comment = "looks good"
	expired := notApproved("ApprovalExpired", "nobody decided within 24 hours")
	expired.Offers = []workflows.Offer{{Verb: workflows.Retry, Stage: "Production"}}
	again := asking(expired, closed("expired"))
	again.Again = true
	stopped := ended(workflows.StatusStopped, "Stopped", "stopped by Ana")
	stopped.Stop = &workflows.Stop{Reason: "webshop#45 is asked for instead", By: ana(), At: at(20)}
	opened := closed("overridden", yes(ana(), 10))
	opened.Approval.Override = &workflows.Overridden{By: cho(), Reason: "the shop is down and Ben sleeps", At: at(40), Without: "1 of 2 approvals"}
	skipped := asking(waiting(), opened)
	return []drawing{
		message("gate-too-few", card.Gate(few)),
		message("gate-too-few-of-a-group", card.Gate(group)),
		message("gate-waiting-behind", card.Gate(behind)),
		message("gate-approved-with-a-comment", card.Gate(asking(waiting(), closed("approved", yes(ana(), 10), commented)))),
		message("gate-expired-ask-again", card.Gate(again)),
		message("gate-stopped", card.Gate(asking(stopped, closed("withdrawn", yes(ana(), 10))))),
		message("gate-skipped", skipped.Skipped([]string{"<@U1>", "<!subteam^S1>"})),
	}
}

// anyGate is more that a gate may say.
func anyGate(t *rapid.T, a *card.Asking) {
	a.Command, a.Again = "/rollcall", rapid.Bool().Draw(t, "again")
	a.Behind = rapid.SliceOfN(rapid.Just("#123456789"), 0, 60).Draw(t, "behind")
	a.Next = rapid.SampledFrom([]string{"", id45}).Draw(t, "next")
	for range rapid.IntRange(0, 3).Draw(t, "short") {
		a.Answerable.Short = append(a.Answerable.Short, say.Shortage{Who: text().Draw(t, "who"), Need: rapid.IntRange(1, 9).Draw(t, "need"), Can: rapid.IntRange(0, 8).Draw(t, "can")})
		a.Answerable.Excluded = append(a.Answerable.Excluded, anyPrincipal(t))
	}
}
