package webshop

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Both is webshop#43 at two gates of Production at a time.
func Both() workflows.Execution {
	e := Waiting()
	security := SignOff()
	security.Name, security.Approval.Token = "Security", "5c3d9a70-0000-4000-8000-00000000a002"
	e.Stages[2].Actions = slices.Insert(e.Stages[2].Actions, 1, security)
	for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject, workflows.Override} {
		e.Offers = append(e.Offers, workflows.Offer{Verb: verb, Stage: "Production", Action: "Security"})
	}
	e.Offers = append(e.Offers, workflows.Offer{Verb: workflows.Override, Stage: "Production", Action: "SignOff"})
	return e
}

// Brings is the execution with what it brings into Production.
func Brings(e workflows.Execution, state, text string) workflows.Execution {
	e.Notes = []workflows.Note{{Name: "changes/Production", State: state, Text: text}}
	if state == "done" {
		e.Notes[0].URL = "https://github.com/acme/webshop/compare/1111111...2222222"
	}
	return e
}

// Listed is that with the lines of so many commits.
func Listed(e workflows.Execution, n int) workflows.Execution {
	text := "1 commit since #42"
	if n > 1 {
		text = fmt.Sprintf("%d commits since #42", n)
	}
	e = Brings(e, "done", text)
	e.Notes[0].Detail = strings.Join(Lines(n), "\n")
	e.Notes = append(e.Notes, workflows.Note{Name: "issues/Production", State: "done", Text: "SHOP-12, SHOP-13"})
	return e
}

// Lines are the first of n commits, as the engine notes them.
func Lines(n int) []string {
	var all []string
	for i := range min(n, 10) {
		all = append(all, fmt.Sprintf("a1b2c%02d Change <number> %d & more (Dee)", i, i))
	}
	if n > 10 {
		all = append(all, fmt.Sprintf("and %d more", n-10))
	}
	return all
}
