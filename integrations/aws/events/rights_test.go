package events_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
)

// Reading takes what iam-policy prints for the queue; without a right the log names it
// and the queue. GetQueueAttributes is doctor's.
func TestReadingTakesWhatIsPrinted(t *testing.T) {
	const queue = "arn:aws:sqs:" + region + ":" + account + ":rollcall"
	printed := policy.ReadQueue(queue)
	for _, missing := range append([]string{""}, printed.Actions...) {
		in(t, func(w *world) {
			s := printed
			s.Actions = slices.DeleteFunc(slices.Clone(s.Actions), func(action string) bool { return action == missing })
			text, err := json.Marshal(policy.Document{Statements: []policy.Statement{s}})
			if err == nil {
				err = w.aws.Policies("arn:aws:iam::"+account+":user/rollcall", string(text))
			}
			if err != nil {
				t.Fatal(err)
			}
			w.aws.Send(w.queue, w.event("e1", "Pushed"))
			w.read(t, time.Minute, w.note("all", atOnce))
			works := missing == "" || missing == "sqs:GetQueueAttributes"
			if done := len(w.heard) == 1 && w.left() == 0; done != works {
				t.Errorf("without %q: heard %q, %d messages are left", missing, w.heard, w.left())
			}
			if says := strings.Contains(w.log.String(), "not authorized to perform: "+missing+" on resource: "+queue); says == works {
				t.Errorf("without %q the log says\n%s", missing, w.log.String())
			}
		})
	}
}
