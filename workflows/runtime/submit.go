package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// Submit carries an intent out: it finds the pipeline, checks the right,
// decides, and answers once the decision is durable. Executions may be named as
// people do ("webshop#42", the end of an ID). The error is a
// *workflows.Problem, whose ID is in the log and, for a known pipeline, in its
// record; or ctx's, and then the intent may still be carried out.
func (e *Engine) Submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (workflows.Result, error) {
	if err := e.wait(ctx); err != nil {
		return workflows.Result{}, err
	}
	r, err := e.submit(ctx, in, by)
	if p, ok := asProblem(err); ok && p.ID == "" { // one that has no record has an ID all the same
		named := *p
		named.ID = strconv.FormatInt(e.o.Now().UnixNano(), 36)
		e.log.Info("refused", "id", named.ID, "pipeline", cut(in.Pipeline), "by", by.ID, "verb", in.Verb, "code", named.Code, "problem", named.Message)
		err = &named
	}
	return r, err
}

func (e *Engine) submit(ctx context.Context, in workflows.Intent, by workflows.Principal) (workflows.Result, error) {
	if !by.IsEngine() { // only the engine speaks for files, for triggers and for the configuration
		in.ManagedBy, in.Trigger, in.Change, in.Freezes, in.AnyRevision = "api", nil, nil, nil, false
	}
	j := e.judge(by)
	if err := e.address(ctx, j, &in); err != nil {
		return workflows.Result{}, err
	}
	refusal, err := e.entitled(ctx, j, &in)
	if err != nil {
		return workflows.Result{}, err
	}
	got := e.ask(ctx, ask{pipeline: in.Pipeline, by: by, intent: &in, refusal: refusal})
	if got.err != nil {
		return workflows.Result{}, got.err
	}
	return e.complete(ctx, got.result)
}

// complete fills in an execution that had left the state.
func (e *Engine) complete(ctx context.Context, r workflows.Result) (workflows.Result, error) {
	if r.Execution == nil {
		return r, nil
	}
	if r.Execution.Number == 0 {
		row, ok, err := e.o.History.Execution(ctx, r.Execution.ID)
		if err == nil && !ok {
			err = errors.New("an execution that ended has no row")
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return r, err
		}
		if err != nil {
			e.log.Error("what was decided cannot be read", "execution", r.Execution.ID, "err", err)
			return r, workflows.Refuse(workflows.CodeUnavailable, "look how it stands before you ask again", "it is decided and written, but execution %s could not be read", r.Execution.ID)
		}
		r.Execution = &row
	}
	if r.Execution.Offers == nil {
		r.Execution.Offers = []workflows.Offer{}
	}
	return r, nil
}

// address turns the names in an intent into a pipeline and IDs. What the
// principal may not see is answered as if it were not there.
func (e *Engine) address(ctx context.Context, j *judge, in *workflows.Intent) error {
	answers := in.Verb == workflows.Approve || in.Verb == workflows.Reject
	if answers && in.Gate != "" && in.Pipeline == "" && in.Execution == "" {
		g, ok, err := e.gate(ctx, in.Gate)
		if err != nil {
			return err
		}
		if !ok {
			return invalidToken()
		}
		in.Pipeline = g.Pipeline
	}
	for _, ref := range []*string{&in.Execution, &in.Target, &in.IfCurrent} {
		if *ref == "" || ref == &in.IfCurrent && !strings.Contains(*ref, "#") {
			continue // what somebody saw may be gone: that is for the decision to say
		}
		pipeline, id, err := e.resolve(ctx, in.Pipeline, *ref)
		if err != nil {
			return err
		}
		in.Pipeline, *ref = pipeline, id
	}
	if in.Verb == workflows.Edit && in.Pipeline == "" && in.Definitions != nil {
		in.Pipeline = in.Definitions.Name
	}
	if in.Pipeline == "" {
		return &workflows.Problem{Code: workflows.CodeValidation, Field: "pipeline", Message: "no pipeline was named", Hint: "name one, or an execution such as webshop#42"}
	}
	if _, known := e.known.seq(in.Pipeline); !known {
		if in.Verb == workflows.Edit {
			return nil
		}
		return e.noPipeline(ctx, j, in.Pipeline)
	}
	if answers {
		return nil // who is asked may answer, whatever else they may see
	}
	return e.visible(ctx, j, in.Pipeline, in.Execution)
}

