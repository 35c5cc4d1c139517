package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

func lambdaKind() runner.Kind { return lambdas()[0] }

// lambdaShop makes the function "shop" with the alias "live", and new code for it; what
// is set otherwise stands in settings.
func lambdaShop(w *runnertest.World, settings map[string]string) (*lambda.Service, work.Task) {
	functions := awsfake.At[*lambda.Service](w.AWS, runnertest.Account, runnertest.Region)
	functions.Create(lambda.Function{Name: "shop", Aliases: []string{"live"}})
	sum := sha256.Sum256([]byte("the new code"))
	functions.Package(runnertest.Bucket, "app", sum)
	w.Files["app"] = map[string]string{"index.mjs": "…"}
	all := map[string]string{"FunctionName": "shop", "FunctionAlias": "live"}
	for key, value := range settings {
		if all[key] = value; value == "" {
			delete(all, key)
		}
	}
	task := w.Task(all, "app")
	task.Inputs[0].Digest = hex.EncodeToString(sum[:])
	return functions, task
}

// aliasMoves are the weights that the alias was given, and when, since the first.
func aliasMoves(w *runnertest.World) (all []string) {
	var began time.Time
	for _, c := range w.AWS.Calls() {
		if c.Name() != "lambda:UpdateAlias" || c.Code != "" || c.Status == 0 {
			continue
		}
		var in struct {
			FunctionVersion string
			RoutingConfig   struct{ AdditionalVersionWeights map[string]float64 }
		}
		if err := json.Unmarshal(c.Input, &in); err != nil {
			w.T.Fatal(err)
		}
		if began.IsZero() {
			began = c.At
		}
		to := in.FunctionVersion
		for version, share := range in.RoutingConfig.AdditionalVersionWeights {
			to += fmt.Sprintf("+%s:%.0f%%", version, share*100)
		}
		all = append(all, fmt.Sprintf("%s %s", c.At.Sub(began).Round(time.Minute), to))
	}
	return all
}

// lambdaMay says all that the action's role may.
func lambdaMay(w *runnertest.World, document string) {
	if err := w.AWS.Policies(runnertest.Role, document); err != nil {
		w.T.Fatal(err)
	}
}

// liveOn says what an alias is on, as "1" or "1+2:10%".
func liveOn(functions *lambda.Service) string {
	version, others := functions.Alias("shop", "live")
	for v, share := range others {
		version += fmt.Sprintf("+%s:%d%%", v, share)
	}
	return version
}

// Every strategy takes the alias from version 1 to 2 in its steps, also when the
// service restarts before each call.
func TestAnAliasMovesByItsStrategy(t *testing.T) {
	for strategy, want := range map[string][]string{
		"":                              {"0s 2"},
		"AllAtOnce":                     {"0s 2"},
		"Canary10Percent5Minutes":       {"0s 1+2:10%", "5m0s 2"},
		"Canary5Percent120Minutes":      {"0s 1+2:5%", "2h0m0s 2"},
		"Linear50PercentEvery1Minute":   {"0s 1+2:50%", "1m0s 2"},
		"Linear30PercentEvery10Minutes": {"0s 1+2:30%", "10m0s 1+2:60%", "20m0s 1+2:90%", "30m0s 2"},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s restart=%v", strategy, restart), func(t *testing.T) {
				runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
					functions, task := lambdaShop(w, map[string]string{"DeployStrategy": strategy})
					w.Restart = restart
					o := w.Run(task)
					if o.State != work.Succeeded || o.Outputs["FunctionVersion"] != "2" || o.Outputs["PreviousVersion"] != "1" {
						t.Fatalf("%+v %+v", o, o.Error)
					}
					if got := aliasMoves(w); !slices.Equal(got, want) || liveOn(functions) != "2" {
						t.Errorf("the alias moved %q, want %q, and is on %s", got, want, liveOn(functions))
					}
				})
			})
		}
	}
}

func TestAVersionWithoutAnAlias(t *testing.T) {
	runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
		functions, task := lambdaShop(w, map[string]string{"FunctionAlias": ""})
		if o := w.Run(task); o.State != work.Succeeded || o.Outputs["FunctionVersion"] != "2" {
			t.Errorf("%+v %+v", o, o.Error)
		}
		if liveOn(functions) != "1" || len(functions.Versions("shop")) != 2 {
			t.Errorf("the alias is on %s, the versions are %v", liveOn(functions), functions.Versions("shop"))
		}
	})
}

