package bot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// snapshot is an engine that only knows how things stand.
type snapshot struct {
	answerable say.Answerable
	bot.Engine // what a follower never asks is nil
	pipeline   workflows.PipelineView
	executions map[string]workflows.Execution
}

func (s *snapshot) Answerable(context.Context, string, string) (say.Answerable, error) {
	return s.answerable, nil
}

func (s *snapshot) Execution(_ context.Context, _ workflows.Principal, ref string) (workflows.Execution, error) {
	e, ok := s.executions[ref]
	if !ok {
		return e, &workflows.Problem{Code: workflows.CodeExecutionNotFound, Message: "there is no execution " + ref}
	}
	return e, nil
}

func (s *snapshot) Executions(context.Context, workflows.Principal, record.Query) ([]workflows.Execution, error) {
	return slices.Collect(maps.Values(s.executions)), nil
}

func (s *snapshot) Pipeline(context.Context, workflows.Principal, string, int) (workflows.PipelineView, error) {
	return s.pipeline, nil
}

// Approvals are the questions that are open.
func (s *snapshot) Approvals(context.Context, workflows.Principal) (open []say.OpenApproval, err error) {
	for _, e := range s.executions {
		for _, at := range e.Stages {
			for _, a := range at.Actions {
				if a.Approval != nil && a.Approval.Closed == "" {
					open = append(open, say.OpenApproval{Pipeline: e.Pipeline, Execution: e.ID, Stage: at.Name, Action: a.Name, Approval: *a.Approval})
				}
			}
		}
	}
	return open, nil
}

func (s *snapshot) Verdict(context.Context, workflows.Principal, workflows.Verb, string, string) (*workflows.Problem, []string, error) {
	return nil, []string{"everyone", "ana@acme.example"}, nil
}

var errCrash = errors.New("the process died here")

// outside is Slack and the memos as they survive crashes. Every call can be
// the one at which the process dies: before it has any effect, or after it.
type outside struct {
	sync.Mutex
	calls      int
	dieAt      int // number of the call; 0: never
	after      bool
	refuse     *bot.Refusal
	picky      bool // only messages with blocks are refused
	away       bool // nothing can be posted just now
	mute       bool // nobody can be told anything
	refused    int
	ephemerals []string
	notes      map[string][]byte
	messages   []bot.Message
	edits      []int // how often each message was edited
	looks      int
}

func newOutside() *outside { return &outside{notes: map[string][]byte{}} }

// change is one call's, or what a test changes while the bot runs.
func (o *outside) change(what func()) {
	o.Lock()
	defer o.Unlock()
	what()
}

// do counts a call and dies where it should.
func (o *outside) do(effect func()) error {
	o.Lock()
	defer o.Unlock()
	o.calls++
	if o.calls == o.dieAt && !o.after {
		return errCrash
	}
	effect()
	if o.calls == o.dieAt {
		return errCrash
	}
	return nil
}

func (o *outside) Memo(_ context.Context, key string) ([]byte, bool, error) {
	o.Lock()
	defer o.Unlock()
	v, ok := o.notes[key]
	return v, ok, nil
}

func (o *outside) Note(_ context.Context, key string, value []byte) error {
	return o.do(func() {
		if o.notes[key] = bytes.Clone(value); len(value) == 0 {
			delete(o.notes, key)
		}
	})
}

func (o *outside) Post(ctx context.Context, m bot.Message) (at bot.Place, err error) {
	if err := m.Begin(ctx); err != nil {
		return at, err
	}
	o.change(func() {
		switch {
		case o.away:
			err = errors.New("slack cannot be reached")
		case o.refuse != nil && m.Channel == "#webshop" && (!o.picky || len(m.Blocks) > 0):
			o.refused++
			err = o.refuse
		}
	})
	if err != nil {
		return bot.Place{}, err
	}
	err = o.do(func() {
		if m.Look {
			o.looks++
			for i, old := range o.messages {
				if old.EventType == m.EventType && reflect.DeepEqual(old.Payload, m.Payload) {
					at = bot.Place{Channel: "C1", TS: fmt.Sprint(i)}
					return
				}
			}
		}
		o.messages, o.edits = append(o.messages, m), append(o.edits, 0)
		at = bot.Place{Channel: "C1", TS: fmt.Sprint(len(o.messages) - 1)}
	})
	if err != nil {
		at = bot.Place{}
	}
	return at, err
}