// visible refuses what somebody may not see, in the words for what is not there.
func (e *Engine) visible(ctx context.Context, j *judge, pipeline, execution string) error {
	verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: pipeline})
	if err != nil || verdict.Allowed {
		return err
	}
	if execution != "" {
		return noExecution(execution)
	}
	return e.noPipeline(ctx, j, pipeline)
}

// noPipeline says that there is none of that name, and which one may be meant.
func (e *Engine) noPipeline(ctx context.Context, j *judge, name string) error {
	p := &workflows.Problem{Code: workflows.CodePipelineNotFound, Message: fmt.Sprintf("there is no pipeline %q", cut(name)), Hint: "see the list of pipelines"}
	near, ok := workflows.Nearest(name, without(e.known.names(), name))
	if !ok {
		return p
	}
	if verdict, err := j.may(ctx, workflows.View, access.Resource{Pipeline: near}); err == nil && verdict.Allowed {
		p.Hint = fmt.Sprintf("did you mean %s?", near)
	}
	return p
}

func noExecution(ref string) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: fmt.Sprintf("there is no execution %q", cut(ref)), Hint: "name it as webshop#42, by its ID, or by the last 6 characters of its ID or more"}
}

func invalidToken() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeInvalidApprovalToken, Message: "no approval has this token", Hint: "look at the open approvals"}
}

// resolve finds the execution that ref names. Within a pipeline its number is
// enough; an execution of another one is not found.
func (e *Engine) resolve(ctx context.Context, pipeline, ref string) (of, id string, err error) {
	full := strings.TrimSpace(ref)
	if !strings.Contains(full, "#") {
		full = strings.ToLower(full)
	}
	if number := strings.TrimPrefix(ref, "#"); pipeline != "" && number != "" && len(number) < 6 && strings.Trim(number, "0123456789") == "" {
		full = pipeline + "#" + number
	}
	ids, err := e.o.History.Resolve(ctx, full)
	switch {
	case err != nil:
		return "", "", e.unreadable(err, "execution "+cut(ref))
	case len(ids) == 0:
		return "", "", noExecution(ref)
	case len(ids) > 1:
		return "", "", &workflows.Problem{Code: workflows.CodeValidation, Field: "execution", Message: fmt.Sprintf("several executions end with %q", cut(ref)), Hint: "give more characters of the ID, or the number as in webshop#42"}
	}
	row, ok, err := e.o.History.Execution(ctx, ids[0])
	if err != nil {
		return "", "", e.unreadable(err, "execution "+cut(ref))
	}
	if !ok || pipeline != "" && row.Pipeline != pipeline {
		return "", "", noExecution(ref)
	}
	return row.Pipeline, row.ID, nil
}

// gate finds the gate of a token, open or not.
func (e *Engine) gate(ctx context.Context, token string) (g gateNote, ok bool, err error) {
	value, ok, err := e.o.Memos.Memo(ctx, owner, tokenPrefix+token)
	if err == nil && ok {
		err = json.Unmarshal(value, &g)
	}
	if err != nil {
		return g, false, e.unreadable(err, "the approval")
	}
	return g, ok, nil
}

// entitled checks the right that an intent needs. An answer at a gate that
// names people needs none: whether this person is one of them is decided with
// the gate. The refusal is for the record; err is a look-up that failed.
func (e *Engine) entitled(ctx context.Context, j *judge, in *workflows.Intent) (refusal *workflows.Problem, err error) {
	if in.Verb == workflows.Annotate {
		if j.who.IsEngine() {
			return nil, nil
		}
		return &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "only rollcall itself writes notes on executions", Hint: "put it into a comment"}, nil
	}
	on := access.Resource{Pipeline: in.Pipeline, Stage: in.Stage}
	if in.Verb != workflows.Edit && in.Verb != workflows.Archive && in.Verb != workflows.Start {
		free, err := e.place(ctx, j, in, &on)
		if err != nil || free {
			return nil, err
		}
	}
	verdict, err := j.may(ctx, in.Verb, on)
	if err != nil {
		return nil, err
	}
	if !verdict.Allowed {
		return denied(verdict), nil
	}
	if in.Verb == workflows.Start && len(in.Revisions) > 0 && !j.who.IsEngine() {
		verdict, err = j.may(ctx, workflows.StartAnyRevision, on)
		in.AnyRevision = err == nil && verdict.Allowed
	}
	return nil, err
}

