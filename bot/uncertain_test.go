package bot_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// A rollback that fails leaves nobody knowing what Production runs: its owners are
// mentioned once, in the channel, with the ways out.
func TestAFailedRollbackCallsTheOwners(t *testing.T) {
	for name, tt := range map[string]struct{ file, mentioned string }{
		"owners": {strings.Replace(shop, "channel:", "owners: [cho@acme.example]\nchannel:", 1), "U0CHO"},
		"admins": {shop, "U0ANA"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, tt.file, func(t *testing.T, h *fixture) {
				h.released("1")
				h.released("2")
				h.fails.only("3")
				h.says(h.cho, "rollback webshop Production #1 checkout is down")
				m := h.reads("rollcall_failure", "3", "What Production runs is unknown", "The rollback to #1, webshop #3, failed (Deploy: exit status 1)",
					"Retry it, or roll back again.", "web-3 answers", "Known last: #2")
				if !m.Broadcast || !strings.Contains(string(m.Blocks), `\u003c@`+tt.mentioned+`\u003e`) {
					t.Errorf("broadcast %v, mentions:\n%s", m.Broadcast, m.Blocks)
				}
				if got := buttons(m); !slices.Equal(got, []string{"retry", "rollback", "logs"}) {
					t.Errorf("it offers %v", got)
				}

				// Told once, also when it went well in the end.
				h.fails.only("")
				h.clicks(h.cho, m, "retry")
				h.reads("rollcall_execution", "3", "rolled back Production to #1")
				told := 0
				for _, m := range h.posted("#webshop") {
					if m.Metadata != nil && m.Metadata.Type == "rollcall_failure" {
						told++
					}
				}
				if told != 1 {
					t.Errorf("told %d times", told)
				}
			})
		})
	}
}

// A rollback that failed while it is known what runs calls nobody.
func TestARollbackThatFailedBeforeItDeployed(t *testing.T) {
	for _, certain := range []bool{true, false} {
		s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
		e := steps()[1].execution
		e.Status, e.Rollback = workflows.StatusFailed, &workflows.Rollback{Target: "e0", TargetNumber: 1}
		e.Stages = []workflows.StageExecution{{Name: "Production", Status: workflows.StatusFailed}}
		s.executions[e1] = e
		s.pipeline.Stages = []workflows.StageView{{Name: "Production", LatestExecution: &workflows.LatestIn{Execution: e1}, Running: &workflows.Running{Number: 1, Certain: certain}}}
		o := newOutside()
		if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.StageFailed))); err != nil {
			t.Fatal(err)
		}
		if all := o.of("rollcall_failure"); len(all) != 1 || strings.Contains(all[0], "is unknown") == certain {
			t.Errorf("known %v: %s", certain, all)
		}
	}
}
