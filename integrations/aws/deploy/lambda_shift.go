package deploy

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	mostAlarms  = 10               // that a deployment watches
	alarmsEvery = 15 * time.Second // they are looked at while calls go to the new version
	mostSaid    = 300              // characters of what AWS said that a handle keeps
	longestMove = 48 * time.Hour   // that a strategy may take
)

// strategy is how an alias moves to another version.
type strategy struct {
	percent int           // of the first step; linear: of each
	every   time.Duration // between two steps
	linear  bool
}

// parseStrategy reads CodePipeline's words: AllAtOnce, Canary10Percent5Minutes,
// Linear10PercentEvery1Minute.
func parseStrategy(text string) (s strategy, err error) {
	if text == "" || text == "AllAtOnce" {
		return strategy{percent: 100}, nil
	}
	wrong := &runner.SettingsError{Text: "DeployStrategy " + text + " is none of AllAtOnce, CanaryXPercentYMinutes and LinearXPercentEveryYMinutes"}
	rest, canary := strings.CutPrefix(text, "Canary")
	between := "Percent"
	if !canary {
		if rest, s.linear = strings.CutPrefix(text, "Linear"); !s.linear {
			return s, wrong
		}
		between = "PercentEvery"
	}
	percent, minutes, ok := strings.Cut(rest, between)
	minutes, isMinutes := strings.CutSuffix(strings.TrimSuffix(minutes, "s"), "Minute")
	p, errP := strconv.Atoi(percent)
	m, errM := strconv.Atoi(minutes)
	if !ok || !isMinutes || errP != nil || errM != nil || p < 1 || p > 99 || m < 1 {
		return s, wrong
	}
	s.percent, s.every = p, time.Duration(m)*time.Minute
	if steps := (100+p-1)/p - 1; s.every > longestMove || s.linear && time.Duration(steps)*s.every > longestMove {
		return s, &runner.SettingsError{Text: "DeployStrategy " + text + " takes longer than 2 days, which is the most there is"}
	}
	return s, nil
}

// after is the percentage that follows another.
func (s strategy) after(weight int) int {
	switch {
	case weight == 0:
		return s.percent
	case s.linear:
		return min(weight+s.percent, 100)
	}
	return 100
}

// alias reads the alias, and how much of it is on the version that is deployed.
// known: it is between the two versions of this deployment, and nowhere else.
func (r release) alias(ctx context.Context, a *runner.Attempt) (is *lambda.GetAliasOutput, weight int, known bool, err error) {
	name, alias := a.Setting("FunctionName"), a.Setting("FunctionAlias")
	is, err = lambda.NewFromConfig(a.Config).GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &name, Name: &alias})
	if err != nil {
		return nil, 0, false, err
	}
	var others map[string]float64
	if is.RoutingConfig != nil {
		others = is.RoutingConfig.AdditionalVersionWeights
	}
	share, shifts := others[r.Target]
	switch main := aws.ToString(is.FunctionVersion); {
	case main == r.Target && len(others) == 0:
		return is, 100, true, nil
	case main == r.From && len(others) == 0:
		return is, 0, true, nil
	case main == r.From && len(others) == 1 && shifts:
		return is, int(math.Round(share * 100)), true, nil
	}
	return is, 0, false, nil
}

// set gives the alias that percentage of the new version, if it still is as it was read.
func (r release) set(ctx context.Context, a *runner.Attempt, is *lambda.GetAliasOutput, weight int) error {
	in := &lambda.UpdateAliasInput{FunctionName: aws.String(a.Setting("FunctionName")), Name: aws.String(a.Setting("FunctionAlias")), RevisionId: is.RevisionId,
		FunctionVersion: &r.From, RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}}}
	switch {
	case weight >= 100:
		in.FunctionVersion = &r.Target
	case weight > 0:
		in.RoutingConfig.AdditionalVersionWeights[r.Target] = float64(weight) / 100
	}
	_, err := lambda.NewFromConfig(a.Config).UpdateAlias(ctx, in)
	return err
}

// raced says that the alias was changed between reading and setting it: by
// somebody else, or by the call whose answer was lost. The next look says which.
func raced(err error) bool {
	return runner.Code(err) == "PreconditionFailed" || runner.Code(err) == "ResourceConflict"
}

