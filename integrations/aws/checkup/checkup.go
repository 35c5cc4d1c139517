// Package checkup finds out whether AWS lets rollcall do what its configuration
// says: credentials, roles, pipelines, permissions, the queue of hints, artifacts. It
// only sends calls that Get, List, Describe or simulate; KMS is asked for a dry run.
package checkup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Options say what there is to look at.
type Options struct {
	Accounts accounts.Options
	QueueURL string // of hints; empty: none
	Bridges  []Bridge
	Hooks    []Hooks            // of ECS, that are gates
	Actions  []Action           // of pipelines that run here
	Stores   []policy.Store     // of artifacts
	Publish  []policy.Statement // what telling AWS takes of the base credentials
	// Retention is how long artifacts are kept after an execution has ended; 0: for ever.
	Retention time.Duration
	// Principals are ARNs of users and roles that should not be able to answer approvals.
	Principals []string
	Now        func() time.Time // time.Now when nil
}

// Bridge is a bridge of the configuration.
type Bridge struct {
	Name, Region, Role string
	Act                bool
	Pipelines          []Pipeline
}

// Pipeline is what the configuration says of a pipeline in AWS.
type Pipeline struct {
	Name      string
	Stages    []string // that are named
	Approvals []string // that are named, STAGE/ACTION
}

const (
	callsPerSecond = 20 // of a few dozen calls, once; AWS allows more in bursts
	clockWarns     = time.Minute
	clockFails     = 5 * time.Minute // AWS refuses what is older
)

// checker looks at one configuration.
type checker struct {
	o      Options
	all    *accounts.Accounts
	base   string // ARN behind the credentials that rollcall starts with
	checks []selftest.Result
}

// Run looks at everything. An end of ctx ends it early.
func Run(ctx context.Context, o Options) []selftest.Result {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Accounts.Calls = callsPerSecond
	c := &checker{o: o, all: accounts.Open(o.Accounts)}
	if !c.credentials(ctx) {
		c.add(selftest.Result{Status: selftest.Skipped, Message: "nothing else in AWS was looked at", Fix: []string{"mend the credentials first"}})
		return c.checks
	}
	for _, b := range o.Bridges {
		c.bridge(ctx, b)
	}
	for _, h := range o.Hooks {
		c.hooks(ctx, h)
	}
	for _, s := range o.Stores {
		c.store(ctx, s)
	}
	c.actions(ctx)
	c.publish(ctx)
	if o.QueueURL != "" {
		c.queue(ctx)
	}
	return c.checks
}

func (c *checker) add(check selftest.Result) { c.checks = append(c.checks, check) }

func (c *checker) ok(about, format string, args ...any) {
	c.add(selftest.Result{About: about, Status: selftest.OK, Message: fmt.Sprintf(format, args...)})
}

// failed adds what AWS refused.
func (c *checker) failed(about, what string, err error, resource string) {
	found := diagnose.Explain(failure(err, resource))
	c.add(selftest.Result{About: about, Status: selftest.Failed, Message: what + ": " + found.Title, Fix: found.Fix, Finding: &found})
}

// credentials looks at what rollcall starts with, and at the base role.
func (c *checker) credentials(ctx context.Context) bool {
	plain := c.o.Accounts
	plain.RoleARN = ""
	region := c.o.Accounts.Region
	if region == "" && len(c.o.Bridges) > 0 {
		region = c.o.Bridges[0].Region
	}
	place := accounts.Place{Region: region, Session: "doctor"}
	base, err := accounts.Open(plain).Config(ctx, place)
	if err != nil {
		c.add(selftest.Result{About: "credentials", Status: selftest.Failed, Message: err.Error()})
		return false
	}
	who, at, err := identity(ctx, base)
	if err != nil {
		c.failed("credentials", "rollcall's credentials do not work", err, "")
		return false
	}
	c.base = who
	c.ok("credentials", "%s", who)
	if c.o.Accounts.EndpointURL != "" {
		c.ok("endpoint", "every call goes to %s (aws.endpointURL)", c.o.Accounts.EndpointURL)
	}
	c.clock(at)
	if c.o.Accounts.RoleARN == "" {
		return true
	}
	config, err := c.all.Config(ctx, place)
	if err == nil {
		who, _, err = identity(ctx, config)
	}
	if err != nil {
		c.failed("credentials", "aws.roleArn cannot be used", err, c.o.Accounts.RoleARN)
		return false
	}
	c.base = who
	c.ok("credentials", "aws.roleArn: %s", who)
	return true
}

// identity asks who rollcall is with a configuration, and what time it is there.
func identity(ctx context.Context, config aws.Config) (arn string, at time.Time, err error) {
	out, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", at, err //nolint:wrapcheck // explained by diagnose
	}
	at, _ = middleware.GetServerTime(out.ResultMetadata)
	return aws.ToString(out.Arn), at, nil
}

// clock compares the clocks. Beyond five minutes AWS refuses; the SDK learns the
// difference and goes on, which is no reason to leave it.
func (c *checker) clock(theirs time.Time) {
	if theirs.IsZero() {
		return
	}
	off := c.o.Now().Sub(theirs).Round(30 * time.Second) // the answer was under way
	fix := []string{"set the clock of this machine (NTP)"}
	switch {
	case off.Abs() >= clockFails:
		c.add(selftest.Result{About: "clock", Status: selftest.Failed, Message: "the clock of this machine differs from AWS's by " + off.Abs().String() + ", and AWS refuses requests that are 5 minutes off", Fix: fix})
	case off.Abs() >= clockWarns:
		c.add(selftest.Result{About: "clock", Status: selftest.Warning, Message: "the clock of this machine differs from AWS's by " + off.Abs().String(), Fix: fix})
	default:
		c.ok("clock", "agrees with AWS's")
	}
}

// failure takes an error of the SDK apart.
func failure(err error, resource string) diagnose.Failure {
	var role *accounts.AssumeError
	if errors.As(err, &role) {
		err, resource = role.Err, role.Role
	}
	f := diagnose.Failure{Message: err.Error(), Resource: resource}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		f.Service, f.Operation = op.Service(), op.Operation()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code, f.Message = api.ErrorCode(), api.ErrorMessage()
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		f.Status, f.RequestID = answer.HTTPStatusCode(), answer.ServiceRequestID()
	}
	return f
}

// codeOf is AWS's code of an error; empty: there is none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return failure(err, "").Code
}

// denied says whether an error is that a permission is missing. S3 has no words for it where it answers HEAD.
func denied(err error) bool {
	return err != nil && (accounts.Classify(err) == accounts.Denied || codeOf(err) == "Forbidden")
}

// lacks is a permission that is not there, with the statement that gives it.
func lacks(who, action, resource string) *workflows.Finding {
	found := diagnose.Explain(diagnose.Failure{Code: "AccessDenied", Message: "User: " + who + " is not authorized to perform: " + action + " on resource: " + resource})
	found.Evidence = nil // nothing was refused, it was simulated
	return &found
}

// arn is one in the bridge's Region and in the account of who.
func arn(who string, b Bridge, resource string) string {
	return policy.PipelineARN(who, b.Region, resource)
}
