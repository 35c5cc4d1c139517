package slack_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// C11: a decision is made at once, however long the answers to earlier requests
// wait for Slack: those of the same person, and those of everybody else.
func TestADecisionDoesNotWaitForAnEarlierAnswer(t *testing.T) {
	for name, trouble := range map[string]fault.Fault{"Slack hangs": {Delay: 20 * time.Second}, "Slack fails": {Status: 500}, "Slack hangs up": {Cut: true}, "Slack limits": {Status: 429, RetryAfter: 20 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, leave := office(t)
				defer leave()
				d.bot.handled = make(chan bot.Request, 10_000)
				begun := make(chan time.Duration, 100)
				start := time.Now()
				d.bot.handle = func(ctx context.Context, r bot.Request) error {
					if r.Command.Text == "rollback" {
						begun <- time.Since(start)
					}
					return d.client.PostEphemeral(ctx, r.Reply, bot.Message{Text: "answer to " + r.Command.Text})
				}
				// Who they are is known: Slack went away after that.
				d.command(t, d.ana, "hello")
				for i := range 40 {
					u := d.AddUser(slackfake.User{Name: fmt.Sprint("p", i), Email: fmt.Sprintf("p%d@acme.example", i)})
					d.command(t, u, "hello")
				}
				for range 41 {
					d.next(t)
				}
				for _, method := range []string{slackfake.ResponseURLs, "chat.postEphemeral", "conversations.open", "chat.postMessage"} {
					d.Faults.Add(slackfake.On(method, trouble))
				}
				start = time.Now()
				for _, u := range d.Users() {
					if len(u.Name) > 1 && u.Name[0] == 'p' {
						d.command(t, u, "status")
					}
				}
				d.command(t, d.ana, "status")
				d.command(t, d.ana, "rollback")
				select {
				case late := <-begun:
					if late > time.Second {
						t.Errorf("the rollback began after %v", late)
					}
				case <-time.After(time.Minute):
					t.Error("the rollback did not begin")
				}
				time.Sleep(20 * time.Second)
				d.Faults.Set()
				time.Sleep(2 * time.Minute)
				said := 0
				for _, m := range d.Ephemerals(d.ana.ID) {
					if m.Text == "answer to rollback" {
						said++
					}
				}
				for _, m := range d.Direct(d.ana.ID) {
					if m.Text == "answer to rollback" {
						said++
					}
				}
				if said == 0 {
					t.Error("once Slack is back the answer is given")
				}
			})
		})
	}
}
