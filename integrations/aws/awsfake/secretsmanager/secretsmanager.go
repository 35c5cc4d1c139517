// Package secretsmanager is Secrets Manager of the fake of AWS, as far as one reads it.
package secretsmanager

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// suffix stands behind every secret's name in its ARN; AWS takes six characters by chance.
const suffix = "-a1B2c3"

// Service is Secrets Manager of an account and Region.
type Service struct {
	world *api.World

	mu      sync.Mutex
	values  map[string]string
	deleted map[string]bool
}

// New is Secrets Manager without secrets.
func New(w *api.World) *Service {
	return &Service{world: w, values: map[string]string{}, deleted: map[string]bool{}}
}

// Put stores a secret.
func (s *Service) Put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
	delete(s.deleted, name)
}

// Delete marks a secret for deletion: nobody can read it any more.
func (s *Service) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted[name] = true
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	if q.Operation != "GetSecretValue" {
		return nil, api.Refuse("InternalServiceError", "The fake of AWS has no secretsmanager:%s", q.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := named(q.Input.Text("SecretId"))
	value, there := s.values[name]
	switch {
	case !there:
		return nil, api.Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	case s.deleted[name]:
		return nil, api.Refuse("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return map[string]any{"ARN": q.ARN("secret:" + name + suffix), "Name": name, "SecretString": value, "VersionId": "01234567-89ab-cdef-0123-456789abcdef", "VersionStages": []string{"AWSCURRENT"}, "CreatedDate": time.Unix(0, 0).UTC()}, nil
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "secretsmanager:" + q.Operation, Resource: q.ARN("secret:" + named(q.Input.Text("SecretId")) + suffix)}}
}

// named is a secret's name, which a call may give as its ARN.
func named(id string) string {
	if _, rest, isARN := strings.Cut(id, ":secret:"); isARN {
		return strings.TrimSuffix(rest, suffix)
	}
	return id
}
