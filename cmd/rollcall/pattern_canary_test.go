package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/states"
	"github.com/rollcall-bot/rollcall/workflows"
)

// A new version has a tenth of the calls when an alarm rings: all calls go to the version of before, and the failure names
// the alarm. A run of the night is tested by day, and waits for the window until somebody overrides it; then there is a
// snapshot, and the deployment.
func TestPatternCanaryAndNightly(t *testing.T) {
	day := (time.Now().In(berlin(t)).Hour() + 12) % 24 // never now, whenever the test runs
	w := newPattern(t, "canary/canary.yaml", func(w *patternFixture) {
		w.play(awsAccount, "shop-api-build", codebuild.Script{Files: map[string]map[string]string{"": {"index.js": "// coupons"}}})
		w.functions().Create(lambda.Function{Name: "shop-api", Aliases: []string{"live"}})
		w.alarm("shop-api-5xx", cloudwatch.OK)
		w.alarm("shop-api-slow", cloudwatch.OK)
		w.takeEdited("nightly/nightly.yaml", "* * 1-4 ? * MON-SAT", fmt.Sprintf("* * %d ? * MON-SUN", day))
		w.play(awsAccount, "backoffice-image", codebuild.Script{Files: map[string]map[string]string{"": {"imagedefinitions.json": `[{"name": "web", "imageUri": "backoffice:2"}]`}}})
		w.play(awsAccount, "backoffice-load-tests", codebuild.Script{})
		awsfake.At[*states.Service](w.aws, awsAccount, awsRegion).Create(states.Machine{Name: "backoffice-snapshot", Run: func(string) states.Result { return states.Result{Takes: time.Millisecond, Output: "{}"} }})
		w.ecs().Create("backoffice", "web", w.ecs().Define(map[string]any{"family": "web", "containerDefinitions": []any{map[string]any{"name": "web", "image": "backoffice:1", "essential": true, "memory": 512}}}))
		w.ecs().Next("backoffice", "web", ecs.Plan{Takes: time.Millisecond})
	})
	w.commit("coupons", "Sell coupons")
	for name, repository := range map[string]string{"canary": "shop-api", "backoffice": "backoffice"} {
		w.git("", "clone", "-q", "--bare", w.path("git/acme/webshop.git"), w.path("git/acme", repository+".git"))
		w.pipeline = name
		w.begin()
	}

	w.pipeline = "canary"
	before, _ := w.functions().Alias("shop-api", "live")
	w.meanwhile("a tenth of the calls goes to the new version", func() bool {
		version, others := w.functions().Alias("shop-api", "live")
		return version == before && len(others) == 1
	})
	w.alarm("shop-api-slow", cloudwatch.Alarm)
	w.over(1, workflows.StatusFailed)
	if version, others := w.functions().Alias("shop-api", "live"); version != before || len(others) > 0 {
		t.Errorf("calls go to version %s and %v, not all to %s", version, others, before)
	}
	w.says(1, "shop-api-slow")

	w.pipeline = "backoffice"
	w.meanwhile("it waits for the night", func() bool { return w.action(1, "Production/beforeEntry:Night").Status == workflows.StatusInProgress })
	if w.calls("states:StartExecution") > 0 {
		t.Error("there is a snapshot before the night")
	}
	w.command("override", w.ref(1), "Production", "--reason", "the invoices are wrong")
	w.over(1, workflows.StatusSucceeded)
	if runs := w.ecs().Runs("backoffice", "web"); !strings.HasSuffix(runs, ":2") || w.calls("states:StartExecution") != 1 {
		t.Errorf("ECS runs %s after %d snapshots", runs, w.calls("states:StartExecution"))
	}
}

func berlin(t *testing.T) *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
