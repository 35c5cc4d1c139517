package codebuild

import (
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// report is a report that a build made.
type report struct {
	Report
	arn, group string
	execution  string // ARN of the build
	created    time.Time
}

// report makes the reports of a build.
func (s *Service) report(b *build, at time.Time) {
	for _, r := range b.script.Reports {
		name := b.project.Name + "-" + r.Name
		made := &report{Report: r, arn: s.arn("report/" + name + ":" + s.world.NewID()), group: s.arn("report-group/" + name), execution: s.arn("build/" + b.id), created: at}
		s.reports[made.arn] = made
		b.reports = append(b.reports, made.arn)
	}
}

func (c Case) status() string {
	if c.Status == "" {
		return statusSucceeded
	}
	return c.Status
}

func (s *Service) getReports(q *api.Request) (any, *api.Error) {
	found, missing := []map[string]any{}, []string(nil) // an empty list is not written
	for _, arn := range q.Input.Texts("reportArns") {
		r := s.reports[arn]
		if r == nil {
			missing = append(missing, arn)
			continue
		}
		counts, status := map[string]int{}, statusSucceeded
		for _, c := range r.Cases {
			counts[c.status()]++
			if c.status() == "FAILED" || c.status() == "ERROR" {
				status = statusFailed
			}
		}
		found = append(found, map[string]any{
			"arn": r.arn, "type": "TEST", "name": r.Name, "reportGroupArn": r.group, "executionId": r.execution, "status": status, "created": r.created,
			"expired": r.created.AddDate(0, 0, 30), "testSummary": map[string]any{"total": len(r.Cases), "statusCounts": counts, "durationInNanoSeconds": len(r.Cases) * int(time.Millisecond)},
		})
	}
	return map[string]any{"reports": found, "reportsNotFound": missing}, nil
}

func (s *Service) testCases(q *api.Request) (any, *api.Error) {
	r := s.reports[q.Input.Text("reportArn")]
	if r == nil {
		return nil, api.Refuse("ResourceNotFoundException", "Report not found: %s", q.Input.Text("reportArn"))
	}
	filter, cases := q.Input.In("filter"), []map[string]any{}
	for _, c := range r.Cases {
		if want := filter.Text("status"); want != "" && want != c.status() || !strings.Contains(c.Name, filter.Text("keyword")) {
			continue
		}
		one := map[string]any{"reportArn": r.arn, "name": c.Name, "status": c.status(), "durationInNanoSeconds": int(time.Millisecond)}
		if c.Message != "" {
			one["message"] = c.Message
		}
		cases = append(cases, one)
	}
	return map[string]any{"testCases": cases}, nil
}
