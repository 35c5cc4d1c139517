package card_test

import (
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/workflows"
)

// answering is webshop#46, which takes Production back to #42 after #45 failed there:
// its log says why, and there is a ticket.
func answering(s workflows.Status) card.View {
	v := view(back(s, workflows.TriggerAutomated), live(id42, id46))
	v.Execution.Rollback.LeftExecution, v.Execution.Rollback.Reason = id42, "webshop#45 failed"
	f := failed([]string{"+ make deploy", "the shop answers 500 <!channel>", "exit status 1"})
	f.Execution.Notes = []workflows.Note{{Name: "ticket", State: "done", Text: "OPS-12", URL: "https://acme.example/browse/OPS-12"}}
	v.Failed = &f
	return v
}

func answers() []drawing {
	plain := answering(workflows.StatusSucceeded)
	plain.Failed.Tail.Lines, plain.Failed.Execution.Notes = nil, nil
	return []drawing{
		message("rollback-answers-running", card.Execution(answering(workflows.StatusInProgress))),
		message("rollback-answers", card.Execution(answering(workflows.StatusSucceeded))),
		message("rollback-answers-without-a-log", card.Execution(plain)),
		message("rollback-answers-failed", card.Execution(answering(workflows.StatusFailed))),
		message("rollback-answers-announced", card.Announcement(answering(workflows.StatusSucceeded), "Production")),
		message("rollback-alarm-done", card.Execution(view(backForAlarm(workflows.StatusSucceeded), live(id42, id46)))),
	}
}

// The failure that an automatic rollback answers is not seen in the channel: its card
// says what failed, and so does the notification. What was taken up again has not failed.
func TestAnAutomaticRollbackSaysWhatFailed(t *testing.T) {
	v := answering(workflows.StatusSucceeded)
	m := card.Execution(v)
	if want := "↩️ webshop #46: Production back on #42, #45 failed: Deploy: the shop answers 500 &lt;!channel&gt; (exit status 1)"; m.Text != want {
		t.Errorf("the notification says %s, want %s", m.Text, want)
	}
	text := rendered(message("", m))
	for _, want := range []string{"Production was rolled back automatically: #45 → #42", "#45 failed: Deploy: the shop answers 500", "|OPS-12>", "[Logs] logs"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card does not say %q:\n%s", want, text)
		}
	}
	v.Failed.Execution.Status = workflows.StatusInProgress
	if text := rendered(message("", card.Execution(v))); !strings.Contains(text, "Reason: webshop#45 failed") || strings.Contains(text, "answers 500") {
		t.Errorf("of what runs again it says:\n%s", text)
	}
}
