// Package card draws executions, gates and forms as Slack's Block Kit.
//
// Every function is pure: values in, a [Message] or a form out, always the same
// for the same values, so that a follower can tell whether anything visible
// changed. A *card* follows one execution; a *gate message* asks people; an
// *announcement* tells them once.
//
// Three rules hold everywhere. What comes from outside (commit texts, reasons,
// names) is escaped, so nobody can mention a channel or forge a link through a
// card. State is always said by a word beside its icon. And nothing exceeds
// Slack's limits: long text is cut where it stands, long lists end with how
// many more there are.
//
// A person is drawn as a reference to all that is known of them. On the way to
// Slack [Calls] puts there what chat calls them, once for every message.
package card

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Message is what is posted: Text for notifications and screen readers beside
// the Blocks.
type Message struct {
	Text   string
	Blocks []slack.Block
}

// View is what a card shows.
type View struct {
	// Execution with the offers that become buttons.
	Execution workflows.Execution
	// Pipeline as it stands now; zero when it is not known.
	Pipeline workflows.PipelineView
	// Numbers of other executions that are mentioned, by ID.
	Numbers map[string]int
	// LeftBy is the rollback by which this execution was left, if any.
	LeftBy *workflows.Execution
	// Failed is, of an automatic rollback, the execution that failed before it, with the
	// end of its log as in Tail; nil: none has, or it is not known.
	Failed *View
	// Tail is the end of the log of the action that failed, for those who may read
	// it: the pipeline's channel, and whoever has the right logs.
	Tail struct {
		Stage, Action string
		Lines         []string
	}
	// Usual is how long the work in a stage usually takes, by the stage's name; see [Worked].
	Usual map[string]time.Duration
	// URL of the console; empty: no links.
	URL string

	quoted bool // the message shows the end of the log itself
	// unknown: the message says first that it is unknown what runs in its stage.
	unknown bool
	whole   bool // the message leaves nothing out
}

// Subject is what a button or a form is about, and what the person saw. It is
// the button's value and the form's private metadata: names and IDs only, it
// gives no right.
type Subject struct {
	Pipeline  string `json:"p,omitempty"`
	Stage     string `json:"s,omitempty"`
	Action    string `json:"a,omitempty"`
	Execution string `json:"e,omitempty"`
	Gate      string `json:"g,omitempty"`    // the gate's token
	Target    string `json:"t,omitempty"`    // rollback: the preselected one; enable: the only one to admit
	Seen      string `json:"seen,omitempty"` // execution whose content ran in the stage
	As        string `json:"as,omitempty"`   // resolve; override: what it sets aside, as Intent.Condition names it
	Channel   string `json:"c,omitempty"`    // forms: where to answer
	Thread    string `json:"th,omitempty"`
}

// String is the subject as it travels through Slack.
func (s Subject) String() string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Strings always encode.
	_ = enc.Encode(s)
	return strings.TrimSpace(b.String())
}

// ParseSubject reads what String wrote. Anything else is a problem in words: a
// message of an older version, or a value that is not ours.
func ParseSubject(value string) (Subject, *workflows.Problem) {
	var s Subject
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return Subject{}, &workflows.Problem{Code: workflows.CodeValidation, Message: "this button cannot be read any more", Hint: "ask for a fresh one with the status command"}
	}
	return s, nil
}

// page is the console's page of an execution; empty without a console.
func page(base, execution string) string {
	if base == "" || execution == "" {
		return ""
	}
	return strings.TrimRight(base, "/") + "/executions/" + execution
}

// number is "#42" for an execution that is not this one; an ID that is not
// known stays out of sight, people see numbers.
func (v *View) number(id string) string {
	if id == v.Execution.ID {
		return "#" + strconv.Itoa(v.Execution.Number)
	}
	if n, ok := v.Numbers[id]; ok {
		return "#" + strconv.Itoa(n)
	}
	if r := v.Execution.Rollback; r != nil && r.Target == id {
		return "#" + strconv.Itoa(r.TargetNumber)
	}
	for _, s := range v.Pipeline.Stages {
		if s.Running != nil && s.Running.Execution == id {
			return "#" + strconv.Itoa(s.Running.Number)
		}
		if s.LatestExecution != nil && s.LatestExecution.Execution == id {
			return "#" + strconv.Itoa(s.LatestExecution.Number)
		}
	}
	return ""
}

// Running is what a stage runs now: its execution's ID, and "#42".
func (v *View) Running(stage string) (id, number string) {
	s, ok := v.Pipeline.Stage(stage)
	if !ok || s.Running == nil {
		return "", ""
	}
	return s.Running.Execution, "#" + strconv.Itoa(s.Running.Number)
}
