package cloudwatch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// The kinds of alarms, and their states.
const (
	Metric    = "MetricAlarm"
	Composite = "CompositeAlarm"

	OK               = "OK"
	Alarm            = "ALARM"
	InsufficientData = "INSUFFICIENT_DATA"
)

// pageSize is how many alarms an answer has where the call does not say.
const pageSize = 50

// alarm is an alarm as it stands.
type alarm struct {
	name, kind, state, reason string
	since                     time.Time
}

// Set puts an alarm of a kind into a state, for a reason, and makes it where there is none.
func (s *Service) Set(kind, name, state, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarms[name] = alarm{name, kind, state, reason, s.w.Now()}
}

// Remove deletes an alarm.
func (s *Service) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alarms, name)
}

// describe lists alarms by their names. As with AWS, composite ones are left out
// unless the call asks for them, and what there is not is left out without a word.
func (s *Service) describe(q *api.Request) (any, *api.Error) {
	kinds, names := q.Input.Texts("AlarmTypes"), q.Input.Texts("AlarmNames")
	if len(kinds) == 0 {
		kinds = []string{Metric}
	}
	if len(names) > 100 {
		return nil, api.Refuse("InvalidParameterValueException", "The collection AlarmNames must not have a size greater than 100.")
	}
	var found []alarm
	for _, one := range s.alarms {
		named := slices.Contains(names, one.name) || len(names) == 0 && strings.HasPrefix(one.name, q.Input.Text("AlarmNamePrefix"))
		if named && slices.Contains(kinds, one.kind) {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b alarm) int { return cmp.Compare(a.name, b.name) })
	from := 0
	if token := q.Input.Text("NextToken"); token != "" {
		at, err := strconv.Atoi(token)
		if err != nil || at > len(found) {
			return nil, api.Refuse("InvalidNextToken", "the token %s is none of ours", token)
		}
		from = at
	}
	to := min(from+q.Input.Whole("MaxRecords", pageSize), len(found))
	answer := map[string]any{"MetricAlarms": []any{}, "CompositeAlarms": []any{}}
	for _, one := range found[from:to] {
		list, _ := answer[one.kind+"s"].([]any)
		answer[one.kind+"s"] = append(list, map[string]any{
			"AlarmName": one.name, "AlarmArn": q.ARN("alarm:" + one.name), "StateValue": one.state, "StateReason": one.reason, "StateUpdatedTimestamp": one.since,
		})
	}
	if to < len(found) {
		answer["NextToken"] = strconv.Itoa(to)
	}
	return answer, nil
}