func (o *outside) Edit(_ context.Context, at bot.Place, m bot.Message) error {
	var refused error
	o.change(func() {
		if o.refuse != nil {
			refused = o.refuse
		}
	})
	if refused != nil {
		return refused
	}
	return o.do(func() {
		var i int
		_, _ = fmt.Sscan(at.TS, &i)
		o.messages[i].Text, o.messages[i].Blocks, o.messages[i].Anchor = m.Text, m.Blocks, m.Anchor
		o.edits[i]++
	})
}

func (o *outside) PostEphemeral(_ context.Context, to bot.Reply, m bot.Message) error {
	o.Lock()
	defer o.Unlock()
	if o.mute {
		return o.refuse
	}
	o.ephemerals = append(o.ephemerals, to.User+": "+m.Text)
	return nil
}

func (o *outside) Open(context.Context, bot.Reply, slack.ModalViewRequest) error { return nil }

func (o *outside) People(_ context.Context, who []string) (names []string, err error) {
	return slices.Clone(who), o.do(func() {})
}

// of returns the messages of a kind, as JSON.
func (o *outside) of(kind string) []string {
	var all []string
	for _, m := range o.messages {
		if m.EventType == kind {
			b, _ := json.Marshal(m.Blocks)
			all = append(all, m.Text+" "+string(b))
		}
	}
	return all
}

const e1 = "0192f000-0000-7000-8000-000000000001"

// steps is the way of webshop#1 into production: how it stands, and what had happened.
func steps() []step {
	started := time.Date(2026, 3, 12, 14, 0, 0, 0, time.UTC)
	base := func() workflows.Execution {
		return workflows.Execution{ID: e1, Number: 1, Pipeline: "webshop", Version: 1, Status: workflows.StatusInProgress, StartedAt: started, Attempt: 1,
			Trigger: workflows.StartedBy{Type: workflows.TriggerStart, By: workflows.Principal{Name: "Ben"}}}
	}
	gate := func(closed string, votes ...string) workflows.StageExecution {
		a := &workflows.Approval{Token: "gate-1", Required: 2, Closed: closed, ExpiresAt: started.Add(time.Hour)}
		for _, name := range votes {
			a.Votes = append(a.Votes, workflows.Vote{By: workflows.Principal{ID: name, Name: name}, Answer: "approve", At: started})
		}
		act := workflows.ActionExecution{Name: "SignOff", Status: workflows.StatusInProgress, Needs: workflows.NeedsApproval, Attempt: 1, Approval: a}
		s := workflows.StageExecution{Name: "Production", Status: workflows.StatusInProgress, Actions: []workflows.ActionExecution{act}}
		if closed != "" {
			s.Status, s.Actions[0].Status, s.Actions[0].Needs = workflows.StatusSucceeded, workflows.StatusSucceeded, ""
		}
		return s
	}
	running, waiting, voted, done := base(), base(), base(), base()
	running.Stages = []workflows.StageExecution{{Name: "Production", Status: workflows.StatusNotStarted}}
	waiting.Stages = []workflows.StageExecution{gate("")}
	voted.Stages = []workflows.StageExecution{gate("", "Ana")}
	done.Stages, done.Status = []workflows.StageExecution{gate("approved", "Ana", "Cho")}, workflows.StatusSucceeded
	return []step{
		{running, []event.Event{happened(event.ExecutionStarted)}},
		{waiting, []event.Event{happened(event.StageEntered), happened(event.GateOpened)}},
		{voted, []event.Event{happened(event.GateVoted)}},
		{done, []event.Event{happened(event.GateVoted), happened(event.GateClosed), happened(event.StageSucceeded), happened(event.ExecutionSucceeded)}},
	}
}

type step struct {
	execution workflows.Execution
	events    []event.Event
}

func happened(kind event.Kind) event.Event {
	return event.Event{Kind: kind, Execution: e1, Stage: "Production", Action: "SignOff", Attempt: 1}
}

func batch(events ...event.Event) event.Batch {
	return event.Batch{Pipeline: "webshop", Frames: []event.Frame{{Pipeline: "webshop", Seq: 1, Events: events}}}
}

