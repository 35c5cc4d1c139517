package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

var began = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// world is what the metrics look at.
type world struct {
	frames []event.Frame
	rows   map[string]workflows.Execution
	broken error // of what stands
}

func (w *world) Head(context.Context) (uint64, error) { return 0, nil }

func (w *world) Feed(ctx context.Context, _ workflows.Principal, after uint64, _ int) ([]event.Frame, error) {
	if int(after) < len(w.frames) {
		return w.frames[after:], nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (w *world) Execution(_ context.Context, id string) (workflows.Execution, bool, error) {
	x, ok := w.rows[id]
	return x, ok, nil
}

func (w *world) OpenGates(context.Context) (int, time.Time, error) {
	return 3, time.Now().Add(-time.Hour), w.broken
}

func (w *world) FollowerLag(context.Context) (map[string]Lag, error) {
	return map[string]Lag{"slack": {Commits: 7, Behind: 2}}, nil
}

func (w *world) Pending(context.Context, string) ([]work.Receipt, error) {
	return []work.Receipt{{At: time.Now().Add(-time.Minute)}, {At: time.Now()}}, nil
}

// counted has the metrics follow frames of one event each, and returns a scrape.
func counted(t *testing.T, m *Metrics, w *world, events ...event.Event) string {
	t.Helper()
	for i, e := range events {
		w.frames = append(w.frames, event.Frame{Pipeline: "webshop", Seq: uint64(i + 1), Feed: uint64(i + 1), Events: []event.Event{e}})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		run, err := m.Follow(ctx, w, w)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return scrape(m)
}

func scrape(m *Metrics) string {
	r := httptest.NewRecorder()
	m.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return r.Body.String()
}

func wants(t *testing.T, got string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
}

func execution(id string) *workflows.Execution {
	return &workflows.Execution{ID: id, StartedAt: began, Stages: []workflows.StageExecution{{Name: "Production", Actions: []workflows.ActionExecution{
		{Name: "SignOff", Provider: "Manual"}, {Name: "Deploy", Provider: "Commands"}}}}}
}

func after(d time.Duration, kind event.Kind, id, action string) event.Event {
	return event.Event{Kind: kind, At: began.Add(d), Execution: id, Stage: "Production", Action: action}
}

// An execution with a gate, a failed attempt and a retried one; a rollback; a refusal; a doubt.
func TestWhatHappensIsCounted(t *testing.T) {
	start := after(0, event.ExecutionStarted, "a", "")
	start.Started = execution("a")
	closed := after(time.Minute, event.GateClosed, "a", "SignOff")
	closed.Text = "approved"
	again := after(10*time.Minute, event.ExecutionResumed, "a", "")
	again.Resumed = &event.Resumed{Execution: *execution("a")}
	back := after(time.Hour, event.ExecutionStarted, "b", "")
	back.Started = execution("b")
	back.Started.Rollback, back.Started.Trigger.Type = &workflows.Rollback{}, workflows.TriggerAutomated
	refused := after(0, event.IntentRefused, "", "")
	refused.Refused = &event.Refused{Problem: workflows.Problem{Code: "AccessDenied"}}
	got := counted(t, New(slog.New(slog.DiscardHandler)), &world{},
		start, after(0, event.GateOpened, "a", "SignOff"), closed, after(time.Minute, event.ActionSucceeded, "a", "SignOff"),
		after(2*time.Minute, event.ActionStarted, "a", "Deploy"), after(4*time.Minute, event.ActionFailed, "a", "Deploy"), after(5*time.Minute, event.ExecutionFailed, "a", ""),
		again, after(10*time.Minute, event.ActionStarted, "a", "Deploy"), after(11*time.Minute, event.ActionSucceeded, "a", "Deploy"),
		after(11*time.Minute, event.ActionStarted, "a", "BEFORE_ENTRY:Window"), after(12*time.Minute, event.ActionSucceeded, "a", "BEFORE_ENTRY:Window"), after(12*time.Minute, event.ExecutionSucceeded, "a", ""),
		back, after(time.Hour, event.ActionInDoubt, "b", "Deploy"), after(2*time.Hour, event.ExecutionCancelled, "b", ""), refused)
	wants(t, got,
		`rollcall_executions_total{pipeline="webshop",status="Failed"} 1`,
		`rollcall_executions_total{pipeline="webshop",status="Succeeded"} 1`,
		`rollcall_executions_total{pipeline="webshop",status="Cancelled"} 1`,
		`rollcall_execution_seconds_sum{status="Failed"} 300`,
		`rollcall_execution_seconds_sum{status="Succeeded"} 120`,
		`rollcall_action_seconds_sum{provider="Commands",status="Failed"} 120`,
		`rollcall_action_seconds_sum{provider="Commands",status="Succeeded"} 60`,
		`rollcall_action_seconds_sum{provider="rule",status="Succeeded"} 60`,
		`rollcall_gate_seconds_sum{answer="approved"} 60`,
		`rollcall_rollbacks_total{pipeline="webshop",trigger="automatic"} 1`,
		`rollcall_actions_in_doubt_total{pipeline="webshop"} 1`,
		`rollcall_refusals_total{code="AccessDenied"} 1`)
	if strings.Contains(got, `provider="Manual"`) {
		t.Error("an approval is counted as an action")
	}
}

// What began before the process did is known from its row.
func TestWhatBeganEarlierIsTimedToo(t *testing.T) {
	opened, started := began.Add(-time.Hour), began.Add(-2*time.Hour)
	x := execution("a")
	x.StartedAt = started
	x.Stages[0].Actions[0].Approval = &workflows.Approval{OpenedAt: opened}
	x.Stages[0].Actions[1].StartedAt = &opened
	w := &world{rows: map[string]workflows.Execution{"a": *x}}
	closed := after(0, event.GateClosed, "a", "SignOff")
	closed.Text = "expired"
	got := counted(t, New(slog.New(slog.DiscardHandler)), w, closed, after(0, event.ActionAbandoned, "a", "Deploy"), after(0, event.ExecutionFailed, "a", ""),
		after(0, event.ExecutionSucceeded, "unknown", ""))
	wants(t, got, `rollcall_gate_seconds_sum{answer="expired"} 3600`, `rollcall_action_seconds_sum{provider="Commands",status="Abandoned"} 3600`,
		`rollcall_execution_seconds_sum{status="Failed"} 7200`, `rollcall_executions_total{pipeline="webshop",status="Succeeded"} 1`)
}

func TestGaugesAreReadWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, w := New(slog.New(slog.DiscardHandler)), &world{}
		m.Gauges(w, "github")
		wants(t, scrape(m), `rollcall_gates_waiting 3`, `rollcall_gates_waiting_oldest_seconds 3600`, `rollcall_follower_lag{follower="slack"} 7`,
			`rollcall_follower_behind{follower="slack"} 2`, `rollcall_inbox_pending{source="github"} 2`, `rollcall_inbox_lag_seconds{source="github"} 60`)
		w.broken = errors.New("the store is closed")
		got := scrape(m)
		wants(t, got, `rollcall_follower_lag{follower="slack"} 7`)
		if strings.Contains(got, "gates_waiting") {
			t.Error("what cannot be read is shown all the same")
		}
	})
}

func TestCommitsAreTimed(t *testing.T) {
	m := New(slog.New(slog.DiscardHandler))
	for _, err := range []error{nil, nil, &record.Conflict{Pipeline: "webshop"}, record.ErrFenced, errors.New("input/output error")} {
		m.Committed(3*time.Millisecond, err)
	}
	wants(t, scrape(m), `rollcall_commit_seconds_count 2`, `rollcall_commit_seconds_sum 0.006`, `rollcall_commit_failures_total{result="conflict"} 1`, `rollcall_commit_failures_total{result="fenced"} 1`, `rollcall_commit_failures_total{result="unknown"} 1`)
}

func TestCallsAreCounted(t *testing.T) {
	m := New(slog.New(slog.DiscardHandler))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-RateLimit-Remaining", "4321") }))
	defer s.Close()
	res, err := (&http.Client{Transport: m.Outside(wire.System{Name: "github", Operation: wire.ByPath("statuses")})}).Get(s.URL + "/repos/acme/webshop/statuses/abc")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	wants(t, scrape(m), `rollcall_outside_calls_total{operation="GET statuses",result="ok",system="github"} 1`, `rollcall_outside_limit_remaining{system="github"} 4321`)
}
