package awsfake

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// service is how the fake has a service: it does the calls itself, or opens a package for them.
type service struct {
	do     func(s *Server, ctx context.Context, q *request) (any, *api.Error)
	open   func(w *api.World) api.Service
	global bool // one for all accounts and regions
}

// pipelineServices are what pipelines in CodePipeline stand on, by their names in IAM.
func pipelineServices() map[string]service {
	return map[string]service{
		"codebuild":    {open: openCodeBuild},
		"codepipeline": {do: func(_ *Server, _ context.Context, q *request) (any, *api.Error) { return codePipeline(q) }},
		"iam":          {do: func(s *Server, _ context.Context, q *request) (any, *api.Error) { return s.iam(q) }},
		"logs":         {do: func(s *Server, _ context.Context, q *request) (any, *api.Error) { return s.logs(q) }},
		"s3":           {open: openS3, global: true},
		"sqs":          {do: func(s *Server, ctx context.Context, q *request) (any, *api.Error) { return s.sqs(ctx, q) }},
		"sts":          {do: func(s *Server, _ context.Context, q *request) (any, *api.Error) { return s.sts(q) }},
	}
}

// services are all that the fake has.
func services() map[string]service {
	all := map[string]service{
		// cloudformation
		"cloudformation": {open: openCloudFormation},
		// cloudfront
		"cloudfront": {open: openCloudFront, global: true},
		// cloudtrail
		"cloudtrail": {open: openCloudTrail},
		// cloudwatch
		"cloudwatch": {open: openCloudWatch},
		// codecommit
		"codecommit": {open: openCodeCommit},
		// codedeploy
		"codedeploy": {open: openCodeDeploy},
		// ecr
		"ecr": {open: openECR},
		// ecs
		"ecs": {open: openECS},
		// elasticloadbalancing
		"elasticloadbalancing": {open: openLoadBalancing},
		// events
		"events": {open: openEvents},
		// kms
		"kms": {open: openKMS},
		// lambda
		"lambda": {open: openLambda},
		// secretsmanager
		"secretsmanager": {open: openSecretsManager},
		// servicequotas
		"servicequotas": {open: openServiceQuotas},
		// sns
		"sns": {open: openSNS},
		// ssm
		"ssm": {open: openSSM},
		// states
		"states": {open: openStates},
	}
	maps.Copy(all, pipelineServices())
	return all
}

// invalid is the code of the refusal of a request that does not satisfy the model.
func invalid(service string) string {
	switch service {
	case "sts", "iam", "cloudformation", "elasticloadbalancing":
		return "ValidationError"
	case "logs", "ecs", "ecr", "secretsmanager":
		return "InvalidParameterException"
	case "codebuild":
		return "InvalidInputException"
	case "s3", "cloudfront":
		return "InvalidArgument"
	case "cloudwatch":
		return "InvalidParameterValueException"
	case "lambda":
		return "InvalidParameterValueException"
	case "sns":
		return "InvalidParameterException"
	}
	return "ValidationException"
}

func codePipeline(q *request) (any, *api.Error) {
	out, bad := q.r.pipelines.Do(q.Principal, q.Operation, q.call.Input)
	if bad != nil {
		return nil, refuse(http.StatusBadRequest, bad.Code, bad.Message)
	}
	return out, nil
}

// opened names a service of an account and region.
type opened struct {
	service string
	at      place
}

// opened is the service of an account and region, made when it is first asked for; nil: it has no package of its own.
func (s *Server) opened(name string, at place) api.Service {
	how := s.services[name]
	if how.open == nil {
		return nil
	}
	if how.global {
		at = place{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[opened{name, at}] == nil {
		s.open[opened{name, at}] = how.open(s.world(at))
	}
	return s.open[opened{name, at}]
}

// world is what a service in an account and region stands on.
func (s *Server) world(at place) *api.World {
	call := func(who *principal, name, operation string, input api.Input, body []byte) *request {
		call := &Call{Service: name, Operation: operation, Account: who.account, Region: at.region, Principal: who.arn}
		q := &api.Request{Service: name, Operation: operation, Account: who.account, Region: at.region, Principal: who.arn, Input: input, Body: body}
		return &request{Request: q, call: call, who: who}
	}
	return &api.World{
		Account: at.account, Region: at.region, Now: s.options.Now, NewID: s.newID,
		Log:   func(group, stream string, lines ...string) { s.Log(at.account, at.region, group, stream, lines...) },
		LogAt: func(when time.Time, group, stream string, lines ...string) { s.logAt(when, at, group, stream, lines) },
		Call: func(name, operation string, input api.Input, body []byte) (any, *api.Error) {
			return s.perform(context.Background(), call(&principal{arn: "arn:aws:iam::" + at.account + ":root", account: at.account}, name, operation, input, body))
		},
		CallAs: func(role, name, operation string, input api.Input, body []byte) (any, *api.Error) {
			q := call(asRole(role), name, operation, input, body)
			if bad := s.authorize(q); bad != nil {
				return nil, bad
			}
			return s.perform(context.Background(), q)
		},
		May:   s.may,
		Reads: func(bucket, key, version string) []api.Right { return s.readsObject(at, bucket, key, version) },
	}
}

// perform does what a call says.
func (s *Server) perform(ctx context.Context, q *request) (any, *api.Error) {
	q.r = s.region(q.Account, q.Region)
	if do := s.services[q.Service].do; do != nil {
		return do(s, ctx, q)
	}
	if one := s.opened(q.Service, q.at()); one != nil {
		return one.Do(ctx, q.Request)
	}
	return nil, refuse(http.StatusBadRequest, "UnknownOperationException", "The fake of AWS has no "+q.Service+":"+q.Operation)
}

// catchUp brings the opened services of these places up to the clock.
func (s *Server) catchUp(which func(place) bool) {
	s.mu.Lock()
	all := maps.Clone(s.open)
	s.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(all), func(a, b opened) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.at.account, b.at.account), cmp.Compare(a.at.region, b.at.region))
	})
	for _, key := range keys {
		if clocked, ok := all[key].(api.Clocked); ok && (key.at == place{} || which(key.at)) {
			clocked.CatchUp()
		}
	}
}

// At is a service of an account and region, by its type: awsfake.At[*ecs.Service](fake, account, region).
func At[S api.Service](s *Server, account, region string) S {
	for name, how := range s.services {
		if how.open == nil {
			continue
		}
		if one, ok := s.opened(name, place{account, region}).(S); ok {
			return one
		}
	}
	panic("the fake of AWS has no such service")
}
