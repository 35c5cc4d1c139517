// Package kms is AWS KMS in the fake of AWS, as far as one asks it about keys. It
// encrypts nothing: every use of a key must be a dry run.
package kms

import (
	"context"
	"strings"
	"sync"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Key is a key of an account and Region.
type Key struct {
	ID, Alias string // 0aeb1c2d-…, alias/art; Alias may be empty
	State     string // empty: Enabled
	Spec      string // empty: SYMMETRIC_DEFAULT
}

// Service is KMS of an account and Region.
type Service struct {
	w *api.World

	mu   sync.Mutex
	keys []Key
}

// New is a KMS without keys.
func New(w *api.World) *Service { return &Service{w: w} }

// Create makes a key, in place of one of that ID.
func (s *Service) Create(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		if s.keys[i].ID == k.ID {
			s.keys[i] = k
			return
		}
	}
	s.keys = append(s.keys, k)
}

// find is a key by its ID, its alias or an ARN.
func (s *Service) find(name string) (Key, bool) {
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 {
		if parts[3] != s.w.Region || parts[4] != s.w.Account {
			return Key{}, false
		}
		name = strings.TrimPrefix(parts[5], "key/")
	}
	for _, k := range s.keys {
		if name == k.ID || name == k.Alias && name != "" {
			return k, true
		}
	}
	return Key{}, false
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, known := s.find(q.Input.Text("KeyId"))
	if !known {
		return nil
	}
	r := api.Right{Action: "kms:" + q.Operation, Resource: q.ARN("key/" + k.ID)}
	if k.Alias != "" {
		r.Context = map[string]string{"kms:ResourceAliases": k.Alias}
	}
	return []api.Right{r}
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, known := s.find(q.Input.Text("KeyId"))
	if !known {
		return nil, api.Refuse("NotFoundException", "Key '%s' does not exist", q.Input.Text("KeyId"))
	}
	state, spec := k.State, k.Spec
	if state == "" {
		state = "Enabled"
	}
	if spec == "" {
		spec = "SYMMETRIC_DEFAULT"
	}
	switch {
	case q.Operation == "DescribeKey":
		return map[string]any{"KeyMetadata": map[string]any{"KeyId": k.ID, "Arn": q.ARN("key/" + k.ID), "AWSAccountId": s.w.Account, "Enabled": state == "Enabled", "KeyState": state, "KeySpec": spec, "KeyUsage": "ENCRYPT_DECRYPT"}}, nil
	case state == "Disabled":
		return nil, api.Refuse("DisabledException", "%s is disabled.", q.ARN("key/"+k.ID))
	case state != "Enabled":
		return nil, api.Refuse("KMSInvalidStateException", "%s is %s.", q.ARN("key/"+k.ID), state)
	case !q.Input.Bool("DryRun"):
		return nil, api.Refuse("KMSInternalException", "The fake of KMS encrypts nothing: ask it for a dry run")
	}
	return nil, api.Refuse("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}
