package cloudwatch

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// CloudWatch takes data of the last two weeks and the next two hours.
const (
	longAgo = 14 * 24 * time.Hour
	ahead   = 2 * time.Hour
)

// Datum is a value of a metric.
type Datum struct {
	Namespace, Name, Unit string
	Dimensions            []string // "Pipeline=webshop"
	Value                 float64
	At                    time.Time
}

// Data are all values that were put, oldest first.
func (s *Service) Data() []Datum {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.data)
}

// putMetricData takes all of a call, or nothing.
func (s *Service) putMetricData(in api.Input) (any, *api.Error) {
	namespace, all := in.Text("Namespace"), []Datum{}
	if namespace == "" || strings.HasPrefix(namespace, "AWS/") {
		return nil, api.Refuse("InvalidParameterValueException", "The value %s for parameter Namespace is invalid.", namespace)
	}
	list := in.List("MetricData")
	if len(list) > 1000 {
		return nil, api.Refuse("InvalidParameterValueException", "The collection MetricData must not have a size greater than 1000.")
	}
	for _, m := range list {
		d := Datum{Namespace: namespace, Name: m.Text("MetricName"), Unit: m.Text("Unit"), At: s.w.Now()}
		d.Value, _ = m["Value"].(float64)
		if at, given := m["Timestamp"].(float64); given {
			d.At = time.UnixMilli(int64(at * 1000)).UTC()
		}
		if age := s.w.Now().Sub(d.At); age > longAgo || age < -ahead {
			return nil, api.Refuse("InvalidParameterValueException", "Timestamp must specify a time no older than two weeks and not more than two hours in the future.")
		}
		for _, of := range m.List("Dimensions") {
			if of.Text("Name") == "" || of.Text("Value") == "" {
				return nil, api.Refuse("InvalidParameterValueException", "A dimension has no name or no value.")
			}
			d.Dimensions = append(d.Dimensions, of.Text("Name")+"="+of.Text("Value"))
		}
		all = append(all, d)
	}
	s.data = append(s.data, all...)
	return nil, nil
}
