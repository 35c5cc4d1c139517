package say

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// In says where an execution is that does not run here: " in AWS" behind its
// name; empty for all others.
func In(e *workflows.Execution) string {
	if e.ExternalID == "" {
		return ""
	}
	return " in AWS"
}

// IsECS says whether a pipeline in AWS is the pause hooks of services of Amazon ECS.
func IsECS(b *workflows.Bridge) bool { return b != nil && b.Type == "ECS" }

// Place is where a pipeline is that does not run here: "in AWS: account 111122223333,
// eu-west-1, type V2"; of pause hooks "pause hooks of Amazon ECS: prod/web, eu-west-1".
func (f *Format) Place(b *workflows.Bridge) string {
	parts := []string{"in AWS: account " + b.Account, b.Region, "type " + b.Type}
	if IsECS(b) {
		parts = []string{"pause hooks of Amazon ECS: " + b.External, b.Region}
	}
	return f.Clean(strings.TrimSuffix(strings.Join(parts, ", "), ", "))
}

// Request is what AWS was asked to do and what it answered: "Ana asked AWS to
// roll back Production; no answer yet", "Ana asked AWS to retry Production. AWS
// refused: the stage runs (StageNotRetryable)".
func (f *Format) Request(r *workflows.Request) string {
	text := f.Who(r.By) + " asked AWS to " + f.RequestVerb(r)
	switch r.State {
	case workflows.RequestOpen:
		return text + "; no answer yet"
	case workflows.RequestRefused:
		return text + ". " + f.Refused(r)
	}
	return text
}

// Refused is AWS's refusal of a request, in AWS's words: "AWS refused: the stage
// runs (StageNotRetryable)".
func (f *Format) Refused(r *workflows.Request) string {
	if r.Error == nil {
		return "AWS refused"
	}
	text := f.because("AWS refused", r.Error.Message)
	if r.Error.Code != "" {
		text += " (" + f.Clean(r.Error.Code) + ")"
	}
	return text
}

// RequestVerb is what a request asks for, behind "to": "roll back Production".
func (f *Format) RequestVerb(r *workflows.Request) string {
	stage, action := f.Clean(r.Stage), f.Clean(r.Action)
	switch r.Verb {
	case workflows.Start:
		return "start the pipeline"
	case workflows.StopExecution:
		return "stop it"
	case workflows.RollBack:
		return strings.TrimSpace("roll back " + stage)
	case workflows.Override:
		return strings.TrimSuffix("override the condition of "+stage, " of ")
	case workflows.Approve, workflows.Reject:
		if action != "" {
			return string(r.Verb) + " " + action + strings.TrimSuffix(" in "+stage, " in ")
		}
	}
	return strings.TrimSpace(string(r.Verb) + " " + stage)
}

// Lost says that a pipeline in AWS is not seen any more, since when and why: "not
// seen since 14:02: the role may not be assumed"; empty while it is seen.
func (f *Format) Lost(b *workflows.Bridge) string {
	if b == nil || b.Error == nil {
		return ""
	}
	text := "not seen"
	switch {
	case b.SeenAt == nil:
		text = "not seen yet"
	case f.Time == nil:
		text = "not seen any more"
	default:
		text += f.at("since", *b.SeenAt)
	}
	return f.because(text, b.Error.Message)
}

// WatchOnly says of a pipeline that is only looked at how that is changed; empty
// where rollcall may act.
func (f *Format) WatchOnly(b *workflows.Bridge) string {
	if b == nil || b.Mode == workflows.BridgeActs {
		return ""
	}
	return "only watched: nothing can be done from here; to turn that on, set mode: act for the bridge " + f.Clean(b.Name)
}

// Outside is the whole of a decision that was made in AWS, past rollcall:
// "approved outside rollcall by arn:…: 'lgtm'. rollcall's policy (2 of
// release-managers) was not asked."; empty for every other gate.
func (f *Format) Outside(g *workflows.Approval) string {
	v := outside(g)
	if v == nil {
		return ""
	}
	text := f.outside(v)
	if said := strings.TrimSpace(v.Comment); said != "" {
		text += ": '" + f.Clean(said) + "'"
	}
	who := "everyone with the permission approve"
	if len(g.From) > 0 {
		who = f.Clean(AnyOf(g.From))
	}
	text += fmt.Sprintf(". rollcall's policy (%d of %s) was ", max(g.Required, 1), who)
	switch names := words.List(f.voters(g, "approve", alone), "and"); {
	case names == "":
		return text + "not asked."
	case len(g.Missing) == 0 && ours(g) >= g.Required:
		return text + "met too: approved here by " + names + "."
	default:
		return text + "not met: approved here by " + names + "."
	}
}

// outside is the vote by which a gate was decided in AWS; nil: it was not.
func outside(g *workflows.Approval) *workflows.Vote {
	if g.Closed == "" {
		return nil
	}
	for i := range g.Votes {
		if IsOutside(&g.Votes[i]) {
			return &g.Votes[i]
		}
	}
	return nil
}

// ours counts the approvals that were given here.
func ours(g *workflows.Approval) int {
	n := 0
	for i := range g.Votes {
		if v := &g.Votes[i]; v.Answer == "approve" && !IsOutside(v) {
			n++
		}
	}
	return n
}

// IsOutside says whether a vote was given in AWS, past rollcall.
func IsOutside(v *workflows.Vote) bool { return v.Via == workflows.ViaOutside }

func (f *Format) outside(v *workflows.Vote) string {
	word := string(Approved)
	if v.Answer == "reject" {
		word = string(Rejected)
	}
	return word + " outside rollcall by " + f.Who(v.By)
}
