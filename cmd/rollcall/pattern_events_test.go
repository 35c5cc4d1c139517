package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// eventsOfPatterns is the queue that EventBridge's events go to.
const eventsOfPatterns = "rollcall-events"

// toldFor is how often an event is repeated: rollcall may not know yet what it is about, and nothing comes of it then.
const toldFor = 20

// tells has AWS tell of builds, stacks and services in which something happens, as EventBridge does, ten times a second.
// rollcall asks about them at once, so that no test waits for the next time that it would ask by itself.
func (w *patternFixture) tells() {
	queue, over := w.aws.Queue(awsAccount, awsRegion, eventsOfPatterns), make(chan struct{})
	w.t.Cleanup(func() { close(over) })
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		heard, builds, left := 0, map[string]bool{}, map[string]int{}
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			calls := w.aws.Calls()
			for _, c := range calls[heard:] {
				var in struct{ StackName, Cluster, Service string }
				if json.Unmarshal(c.Input, &in) != nil {
					continue
				}
				switch c.Operation {
				case "CreateChangeSet", "ExecuteChangeSet":
					left[news("CloudFormation Stack Status Change", c.Account, "stack-id", "arn:aws:cloudformation:"+awsRegion+":"+c.Account+":stack/"+in.StackName+"/0")] = toldFor
				case "UpdateService":
					left[news("ECS Service Action", c.Account, "", "arn:aws:ecs:"+awsRegion+":"+c.Account+":service/"+in.Cluster+"/"+in.Service)] = toldFor
				}
			}
			heard = len(calls)
			for _, account := range append(slices.Collect(maps.Values(accountsOfExample())), awsAccount) {
				for _, id := range w.aws.CodeBuild(account, awsRegion).Started() {
					if event := news("CodeBuild Build State Change", account, "build-id", "arn:aws:codebuild:"+awsRegion+":"+account+":build/"+id); !builds[id] {
						builds[id], left[event] = true, toldFor
					}
				}
			}
			for event, times := range left {
				w.aws.Send(queue, event)
				if left[event]--; times <= 1 {
					delete(left, event)
				}
			}
		}
	}()
}

// news is an event about a thing, which its detail names by that key, or which is its resource.
func news(kind, account, key, thing string) string {
	return fmt.Sprintf(`{"version": "0", "id": %[1]q, "detail-type": %[2]q, "source": "aws.events-of-patterns", "account": %[3]q, "region": %[4]q, "time": "2026-03-02T09:00:00Z", "resources": [%[1]q], "detail": {%[5]q: %[1]q}}`, thing, kind, account, awsRegion, key)
}
