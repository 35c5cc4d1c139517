package rule

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// checkAlarms looks whether the alarm of a rule is there, or those that are watched.
func checkAlarms(ctx context.Context, c aws.Config, action *workflows.Action) error {
	names := []string{action.Configuration["AlarmName"]}
	if watched := action.Configuration[work.WatchedAlarms]; watched != "" {
		if err := json.Unmarshal([]byte(watched), &names); err != nil {
			return err
		}
	}
	all, err := describe(ctx, c, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if all[name].state == "" {
			return &runner.SettingsError{Text: "CloudWatch has no alarm " + strconv.Quote(name) + " in " + c.Region}
		}
	}
	return nil
}
