// Package servicequotas is Service Quotas in the fake of AWS.
package servicequotas

import (
	"context"
	"sync"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Quota is a quota of a service.
type Quota struct {
	Service, Code, Name string // lambda, L-2ACBD22F, "Function and layer storage"
	Value               float64
	Unit                string // empty: None
	Fixed               bool   // it cannot be raised
}

// Service is Service Quotas of an account and Region.
type Service struct {
	mu     sync.Mutex
	quotas []Quota
}

// New is a Service Quotas without quotas.
func New(*api.World) *Service { return &Service{} }

// Set adds quotas.
func (s *Service) Set(quotas ...Quota) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotas = append(s.quotas, quotas...)
}

// Do implements [api.Service].
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []any{}
	for _, one := range s.quotas {
		if one.Service == q.Input.Text("ServiceCode") && (!q.Input.Has("QuotaCode") || one.Code == q.Input.Text("QuotaCode")) {
			unit := one.Unit
			if unit == "" {
				unit = "None"
			}
			all = append(all, map[string]any{"ServiceCode": one.Service, "QuotaCode": one.Code, "QuotaName": one.Name, "Value": one.Value, "Unit": unit, "Adjustable": !one.Fixed})
		}
	}
	switch {
	case q.Operation == "ListServiceQuotas":
		return map[string]any{"Quotas": all}, nil
	case len(all) == 0:
		return nil, api.Refuse("NoSuchResourceException", "The request failed because the specified service quota does not exist.")
	}
	return map[string]any{"Quota": all[0]}, nil
}
