package runtime_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// bell is a runner that looks at alarms: none rings until the test says so.
type bell struct {
	mu      sync.Mutex
	ringing bool
	polls   int
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ringing = true
}

func (b *bell) polled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.polls
}

func (b *bell) Start(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	panic("a watch is only polled")
}

func (b *bell) Poll(_ context.Context, t work.Task, _ work.Workspace) (work.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls++
	if !b.ringing {
		return work.Outcome{State: work.Running, Handle: t.Handle, PollAfter: 15 * time.Second}, nil
	}
	return work.Outcome{State: work.Failed, ExternalID: "shop-5xx", Error: &workflows.Reason{Code: work.AlarmRang, Message: "alarm shop-5xx is in state ALARM"}}, nil
}

func (b *bell) Cancel(context.Context, work.Task, work.Workspace) (work.Outcome, error) {
	panic("a watch is never cancelled")
}

// An alarm that rings five minutes after a deployment brings back what ran before,
// once, whatever restarts in between; the deployment stays Succeeded.
func TestAnAlarmAfterTheDeploymentRollsBackOnce(t *testing.T) {
	play(t, func(w *world) {
		b := &bell{}
		w.options.Runners["Rule/CloudWatchAlarm"] = b
		w.boot()
		w.define(strings.Replace(named("web"), "  - name: Deploy\n", "  - name: Deploy\n    rollback: {onAlarm: {alarms: [shop-5xx], for: 10m}}\n", 1))
		first := w.begin("web")
		w.status(first, workflows.StatusSucceeded)
		pass(time.Hour)
		second := w.begin("web")
		w.status(second, workflows.StatusSucceeded)
		before := b.polled()
		pass(4 * time.Minute)
		if n := b.polled() - before; n < 15 || n > 18 {
			t.Errorf("%d looks in four minutes", n)
		}
		w.crash()
		w.boot()
		pass(time.Minute)
		b.ring()
		pass(20 * time.Second)
		back := w.execution("web#3")
		if back.Type != workflows.TypeRollback || back.Trigger.Type != workflows.TriggerAutomated || !strings.Contains(back.Trigger.Detail, "shop-5xx") ||
			back.Rollback.Target != first || back.Rollback.Alarm != "shop-5xx" || back.Rollback.Reason != "alarm shop-5xx rang 5 minutes after the deployment" {
			t.Fatalf("it is %+v, rollback %+v", back.Trigger, back.Rollback)
		}
		w.status(back.ID, workflows.StatusSucceeded)
		w.status(second, workflows.StatusSucceeded)
		w.reboot()
		after := b.polled()
		pass(20 * time.Minute)
		synctest.Wait()
		if n := w.count(event.ExecutionStarted); n != 3 {
			t.Errorf("%d executions were started, the alarm rings on", n)
		}
		if n := b.polled() - after; n != 0 {
			t.Errorf("%d more looks: what a rollback brought is not watched", n)
		}
	})
}

// A watch that is over asks nothing more, also when nobody was there at its end.
func TestAWatchEndsWhileTheServiceIsAway(t *testing.T) {
	play(t, func(w *world) {
		b := &bell{}
		w.options.Runners["Rule/CloudWatchAlarm"] = b
		w.boot()
		w.define(strings.Replace(named("web"), "  - name: Deploy\n", "  - name: Deploy\n    rollback: {onAlarm: {alarms: [shop-5xx], for: 10m}}\n", 1))
		w.begin("web")
		w.begin("web")
		w.crash()
		b.ring()
		pass(11 * time.Minute)
		w.boot()
		pass(time.Minute)
		if n := w.count(event.AlarmRang) + w.count(event.AlarmWatchEnded); n != 2 || w.count(event.AlarmRang) != 0 { // that of #1 ended when #2 came
			t.Errorf("%d watches ended, %d alarms rang", n, w.count(event.AlarmRang))
		}
	})
}