// shift takes the move of the alias one step further when it is time for it.
func (r release) shift(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	plan, err := strategyOf(a)
	if err != nil {
		return work.Outcome{}, err
	}
	is, weight, known, err := r.alias(ctx, a)
	switch {
	case err != nil:
		return work.Outcome{}, err
	case !known, weight != r.Weight && weight != plan.after(r.Weight) && weight != 100:
		return r.displaced(a, is), nil
	case weight == 100:
		return r.succeeded(a, r.moved(a)), nil
	case weight != r.Weight: // a step whose answer nobody heard
		r.Weight, r.Since = weight, a.Now()
		return r.running(a, time.Millisecond), nil
	}
	if why, err := r.alarmed(ctx, a); err != nil {
		return work.Outcome{}, err
	} else if why != nil {
		if r.Abort = why; r.Weight == 0 {
			return r.aborted(a, "before any call went to version "+r.Target), nil
		}
		return r.running(a, time.Millisecond), a.Logf("%s: the alias goes back to version %s", why.Text, r.From)
	}
	if rest := r.Since.Add(plan.every).Sub(a.Now()); r.Weight > 0 && rest > 0 {
		if len(alarmsOf(a)) > 0 {
			rest = min(rest, alarmsEvery)
		}
		return r.running(a, rest), nil
	}
	next := plan.after(r.Weight)
	if err := r.set(ctx, a, is, next); raced(err) {
		return r.running(a, time.Second), nil
	} else if err != nil {
		return r.refused(a, err)
	}
	r.Weight, r.Since = next, a.Now()
	if err := a.Logf("%d %% of the calls of %s go to version %s", next, a.Setting("FunctionAlias"), r.Target); err != nil || next < 100 {
		return r.running(a, min(plan.every, alarmsEvery)), err
	}
	o := r.succeeded(a, r.moved(a))
	o.EndedAt = a.Now()
	return o, nil
}

func (r release) moved(a *runner.Attempt) string {
	return fmt.Sprintf("the alias %s moved from version %s to %s", a.Setting("FunctionAlias"), r.From, r.Target)
}

// refused has the alias go back when AWS does not let it be moved further.
func (r release) refused(a *runner.Attempt, err error) (work.Outcome, error) {
	class := accounts.Classify(err)
	if r.Weight == 0 || class != accounts.Denied && class != accounts.Refused {
		return work.Outcome{}, err
	}
	code, said := accounts.Words(err)
	r.Abort = &abort{Code: code, Text: cut(said)}
	return r.running(a, time.Millisecond), a.Logf("AWS refuses the next step: %s", said)
}

// displaced is the outcome when somebody else has moved the alias.
func (r release) displaced(a *runner.Attempt, is *lambda.GetAliasOutput) work.Outcome {
	now := "version " + aws.ToString(is.FunctionVersion)
	if is.RoutingConfig != nil {
		for version, share := range is.RoutingConfig.AdditionalVersionWeights {
			now += fmt.Sprintf(" with %.0f %% on version %s", share*100, version)
		}
	}
	text := fmt.Sprintf("somebody else moved the alias %s while version %s was rolled out: it is on %s now, and is left so", a.Setting("FunctionAlias"), r.Target, now)
	return runner.Fail("ExternallyChanged", text, displaced(a, text))
}

func cut(s string) string {
	if all := []rune(clean.Line(s)); len(all) > mostSaid {
		return string(all[:mostSaid-1]) + "…"
	}
	return clean.Line(s)
}

