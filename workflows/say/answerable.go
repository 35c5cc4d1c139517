package say

import (
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Answerable is whether enough people can still approve an open gate, as it was
// when somebody looked. The zero value is that there are enough, or that nobody
// can know: everybody may answer, or nobody can list who is in a group.
type Answerable struct {
	// Short is what the gate asks for and cannot get.
	Short []Shortage `json:"short,omitempty"`
	// Excluded are those who are asked, and may not because it is their own; only with Short.
	Excluded []workflows.Principal `json:"excluded,omitempty"`
}

// Shortage is what a gate asks for and too few people can give.
type Shortage struct {
	Who  string `json:"who,omitempty"` // the group of whom it asks for some; empty: anybody who is asked
	Need int    `json:"need"`          // approvals of theirs that are missing
	Can  int    `json:"can,omitempty"` // people who can still give one
}

// TooFew says that fewer people can approve than are needed: "only 1 person can
// approve, 2 are required"; empty: there are enough.
func (f *Format) TooFew(a Answerable) string {
	if len(a.Short) == 0 {
		return ""
	}
	s, of := a.Short[0], ""
	if s.Who != "" {
		of = " of " + f.groups(s.Who)
	}
	need := fmt.Sprintf("%d are required", s.Need)
	if s.Need == 1 {
		need = "1 is required"
	}
	switch s.Can {
	case 0:
		return "nobody" + of + " can approve, " + need
	case 1:
		return "only 1 person" + of + " can approve, " + need
	}
	return fmt.Sprintf("only %d people%s can approve, %s", s.Can, of, need)
}

// groups names the groups among who-expressions, of which one will do.
func (f *Format) groups(who ...string) string {
	var names []string
	for _, w := range who {
		switch kind, name, _ := subject.Split(w); kind {
		case subject.SlackGroup:
			names = append(names, "the Slack group "+f.Clean(name))
		case subject.Group, subject.GitHubTeam:
			names = append(names, f.Clean(Approver(w)))
		}
	}
	return words.List(names, "or")
}

// WaysOut is what helps where too few people can approve, each as it follows "or":
// "add somebody to release-managers". from is who may answer.
func (f *Format) WaysOut(a Answerable, from []string) []string {
	if len(a.Short) == 0 {
		return nil
	}
	to := f.groups(from...)
	if who := a.Short[0].Who; who != "" {
		to = f.groups(who)
	}
	switch {
	case to == "" && len(from) > 0:
		to = "`from`"
	case to == "":
		to = "those with the permission approve"
	}
	ways := []string{"add somebody to " + to}
	if len(a.Excluded) > 0 {
		ways = append(ways, "let the requester approve (`requesterMayApprove`)")
	}
	return ways
}
