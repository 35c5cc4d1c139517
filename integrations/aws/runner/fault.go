package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// saidError is an error of a call, in words that may stand on a card.
type saidError struct {
	class accounts.Class
	text  string
}

// Error is the text for people.
func (e *saidError) Error() string { return e.text }

// sentence is an error in words that may stand on a card; it keeps its class.
func sentence(err error) error {
	var later *laterError
	var said *saidError
	var op *smithy.OperationError
	switch {
	case errors.As(err, &later), errors.As(err, &said):
		return err
	case !errors.As(err, &op):
		return err // ours: it is a sentence already
	}
	code, message := accounts.Words(err)
	text := op.Service() + " " + op.Operation() + ": " + message
	if code != "" {
		text += " (" + code + ")"
	}
	return &saidError{accounts.Classify(err), text}
}

// failed says what an error means for an action: that it has failed, with what is
// known of the cause, or an error, so that it is asked again.
func (r *Runner) failed(ctx context.Context, a *Attempt, err error) (work.Outcome, error) {
	var missing *artifacts.MissingError
	var settings *SettingsError
	switch {
	case errors.As(err, &missing):
		var why *workflows.Finding
		if accounts.Classify(err) == accounts.Denied { // the store may not read it, or its bucket
			why = a.Explain(err)
		}
		return r.finished(ctx, a, Fail("ArtifactMissing", missing.Error(), why)), nil
	case errors.As(err, &settings):
		return r.finished(ctx, a, Fail("ConfigurationInvalid", settings.Error(), settings.finding(a))), nil
	}
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return work.Outcome{}, err
	}
	var role *accounts.AssumeError
	if errors.As(err, &role) && Code(role.Err) == "AccessDenied" { // asking again does not help: somebody must change a policy
		_, said := accounts.Words(err)
		return r.finished(ctx, a, Fail("AccessDenied", said, a.Explain(err))), nil
	}
	if class := accounts.Classify(err); class != accounts.Refused && class != accounts.Denied {
		return work.Outcome{}, sentence(err)
	}
	code, _ := accounts.Words(err)
	return r.finished(ctx, a, Fail(cmp.Or(code, "ActionFailed"), sentence(err).Error(), a.Explain(err))), nil
}

// Explain is what is known of a call that failed.
func (a *Attempt) Explain(err error) *workflows.Finding {
	f := diagnose.Failure{Again: a.Again()}
	f.Code, f.Message = accounts.Words(err)
	var op *smithy.OperationError
	if errors.As(err, &op) {
		f.Service, f.Operation = op.Service(), op.Operation()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code = api.ErrorCode()
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		f.Status, f.RequestID = answer.HTTPStatusCode(), answer.ServiceRequestID()
	}
	finding := diagnose.Explain(f)
	return &finding
}

// Unread is about a call for something that the action can do without: what it is, in
// words. Where AWS denied it the log names the right that the role lacks, and the error
// is nil; otherwise the error is what it was.
func (a *Attempt) Unread(err error, what string) error {
	if Code(err) != "AccessDenied" {
		return err
	}
	_, said := accounts.Words(err)
	lacks := "a right"
	if d, ok := diagnose.Denied(said); ok {
		lacks = d.Action + " on " + cmp.Or(d.Resource, "*")
	}
	return a.Logf("%s cannot be read: the role of this action lacks %s", what, lacks)
}

// Again is the command that tries the attempt's action again.
func (a *Attempt) Again() string {
	return "rollcall retry " + (&workflows.Execution{Pipeline: a.Task.Pipeline, Number: a.Task.Number}).Ref()
}

// SettingsError says that the configuration of an action cannot be used.
type SettingsError struct {
	Text string
	Fix  string // what to do, where that is more than to correct what Text names
	// Missing says that what the action names is not there.
	Missing bool
}

// Error is the text for people.
func (e *SettingsError) Error() string { return e.Text }

// finding is what is known of what is not there; nil: Text says it all.
func (e *SettingsError) finding(a *Attempt) *workflows.Finding {
	if !e.Missing {
		return nil
	}
	f := diagnose.Gone(e.Text, e.Fix, a.Again())
	return &f
}

// Code is the code of what AWS answered, without Exception; empty where it is no answer.
func Code(err error) string {
	if err == nil {
		return ""
	}
	code, _ := accounts.Words(err)
	return code
}

// Absent makes what AWS answered a [SettingsError] with these words where it says
// that there is no such thing; another error stays.
func Absent(err error, format string, args ...any) error {
	if err == nil || !IsMissing(err) {
		return err
	}
	return &SettingsError{Text: fmt.Sprintf(format, args...), Missing: true}
}

// IsMissing says whether an error means that AWS has no such thing.
func IsMissing(err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	code := Code(err)
	return strings.HasSuffix(code, "NotFound") || strings.HasSuffix(code, "DoesNotExist") || strings.HasPrefix(code, "NoSuch")
}