func webshop() workflows.PipelineView {
	return workflows.PipelineView{Name: "webshop", Version: 1,
		Definition: &workflows.Pipeline{Name: "webshop", Channel: "#webshop", Stages: []workflows.Stage{{Name: "Production", Environment: "production", Announce: "success"}}},
		Stages:     []workflows.StageView{{Name: "Production", Transition: workflows.Transition{Enabled: true}}}}
}

// follower is a bot of a new process.
func follower(s *snapshot, o *outside, log *bytes.Buffer) *bot.Bot {
	return bot.New(bot.Options{Engine: s, Chat: o, Memos: o, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// walk follows the steps; whenever the process dies, another one is given the same batch.
func walk(t *testing.T, o *outside) {
	t.Helper()
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	for _, st := range steps() {
		s.executions[e1] = st.execution
		for tries := 0; ; tries++ {
			err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(st.events...))
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) || tries > 3 {
				t.Fatal(err)
			}
		}
	}
}

func TestEveryMessageIsPostedOnceWhereverTheProcessDies(t *testing.T) {
	whole := newOutside()
	walk(t, whole)
	if whole.calls < 10 || len(whole.messages) != 3 || whole.looks != 0 {
		t.Fatalf("without a crash: %d calls, %d messages, %d looks", whole.calls, len(whole.messages), whole.looks)
	}
	for at := 1; at <= whole.calls; at++ {
		for _, after := range []bool{false, true} {
			o := newOutside()
			o.dieAt, o.after = at, after
			walk(t, o)
			for _, kind := range []string{"rollcall_execution", "rollcall_gate", "rollcall_announcement"} {
				got, want := o.of(kind), whole.of(kind)
				if !slices.Equal(got, want) {
					t.Errorf("dying at call %d (after its effect: %t), %s shows\n%s\nwant\n%s", at, after, kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
}

func TestBeingBehindCostsOneEdit(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	all := steps()
	var missed []event.Event
	for i, st := range all {
		s.executions[e1] = st.execution
		if i > 1 {
			missed = append(missed, st.events...)
			continue
		}
		if err := b.Follow(t.Context(), batch(st.events...)); err != nil {
			t.Fatal(err)
		}
	}
	before := slices.Clone(o.edits)
	if err := b.Follow(t.Context(), batch(missed...)); err != nil {
		t.Fatal(err)
	}
	if o.edits[0] != before[0]+1 || o.edits[1] != before[1]+1 {
		t.Errorf("catching up edited card and gate %d and %d times, want once each", o.edits[0]-before[0], o.edits[1]-before[1])
	}
	calls := o.calls
	if err := b.Follow(t.Context(), batch(missed...)); err != nil {
		t.Fatal(err)
	}
	if o.calls != calls {
		t.Errorf("nothing visible changed, and yet there were %d calls", o.calls-calls)
	}
}

func TestWhatWasOvertakenIsNotAskedAnyMore(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o := newOutside()
	var missed []event.Event
	for _, st := range steps() {
		s.executions[e1] = st.execution
		missed = append(missed, st.events...)
	}
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(missed...)); err != nil {
		t.Fatal(err)
	}
	if cards, gates, told := o.of("rollcall_execution"), o.of("rollcall_gate"), o.of("rollcall_announcement"); len(cards) != 1 || len(gates) != 0 || len(told) != 1 {
		t.Errorf("%d cards, %d questions, %d announcements; want 1, 0, 1", len(cards), len(gates), len(told))
	}
}

func TestARefusalOfSlacksIsLoggedOnceAndHeals(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o, log := newOutside(), &bytes.Buffer{}
	o.refuse = &bot.Refusal{Code: "is_archived", Hint: "unarchive the channel"}
	b := follower(s, o, log)
	for _, st := range steps()[:3] {
		s.executions[e1] = st.execution
		if err := b.Follow(t.Context(), batch(st.events...)); err != nil {
			t.Fatalf("a refusal holds the follower up: %v", err)
		}
	}
	if n := strings.Count(log.String(), "unarchive the channel"); n != 1 {
		t.Errorf("the refusal is logged %d times, want once:\n%s", n, log)
	}
	o.refuse = nil
	if err := b.Follow(t.Context(), batch(happened(event.GateVoted))); err != nil {
		t.Fatal(err)
	}
	if cards, gates := o.of("rollcall_execution"), o.of("rollcall_gate"); len(cards) != 1 || len(gates) != 1 || !strings.Contains(gates[0], "1 of 2") {
		t.Errorf("after the channel is back: %d cards, questions %v", len(cards), gates)
	}
	if o.looks != 0 {
		t.Error("what was refused was looked for")
	}
}

func TestANewGateClosesTheMessageOfTheOld(t *testing.T) {
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
	closed, opened := happened(event.GateClosed), happened(event.GateOpened)
	closed.Text, opened.Attempt = "withdrawn", 2
	if err := b.Follow(t.Context(), batch(closed, happened(event.ExecutionSteppedBack), opened)); err != nil {
		t.Fatal(err)
	}
	gates := o.of("rollcall_gate")
	if len(gates) != 2 || strings.Contains(gates[0], `"approve"`) || !strings.Contains(gates[0], "It left the stage") || !strings.Contains(gates[0], "1 of 2 approvals: ") || !strings.Contains(gates[1], `"approve"`) {
		t.Errorf("the old gate should be closed and the new one open:\n%s", strings.Join(gates, "\n"))
	}
}

func TestOldExecutionsGetNoCards(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[3].execution}}
	o := newOutside()
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionNoted), happened(event.StageSucceeded))); err != nil {
		t.Fatal(err)
	}
	if len(o.messages) != 0 {
		t.Errorf("an execution that ended before the bot came gets %d messages", len(o.messages))
	}
}

