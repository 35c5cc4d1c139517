package archtest

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// D: docs/operations.md tells the time limit of every provider that runs here,
// and it is the one in force. Which run, docs/pipelines.md knows from the code.
func TestTheManualsTimeLimits(t *testing.T) {
	read := func(name, row string) [][]string {
		page, err := os.ReadFile("../../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(row).FindAllStringSubmatch(string(page), -1)
	}
	category := map[string]string{"VariableCheck": "Rule", "DeploymentWindow": "Rule"}
	for _, r := range read("pipelines.md", "(?m)^\\| `(\\w+)` \\| ([A-Z]\\w+) \\| \\d.*\\| yes \\|$") {
		category[r[1]] = r[2]
	}
	told := map[string]bool{}
	for _, r := range read("operations.md", "(?m)^\\| `(\\w+)`(?: \\((\\w)(\\w+)\\))? \\| (\\d+[hm]) \\|$") {
		told[r[1]] = true
		limit, err := time.ParseDuration(r[4])
		a := workflows.Action{ActionType: workflows.ActionType{Category: cmp.Or(strings.ToUpper(r[2])+r[3], category[r[1]]), Owner: "AWS", Provider: r[1]}}
		if is := a.TimeLimit(); err != nil || is != limit {
			t.Errorf("%s %s has %s, and docs/operations.md says %s", r[1], a.ActionType.Category, is, r[4])
		}
	}
	if len(category) < 9 {
		t.Errorf("only %d providers were found", len(category))
	}
	for provider := range category {
		if !told[provider] {
			t.Errorf("docs/operations.md does not tell the time limit of %s", provider)
		}
	}
}
