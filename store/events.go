package store

import (
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// The events of a frame are their number plus one (0: there is no list), and
// each of them in the form
//
//	kind  mask  the fields that mask names, in the order of its bits
//
// where a field that is not named is as in the event before. Numbers are
// varints; a string has its length before it, an ID twice its length, or 1 when
// it is a UUID, whose 16 bytes follow. What has no form of its own here is one
// JSON object, the last field: a new field of an event needs nothing here.
const (
	hasAt        = 1 << iota // nanoseconds since the last event that has them
	hasAction                // a string
	hasStage                 // a string
	hasAttempt               // a number
	hasStart                 // an attempt that opened as most do: nanoseconds from At to its deadline
	hasNoOutcome             // nothing: there is an outcome, and it is empty
	hasExecution             // an ID
	hasBy                    // the principal, as JSON
	hasToken                 // an ID; else there is none
	hasText                  // a string; else there is none
	hasHost                  // a string: of the attempt that opened
	hasOddAt                 // a string in RFC 3339: a time that is not UTC or far from now
	hasRest                  // everything else, as JSON
)

// kindCodes are the kinds by their code; code 0 means that the name follows.
// Codes are part of the format: none ever changes its meaning, new ones come
// at the end.
var kindCodes = [...]event.Kind{
	1: event.PipelineDefined, 2: event.PipelineArchived,
	3: event.ExecutionStarted, 4: event.ExecutionWaiting, 5: event.ExecutionSteppedBack, 6: event.ExecutionSuperseded, 7: event.ExecutionStopping,
	8: event.ExecutionStopped, 9: event.ExecutionSucceeded, 10: event.ExecutionFailed, 11: event.ExecutionCancelled, 12: event.ExecutionResumed, 13: event.ExecutionNoted,
	14: event.StageEntered, 15: event.StageSucceeded, 16: event.StageFailed, 17: event.StageStopped, 18: event.StageCancelled,
	19: event.ActionStarted, 20: event.ActionTracked, 21: event.ActionSucceeded, 22: event.ActionFailed, 23: event.ActionAbandoned, 24: event.ActionCancelling,
	25: event.ActionInDoubt, 26: event.ActionRetrying, 27: event.ActionResolved, 28: event.ActionSkipped, 29: event.OrphanConfirmed, 30: event.OrphanLeft,
	31: event.GateOpened, 32: event.GateVoted, 33: event.GateVoteDropped, 34: event.GateClosed, 35: event.GateReminded,
	36: event.TransitionDisabled, 37: event.TransitionEnabled, 38: event.ReturnPlanned, 39: event.ReturnDropped,
	40: event.StageSkipped, 41: event.StageResumed, 42: event.ConditionStarted, 43: event.ConditionSucceeded, 44: event.ConditionFailed, 45: event.ConditionOverridden,
	46: event.ConditionAbandoned, 47: event.GateOverridden, 48: event.ScheduleFired, 49: event.PollingDisabled, 50: event.PollingEnabled, 51: event.FreezesSet,
	52: event.IntentRefused, 53: event.BackupRestored,
	54: event.ExecutionObserved, 55: event.RequestOpened, 56: event.RequestClosed, 57: event.BridgeLost, 58: event.BridgeSeen,
	59: event.AlarmRang, 60: event.AlarmsUnseen, 61: event.AlarmsSeen, 62: event.AlarmWatchEnded,
}

// carried are the fields that an event takes over from the one before.
type carried struct {
	nano                           int64 // At, in nanoseconds since 1970
	by                             workflows.Principal
	execution, stage, action, host string
	attempt                        int
}

// before is what the first event of a frame takes over. It is part of the format.
func before() carried {
	return carried{by: workflows.Principal{ID: "engine", Name: "rollcall", Via: "engine"}}
}

// rest is an event without the fields that have a form of their own.
type rest struct {
	*event.Event
	Kind      string    `json:"kind,omitempty"`
	At        *struct{} `json:"at,omitempty"`
	By        *struct{} `json:"by,omitempty"`
	Execution string    `json:"execution,omitempty"`
	Stage     string    `json:"stage,omitempty"`
	Action    string    `json:"action,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Token     string    `json:"token,omitempty"`
	Text      string    `json:"text,omitempty"`
}

// eventWriter writes the events of one frame behind what out holds.
type eventWriter struct {
	out   []byte
	kinds map[event.Kind]byte
	last  carried
}

func (w *eventWriter) events(events []event.Event) error {
	w.last = before()
	if events == nil {
		w.out = append(w.out, 0)
		return nil
	}
	w.out = binary.AppendUvarint(w.out, uint64(len(events))+1)
	for i := range events {
		if err := w.event(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *eventWriter) event(e *event.Event) error {
	mask, now := w.mask(e)
	w.out = append(w.out, w.kinds[e.Kind])
	if w.kinds[e.Kind] == 0 {
		w.text(string(e.Kind))
	}
	w.out = binary.AppendUvarint(w.out, mask)
	w.common(mask, now, e)
	if mask&hasBy != 0 {
		if err := w.json(e.By); err != nil {
			return err
		}
	}
	w.rare(mask, e)
	w.last = now
	if mask&hasRest == 0 {
		return nil
	}
	left := *e
	if mask&hasStart != 0 {
		left.Start = nil
	}
	if mask&hasNoOutcome != 0 {
		left.Outcome = nil
	}
	return w.json(rest{Event: &left})
}

// bare says whether an event has nothing but what has a form of its own, an
// attempt that opened, and an outcome. A test names a field that is missing here.
func bare(e *event.Event) bool {
	return e.Reason == nil && e.Defined == nil && e.Started == nil && e.Resumed == nil && e.Wait == nil && e.Stop == nil && e.Gate == nil && e.Vote == nil &&
		e.Transition == nil && e.Planned == nil && e.Note == nil && e.Refused == nil && e.Override == nil && e.Schedule == nil && e.Freezes == nil && e.Under == nil && e.Restored == nil &&
		e.Request == nil && e.When == nil
}

// mask says which fields are written, and what the next event takes over.
func (w *eventWriter) mask(e *event.Event) (mask uint64, now carried) {
	set := func(bit uint64, differs bool) {
		if differs {
			mask |= bit
		}
	}
	now = carried{w.last.nano, e.By, e.Execution, e.Stage, e.Action, w.last.host, e.Attempt}
	nano, plain := nanoseconds(e.At)
	if plain {
		now.nano = nano
	}
	set(hasOddAt, !plain)
	if plain && started(e) {
		now.host = e.Start.Host
		set(hasStart, true)
	}
	set(hasNoOutcome, e.Outcome != nil && zero(e.Outcome))
	set(hasRest, !bare(e) || e.Start != nil && mask&hasStart == 0 || e.Outcome != nil && mask&hasNoOutcome == 0)
	last := &w.last
	set(hasAt, now.nano != last.nano)
	set(hasAction, now.action != last.action)
	set(hasStage, now.stage != last.stage)
	set(hasAttempt, now.attempt != last.attempt)
	set(hasExecution, now.execution != last.execution)
	set(hasBy, now.by != last.by)
	set(hasHost, now.host != last.host)
	set(hasToken, e.Token != "")
	set(hasText, e.Text != "")
	return mask, now
}

// common writes the fields that stand before the principal.
func (w *eventWriter) common(mask uint64, now carried, e *event.Event) {
	if mask&hasAt != 0 {
		w.out = binary.AppendVarint(w.out, now.nano-w.last.nano)
	}
	if mask&hasAction != 0 {
		w.text(e.Action)
	}
	if mask&hasStage != 0 {
		w.text(e.Stage)
	}
	if mask&hasAttempt != 0 {
		w.number(e.Attempt)
	}
	if mask&hasStart != 0 {
		deadline, _ := nanoseconds(e.Start.Deadline)
		w.out = binary.AppendVarint(w.out, deadline-now.nano)
	}
	if mask&hasExecution != 0 {
		w.id(e.Execution)
	}
}

// rare writes the fields that stand between the principal and the rest.
func (w *eventWriter) rare(mask uint64, e *event.Event) {
	if mask&hasToken != 0 {
		w.id(e.Token)
	}
	if mask&hasText != 0 {
		w.text(e.Text)
	}
	if mask&hasHost != 0 {
		w.text(e.Start.Host)
	}
	if mask&hasOddAt != 0 {
		w.text(e.At.Format(time.RFC3339Nano))
	}
}

func (w *eventWriter) number(n int) { w.out = binary.AppendVarint(w.out, int64(n)) }

func (w *eventWriter) text(s string) {
	w.out = append(binary.AppendUvarint(w.out, uint64(len(s))), s...)
}

func (w *eventWriter) json(v any) error {
	b, err := json.Marshal(v)
	w.text(string(b))
	return err
}

func (w *eventWriter) id(s string) {
	if raw, ok := rawUUID(binary.AppendUvarint(w.out, 1), s); ok {
		w.out = raw
		return
	}
	w.out = append(binary.AppendUvarint(w.out, 2*uint64(len(s))), s...)
}

// started says whether an attempt opened as most do: its task has the usual
// name, and there is nothing to say but deadline and host.
func started(e *event.Event) bool {
	if e.Start == nil || e.Start.Task != usualTask(e.Execution, e.Stage, e.Action, e.Attempt) {
		return false
	}
	if _, ok := nanoseconds(e.Start.Deadline); !ok {
		return false
	}
	s := *e.Start
	s.Task, s.Host, s.Deadline = "", "", time.Time{}
	return zero(&s)
}

// nanoseconds is a time since 1970; ok is false when that would lose something.
func nanoseconds(t time.Time) (n int64, ok bool) {
	const aged, far = 1700, 2200 // years
	if _, offset := t.Zone(); offset != 0 || t.Year() < aged || t.Year() > far {
		return 0, false
	}
	return t.UnixNano(), true
}

func zero[T any](v *T) bool { return reflect.ValueOf(v).Elem().IsZero() }

// usualTask is the ID that a task has for its attempt.
func usualTask(execution, stage, action string, attempt int) string {
	return execution + "/" + stage + "/" + action + "/" + strconv.Itoa(attempt)
}
