package bridge

import (
	"errors"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/workflows"
)

// explain is what is known of a call that failed. resource is the ARN that the
// right is needed on; again is the command that tries it again.
func explain(err error, resource, again string) *workflows.Finding {
	f := diagnose.Failure{Service: "CodePipeline", Resource: resource, Again: again}
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

// known is an error of an action with what is known of its kind.
func known(provider string, e *workflows.Reason) *workflows.Reason {
	if e == nil {
		return nil
	}
	if finding, ok := diagnose.Action(provider, e.Code, e.Message); ok {
		e.Finding = &finding
	}
	return e
}
