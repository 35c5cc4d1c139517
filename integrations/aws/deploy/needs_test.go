package deploy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What a kind says it needs is enough for a deployment, for one that fails and for
// stopping one; without any one of its statements a call is denied.
func TestTheNeedsOfDeploymentsAreEnoughAndNoMore(t *testing.T) {
	for _, c := range []struct {
		kind         func() runner.Kind
		given        func(w *runnertest.World) work.Task
		fails, stuck func(w *runnertest.World)
	}{
		{rollingKind, func(w *runnertest.World) work.Task { shop(w); return deployment(w) },
			rolls(ecs.Plan{Breaks: true, Stopped: ecs.Stop{Container: "web", ExitCode: 1, Log: []string{"no"}}}), rolls(ecs.Plan{Stuck: true})},
		{codeDeployKind, func(w *runnertest.World) work.Task { fleet(w); return onFleet(w) },
			deploys("prod", codedeploy.Plan{Code: "TIMEOUT"}), deploys("prod", codedeploy.Plan{Stuck: true})},
		{toECSKind, func(w *runnertest.World) work.Task { blueGreen(w); return toECS(w) },
			deploys("web", codedeploy.Plan{Code: "TIMEOUT"}), deploys("web", codedeploy.Plan{Stuck: true})},
	} {
		kind := c.kind()
		denied := func(t *testing.T, without string) (calls []string) {
			for _, how := range []string{"succeeds", "fails", "is stopped"} {
				runnertest.In(t, c.kind(), func(w *runnertest.World) {
					task := c.given(w)
					task.Deadline = time.Now().Add(5 * time.Minute)
					allow(w, task, without)
					switch how {
					case "succeeds":
						w.Run(task)
					case "fails":
						c.fails(w)
						w.Run(task)
					default:
						c.stuck(w)
						w.Stop(task, 30*time.Second)
					}
					for _, call := range w.AWS.Calls() {
						if strings.HasPrefix(call.Code, "AccessDenied") {
							calls = append(calls, call.Name())
						}
					}
				})
			}
			return calls
		}
		t.Run(kind.Provider, func(t *testing.T) {
			if calls := denied(t, ""); len(calls) > 0 {
				t.Errorf("denied: %v", calls)
			}
			var all []policy.Statement
			runnertest.In(t, kind, func(w *runnertest.World) { all = needsOf(w, c.given(w)) })
			for _, s := range all {
				t.Run(s.Sid, func(t *testing.T) {
					if len(denied(t, s.Sid)) == 0 {
						t.Error("nothing is denied without it")
					}
				})
			}
		})
	}
}

func rolls(p ecs.Plan) func(w *runnertest.World) {
	return func(w *runnertest.World) {
		awsfake.At[*ecs.Service](w.AWS, runnertest.Account, runnertest.Region).Next("shop", "web", p)
	}
}

func deploys(group string, p codedeploy.Plan) func(w *runnertest.World) {
	return func(w *runnertest.World) {
		awsfake.At[*codedeploy.Service](w.AWS, runnertest.Account, runnertest.Region).Next("shop", group, p)
	}
}

func needsOf(w *runnertest.World, task work.Task) []policy.Statement {
	return w.Kind.Needs(&task.Action, policy.Place{Region: runnertest.Region, Account: runnertest.Account})
}

// allow lets the role of the pipeline do what the kind needs, but for one statement.
func allow(w *runnertest.World, task work.Task, without string) {
	w.T.Helper()
	all := slices.DeleteFunc(needsOf(w, task), func(s policy.Statement) bool { return s.Sid == without })
	for i := range all {
		all[i].Sid, all[i].Conditions = "", nil // the fake knows none
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
	if err == nil {
		err = w.AWS.Policies(runnertest.Role, string(document))
	}
	if err != nil {
		w.T.Fatal(err)
	}
}
