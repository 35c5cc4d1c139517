package checkup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/servicequotas"
	"github.com/rollcall-bot/rollcall/integrations/aws/checkup"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
	"github.com/rollcall-bot/rollcall/workflows"
)

// A stage that starts more builds at once than CodeBuild runs is said to wait; what
// cannot be asked is not said.
func TestBuildsAtOnceAndTheirQuota(t *testing.T) {
	for name, c := range map[string]struct {
		quota    float64
		projects []string // of the stage, all at run order 1
		plant    func(*cloud)
		want     string
	}{
		"one too many":           {quota: 1, projects: []string{"app", "docs"}, want: "webshop: Build at run order 1 starts 2 builds at once, and the quota “Concurrently running builds for Linux/Small environment” is 1: the others wait|quotas/L-9D07B6EF"},
		"as many as there may":   {quota: 2, projects: []string{"app", "docs"}},
		"none at all":            {quota: 0, projects: []string{"app"}, want: "starts 1 build at once, and the quota|is 0"},
		"a name with a variable": {quota: 1, projects: []string{"app", "#{variables.P}"}},
		"quotas may not be read": {quota: 1, projects: []string{"app", "docs"}, plant: func(c *cloud) {
			c.may(role, `{"Statement":[{"Effect":"Allow","Action":"codebuild:*","Resource":"*"}]}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := newCloud(t)
			cloud.may(role)
			cloud.o.Bridges, cloud.o.QueueURL = nil, ""
			awsfake.At[*codebuild.Service](cloud.Server, account, region).Projects(codebuild.Project{Name: "app"}, codebuild.Project{Name: "docs"})
			awsfake.At[*servicequotas.Service](cloud.Server, account, region).Set(servicequotas.Quota{Service: "codebuild", Code: "L-9D07B6EF", Name: "Concurrently running builds for Linux/Small environment", Value: c.quota})
			for _, project := range c.projects {
				cloud.o.Actions = append(cloud.o.Actions, checkup.Action{Name: "webshop: Build/" + project, Roles: []string{role}, Region: region, Kind: &runner.Kind{},
					Action: workflows.Action{ActionType: workflows.ActionType{Provider: "CodeBuild"}, RunOrder: 1, Configuration: map[string]string{"ProjectName": project}}})
			}
			if c.plant != nil {
				c.plant(cloud)
			}
			bad := slices.DeleteFunc(checkup.Run(t.Context(), cloud.o), func(r selftest.Result) bool { return r.Status == selftest.OK })
			if (c.want == "") != (len(bad) == 0) || len(bad) > 1 {
				t.Fatalf("it says\n%s", lines(bad))
			}
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(lines(bad), part) {
					t.Errorf("%s does not say %q", lines(bad), part)
				}
			}
		})
	}
}
