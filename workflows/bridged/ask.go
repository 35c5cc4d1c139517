package bridged

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// summaryLimit is how many characters AWS takes with an answer to an approval.
const summaryLimit = 512

// Refusal says why AWS is not asked for anything now; nil: it may be.
func (d *Decision) Refusal() error {
	b := d.bridge()
	if b.Mode != workflows.BridgeActs {
		return workflows.Refuse(workflows.CodeWatchOnly, "act in AWS, or set `mode: act` for the bridge "+b.Name+" in the configuration",
			"rollcall only watches %s, which stays in AWS CodePipeline", d.Name)
	}
	if m := d.Memory(); m != nil && m.Lost != nil {
		return workflows.Refuse(workflows.CodeAWSUnavailable, "see to what is wrong; it goes on by itself when AWS answers again",
			"%s has not been visible in AWS since %s: %s", d.Name, words.Moment(m.LostAt), m.Lost.Message)
	}
	return nil
}

// Ask has AWS asked for something: about an execution, or, when that is nil, about a
// stage or the pipeline. text is the reason or the summary that goes along.
func (d *Decision) Ask(in workflows.Intent, about *workflows.Execution, token, text string) error {
	if err := d.Refusal(); err != nil {
		return err
	}
	if say.IsECS(d.bridge()) && in.Verb != workflows.Approve && in.Verb != workflows.Reject {
		return d.onlyAnswers()
	}
	r := event.Request{Intent: in, Token: token, Text: text}
	r.Verb, r.By, r.At, r.State, r.Stage, r.Action = in.Verb, d.By, d.At, workflows.RequestOpen, in.Stage, in.Action
	ev := event.Event{Kind: event.RequestOpened, Stage: in.Stage, Action: in.Action, Request: &r}
	if about != nil {
		ev.Execution, r.Intent.Execution, r.ExternalID = about.ID, about.ID, about.ExternalID
		if about.Status.Final() {
			row := *about
			ev.Started = &row
		}
	}
	if in.Verb == workflows.RollBack {
		target, err := d.Find("target", in.Target)
		if err != nil {
			return err
		}
		r.ExternalID = target.ExternalID
	}
	for _, open := range d.Memory().all().Open {
		if open.Verb == in.Verb && open.ExternalID == r.ExternalID && open.Stage == in.Stage && open.Action == in.Action && in.Verb != workflows.Start {
			return workflows.Refuse(workflows.CodeConflict, "wait for the answer", "AWS is being asked already to %s, for %s", in.Verb, open.By.Called())
		}
	}
	r.ID = d.ID()
	if in.Verb == workflows.Start {
		r.Token = cmp.Or(in.Token, r.ID)
	}
	d.Emit(ev)
	return nil
}

// onlyAnswers refuses whatever cannot be asked about a deployment of ECS that waits.
func (d *Decision) onlyAnswers() error {
	return workflows.Refuse(workflows.CodeConflict, "approve continues a deployment that waits, reject has ECS roll it back; deploy the service as you always do",
		"%s shows pause hooks of Amazon ECS, and they can only be answered", d.Name)
}

// summary is what AWS is told with the answer of a gate: who gave it, and what they
// said. It has at most 512 characters and none that steers a terminal: a look
// knows an answer of ours by it.
func summary(g *workflows.Approval, answer string) string {
	var who, said []string
	for _, v := range g.Votes {
		if v.Answer == answer {
			who = append(who, v.By.Called())
			if v.Comment != "" {
				said = append(said, v.Comment)
			}
		}
	}
	if g.Override != nil && answer == "approve" {
		who, said = append(who, g.Override.By.Called()+" (override)"), append(said, g.Override.Reason)
	}
	return cut(words.Because(strings.Join(who, ", ")+" via rollcall", strings.Join(said, "; ")))
}

// cut makes a text one line that AWS takes.
func cut(text string) string {
	line := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(strings.ToValidUTF8(line, "?")); len(runes) > summaryLimit {
		return strings.TrimSpace(string(runes[:summaryLimit-1])) + "…"
	}
	return line
}