func TestAnAliasMovesToAVersionThatIsThere(t *testing.T) {
	runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
		functions, first := lambdaShop(w, nil)
		w.Run(first)
		task := w.Task(map[string]string{"FunctionName": "shop", "FunctionAlias": "live", "PublishedTargetVersion": "1", "DeployStrategy": "Canary10Percent5Minutes"})
		if o := w.Run(task); o.State != work.Succeeded || o.Outputs["FunctionVersion"] != "1" || liveOn(functions) != "1" {
			t.Errorf("%+v %+v, and the alias is on %s", o, o.Error, liveOn(functions))
		}
		if n := w.Called("lambda:UpdateFunctionCode"); n != 1 {
			t.Errorf("code was sent %d times", n)
		}
	})
}

// Whatever happens to one call of a deployment, the alias takes each step once and
// there is one new version.
func TestLambdaDeploymentMatrix(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: lambdaKind, Once: []string{"lambda:UpdateFunctionCode"}, Given: func(w *runnertest.World) work.Task {
		functions, task := lambdaShop(w, map[string]string{"DeployStrategy": "Canary10Percent5Minutes"})
		w.T.Cleanup(func() {
			if n := len(functions.Versions("shop")); n > 2 {
				w.T.Errorf("there are %d versions", n)
			}
			if got := aliasMoves(w); len(got) > 0 && got[0] != "0s 1+2:10%" || len(got) > 2 {
				w.T.Errorf("the alias moved %q", got)
			}
		})
		return task
	}})
}

// A process that is killed after any call goes on with what is in AWS: each step
// is taken once, and the version after it gets its full time.
func TestAnAnswerOfAnyStepIsLost(t *testing.T) {
	want := []string{"0s 1+2:25%", "1m0s 1+2:50%", "2m0s 1+2:75%", "3m0s 2"}
	for _, trouble := range []awsfake.Trouble{awsfake.CutBefore, awsfake.CutAfter} {
		for step := range want {
			t.Run(fmt.Sprintf("%s %d", trouble, step), func(t *testing.T) {
				runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
					functions, task := lambdaShop(w, map[string]string{"DeployStrategy": "Linear25PercentEvery1Minute"})
					w.Restart = true
					time.AfterFunc(time.Duration(step)*time.Minute-30*time.Second, func() {
						w.AWS.Faults(awsfake.Fault{Operation: "lambda:UpdateAlias", Trouble: trouble, Times: 1})
					})
					ended := w.Run(task)
					if ended.State != work.Succeeded || liveOn(functions) != "2" {
						t.Fatalf("%+v %+v, and the alias is on %s", ended, ended.Error, liveOn(functions))
					}
					if got := aliasMoves(w); !slices.Equal(got, want) {
						t.Errorf("the alias moved %q, want %q", got, want)
					}
				})
			})
		}
	}
}

// The time of a step goes on while AWS is away. When it is back one step is taken,
// and the one after that has its full time.
func TestAStepIsDueWhileAWSIsAway(t *testing.T) {
	runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
		_, task := lambdaShop(w, map[string]string{"DeployStrategy": "Linear25PercentEvery10Minutes"})
		time.AfterFunc(5*time.Minute, func() { w.AWS.Faults(awsfake.Fault{Trouble: awsfake.CutBefore}) })
		time.AfterFunc(25*time.Minute, func() { w.AWS.Faults() })
		o := w.Run(task)
		want := []string{"0s 1+2:25%", "25m0s 1+2:50%", "35m0s 1+2:75%", "45m0s 2"}
		if got := aliasMoves(w); o.State != work.Succeeded || !slices.Equal(got, want) {
			t.Errorf("%s: the alias moved %q, want %q", o.State, got, want)
		}
	})
}

