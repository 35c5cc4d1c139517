// Package cloudwatch is Amazon CloudWatch as far as it takes metrics, and tells of
// alarms whose states a test sets.
package cloudwatch

import (
	"context"
	"net/http"
	"sync"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Service is CloudWatch of an account and region.
type Service struct {
	w *api.World

	mu     sync.Mutex
	data   []Datum
	alarms map[string]alarm
}

// New returns a CloudWatch without metrics and alarms.
func New(w *api.World) *Service { return &Service{w: w, alarms: map[string]alarm{}} }

// Do carries an operation out.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch q.Operation {
	case "DescribeAlarms":
		return s.describe(q)
	case "PutMetricData":
		return s.putMetricData(q.Input)
	}
	return nil, &api.Error{Status: http.StatusNotImplemented, Code: "InvalidAction", Message: "the fake of CloudWatch has no " + q.Operation}
}

// Rights implements [api.Authorizer].
func (s *Service) Rights(q *api.Request) []api.Right {
	right := api.Right{Action: "cloudwatch:" + q.Operation, Resource: "*"}
	if q.Operation == "PutMetricData" {
		right.Context = map[string]string{"cloudwatch:namespace": q.Input.Text("Namespace")}
	}
	return []api.Right{right}
}