func TestWithoutAChannelThereAreNoCards(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[0].execution}}
	s.pipeline.Definition.Channel = ""
	o := newOutside()
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil {
		t.Fatal(err)
	}
	if o.calls != 0 {
		t.Errorf("%d calls", o.calls)
	}
}

func TestAReminderIsSaidOnce(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	for _, due := range [][]string{nil, {"50%"}, {"50%"}, {"50%", "90%"}} {
		e := steps()[1].execution
		e.Stages[0].Actions[0].Approval.Reminded = due
		s.executions[e1] = e
		if err := b.Follow(t.Context(), batch(happened(event.GateReminded))); err != nil {
			t.Fatal(err)
		}
	}
	reminders := o.of("rollcall_reminder")
	if len(reminders) != 2 || !strings.Contains(reminders[0], "ana@acme.example") || strings.Contains(reminders[0], "everyone") {
		t.Errorf("reminders: %v", reminders)
	}
}

func TestFailuresAreToldOncePerAttemptAndRefusalsNever(t *testing.T) {
	fail := func(code string, attempt int) workflows.Execution {
		e := steps()[3].execution
		e.Status, e.Attempt, e.Stages[0].Status = workflows.StatusFailed, attempt, workflows.StatusFailed
		e.StatusReason = &workflows.Reason{Code: code, Message: "exit status 1"}
		return e
	}
	for _, tt := range []struct {
		name string
		seen []workflows.Execution
		want int
	}{
		{"failed", []workflows.Execution{fail("ActionFailed", 1), fail("ActionFailed", 1)}, 1},
		{"failed again after a retry", []workflows.Execution{fail("ActionFailed", 1), fail("ActionFailed", 2)}, 2},
		{"not approved", []workflows.Execution{fail("NotApproved", 1)}, 0},
		{"expired", []workflows.Execution{fail("ApprovalExpired", 1)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{}}
			o := newOutside()
			b := follower(s, o, &bytes.Buffer{})
			for _, e := range tt.seen {
				s.executions[e1] = e
				if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.ExecutionFailed))); err != nil {
					t.Fatal(err)
				}
			}
			if got := o.of("rollcall_failure"); len(got) != tt.want {
				t.Errorf("%d failure messages, want %d", len(got), tt.want)
			}
		})
	}
}

// What every card leaves behind when its execution is left by a rollback.
func TestALeftExecutionSaysSo(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[3].execution}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.ExecutionSucceeded))); err != nil {
		t.Fatal(err)
	}
	const e2 = "0192f000-0000-7000-8000-000000000002"
	back := workflows.Execution{ID: e2, Number: 2, Pipeline: "webshop", Type: workflows.TypeRollback, Status: workflows.StatusSucceeded, Attempt: 1,
		Trigger:  workflows.StartedBy{Type: workflows.TriggerRollback, By: workflows.Principal{Name: "Ana"}},
		Rollback: &workflows.Rollback{TargetNumber: 7, LeftExecution: e1, Reason: "slow"},
		Stages:   []workflows.StageExecution{{Name: "Production", Status: workflows.StatusSucceeded}}}
	s.executions[e2] = back
	if err := b.Follow(t.Context(), event.Batch{Pipeline: "webshop", Frames: []event.Frame{{Events: []event.Event{{Kind: event.ExecutionStarted, Execution: e2}}}}}); err != nil {
		t.Fatal(err)
	}
	cards := o.of("rollcall_execution")
	if len(cards) != 2 || !strings.Contains(cards[0], "Rolled back to #7 by Ana: slow") {
		t.Errorf("cards: %s", strings.Join(cards, "\n"))
	}
}

