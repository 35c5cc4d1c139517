// Package ssm is the Parameter Store of the fake of AWS, as far as one reads it.
package ssm

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Service is the Parameter Store of an account and Region.
type Service struct {
	world *api.World

	mu     sync.Mutex
	values map[string]string
}

// New is a Parameter Store without parameters.
func New(w *api.World) *Service { return &Service{world: w, values: map[string]string{}} }

// Put stores a parameter of type SecureString.
func (s *Service) Put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	if q.Operation != "GetParameter" {
		return nil, api.Refuse("InternalServerError", "The fake of AWS has no ssm:%s", q.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := named(q.Input.Text("Name"))
	value, there := s.values[name]
	if !there {
		return nil, api.Refuse("ParameterNotFound", "")
	}
	if !q.Input.Bool("WithDecryption") {
		value = "AQICAHh-encrypted"
	}
	return map[string]any{"Parameter": map[string]any{
		"Name": name, "Type": "SecureString", "Value": value, "Version": 1, "LastModifiedDate": time.Unix(0, 0).UTC(), "ARN": q.ARN(resource(name)), "DataType": "text",
	}}, nil
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "ssm:" + q.Operation, Resource: q.ARN(resource(named(q.Input.Text("Name"))))}}
}

// named is a parameter's name, which a call may give as its ARN.
func named(name string) string {
	if _, rest, isARN := strings.Cut(name, ":parameter/"); isARN {
		return "/" + rest
	}
	return name
}

// resource is a parameter in an ARN.
func resource(name string) string { return "parameter/" + strings.TrimPrefix(name, "/") }