// place finds the stage that an intent is about, where it names none, and
// whether it is an answer at a gate that is decided with the gate.
func (e *Engine) place(ctx context.Context, j *judge, in *workflows.Intent, on *access.Resource) (free bool, err error) {
	err = e.replicas.look(ctx, in.Pipeline, func(s *machine.State) error {
		if in.Verb == workflows.Approve || in.Verb == workflows.Reject {
			stage, gate := openGate(s, in)
			_, machine := j.who.Machine()
			free = j.who.Stranger == "" && (gate == nil || machine || len(gate.From) > 0)
			on.Stage = stage
			return nil
		}
		if on.Stage == "" && in.Execution != "" {
			if x, ok := s.Execution(in.Execution); ok {
				on.Stage = where(in, x)
			}
		}
		return nil
	})
	if err == nil && in.Verb == workflows.Enable && in.Execution != "" {
		return e.mayPass(ctx, j, in)
	}
	if err == nil && on.Stage == "" && in.Execution != "" {
		var row workflows.Execution
		if row, _, err = e.o.History.Execution(ctx, in.Execution); err == nil {
			on.Stage = where(in, row)
		}
	}
	if in.Verb == workflows.Override {
		in.Stage = on.Stage // the right is judged for no other stage than is decided about
	}
	return free, err
}

// where is the stage of an execution that an intent is about, when it names none.
func where(in *workflows.Intent, x workflows.Execution) string {
	if in.Verb == workflows.Override {
		return x.Furthest()
	}
	return present(x)
}

// mayPass says whether somebody may let one execution into a stage because the
// freeze that keeps it out names them, as a gate does in `from`. A door that is
// shut besides asks for the right all the same.
func (e *Engine) mayPass(ctx context.Context, j *judge, in *workflows.Intent) (free bool, err error) {
	var named []string
	err = e.replicas.look(ctx, in.Pipeline, func(s *machine.State) error {
		view := s.View()
		st, ok := view.Stage(in.Stage)
		for _, f := range view.Freezes {
			if ok && st.Transition.Enabled && f.At(e.o.Now(), in.Pipeline, in.Stage) {
				named = append(named, f.MayPass...)
			}
		}
		return nil
	})
	if err != nil || len(named) == 0 || j.who.IsEngine() {
		return false, err
	}
	return j.isOneOf(ctx, named)
}

// present is the stage that an execution is in, waits for, or ended in; empty when it is through.
func present(x workflows.Execution) string {
	for _, st := range x.Stages {
		switch st.Status {
		case workflows.StatusSucceeded, workflows.StatusSkipped:
		case workflows.StatusNotStarted:
			if x.WaitsFor != nil {
				return x.WaitsFor.Stage
			}
			return ""
		default:
			return st.Name
		}
	}
	return ""
}

// openGate finds the open gate that an answer is for.
func openGate(s *machine.State, in *workflows.Intent) (stage string, gate *workflows.Approval) {
	for _, x := range s.Unfinished() {
		if in.Execution != "" && x.ID != in.Execution {
			continue
		}
		for _, st := range x.Stages {
			for _, a := range st.Actions {
				if a.Approval == nil || a.Approval.Closed != "" || in.Gate != "" && a.Approval.Token != in.Gate || in.Action != "" && a.Name != in.Action {
					continue
				}
				return st.Name, a.Approval
			}
		}
	}
	return "", nil
}

// asProblem returns the refusal in an error.
func asProblem(err error) (*workflows.Problem, bool) {
	var p *workflows.Problem
	ok := errors.As(err, &p)
	return p, ok
}