// alarmed is why an alarm ends the deployment; nil: none does.
func (r release) alarmed(ctx context.Context, a *runner.Attempt) (*abort, error) {
	names := alarmsOf(a)
	if len(names) == 0 {
		return nil, nil
	}
	out, err := cloudwatch.NewFromConfig(a.Config).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: names,
		AlarmTypes: []cloudwatchtypes.AlarmType{cloudwatchtypes.AlarmTypeMetricAlarm, cloudwatchtypes.AlarmTypeCompositeAlarm}})
	if err != nil {
		if class := accounts.Classify(err); r.Weight > 0 && (class == accounts.Denied || class == accounts.Refused) {
			code, said := accounts.Words(err)
			return &abort{Code: code, Text: cut("the alarms cannot be looked at: " + said)}, nil
		}
		return nil, err
	}
	states, reasons := map[string]cloudwatchtypes.StateValue{}, map[string]string{}
	for _, one := range out.MetricAlarms {
		states[aws.ToString(one.AlarmName)], reasons[aws.ToString(one.AlarmName)] = one.StateValue, aws.ToString(one.StateReason)
	}
	for _, one := range out.CompositeAlarms {
		states[aws.ToString(one.AlarmName)], reasons[aws.ToString(one.AlarmName)] = one.StateValue, aws.ToString(one.StateReason)
	}
	for _, name := range names {
		state, there := states[name]
		if !there {
			return &abort{Code: "AlarmNotFound", Text: "there is no alarm " + name + " in " + a.Config.Region}, nil
		}
		if state == cloudwatchtypes.StateValueAlarm {
			return &abort{Alarm: name, Text: cut(strings.TrimSuffix("the alarm "+name+" rang: "+reasons[name], ": "))}, nil
		}
	}
	return nil, nil
}

func alarmsOf(a *runner.Attempt) []string { return splitAlarms(a.Setting("Alarms")) }

func splitAlarms(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// back takes the alias back to the version it had. It leaves alone what somebody else has made of it.
func (r release) back(ctx context.Context, a *runner.Attempt) (how string, err error) {
	is, weight, known, err := r.alias(ctx, a)
	switch {
	case err != nil:
		return "", err
	case !known:
		return fmt.Sprintf("somebody else has moved the alias %s meanwhile: it is left so", a.Setting("FunctionAlias")), nil
	case weight > 0:
		if err := r.set(ctx, a, is, 0); err != nil {
			return "", err
		}
		if err := a.Logf("the alias %s is back on version %s", a.Setting("FunctionAlias"), r.From); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("the alias %s is back on version %s", a.Setting("FunctionAlias"), r.From), nil
}

// goBack ends a deployment for which that was decided.
func (r release) goBack(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	how, err := r.back(ctx, a)
	class := accounts.Class("")
	if err != nil {
		class = accounts.Classify(err)
	}
	switch {
	case raced(err):
		return r.running(a, time.Second), nil
	case class == accounts.Denied, class == accounts.Refused:
		_, said := accounts.Words(err)
		how = fmt.Sprintf("and AWS does not let the alias %s go back, so %d %% of it are still on version %s: %s", a.Setting("FunctionAlias"), r.Weight, r.Target, said)
	case err != nil:
		return work.Outcome{}, err
	}
	return r.aborted(a, how), nil
}

// aborted is the outcome of a deployment that was given up.
func (r release) aborted(a *runner.Attempt, how string) work.Outcome {
	why := *r.Abort
	text := why.Text + "; " + how
	if why.Alarm != "" {
		f := diagnose.Alarm(why.Alarm, why.Text, how, a.Again())
		return runner.Fail("AlarmActive", text, &f)
	}
	f := diagnose.Explain(diagnose.Failure{Service: "Lambda deployment", Code: why.Code, Message: why.Text, Again: a.Again()})
	return runner.Fail(why.Code, text, &f)
}

// cancelled says how far a cancel has come. It moves nothing.
func (r release) cancelled(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	if r.Target == "" || a.Setting("FunctionAlias") == "" || r.From == r.Target {
		return work.Outcome{State: work.Failed, Summary: "no alias was moved; the function keeps the new code"}, nil
	}
	_, weight, known, err := r.alias(ctx, a)
	switch {
	case err != nil:
		return work.Outcome{}, err
	case known && weight > 0:
		return r.running(a, time.Second), nil
	}
	return work.Outcome{State: work.Failed, Summary: fmt.Sprintf("the alias %s is on version %s", a.Setting("FunctionAlias"), r.From)}, nil
}

func cancelLambda(ctx context.Context, a *runner.Attempt) error {
	r, err := releaseOf(a)
	if err != nil {
		return err
	}
	if _, err = r.back(ctx, a); raced(err) {
		return nil // the poll that follows says that it is not back, and it is tried again
	}
	return err
}
