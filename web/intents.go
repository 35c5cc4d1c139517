package web

import (
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// submit sends one intent through the engine and answers with what it changed.
// The status is that of an execution; one that is only planned, or that AWS has
// not made yet, is 202, and the same clientRequestToken answers with it once it exists.
func (a *api) submit(r *http.Request, in workflows.Intent, by workflows.Principal, status int) (int, any, error) {
	res, err := a.Doer.Submit(r.Context(), in, by)
	switch {
	case err != nil:
		return 0, nil, err
	case res.Execution != nil:
		return status, res.Execution, nil
	case res.Request != nil && (status == http.StatusCreated || res.Request.State == workflows.RequestOpen):
		return http.StatusAccepted, res, nil
	case res.Transition != nil:
		return status, res.Transition, nil
	case res.Planned != nil:
		return http.StatusAccepted, res, nil
	case status == http.StatusCreated:
		return 0, nil, &workflows.Problem{Code: workflows.CodeUnableToRollback, Message: "the rollback that was planned under this clientRequestToken was given up before it began",
			Hint: "look at what runs there, and ask again with another token"}
	}
	return status, res, nil
}

func (a *api) start(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Variables          map[string]string            `json:"variables"`
		SourceRevisions    []workflows.RevisionOverride `json:"sourceRevisions"`
		ClientRequestToken string                       `json:"clientRequestToken"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	return a.submit(r, workflows.Intent{Verb: workflows.Start, Pipeline: r.PathValue("pipeline"), Variables: b.Variables,
		Revisions: b.SourceRevisions, Token: b.ClientRequestToken}, by, http.StatusCreated)
}

func (a *api) rollback(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Target             string `json:"target"`
		Definition         string `json:"definition"`
		Reason             string `json:"reason"`
		IfCurrent          string `json:"ifCurrent"`
		StopRunning        bool   `json:"stopRunning"`
		Lock               *bool  `json:"lock"`
		ClientRequestToken string `json:"clientRequestToken"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	if b.Target == "" {
		return 0, nil, invalid("target", "target is missing", "name the execution to return to; GET …/targets lists them")
	}
	in := workflows.Intent{Verb: workflows.RollBack, Pipeline: r.PathValue("pipeline"), Stage: r.PathValue("stage"),
		Target: b.Target, Definition: b.Definition, Reason: b.Reason, IfCurrent: b.IfCurrent, LockAfter: b.Lock, Token: b.ClientRequestToken}
	if b.StopRunning {
		in.WhileRunning = "stop"
	}
	return a.submit(r, in, by, http.StatusCreated)
}

func (a *api) transition(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Enabled *bool  `json:"enabled"`
		Reason  string `json:"reason"`
		Only    string `json:"only"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	in := workflows.Intent{Verb: workflows.Unlock, Pipeline: r.PathValue("pipeline"), Stage: r.PathValue("stage"), Reason: b.Reason, Execution: b.Only}
	switch {
	case b.Enabled == nil:
		return 0, nil, invalid("enabled", "enabled is missing", "send true or false")
	case !*b.Enabled && b.Only != "":
		return 0, nil, invalid("only", "only goes with enabled: true", "leave it out, or send enabled: true to let one execution in")
	case !*b.Enabled:
		in.Verb = workflows.Lock
	}
	return a.submit(r, in, by, http.StatusOK)
}

func (a *api) stop(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Abandon bool   `json:"abandon"`
		Reason  string `json:"reason"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	return a.submit(r, workflows.Intent{Verb: workflows.StopExecution, Execution: r.PathValue("execution"), Abandon: b.Abandon, Reason: b.Reason}, by, http.StatusOK)
}

func (a *api) retry(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Stage string `json:"stage"`
		Mode  string `json:"mode"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	if b.Mode != "" && b.Mode != "FAILED_ACTIONS" && b.Mode != "ALL_ACTIONS" {
		return 0, nil, invalid("mode", "there is no mode "+b.Mode, "send FAILED_ACTIONS or ALL_ACTIONS")
	}
	return a.submit(r, workflows.Intent{Verb: workflows.Retry, Execution: r.PathValue("execution"), Stage: b.Stage, All: b.Mode == "ALL_ACTIONS"}, by, http.StatusOK)
}

func (a *api) override(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Stage     string `json:"stage"`
		Action    string `json:"action"` // the gate, where several are open
		Condition string `json:"condition"`
		Reason    string `json:"reason"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	switch b.Condition {
	case "", "BEFORE_ENTRY", "ON_SUCCESS", "APPROVAL":
	default:
		return 0, nil, invalid("condition", "there is no condition "+b.Condition, "send BEFORE_ENTRY, ON_SUCCESS or APPROVAL, or nothing for what stands in the way")
	}
	if strings.TrimSpace(b.Reason) == "" {
		return 0, nil, invalid("reason", "reason is missing", "say why it is set aside; everybody will read it")
	}
	return a.submit(r, workflows.Intent{Verb: workflows.Override, Execution: r.PathValue("execution"), Stage: b.Stage, Action: b.Action, Condition: b.Condition, Reason: b.Reason}, by, http.StatusOK)
}

func (a *api) resolve(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Stage  string `json:"stage"`
		Action string `json:"action"`
		As     string `json:"as"`
		Reason string `json:"reason"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	switch b.As {
	case "succeeded", "failed", "again":
	default:
		return 0, nil, invalid("as", "as must be succeeded, failed or again", "give the outcome of the action")
	}
	return a.submit(r, workflows.Intent{Verb: workflows.Resolve, Execution: r.PathValue("execution"), Stage: b.Stage, Action: b.Action, As: b.As, Reason: b.Reason}, by, http.StatusOK)
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	var b struct {
		Answer  string `json:"answer"`
		Comment string `json:"comment"`
	}
	if err := read(w, r, &b); err != nil {
		return 0, nil, err
	}
	in := workflows.Intent{Verb: workflows.Approve, Gate: r.PathValue("token"), Reason: b.Comment}
	switch b.Answer {
	case "approve":
	case "reject":
		in.Verb = workflows.Reject
	default:
		return 0, nil, invalid("answer", "answer must be approve or reject", "send one of the two")
	}
	return a.submit(r, in, by, http.StatusOK)
}
