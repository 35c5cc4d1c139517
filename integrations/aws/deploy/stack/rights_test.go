package stack

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a stack is enough in each action mode, and nothing of
// it is too much.
func TestRightsOfStacks(t *testing.T) {
	with := func(mode, template string, settings map[string]string, before ...func(f *cloudformation.Service)) func(w *runnertest.World) work.Task {
		return func(w *runnertest.World) work.Task {
			for _, f := range before {
				f(stacks(w))
			}
			t := task(w, mode, template, settings)
			w.Files["app"]["config.json"] = `{"StackPolicy": {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}}`
			return t
		}
	}
	executing := map[string]string{"RoleArn": exec, "TemplateConfiguration": "app::config.json"}
	planned := map[string]string{"ChangeSetName": "release", "RoleArn": exec}
	ready := func(w *runnertest.World) work.Task { prepared(w); return task(w, changeSetExecute, "", planned) }
	long := strings.Replace(two, "{", "{"+strings.Repeat(" ", largestBody), 1)
	stopped := func(after time.Duration, given func(w *runnertest.World) work.Task) runnertest.Way {
		return runnertest.Way{Name: "a stop", Ends: work.Cancelled, Given: given, After: after}
	}
	const whileItChanges = 9 * time.Second
	unversioned := func(mode string, settings map[string]string) runnertest.Way {
		return runnertest.Way{Name: "a bucket without versions", Ends: work.Succeeded, Given: func(w *runnertest.World) work.Task {
			w.S3.Create(s3.Bucket{Name: runnertest.Bucket, Owner: runnertest.Account, Region: runnertest.Region, Unversioned: true})
			return with(mode, long, settings)(w)
		}}
	}
	for name, c := range map[string]runnertest.Case{
		createUpdate: {Given: with(createUpdate, long, executing, have(one)), Ways: []runnertest.Way{
			stopped(whileItChanges, with(createUpdate, two, executing, have(one))), stopped(whileItChanges, with(createUpdate, two, executing)),
			unversioned(createUpdate, executing)}},
		replaceOnFailure: {Given: with(replaceOnFailure, long, executing, broken("ROLLBACK_COMPLETE")), Ways: []runnertest.Way{
			stopped(whileItChanges, with(replaceOnFailure, two, executing, have(one))), stopped(2*time.Second, with(replaceOnFailure, two, executing, have(one))), unversioned(replaceOnFailure, executing)}},
		deleteOnly:       {Given: with(deleteOnly, "", executing, have(one))},
		changeSetReplace: {Given: func(w *runnertest.World) work.Task { prepared(w); return task(w, changeSetReplace, long, planned) }, Ways: []runnertest.Way{unversioned(changeSetReplace, planned)}},
		changeSetExecute: {Given: ready, Ways: []runnertest.Way{
			stopped(whileItChanges, func(w *runnertest.World) work.Task { prepare(w, two); return task(w, changeSetExecute, "", planned) }),
			{Name: "nothing to change", Ends: work.Succeeded, Given: func(w *runnertest.World) work.Task {
				stacks(w).Have("shop", two, nil)
				prepare(w, two)
				return task(w, changeSetExecute, "", planned)
			}}}},
	} {
		c.Kind = kindOfStacks
		t.Run(name, func(t *testing.T) { runnertest.Rights(t, c) })
	}
}

// prepare has another action make the change set release of the stack shop.
func prepare(w *runnertest.World, template string) {
	first := task(w, changeSetReplace, template, release)
	first.ID = "another"
	if o := w.Run(first); o.State != work.Succeeded {
		w.T.Fatalf("%s %+v", o.State, o.Error)
	}
}
