// Package command reads the words after the slash command and gives them back
// as data.
//
// A [Command] says what was asked for, in the person's own words: names are
// not looked up here, so "approve webshop#42 looks good" has "looks" as a
// candidate for the action's name, and whoever knows the execution decides with
// [Command.Loose] that it began the comment. Double quotes keep words with spaces
// together; what comes last (a reason, a comment) needs none.
package command

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Name is a sub-command; the same word as the verb in API, event and button.
type Name string

// The sub-commands.
const (
	Overview   Name = ""
	Help       Name = "help"
	Pipelines  Name = "pipelines"
	Start      Name = "start"
	Status     Name = "status"
	Executions Name = "executions"
	Approve    Name = "approve"
	Reject     Name = "reject"
	Rollback   Name = "rollback"
	Retry      Name = "retry"
	Stop       Name = "stop"
	Lock       Name = "lock"
	Unlock     Name = "unlock"
	Override   Name = "override"
	Resolve    Name = "resolve"
	Logs       Name = "logs"
	Notes      Name = "notes"
	Who        Name = "who"
	Console    Name = "console"
	Login      Name = "login"
	Link       Name = "link"
	Notify     Name = "notify"
)

// Command is what somebody typed. Which fields are set depends on Name.
type Command struct {
	Name      Name
	Subject   string // status, who, console: a pipeline or an execution; login: a code
	Pipeline  string
	Stage     string // rollback: a candidate, it may be the first word of the reason
	Execution string // an ID, "webshop#42", or the end of an ID
	Action    string // approve: a candidate, it may be the first word of the comment
	Set       []Assignment
	All       bool   // retry
	Abandon   bool   // stop
	As        string // resolve: succeeded|failed|again; notify: on|off, or empty
	Reason    string // or comment
}

// Assignment is NAME=VALUE behind start: a variable, or a source action and the revision it should use.
type Assignment struct{ Name, Value string }

// Loose returns the reason for the case that word, a candidate, was no name but its beginning.
func (c Command) Loose(word string) string {
	return strings.TrimSpace(word + " " + c.Reason)
}

// Parse reads the text of a slash command as Slack sends it, escapes and all.
// What cannot be understood comes back as a problem that says what would have
// worked.
func Parse(text string) (Command, *workflows.Problem) {
	w := scanner{rest: unescape(text)}
	verb, p := w.next()
	if p != nil {
		return Command{}, p
	}
	name := named(strings.ToLower(verb))
	use, ok := usage(name)
	if !ok {
		return Command{}, unknown(verb)
	}
	c := Command{Name: name}
	p = c.read(&w)
	switch {
	case p == nil:
		return c, nil
	case p.Hint == "":
		p.Hint = "usage: " + use.Line()
	}
	return Command{}, p
}

// read takes the arguments that the sub-command has.
func (c *Command) read(w *scanner) *workflows.Problem {
	switch c.Name {
	case Status, Console:
		c.Subject = w.optional()
	case Login:
		c.Subject = w.required("the code that rollcall login shows in a terminal")
	case Who:
		c.Subject = w.required("what to ask about")
		c.Stage = w.optional()
	case Executions:
		c.Pipeline = w.required("a pipeline")
	case Notes:
		c.Pipeline = w.required("a pipeline")
		c.Stage = w.required("a stage")
		c.Execution = c.numbered(w.optional())
	case Start:
		c.Pipeline = w.required("a pipeline")
		c.assign(w)
	case Approve:
		c.Execution = w.required("an execution")
		c.Action = w.optional()
		c.Reason = w.all()
	case Reject:
		c.Execution = w.required("an execution")
		c.Reason = w.all()
	case Rollback:
		c.rollback(w)
	case Retry:
		c.Execution = w.required("an execution")
		c.All = w.flag("all")
	case Stop:
		c.Execution = w.required("an execution")
		c.Abandon = w.flag("abandon")
		c.Reason = w.all()
	case Lock, Unlock:
		c.Pipeline = w.required("a pipeline")
		c.Stage = w.required("a stage")
		if c.Name == Lock {
			c.Reason = w.all()
		} else if w.flag("only") {
			c.Execution = c.numbered(w.required("the execution that may enter"))
		}
	case Override:
		c.Execution = w.required("an execution")
		c.Stage = w.required("a stage")
		if c.Reason = w.all(); c.Reason == "" {
			w.fail("a reason is missing", "")
		}
	case Resolve:
		c.resolve(w)
	case Notify:
		if c.As = strings.ToLower(w.optional()); c.As != "" && c.As != "on" && c.As != "off" {
			w.fail("“"+c.As+"” is neither on nor off", "")
		}
	case Logs:
		c.Execution = w.required("an execution")
		c.Action = w.optional()
	}
	return w.end()
}

func (c *Command) assign(w *scanner) {
	for {
		word := w.optional()
		if word == "" {
			return
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			w.fail("“"+word+"” is not NAME=VALUE", "")
			return
		}
		c.Set = append(c.Set, Assignment{Name: name, Value: value})
	}
}

func (c *Command) rollback(w *scanner) {
	c.Pipeline = w.optional()
	if IsExecution(c.Pipeline) {
		// Only the target was named; "webshop#42" at least tells its pipeline.
		c.Execution = c.Pipeline
		c.Pipeline = ""
		if name, _, ok := strings.Cut(c.Execution, "#"); ok {
			c.Pipeline = name
		}
	}
	c.Stage = w.optional()
	if c.Execution == "" {
		if word := w.peek(); IsExecution(word) {
			c.Execution = c.numbered(w.optional())
		}
	}
	c.Reason = w.all()
}

func (c *Command) resolve(w *scanner) {
	c.Execution = w.required("an execution")
	c.Action = w.required("an action")
	c.As = strings.ToLower(w.required("succeeded, failed or again"))
	switch c.As {
	case "succeeded", "failed", "again", "":
	default:
		w.fail("“"+c.As+"” is none of succeeded, failed and again", "")
	}
	c.Reason = w.all()
}

// numbered turns "#42" behind a pipeline into "webshop#42".
func (c *Command) numbered(word string) string {
	if strings.HasPrefix(word, "#") {
		return c.Pipeline + word
	}
	return word
}