// answering says whether AWS is being told the answer of a gate, or has taken it;
// token is that of the approval.
func (m *Memory) answering(e *workflows.Execution, stage, action, token string) bool {
	for _, verb := range []workflows.Verb{workflows.Approve, workflows.Reject} {
		if r := m.asked(verb, e.ExternalID, stage, action); r != nil && r.Token == token {
			return true
		}
	}
	return false
}

// Answered deals with an answer to a gate of which AWS knows the answer, or is being
// told it: that is refused. Who gave it before has AWS asked once more to take it,
// where AWS did not. done is false for all others.
func (d *Decision) Answered(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution) (done bool, err error) {
	if d.Memory().answering(e, st.Name, a.Name, a.Handle) {
		return true, workflows.Refuse(workflows.CodeApprovalCompleted, "see what followed with: status "+e.Ref(), "%s of %s is decided, and the answer is on its way to AWS", a.Name, e.Ref())
	}
	how := ""
	switch rejected := len(a.Approval.Votes) > a.Approval.Approvals(); {
	case rejected:
		how = "rejected"
	case len(a.Approval.Missing) == 0:
		how = "approved"
	}
	voted := slices.ContainsFunc(a.Approval.Votes, func(v workflows.Vote) bool { return v.By.Is(d.By) })
	if how == "" || !voted || d.Dry {
		return false, nil
	}
	return true, d.AskAnswer(e, st, a, how)
}

// AskAnswer asks AWS to record how a gate was closed; the look that shows it closes the gate.
func (d *Decision) AskAnswer(e *workflows.Execution, st *workflows.StageExecution, a *workflows.ActionExecution, how string) error {
	in := workflows.Intent{Verb: workflows.Approve, Pipeline: d.Name, Stage: st.Name, Action: a.Name}
	answer := "approve"
	if how == "rejected" {
		in.Verb, answer = workflows.Reject, "reject"
	}
	return d.Ask(in, e, a.Handle, summary(a.Approval, answer))
}

// AskAbout has AWS asked for something about a stage of an execution.
func (d *Decision) AskAbout(in workflows.Intent, e *workflows.Execution, st *workflows.StageExecution) error {
	in.Stage = st.Name
	return d.Ask(in, e, "", in.Reason)
}

// Override has AWS asked to set a condition aside.
func (d *Decision) Override(in workflows.Intent, e *workflows.Execution, st *workflows.StageExecution, c *workflows.ConditionExecution) error {
	in.Condition = map[string]string{workflows.BeforeEntry: "BEFORE_ENTRY", workflows.OnSuccess: "ON_SUCCESS"}[c.Kind]
	return d.AskAbout(in, e, st)
}

// AskBack has AWS asked to roll a stage back. The request is noted on the execution
// that entered the stage last: it is the one that people go away from.
func (d *Decision) AskBack(in workflows.Intent, target *workflows.Execution, latest *workflows.LatestIn) error {
	about := target
	if latest != nil && latest.Execution != target.ID {
		e, err := d.Find("execution", latest.Execution)
		if err != nil && !gone(err) {
			return err
		}
		if err == nil {
			about = e
		}
	}
	return d.Ask(in, about, "", in.Reason)
}

// Eligible refuses a rollback that AWS would refuse, by its rules; nil: it may work.
func (d *Decision) Eligible(target *workflows.Execution) error {
	const again = "start a new execution with its revisions instead"
	switch {
	case say.IsECS(d.bridge()):
		return d.onlyAnswers()
	case d.bridge().Type == "V1":
		return workflows.Refuse(workflows.CodeUnableToRollback, again, "%s is a pipeline of type V1: AWS rolls back stages of V2 only", d.Name)
	case d.Definition.ExecutionMode == workflows.ModeParallel:
		return workflows.Refuse(workflows.CodeUnableToRollback, again, "%s runs in PARALLEL mode, in which AWS rolls back no stage", d.Name)
	case target.Version != d.Version:
		return workflows.Refuse(workflows.CodeExecutionOutdated, again, "%s ran under version %d of %s, and AWS rolls back only to version %d, the current one",
			target.Ref(), target.Version, d.Name, d.Version)
	}
	return nil
}