func TestACancelledDeploymentTakesTheAliasBack(t *testing.T) {
	for after, moved := range map[time.Duration][]string{
		time.Second:      nil, // before the version is there
		3 * time.Minute:  {"0s 1+2:30%", "3m0s 1"},
		15 * time.Minute: {"0s 1+2:30%", "10m0s 1+2:60%", "15m0s 1"},
	} {
		for _, trouble := range []awsfake.Trouble{"", awsfake.CutBefore, awsfake.CutAfter, awsfake.Throttle} {
			t.Run(fmt.Sprint(after, trouble), func(t *testing.T) {
				runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
					functions, task := lambdaShop(w, map[string]string{"DeployStrategy": "Linear30PercentEvery10Minutes"})
					time.AfterFunc(after-time.Millisecond, func() {
						if trouble != "" {
							w.AWS.Faults(awsfake.Fault{Operation: "lambda:UpdateAlias", Trouble: trouble, Times: 1})
						}
					})
					o := w.Stop(task, after)
					if got := aliasMoves(w); o.State != work.Cancelled || liveOn(functions) != "1" || !slices.Equal(got, moved) {
						t.Errorf("%s %q: the alias moved %q, want %q, and is on %s", o.State, o.Summary, got, moved, liveOn(functions))
					}
				})
			})
		}
	}
}

// What ends a deployment is said in words, with what to do, and leaves the alias where it was.
func TestWhyADeploymentFails(t *testing.T) {
	for name, c := range map[string]struct {
		settings    map[string]string
		given       func(w *runnertest.World, f *lambda.Service, t *work.Task)
		code, says  string
		class, does string
	}{
		"the code cannot be run": {given: func(_ *runnertest.World, f *lambda.Service, _ *work.Task) {
			f.Fail("shop", "InvalidRuntime", "the runtime nodejs12 is not supported")
		}, code: "InvalidRuntime", says: "the function shop cannot run the new code: the runtime nodejs12", class: "Validation", does: "then: rollcall retry webshop#42"},
		"its role lacks a right": {given: func(_ *runnertest.World, f *lambda.Service, _ *work.Task) {
			f.Fail("shop", "InsufficientRolePermissions", "the role may not create network interfaces")
		}, code: "InsufficientRolePermissions", says: "may not create network interfaces", class: "AccessDenied", does: "give the function's role"},
		"there is no such alias":   {settings: map[string]string{"FunctionAlias": "beta"}, code: "ResourceNotFound", says: "Cannot find alias", class: "NotFound"},
		"there is no such version": {settings: map[string]string{"PublishedTargetVersion": "7"}, code: "ResourceNotFound", says: "Function not found", class: "NotFound"},
		"the artifact is gone":     {given: func(w *runnertest.World, _ *lambda.Service, _ *work.Task) { delete(w.Files, "app") }, code: "ArtifactMissing", says: "the artifact app is not at"},
		"a container image": {given: func(_ *runnertest.World, f *lambda.Service, _ *work.Task) {
			f.Create(lambda.Function{Name: "shop", Aliases: []string{"live"}, Image: true})
		}, code: "ConfigurationInvalid", says: "is a container image"},
		"a strategy that there is not": {settings: map[string]string{"DeployStrategy": "Canary0Percent5Minutes"}, code: "ConfigurationInvalid", says: "Canary0Percent5Minutes is none of"},
		"a strategy of three days":     {settings: map[string]string{"DeployStrategy": "Linear10PercentEvery480Minutes"}, code: "ConfigurationInvalid", says: "longer than 2 days"},
		"a strategy without an alias":  {settings: map[string]string{"FunctionAlias": "", "DeployStrategy": "AllAtOnce"}, code: "ConfigurationInvalid", says: "need a FunctionAlias"},
		"nothing to deploy": {given: func(_ *runnertest.World, _ *lambda.Service, t *work.Task) {
			t.Action.InputArtifacts, t.Inputs = nil, nil
		}, code: "ConfigurationInvalid", says: "there is nothing to deploy"},
		"the role may not": {given: func(w *runnertest.World, _ *lambda.Service, _ *work.Task) {
			lambdaMay(w, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:Get*"],"Resource":"*"}]}`)
		}, code: "AccessDenied", says: "lambda:UpdateFunctionCode", class: "AccessDenied", does: "add the statement to the policy of " + runnertest.Role},
		"somebody sends other code": {given: func(w *runnertest.World, f *lambda.Service, _ *work.Task) {
			time.AfterFunc(2*time.Second, func() { f.Overwrite("shop") })
		}, code: "PreconditionFailed", says: "somebody else gave the function shop other code"},
		"somebody moves the alias": {settings: map[string]string{"DeployStrategy": "Canary10Percent5Minutes"}, given: func(w *runnertest.World, f *lambda.Service, _ *work.Task) {
			time.AfterFunc(2*time.Minute, func() { f.Move("shop", "live", "1") })
		}, code: "ExternallyChanged", says: "it is on version 1 now, and is left so", class: "Conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
				functions, task := lambdaShop(w, c.settings)
				if c.given != nil {
					c.given(w, functions, &task)
				}
				o := w.Run(task)
				lambdaFails(t, o, c.code, c.says, c.class, c.does)
				if liveOn(functions) != "1" {
					t.Errorf("the alias is on %s", liveOn(functions))
				}
			})
		})
	}
}

