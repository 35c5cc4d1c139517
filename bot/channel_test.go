package bot_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// channelShows are the kinds of the messages that whoever looks at the channel
// sees there: top level and broadcast, oldest first.
func (h *fixture) channelShows() (kinds []string) {
	for _, m := range h.Messages("#webshop") {
		if m.Metadata != nil && (m.Thread == "" || m.Broadcast) {
			kinds = append(kinds, strings.TrimPrefix(m.Metadata.Type, "rollcall_"))
		}
	}
	return kinds
}

// in waits until the thread of an execution's card holds a message of a kind.
func (h *fixture) inThread(kind, number string) slackfake.Message {
	h.t.Helper()
	m := h.reads(kind, number)
	if m.Thread == "" || m.Broadcast {
		h.t.Errorf("the channel sees %s of #%s: %s", kind, number, m.Text)
	}
	return m
}

// A normal release leaves two messages in the channel: the card, and the question
// that becomes the announcement.
func TestANormalReleaseLeavesTwoMessages(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		h.inThread("rollcall_announcement", "1")
		h.reads("rollcall_gate", "1", "webshop #1 is in Production* · approved by @", "@ana", "@cho")
		if got, want := h.channelShows(), []string{"execution", "gate"}; !slices.Equal(got, want) {
			t.Errorf("the channel shows %v, want %v", got, want)
		}
		h.released("2")
		if gate := h.reads("rollcall_gate", "2", "webshop #2 is in Production*"); !slices.Contains(buttons(gate), "rollback") {
			t.Errorf("the announcement of what is live offers %v", buttons(gate))
		}
		h.until("the first one is not live any more", func() bool { return strings.Contains(h.channel(), "webshop #1 was in Production*") })
	})
}

func TestAReleaseWithoutAGateLeavesTwoMessages(t *testing.T) {
	open := strings.Replace(shop, "      - {name: SignOff, provider: Manual, approval: {from: [ana@acme.example, cho@acme.example], required: 2}, timeoutInMinutes: 600}\n", "", 1)
	story(t, open, func(t *testing.T, h *fixture) {
		h.says(h.ben, "start webshop")
		told := h.reads("rollcall_announcement", "1", "webshop #1 is in Production")
		if got, want := h.channelShows(), []string{"execution", "announcement"}; !slices.Equal(got, want) || !told.Broadcast {
			t.Errorf("the channel shows %v, want %v", got, want)
		}
	})
}

// A failure with an automatic rollback leaves three: its card, its question, and
// the card of the rollback, which says what failed.
func TestAFailureWithAnAutomaticRollbackLeavesThreeMessages(t *testing.T) {
	auto := strings.Replace(shop, "    environment: production\n", "    environment: production\n    onFailure: {result: ROLLBACK}\n", 1)
	story(t, auto, func(t *testing.T, h *fixture) {
		h.released("1")
		before := len(h.channelShows())
		h.fails.only("2")
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "2", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_execution", "3", "rolled back Production to #1")
		h.inThread("rollcall_failure", "2")
		h.inThread("rollcall_announcement", "1")
		h.until("the rollback is announced in its thread", func() bool { return h.count("rollcall_announcement") == 2 })
		if got, want := h.channelShows()[before:], []string{"execution", "gate", "execution"}; !slices.Equal(got, want) {
			t.Errorf("the channel shows %v, want %v", got, want)
		}
	})
}

// A failure that nothing answers is seen in the channel.
func TestAFailureIsSeenInTheChannel(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.fails.set(true)
		h.says(h.ben, "start webshop")
		gate := h.reads("rollcall_gate", "1", "0 of 2")
		h.clicks(h.ana, gate, "approve")
		h.clicks(h.cho, gate, "approve")
		h.reads("rollcall_failure", "1", "failed in Production")
		if got, want := h.channelShows(), []string{"execution", "gate", "failure"}; !slices.Equal(got, want) {
			t.Errorf("the channel shows %v, want %v", got, want)
		}
	})
}

// rescued are the steps of a release that fails and is rolled back in the same commit.
func rescued(s *snapshot) (batches []event.Batch, states []map[string]workflows.Execution) {
	const e2 = "0192f000-0000-7000-8000-000000000002"
	all := steps()
	failed := all[3].execution
	failed.Status, failed.StatusReason = workflows.StatusFailed, &workflows.Reason{Code: "ActionFailed", Message: "exit status 1"}
	failed.Stages = slices.Clone(failed.Stages)
	failed.Stages[0].Status = workflows.StatusFailed
	back := workflows.Execution{ID: e2, Number: 2, Pipeline: "webshop", Type: workflows.TypeRollback, Status: workflows.StatusInProgress, Attempt: 1,
		Trigger:  workflows.StartedBy{Type: workflows.TriggerAutomated, By: workflows.EnginePrincipal()},
		Rollback: &workflows.Rollback{TargetNumber: 7, FailedExecution: e1, LeftExecution: "e7", Target: "e7"},
		Stages:   []workflows.StageExecution{{Name: "Production", Status: workflows.StatusInProgress}}}
	done := back
	done.Status, done.Stages = workflows.StatusSucceeded, []workflows.StageExecution{{Name: "Production", Status: workflows.StatusSucceeded}}
	s.pipeline.Definition.Stages[0].Announce = "success"
	of2 := func(kind event.Kind) event.Event { return event.Event{Kind: kind, Execution: e2, Stage: "Production"} }
	batches = []event.Batch{batch(all[0].events...), batch(all[1].events...), batch(happened(event.StageFailed), happened(event.ExecutionFailed), of2(event.ExecutionStarted)), batch(of2(event.StageSucceeded), of2(event.ExecutionSucceeded))}
	states = []map[string]workflows.Execution{{e1: all[0].execution}, {e1: all[1].execution}, {e1: failed, e2: back}, {e1: failed, e2: done}}
	return batches, states
}

