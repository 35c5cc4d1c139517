package bot_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

func frame(seq uint64, events ...event.Event) event.Frame {
	return event.Frame{Pipeline: "webshop", Seq: seq, Events: events}
}

func frames(all ...event.Frame) event.Batch {
	return event.Batch{Pipeline: "webshop", Frames: all}
}

// defined is an edit by Ana; what it weakens is one gate for each number of approvals.
func defined(version int, channel string, owners []string, weakened ...string) event.Event {
	d := &event.Defined{Version: version, ManagedBy: "api", Definition: workflows.Pipeline{Name: "webshop", Channel: channel, Owners: owners}}
	for _, now := range weakened {
		d.Weakened = append(d.Weakened, event.Weakened{Stage: "Production", Action: "SignOff", Old: "2 of group:team", New: now})
	}
	return event.Event{Kind: event.PipelineDefined, By: workflows.Principal{Name: "Ana", Via: "api"}, Defined: d}
}

func cancelling(refs ...string) event.Event {
	e := defined(8, "#webshop", nil)
	e.Defined.Cancels = refs
	return e
}

func turnedAway(kind string, via string) event.Event {
	in := workflows.Intent{Verb: workflows.Start, Pipeline: "webshop"}
	if kind != "" {
		in.Trigger = &workflows.StartedBy{Type: kind}
	}
	return event.Event{Kind: event.IntentRefused, By: workflows.Principal{Name: "dee", Via: via}, Refused: &event.Refused{Intent: in,
		Problem: workflows.Problem{Code: workflows.CodeConcurrencyLimit, Message: "webshop has 50 executions on their way", Hint: "stop some"}}}
}

func scheduled(missed bool, why string) event.Event {
	e := event.Event{Kind: event.ScheduleFired, Schedule: &event.Scheduled{Cron: "0 6 * * 1-5", Timezone: "Europe/Berlin", Nominal: time.Date(2026, 3, 12, 5, 0, 0, 0, time.UTC), Missed: missed}}
	if why != "" {
		e.Reason = &workflows.Reason{Message: why}
	}
	return e
}

