// Package secrets reads secrets that AWS keeps: parameters of Systems Manager's
// Parameter Store, and secrets of Secrets Manager. What it reads is in none of
// its errors.
package secrets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Ref is where a secret is.
type Ref struct {
	Parameter string // of the Parameter Store, name or ARN
	// Secret is one of Secrets Manager, name or ARN; Key the key of its JSON, empty: all of it.
	Secret, Key    string
	Stage, Version string // empty: AWSCURRENT
}

// Parse reads where a secret is as rollcall.yaml says it: of ssm the name of a
// parameter, of secretsManager ID or ID#KEY.
func Parse(from, text string) Ref {
	if from == "ssm" {
		return Ref{Parameter: text}
	}
	id, key, _ := strings.Cut(text, "#")
	return Ref{Secret: id, Key: key}
}

// ParseVariable reads where a secret is as the environment variable of an action
// says it: of the type PARAMETER_STORE the name of a parameter; of SECRETS_MANAGER
// what CodeBuild takes, SECRET:KEY:STAGE:VERSION, the latter three as far as wanted.
func ParseVariable(kind, text string) Ref {
	if kind == "PARAMETER_STORE" {
		return Ref{Parameter: text}
	}
	parts := strings.Split(text, ":")
	id := 1 // how many parts name the secret: an ARN has seven
	if strings.HasPrefix(text, "arn:") {
		id = min(7, len(parts))
	}
	rest := append(parts[id:], "", "", "")
	return Ref{Secret: strings.Join(parts[:id], ":"), Key: rest[0], Stage: rest[1], Version: rest[2]}
}

// String names the secret.
func (r Ref) String() string {
	if r.Parameter != "" {
		return "the parameter " + r.Parameter
	}
	return "the secret " + r.Secret
}

// Region is the Region of an ARN; empty: it is a name.
func (r Ref) Region() string {
	if parts := strings.SplitN(cmp.Or(r.Parameter, r.Secret), ":", 6); len(parts) == 6 && parts[0] == "arn" {
		return parts[3]
	}
	return ""
}

// Needs is the permission to read it.
func (r Ref) Needs(at policy.Place) policy.Statement {
	if r.Parameter != "" {
		arn := r.Parameter
		if !strings.HasPrefix(arn, "arn:") {
			arn = at.ARN("ssm", "parameter/"+strings.TrimPrefix(arn, "/"))
		}
		return policy.Statement{Sid: "ReadParameters", Comment: "read parameters; one that is encrypted with a key of your own needs kms:Decrypt on it too", Actions: []string{"ssm:GetParameter"}, Resources: []string{arn}}
	}
	arn := r.Secret
	if !strings.HasPrefix(arn, "arn:") {
		arn = at.ARN("secretsmanager", "secret:"+arn+"-??????") // AWS appends six characters
	}
	return policy.Statement{Sid: "ReadSecrets", Comment: "read secrets; one that is encrypted with a key of your own needs kms:Decrypt on it too", Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{arn}}
}

// Error says why a secret could not be read, in a sentence for people.
type Error struct {
	Ref     Ref
	Why     string
	Finding *workflows.Finding // nil: AWS did not refuse it
	Passes  bool               // trying again may help
	err     error
}

// Error is the sentence.
func (e *Error) Error() string { return e.Ref.String() + " cannot be read: " + e.Why }

// Unwrap is what AWS said.
func (e *Error) Unwrap() error { return e.err }

// Get reads a secret.
func Get(ctx context.Context, c aws.Config, r Ref) (string, error) {
	if region := r.Region(); region != "" {
		c = c.Copy()
		c.Region = region
	}
	value, err := read(ctx, c, r)
	if err != nil {
		return "", explained(r, err)
	}
	if r.Key != "" {
		var all map[string]any
		if json.Unmarshal([]byte(value), &all) != nil { // the error would quote the secret
			return "", &Error{Ref: r, Why: "it is no JSON object, and its key " + r.Key + " is asked for"}
		}
		switch one := all[r.Key].(type) {
		case string:
			value = one
		case nil:
			return "", &Error{Ref: r, Why: "its JSON has no key " + r.Key}
		default:
			return "", &Error{Ref: r, Why: "the value of its key " + r.Key + " is no text"}
		}
	}
	if value == "" {
		return "", &Error{Ref: r, Why: "it is empty"}
	}
	return value, nil
}

func read(ctx context.Context, c aws.Config, r Ref) (string, error) {
	if r.Parameter != "" {
		out, err := ssm.NewFromConfig(c).GetParameter(ctx, &ssm.GetParameterInput{Name: &r.Parameter, WithDecryption: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Parameter.Value), nil
	}
	in := &secretsmanager.GetSecretValueInput{SecretId: &r.Secret}
	if r.Stage != "" {
		in.VersionStage = &r.Stage
	}
	if r.Version != "" {
		in.VersionId = &r.Version
	}
	out, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, in)
	if err != nil {
		return "", err
	}
	if out.SecretString == nil {
		return string(out.SecretBinary), nil
	}
	return *out.SecretString, nil
}

// explained says what AWS answered, what is missing and what to do.
func explained(r Ref, err error) error {
	class := accounts.Classify(err)
	e := &Error{Ref: r, err: err, Passes: class != accounts.Denied && class != accounts.Refused}
	var role *accounts.AssumeError
	resource := ""
	cause := err
	if errors.As(err, &role) {
		cause, resource = role.Err, role.Role
	}
	f := diagnose.Failure{Message: cause.Error(), Resource: resource}
	var op *smithy.OperationError
	if errors.As(cause, &op) {
		f.Service, f.Operation = op.Service(), op.Operation()
	}
	var api smithy.APIError
	if errors.As(cause, &api) {
		f.Code, f.Message = api.ErrorCode(), api.ErrorMessage()
	}
	found := diagnose.Explain(f)
	e.Finding = &found
	switch denied, ok := diagnose.Denied(f.Message); {
	case accounts.Code(f.Code) == "ParameterNotFound":
		e.Why = fmt.Sprintf("there is none in %s", cmp.Or(r.Region(), "that account and Region"))
	case ok:
		e.Why = fmt.Sprintf("%s may not %s on %s", denied.Who, denied.Action, denied.Resource)
	default:
		e.Why = found.Title + ": " + found.Cause
	}
	if len(found.Fix) > 0 {
		e.Why += "; " + found.Fix[0]
	}
	return e
}
