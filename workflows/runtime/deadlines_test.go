package runtime_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// A pipeline is looked at again for the deadline that is left when another one,
// for which it was to be looked at first, is of no interest any more.
func TestTheLaterDeadlineIsMetToo(t *testing.T) {
	play(t, func(w *world) {
		w.outside.acts(func() {
			w.outside.answer = func(one work.Task) (work.Outcome, error) {
				if one.Action.Name == "Long" {
					return work.Outcome{State: work.Running, Handle: "h", PollAfter: 100 * time.Hour}, nil
				}
				return succeeded(one), nil
			}
		})
		w.boot()
		w.define(`
name: webshop
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "https://git.example/shop.git", BranchName: main}, outputArtifacts: [app]}]
  - name: Build
    actions:
      - {name: Short, provider: Commands, commands: ["true"], timeoutInMinutes: 5}
      - {name: Long, provider: Commands, commands: ["true"], timeoutInMinutes: 60}
`)
		w.begin("webshop")
		pass(59 * time.Minute)
		w.status("webshop#1", workflows.StatusInProgress)
		pass(2 * time.Minute)
		w.status("webshop#1", workflows.StatusFailed)
	})
}
