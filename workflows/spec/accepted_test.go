package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// window is a file with a stage's that is entered by one DeploymentWindow rule.
func window(cron, zone string) string {
	if zone != "" {
		zone = ", TimeZone: " + zone
	}
	return file("", fmt.Sprintf(`beforeEntry: {result: FAIL, rules: [{name: W, provider: DeploymentWindow, configuration: {Cron: %q%s}}]}`, cron, zone), "", "")
}

func schedule(cron, zone string) string {
	return file(fmt.Sprintf("triggers: [{schedule: {cron: %q, timezone: %s}}]", cron, zone), "", "", "")
}

// TestWhatIsTaken lists forms that CodePipeline takes, or that mean what they
// say, with what a person is told of them: "" is accepted in silence, "warning:" accepted.
func TestWhatIsTaken(t *testing.T) {
	for _, c := range []struct{ about, text, says string }{
		// C5: what AWS's page of the rule shows and allows.
		{"AWS's example of a window", window("0 0 9-17 ? * MON-FRI *", "PST"), `warning: the seconds "0" of the window mean nothing|warning: the window "0 0 9-17 ? * MON-FRI *" is open for one minute|warning: TimeZone PST is read as America/Los_Angeles`},
		{"the same for whole hours", window("* * 9-17 ? * MON-FRI *", "America/Los_Angeles"), ""},
		{"a range of seconds", window("0-59 * 9-17 ? * MON-FRI *", ""), `warning: the seconds "0-59"`},
		{"an abbreviation of one zone", window("* * 9-17 ? * MON-FRI", "JST"), ""},
		{"an abbreviation of several", window("* * 9-17 ? * MON-FRI", "IST"), "warning: TimeZone IST is read as Asia/Kolkata"},
		{"summer time", window("* * 9-17 ? * MON-FRI", "CEST"), ""},
		{"offsets", window("* * 9-17 ? * MON-FRI", "UTC-8"), ""},
		{"a zone by letter", window("* * 9-17 ? * MON-FRI", "Z"), ""},
		{"seconds that do not exist", window("75 * 9-17 ? * MON-FRI *", ""), `Cron cannot be "75 * 9-17 ? * MON-FRI *": second: "75"`},
		{"an abbreviation of nothing", window("* * 9-17 ? * MON-FRI", "XYZ"), "TimeZone cannot be"},

		// C16: what can never come.
		{"31 February", schedule("0 0 31 2 *", "UTC"), "never fires: no year has such a day"},
		{"the 31st of short months", schedule("0 0 31 4,6,9,11 *", "UTC"), "never fires: no year has such a day"},
		{"30 February with a year", schedule("0 6 30 2 ? *", "UTC"), "never fires: no year has such a day"},
		{"29 February", schedule("0 6 29 2 ? *", "UTC"), ""},
		{"a year that is over, or will be", schedule("0 6 ? * MON-FRI 2020", "UTC"), "warning: the schedule \"0 6 ? * MON-FRI 2020\" fires for the last time in 2020"},
		{"a window in no year", window("* * * 31 2 ? *", ""), "warning: the window \"* * * 31 2 ? *\" never opens"},
		{"a window in one year", window("* * * ? * MON-FRI 2020", ""), "warning: the window \"* * * ? * MON-FRI 2020\" opens for the last time in 2020"},
		{"a schedule in an unclear zone", schedule("0 6 * * *", "CST"), "warning: timezone CST is read as America/Chicago"},
		{"a filter that excludes what it includes", file("triggers: [{push: {branches: {includes: [main], excludes: [main]}}}]", "", "", ""), "warning: the patterns match nothing"},
		{"a filter that excludes everything", file("triggers: [{push: {branches: {excludes: ['**']}}}]", "", "", ""), "warning: the patterns match nothing"},
		{"a filter that leaves something", file("triggers: [{push: {branches: {includes: [main, dev], excludes: [main]}}}]", "", "", ""), ""},

		// C19f: AWS's skeleton and what it prints of what is not there.
		{"no success condition", file("", `onSuccess: {conditions: []}`, "", ""), ""},
		{"no entry condition", file("", `beforeEntry: {conditions: []}`, "", ""), ""},
		{"no failure condition", file("", `onFailure: {conditions: []}`, "", ""), ""},
		{"a result and no failure condition", file("", `onFailure: {result: ROLLBACK, conditions: []}`, "", ""), ""},
		{"nulls of the pipeline", file("channel: null\ntriggers: null\nticket: ~\nvariables: null", "beforeEntry: null\n    onFailure: null", "namespace: null, region: null, configuration: null, outputVariables: null", ""), ""},
		{"nothing behind a key", file("channel: #deploys", "", "", ""), "channel has no value"},

		// D18: what docs/conformance.md lists can be written.
		{"a condition that retries", file("", "onFailure: {condition: {result: RETRY, rules: [{name: Flaky, provider: Commands, commands: [grep timeout log]}]}}", "", ""), ""},
		{"the same as AWS writes it", file("", "onFailure: {result: RETRY, retryConfiguration: {retryMode: ALL_ACTIONS}, conditions: [{result: RETRY, rules: [{name: Flaky, provider: Commands, commands: [grep timeout log]}]}]}", "", ""), ""},
		{"two results that differ", file("", "onFailure: {result: RETRY, condition: {result: ROLLBACK, rules: [{name: Flaky, provider: Commands, commands: [grep timeout log]}]}}", "", ""), `the result is RETRY and that of the condition is "ROLLBACK"`},

		// C19e: what is no pipeline file is named.
		{"a template of CloudFormation", "AWSTemplateFormatVersion: '2010-09-09'\nResources: {P: {Type: 'AWS::CodePipeline::Pipeline', Properties: {Name: x, Stages: []}}}\n", "the file is a CloudFormation template, not a pipeline"},
		{"one without its version", `{"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline"}}}`, "the file is a CloudFormation template, not a pipeline"},
		{"its spelling of a pipeline", "Name: shop\nRoleArn: x\nStages: []\n", `"Name" is CloudFormation's spelling`},
		{"a slip in one key", strings.Replace(file("", "", "", ""), "name: webshop", "name: webshop\nStages: []", 1), `the pipeline has no key "Stages"`},

		// D13, D14: the table, the schema and the checker agree.
		{"an output that no shell can export", file("", "", "outputVariables: [a-b]", ""), `no command can export a variable "a-b"`},
		{"an empty namespace", file("", "", `namespace: ""`, ""), "namespace is empty"},
		{"an empty channel", file(`channel: ""`, "", "", ""), "channel is empty"},
		{"an empty issue type", file(`ticket: {project: ""}`, "", "", ""), "project is empty"},

		// D16: a Region that the whole file agrees on.
		{"one Region", file("", "", "region: us-east-1", ""), ""},

		// D17: every key of a filter has a default.
		{"every push", file("triggers: [{push: {}}]", "", "", ""), ""},
		{"every pull request", file("triggers: [{pullRequest: {}}]", "", "", ""), ""},
		{"no filter at all", file("triggers: [{push: []}]", "", "", ""), "no filter is given"},
	} {
		t.Run(c.about, func(t *testing.T) {
			p, faults := spec.Parse("x.yaml", []byte(c.text))
			var got []string
			for _, f := range faults {
				text, _ := strings.CutPrefix(f.String(), fmt.Sprintf("x.yaml:%d:%d: ", f.Line, f.Col))
				got = append(got, text)
			}
			want := strings.Split(c.says, "|")
			if c.says == "" {
				want = nil
			}
			if len(got) != len(want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			accepted := true
			for i := range want {
				accepted = accepted && strings.HasPrefix(want[i], "warning: ")
				if !strings.Contains(got[i], want[i]) {
					t.Errorf("got %s, want %s", got[i], want[i])
				}
			}
			if accepted != (p != nil) {
				t.Errorf("accepted: %t", p != nil)
			}
			if p != nil {
				roundTrip(t, p)
			}
		})
	}
}
