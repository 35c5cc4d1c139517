package command

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Usage teaches one sub-command.
type Usage struct {
	Name Name
	Args string // "P STAGE [reason]"
	Does string // one phrase
	// Right is the verb a person must be allowed for it to be of use; empty: everybody's.
	Right workflows.Verb
}

// Line is how the sub-command is written, without the slash command before it.
func (u Usage) Line() string { return strings.TrimSpace(string(u.Name) + " " + u.Args) }

// All lists the sub-commands in the order in which help shows them. P stands
// for a pipeline, E for an execution.
func All() []Usage {
	return []Usage{
		{Overview, "", "what is waiting for you, and what runs where", ""},
		{Pipelines, "", "every pipeline you may see", workflows.View},
		{Status, "[P|E]", "a pipeline stage by stage, or one execution", workflows.View},
		{Executions, "P", "the newest executions of a pipeline", workflows.View},
		{Start, "P [VAR=VALUE] [ACTION=REV]", "start an execution", workflows.Start},
		{Approve, "E [ACTION] [comment]", "approve an execution that is waiting", workflows.Approve},
		{Reject, "E [ACTION] [reason]", "refuse it; without a reason a form asks for one", workflows.Approve},
		{Rollback, "[P [STAGE [E]]] [reason]", "roll a stage back to an earlier execution; a form asks for what is missing", workflows.RollBack},
		{Retry, "E [all]", "retry a failed execution: its failed actions, or the whole stage", workflows.Retry},
		{Stop, "E [abandon] [reason]", "stop it after its running actions, or abandon them", workflows.StopExecution},
		{Lock, "P STAGE [reason]", "lock a stage: no execution enters it (disable works too)", workflows.Lock},
		{Unlock, "P STAGE [only E]", "unlock it, or let only one execution in (enable works too)", workflows.Unlock},
		{Override, "E STAGE reason", "go on without the approvals or the condition that are missing; the reason is shown in the channel", workflows.Override},
		{Resolve, "E ACTION succeeded|failed|again", "mark the outcome of an action whose result is unknown", workflows.Resolve},
		{Logs, "E [ACTION]", "the last lines of its log", workflows.Logs},
		{Notes, "P STAGE [E]", "release notes of what a stage runs, since E or what ran before", workflows.View},
		{Who, "P [STAGE] | E", "who may do what there", workflows.View},
		{Console, "[P|E]", "a link that signs you in to the console, once", ""},
		{Login, "CODE", "sign in the terminal that shows the code", ""},
		{Link, "", "the accounts that rollcall knows you by", ""},
		{Notify, "[on|off]", "the approvals that wait for you as direct messages too", ""},
		{Help, "", "this list", ""},
	}
}

func usage(name Name) (Usage, bool) {
	for _, u := range All() {
		if u.Name == name {
			return u, true
		}
	}
	return Usage{}, false
}

// named is the sub-command of that name, or of CodePipeline's.
func named(verb string) Name {
	switch verb {
	case "disable":
		return Lock
	case "enable":
		return Unlock
	}
	return Name(verb)
}

// unknown is the answer to a verb that does not exist.
func unknown(verb string) *workflows.Problem {
	p := &workflows.Problem{Code: workflows.CodeValidation, Message: "there is no command “" + verb + "”", Hint: "help lists what there is"}
	if near := nearest(strings.ToLower(verb)); near != "" {
		p.Hint = "did you mean " + string(near) + "? help lists what there is"
	}
	return p
}

// nearest is the sub-command that somebody most likely meant; empty: no idea.
func nearest(verb string) Name {
	switch verb {
	case "deploy", "run", "release", "trigger":
		return Start
	case "undo", "revert", "roll", "back":
		return Rollback
	case "ok", "accept", "yes":
		return Approve
	case "deny", "decline", "no":
		return Reject
	case "cancel", "abort", "kill":
		return Stop
	case "force", "bypass", "skip", "ignore", "breakglass", "break-glass":
		return Override
	case "freeze":
		return Lock
	case "open":
		return Unlock
	case "list", "ls":
		return Pipelines
	case "history":
		return Executions
	case "subscribe", "unsubscribe", "dm":
		return Notify
	case "web":
		return Console
	}
	var known []string
	for _, u := range All() {
		known = append(known, string(u.Name))
	}
	best, _ := words.Nearest(verb, known)
	return Name(best)
}