// A message that arrived although the process died may show an older state.
func TestAFoundMessageIsBroughtUpToDate(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[0].execution}}
	o := newOutside()
	o.dieAt, o.after = 2, true // the marker is noted, the card is posted, nobody knows
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionStarted))); !errors.Is(err, errCrash) {
		t.Fatalf("it did not die: %v", err)
	}
	s.executions[e1] = steps()[3].execution
	if err := follower(s, o, &bytes.Buffer{}).Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.ExecutionSucceeded))); err != nil {
		t.Fatal(err)
	}
	if cards := o.of("rollcall_execution"); len(cards) != 1 || !strings.Contains(cards[0], "succeeded") || o.looks != 1 {
		t.Errorf("cards after %d looks: %v", o.looks, cards)
	}
}

// A lock is shown by cards of executions that the event does not
// name; what was told once stays as it was told.
func TestALockIsShownOnOtherCards(t *testing.T) {
	waits := steps()[0].execution
	waits.WaitsFor = &workflows.Wait{Stage: "Production", For: "transition", Since: waits.StartedAt}
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: waits}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted))); err != nil {
		t.Fatal(err)
	}
	by := workflows.Principal{Name: "Ana"}
	s.pipeline.Stages[0].Transition = workflows.Transition{Cause: "person", By: &by, Reason: "audit"}
	closed := event.Event{Kind: event.TransitionDisabled, Stage: "Production"}
	if err := b.Follow(t.Context(), batch(closed)); err != nil {
		t.Fatal(err)
	}
	if cards := o.of("rollcall_execution"); len(cards) != 1 || !strings.Contains(cards[0], "by Ana: audit") {
		t.Errorf("cards: %v", cards)
	}
}

func TestAnAnnouncementIsNeverEdited(t *testing.T) {
	s := &snapshot{pipeline: webshop(), executions: map[string]workflows.Execution{e1: steps()[3].execution}}
	o := newOutside()
	b := follower(s, o, &bytes.Buffer{})
	for range 2 {
		if err := b.Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.StageSucceeded))); err != nil {
			t.Fatal(err)
		}
		e := s.executions[e1]
		e.Trigger.By.Name = "Somebody who changed their name"
		s.executions[e1] = e
	}
	if told := o.of("rollcall_announcement"); len(told) != 1 || strings.Contains(told[0], "changed their name") {
		t.Errorf("announcements: %v", told)
	}
}

// settling is an engine that moves on while it is read: the pipeline that was
// read first knows nothing yet of the success that the execution shows.
type settling struct {
	snapshot
	read bool
}

func (s *settling) Execution(ctx context.Context, by workflows.Principal, ref string) (workflows.Execution, error) {
	s.read = true
	return s.snapshot.Execution(ctx, by, ref)
}

func (s *settling) Pipeline(context.Context, workflows.Principal, string, int) (workflows.PipelineView, error) {
	p := webshop()
	p.Stages[0].LatestExecution = &workflows.LatestIn{Execution: e1, Number: 1, Status: workflows.StatusInProgress}
	p.Stages[0].Running = &workflows.Running{Execution: "e0", Number: 7, Certain: s.read}
	return p, nil
}

// What is announced is said once, so it must not be older than what it announces.
func TestAnAnnouncementIsNotOlderThanItsNews(t *testing.T) {
	s := &settling{snapshot: snapshot{executions: map[string]workflows.Execution{e1: steps()[3].execution}}}
	o := newOutside()
	if err := bot.New(bot.Options{Engine: s, Chat: o, Memos: o}).Follow(t.Context(), batch(happened(event.ExecutionStarted), happened(event.StageSucceeded))); err != nil {
		t.Fatal(err)
	}
	if told := o.of("rollcall_announcement"); len(told) != 1 || strings.Contains(told[0], "uncertain") {
		t.Errorf("announcements: %v", told)
	}
}