// news follows frames that concern only the pipeline, and returns what the channel reads.
func news(t *testing.T, all ...event.Frame) *outside {
	t.Helper()
	o := newOutside()
	for _, fr := range all {
		if err := follower(idle(), o, &bytes.Buffer{}).Follow(t.Context(), frames(fr)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func idle() *snapshot {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	off := time.Date(2026, 3, 12, 5, 0, 0, 0, time.UTC)
	s.pipeline.PollingDisabledAt = &off
	return s
}

func TestWhatConcernsAPipelineIsToldInItsChannel(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event event.Event
		kind  string
		words []string // none: nothing is told
	}{
		{"a gate asks for less", defined(8, "#webshop", []string{"ana@acme.example"}, "1 of group:team"), "rollcall_edit",
			[]string{"webshop now asks for less at 1 gate", "Changed by Ana (api), version 8", "ana@acme.example", "before: 2 of group:team", "now: 1 of group:team"}},
		{"an edit of the stages cancels what runs (D5)", cancelling("webshop#41", "webshop#42"), "rollcall_edit",
			[]string{"webshop was edited: 2 executions are cancelled", "Changed by Ana (api), version 8", "Cancelled, after their running actions: webshop#41, webshop#42"}},
		{"an edit that weakens nothing", defined(8, "#webshop", nil), "rollcall_edit", nil},
		{"a schedule seen too late", scheduled(true, "nobody was there"), "rollcall_notice", []string{"missed its schedule", "0 6 * * 1-5 Europe/Berlin", "nobody was there"}},
		{"a schedule that was refused", scheduled(false, "webshop has 50 executions on their way"), "rollcall_notice", []string{"not started by its schedule at", "50 executions"}},
		{"a schedule that starts", scheduled(false, ""), "rollcall_notice", nil},
		{"a push that finds no room", turnedAway(workflows.TriggerWebhook, "github"), "rollcall_notice", []string{"not started by a push from dee", "50 executions", "stop some"}},
		{"a schedule's refusal is told once", turnedAway(workflows.TriggerSchedule, "schedule"), "rollcall_notice", nil},
		{"a person was told already", turnedAway("", "slack"), "rollcall_notice", nil},
		{"an alarm after which nothing can be rolled back", rang("alarm shop-5xx rang 4 minutes after the deployment; it is not rolled back: nothing is known that ran in Production before"), "rollcall_notice",
			[]string{"🚨", "Production", "alarm shop-5xx rang 4 minutes after the deployment", "not rolled back"}},
		{"branches that nobody looks at", event.Event{Kind: event.PollingDisabled}, "rollcall_notice", []string{"30 days", "/rollcall start webshop"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := news(t, frame(7, tt.event), frame(7, tt.event))
			got := o.of(tt.kind)
			want := min(len(tt.words), 1)
			if len(got) != want || len(o.messages) != want {
				t.Fatalf("%d messages, want %d: %v", len(o.messages), want, got)
			}
			for _, w := range tt.words {
				if !strings.Contains(got[0], w) {
					t.Errorf("it does not say %q: %s", w, got[0])
				}
			}
			if want > 0 && (o.messages[0].Channel != "#webshop" || o.messages[0].Payload["pipeline"] != "webshop") {
				t.Errorf("posted in %s with %v", o.messages[0].Channel, o.messages[0].Payload)
			}
		})
	}
}

func rang(why string) event.Event {
	return event.Event{Kind: event.AlarmRang, Stage: "Production", Text: "shop-5xx", Reason: &workflows.Reason{Code: "AlarmRang", Message: why}}
}

// An alarm that is followed by a rollback needs no notice: the rollback's own card says which it was.
func TestAnAlarmThatRollsBackIsToldByTheRollback(t *testing.T) {
	back := event.Event{Kind: event.ExecutionStarted, Started: &workflows.Execution{ID: "e46", Number: 46, Pipeline: "webshop", Type: workflows.TypeRollback,
		Rollback: &workflows.Rollback{TargetNumber: 42, Alarm: "shop-5xx", Reason: "alarm shop-5xx rang 4 minutes after the deployment"}}}
	if got := news(t, frame(7, rang(back.Started.Rollback.Reason), back)).of("rollcall_notice"); len(got) != 0 {
		t.Errorf("told: %v", got)
	}
}

// Wherever the process dies, an edit that weakens a gate is told once.
func TestNewsAreToldOnceWhereverTheProcessDies(t *testing.T) {
	all := frames(frame(1, defined(1, "#webshop", nil)), frame(2, scheduled(true, "away"), scheduled(false, "full")), frame(3, defined(2, "#webshop", []string{"ana@acme.example"}, "1 of group:team")))
	whole := newOutside()
	if err := follower(idle(), whole, &bytes.Buffer{}).Follow(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if len(whole.messages) != 3 || whole.looks != 0 {
		t.Fatalf("without a crash: %d messages, %d looks", len(whole.messages), whole.looks)
	}
	for at := 1; at <= whole.calls; at++ {
		for _, after := range []bool{false, true} {
			o := newOutside()
			o.dieAt, o.after = at, after
			for range 3 {
				if err := follower(idle(), o, &bytes.Buffer{}).Follow(t.Context(), all); err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
			}
			for _, kind := range []string{"rollcall_edit", "rollcall_notice"} {
				if got, want := o.of(kind), whole.of(kind); !slices.Equal(got, want) {
					t.Errorf("dying at call %d (after its effect: %t), %s shows\n%s\nwant\n%s", at, after, kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
}

// Whoever weakens a gate cannot send the news where nobody reads it, or take
// those out who would hear of it.
func TestAnEditCannotHideItself(t *testing.T) {
	o := newOutside()
	s := idle()
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), frames(frame(1, defined(1, "#webshop", []string{"ana@acme.example"})))); err != nil {
		t.Fatal(err)
	}
	s.pipeline.Definition.Channel = "#attic"
	for range 2 {
		if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), frames(frame(2, defined(2, "#attic", []string{"eve@acme.example"}, "removed")))); err != nil {
			t.Fatal(err)
		}
	}
	var channels []string
	for _, m := range o.messages {
		channels = append(channels, m.Channel)
		if !strings.Contains(m.Text, "ana@acme.example") || !strings.Contains(m.Text, "eve@acme.example") {
			t.Errorf("somebody is not mentioned: %s", m.Text)
		}
	}
	if !slices.Equal(channels, []string{"#attic", "#webshop"}) {
		t.Errorf("told in %v", channels)
	}
}

// What was told long ago is forgotten, so that the memory does not grow.
func TestOldNewsAreForgotten(t *testing.T) {
	o := newOutside()
	for seq := range uint64(200) {
		if err := follower(idle(), o, &bytes.Buffer{}).Follow(t.Context(), frames(frame(seq+1, scheduled(true, "away")))); err != nil {
			t.Fatal(err)
		}
	}
	if len(o.messages) != 200 || len(o.notes["pipeline/webshop"]) > 20000 {
		t.Errorf("%d messages, %d bytes of memory", len(o.messages), len(o.notes["pipeline/webshop"]))
	}
}

// An overridden gate says so on its message too when only the events know,
// because a new attempt has replaced it in the execution.
func TestAnOverriddenGateStaysOverridden(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	for _, st := range steps()[:3] {
		s.executions[e1] = st.execution
		if err := b.Follow(t.Context(), batch(st.events...)); err != nil {
			t.Fatal(err)
		}
	}
	again := steps()[1].execution
	again.Stages[0].Actions[0].Approval.Token, again.Stages[0].Actions[0].Attempt = "gate-2", 2
	s.executions[e1] = again
	pressed, closed := happened(event.GateOverridden), happened(event.GateClosed)
	pressed.Override = &workflows.Overridden{By: workflows.Principal{Name: "Cho"}, Reason: "the shop is down", Without: "1 of 2 approvals"}
	closed.Text = "overridden"
	if err := b.Follow(t.Context(), batch(pressed, closed)); err != nil {
		t.Fatal(err)
	}
	gate := o.of("rollcall_gate")[0]
	if !strings.Contains(gate, "verridden by Cho without 1 of 2 approvals: the shop is down") || strings.Contains(strings.ToLower(gate), "approved") {
		t.Errorf("the message reads %s", gate)
	}
}

// Whoever waits behind somebody that leaves the line moves up, on their card too.
func TestWhoWaitsMovesUp(t *testing.T) {
	const ahead = "0192f000-0000-7000-8000-000000000000"
	e := steps()[0].execution
	e.WaitsFor = &workflows.Wait{Stage: "Production", For: workflows.WaitsForStage}
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: e}}
	s.pipeline.ExecutionMode = workflows.ModeQueued
	s.pipeline.Stages[0].Inbound = []string{ahead, e1}
	s.pipeline.Stages[0].LatestExecution = &workflows.LatestIn{Execution: "x", Number: 41, Status: workflows.StatusInProgress}
	o := newOutside()
	b := bot.New(bot.Options{Engine: s, Chat: o, Memos: o})
	if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil {
		t.Fatal(err)
	}
	if c := fmt.Sprint(o.of("rollcall_execution")); !strings.Contains(c, "2nd in line, busy with #41") {
		t.Fatalf("cards: %s", c)
	}
	s.pipeline.Stages[0].Inbound = []string{e1}
	if err := b.Follow(t.Context(), batch(event.Event{Kind: event.ExecutionStopped, Execution: ahead})); err != nil {
		t.Fatal(err)
	}
	if c := fmt.Sprint(o.of("rollcall_execution")); !strings.Contains(c, "busy with #41") {
		t.Errorf("cards: %s", c)
	}
}
