package rule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// mostAlarms is how many names DescribeAlarms takes.
const mostAlarms = 100

// alarm is what CloudWatch says of an alarm. There is an answer for each name that
// was asked about: the zero value says that there is no such alarm.
type alarm struct {
	state  types.StateValue
	reason string
}

// alarms are rules about alarms, and the watch of alarms after a success.
type alarms struct{ list *runner.List[alarm] }

func alarmKinds() []runner.Kind {
	all := &alarms{list: runner.NewList(mostAlarms, describe)}
	return []runner.Kind{{Category: "Rule", Provider: "CloudWatchAlarm", Start: all.look, Poll: all.poll, Needs: needsAlarms, Check: checkAlarms, Subject: runner.Subject{Setting: "AlarmName", Deleted: "DeleteAlarms"}}}
}

// describe asks about alarms of both types: composite ones are in the answer only where they are asked for.
func describe(ctx context.Context, c aws.Config, names []string) (map[string]alarm, error) {
	all := make(map[string]alarm, len(names))
	for _, name := range names {
		all[name] = alarm{}
	}
	api, in := cloudwatch.NewFromConfig(c), &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}, MaxRecords: aws.Int32(mostAlarms),
	}
	pages := accounts.Pages(func(token *string) (*cloudwatch.DescribeAlarmsOutput, error) {
		in.NextToken = token
		return api.DescribeAlarms(ctx, in)
	}, func(out *cloudwatch.DescribeAlarmsOutput) *string { return out.NextToken })
	for page, err := range pages {
		if err != nil {
			return nil, err
		}
		for _, one := range page.MetricAlarms {
			all[aws.ToString(one.AlarmName)] = alarm{one.StateValue, aws.ToString(one.StateReason)}
		}
		for _, one := range page.CompositeAlarms {
			all[aws.ToString(one.AlarmName)] = alarm{one.StateValue, aws.ToString(one.StateReason)}
		}
	}
	return all, nil
}

// poll looks at what a task is about: one alarm of a rule, or those that are watched.
func (l *alarms) poll(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	if a.Setting(work.WatchedAlarms) != "" {
		return l.watch(ctx, a)
	}
	return l.look(ctx, a)
}

// look judges a rule: at once when the alarm is in a state that is wanted, else
// when the rule's time of waiting has passed. Nothing begins by it, so it may be repeated.
func (l *alarms) look(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	want, err := wantedOf(a)
	if err != nil {
		return work.Outcome{}, err
	}
	now, known, err := l.list.Look(ctx, a, want.alarm)
	o := work.Outcome{State: work.Running, Handle: want.alarm, ExternalID: want.alarm, ExternalURL: page(a, want.alarm)}
	switch {
	case err != nil:
		return work.Outcome{}, err
	case !known: // others were asked about just now: this one is with the next question
		return o, nil
	case now.state == "":
		return work.Outcome{}, noSuch(a, want.alarm)
	}
	o.Summary = words(want.alarm, now)
	late := !a.Now().Before(a.Began().Add(want.wait))
	switch {
	case slices.Contains(want.atOnce, now.state), late && slices.Contains(want.atLast, now.state):
		o.State = work.Succeeded
	case late:
		f := diagnose.Rule(want.alarm, string(now.state), now.reason, a.Again())
		f.Links = append(f.Links, struct {
			Title string `json:"title"`
			URL   string `json:"url"`
		}{"the alarm", o.ExternalURL})
		o.State, o.Error = work.Failed, &workflows.Reason{Code: "ActionFailed", Message: o.Summary, Finding: &f}
	}
	return o, nil
}

// watch looks for an alarm that rings among those that are watched after a success.
func (l *alarms) watch(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	var names, missing []string
	if err := json.Unmarshal([]byte(a.Setting(work.WatchedAlarms)), &names); err != nil {
		return work.Outcome{}, &runner.SettingsError{Text: "the names of the alarms are no list: " + err.Error()}
	}
	for _, name := range names {
		now, known, err := l.list.Look(ctx, a, name)
		if err != nil {
			return work.Outcome{}, err
		}
		switch {
		case known && now.state == types.StateValueAlarm:
			o := runner.Fail(work.AlarmRang, words(name, now), nil)
			o.ExternalID, o.ExternalURL, o.Summary = name, page(a, name), o.Error.Message
			return o, a.Logf("%s", o.Summary)
		case known && now.state == "":
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return work.Outcome{}, noSuch(a, missing[0])
	}
	return work.Outcome{State: work.Running, Handle: a.Handle()}, nil
}

// words say how an alarm stands: "alarm shop-5xx is in state ALARM: Threshold Crossed".
func words(name string, now alarm) string {
	text := "alarm " + name + " is in state " + string(now.state)
	if now.reason != "" {
		text += ": " + clean.Line(now.reason)
	}
	if r := []rune(text); len(r) > 300 {
		text = string(r[:299]) + "…"
	}
	return text
}

func noSuch(a *runner.Attempt, name string) error {
	where := a.Config.Region
	if a.Place.Account != "" {
		where += " of the account " + a.Place.Account
	}
	return &runner.SettingsError{Text: "CloudWatch has no alarm " + strconv.Quote(name) + " in " + where + ": mend its name, its region or its roleArn", Missing: true}
}

// page is the console's page of an alarm.
func page(a *runner.Attempt, name string) string {
	return a.URL("cloudwatch/home", "alarmsV2:alarm/"+url.PathEscape(name))
}

// wanted is what a rule wants of its alarm.
type wanted struct {
	alarm  string
	wait   time.Duration
	atOnce []types.StateValue // are enough as soon as they are seen
	atLast []types.StateValue // are enough when the time of waiting has passed
}

// wantedOf reads a rule's settings. Without AlarmStates a rule before entry or after
// success wants the alarm quiet, one that has too little data when the time has
// passed too; a rule of onFailure wants it to ring, because its result follows then.
func wantedOf(a *runner.Attempt) (wanted, error) {
	w := wanted{alarm: a.Setting("AlarmName"), atOnce: []types.StateValue{types.StateValueOk}, atLast: []types.StateValue{types.StateValueInsufficientData}}
	if kind, _, _ := strings.Cut(a.Task.Action.Name, ":"); kind == workflows.AfterFailed {
		w.atOnce, w.atLast = []types.StateValue{types.StateValueAlarm}, nil
	}
	if text := a.Setting("WaitTime"); text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil || minutes < 0 {
			return w, &runner.SettingsError{Text: fmt.Sprintf("WaitTime cannot be %q: it is a number of minutes", text)}
		}
		w.wait = time.Duration(minutes) * time.Minute
	}
	states := strings.FieldsFunc(a.Setting("AlarmStates"), func(r rune) bool { return strings.ContainsRune(`,[]" `, r) })
	if len(states) > 0 {
		w.atOnce, w.atLast = nil, nil
	}
	for _, one := range states {
		state := types.StateValue(one)
		if !slices.Contains(state.Values(), state) {
			return w, &runner.SettingsError{Text: fmt.Sprintf("AlarmStates cannot have %q: it has ALARM, OK or INSUFFICIENT_DATA", one)}
		}
		w.atOnce = append(w.atOnce, state)
	}
	return w, nil
}

// needsAlarms: AWS tells of composite alarms only to who may look at all.
func needsAlarms(*workflows.Action, policy.Place) []policy.Statement {
	return []policy.Statement{{Sid: "LookAtAlarms", Comment: "look at alarms", Actions: []string{"cloudwatch:DescribeAlarms"}, Resources: []string{"*"}}}
}