// lambdaFails compares how an action failed.
func lambdaFails(t *testing.T, o work.Outcome, code, says, class, does string) {
	t.Helper()
	if o.State != work.Failed || o.Error == nil || o.Error.Code != code || !strings.Contains(o.Error.Message, says) {
		t.Fatalf("%s %+v, want %s with %q", o.State, o.Error, code, says)
	}
	f := o.Error.Finding
	switch {
	case class == "":
	case f == nil || f.Class != class:
		t.Errorf("the finding is %+v, want class %s", f, class)
	case !strings.Contains(strings.Join(f.Fix, "\n"), does):
		t.Errorf("the fixes are %q, want %q", f.Fix, does)
	}
}

// Another update of the function, or another deployment on the alias, is waited for.
func TestADeploymentWaitsForAnother(t *testing.T) {
	runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
		functions, task := lambdaShop(w, nil)
		functions.Overwrite("shop")
		if o := w.Run(task); o.State != work.Succeeded || liveOn(functions) != "2" {
			t.Errorf("%+v %+v", o, o.Error)
		}
	})
}

func TestStrategies(t *testing.T) {
	for text, want := range map[string][]int{
		"AllAtOnce": {100}, "Canary10Percent5Minutes": {10, 100}, "Canary99Percent1Minute": {99, 100}, "Linear33PercentEvery1Minute": {33, 66, 99, 100},
	} {
		s, err := parseStrategy(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for weight := 0; weight < 100; {
			weight = s.after(weight)
			got = append(got, weight)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"Canary", "Canary10Percent", "Canary100Percent5Minutes", "Canary10PercentEvery5Minutes", "Linear10Percent5Minutes", "Linear10PercentEvery0Minutes", "Linear10PercentEvery5Hours", "allatonce", "Canary10Percent2881Minutes", "Linear1PercentEvery30Minutes"} {
		if _, err := parseStrategy(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// The role needs what the action calls and nothing else: with the printed rights a
// deployment runs, and each of them is missed.
func TestLambdaNeedsWhatItCalls(t *testing.T) {
	action := &workflows.Action{Configuration: map[string]string{"FunctionName": "shop", "FunctionAlias": "live"}}
	needs := lambdaNeeds(action, policy.Place{Region: runnertest.Region, Account: runnertest.Account, Artifacts: policy.Store{Bucket: runnertest.Bucket}})
	for _, without := range append(slices.Clone(needs[1].Actions), "") {
		runnertest.In(t, lambdaKind(), func(w *runnertest.World) {
			_, task := lambdaShop(w, nil)
			one := needs[1]
			one.Actions = slices.DeleteFunc(slices.Clone(one.Actions), func(a string) bool { return a == without })
			text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{one, needs[0]}})
			if err != nil {
				t.Fatal(err)
			}
			lambdaMay(w, string(text))
			o := w.Run(task)
			if without == "" && o.State != work.Succeeded {
				t.Errorf("with all rights: %+v", o.Error)
			}
			if without != "" && (o.State != work.Failed || !strings.Contains(o.Error.Message, without)) {
				t.Errorf("without %s: %s %+v", without, o.State, o.Error)
			}
		})
	}
}

// The policy says that Lambda reads the artifact in the role's name.
func TestWhatAFunctionsDeploymentNeeds(t *testing.T) {
	at := policy.Place{Region: runnertest.Region, Account: runnertest.Account}
	at.Artifacts.Bucket = runnertest.Bucket
	if needs := lambdaNeeds(&workflows.Action{}, at); needs[0].Sid != "ReadArtifacts" {
		t.Errorf("%+v", needs)
	}
	if needs := lambdaNeeds(&workflows.Action{Configuration: map[string]string{"PublishedTargetVersion": "7"}}, at); len(needs) != 1 {
		t.Errorf("%+v", needs)
	}
}