// The channel shows the same messages wherever the process dies on the way.
func TestTheChannelShowsTheSameWhereverTheProcessDies(t *testing.T) {
	play := func(o *outside) (kinds []string) {
		s := &snapshot{pipeline: webshop()}
		batches, states := rescued(s)
		for i := range batches {
			s.executions = states[i]
			for tries := 0; ; tries++ {
				err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batches[i])
				if err == nil {
					break
				}
				if !errors.Is(err, errCrash) || tries > 3 {
					t.Fatal(err)
				}
			}
		}
		for _, m := range o.messages {
			if m.Thread == "" || m.Broadcast {
				kinds = append(kinds, strings.TrimPrefix(m.EventType, "rollcall_"))
			}
		}
		return kinds
	}
	whole := newOutside()
	want := []string{"execution", "gate", "execution"}
	if got := play(whole); !slices.Equal(got, want) || len(whole.of("rollcall_failure")) != 1 || len(whole.of("rollcall_announcement")) != 1 {
		t.Fatalf("the channel shows %v and %d messages in all, want %v", got, len(whole.messages), want)
	}
	for at := 1; at <= whole.calls; at++ {
		for _, after := range []bool{false, true} {
			o := newOutside()
			o.dieAt, o.after = at, after
			if got := play(o); !slices.Equal(got, want) || len(o.messages) != len(whole.messages) {
				t.Errorf("dying at call %d (after its effect: %t), the channel shows %v and %d messages in all, want %v and %d", at, after, got, len(o.messages), want, len(whole.messages))
			}
		}
	}
}

// Of two questions on the way the newest announces what lies behind it, and each one
// what lies before the next.
func TestEveryQuestionAnnouncesWhatItLetThrough(t *testing.T) {
	opened := time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)
	gate := func(token, closed string, minute int) workflows.ActionExecution {
		a := &workflows.Approval{Token: token, Required: 1, Closed: closed, OpenedAt: opened.Add(time.Duration(minute) * time.Minute)}
		act := workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusSucceeded, Attempt: 1, Approval: a}
		if closed == "" {
			act.Needs, act.Status = workflows.NeedsApproval, workflows.StatusInProgress
		}
		return act
	}
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	stages := []string{"Test", "Stage", "Canary", "Production"}
	s.pipeline.Definition.Stages = nil
	for _, name := range stages {
		s.pipeline.Definition.Stages = append(s.pipeline.Definition.Stages, workflows.Stage{Name: name, Announce: "success"})
	}
	o := newOutside()
	e := steps()[0].execution
	follow := func(done int, gates map[int]workflows.ActionExecution) {
		t.Helper()
		e.Stages = nil
		for i, name := range stages {
			st := workflows.StageExecution{Name: name, Status: workflows.StatusSucceeded}
			if i >= done {
				st.Status = workflows.StatusNotStarted
			}
			if g, ok := gates[i]; ok {
				st.Actions = []workflows.ActionExecution{g}
				if g.Needs != "" {
					st.Status = workflows.StatusInProgress
				}
			}
			e.Stages = append(e.Stages, st)
		}
		s.executions[e1] = e
		if err := bot.New(bot.Options{Engine: s, Chat: o, Memos: o}).Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil {
			t.Fatal(err)
		}
	}
	follow(1, map[int]workflows.ActionExecution{1: gate("one", "", 0)})
	follow(3, map[int]workflows.ActionExecution{1: gate("one", "approved", 0), 3: gate("two", "", 5)})
	follow(4, map[int]workflows.ActionExecution{1: gate("one", "approved", 0), 3: gate("two", "approved", 5)})
	var shown []string
	for _, m := range o.messages {
		if m.Thread == "" || m.Broadcast {
			text, _, _ := strings.Cut(m.Text, " · ")
			shown = append(shown, text)
		}
	}
	if want := []string{"🚀 webshop #1 is in Test", "🚀 webshop #1 is in Canary", "🚀 webshop #1 is in Production"}; !slices.Equal(shown[1:], want) {
		t.Errorf("the channel shows %q, want %q behind the card", shown[1:], want)
	}
}
