package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Caption says in a few words what happened.
type Caption struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

const captionsKept = 40

// narrator folds the engine's log into captions. It is made anew from the log at
// every start. The zero value is ready.
type narrator struct {
	mu       sync.Mutex
	after    uint64 // position in the feed
	names    map[string]*named
	stages   map[string]bool // stages with an environment
	many     bool            // there are several pipelines: numbers need their names
	captions []Caption
}

// named is what captions need of an execution.
type named struct {
	number, target int // target: of a rollback
	pipeline       string
	title          string
	rollback       bool
}

// all is what was told, oldest first.
func (t *narrator) all() []Caption {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.captions)
}

// add takes committed frames in.
func (t *narrator) add(frames []event.Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		t.names, t.stages = map[string]*named{}, map[string]bool{}
	}
	for _, f := range frames {
		t.after = max(t.after, f.Feed)
		for i := range f.Events {
			if text := t.caption(&f.Events[i]); text != "" {
				t.captions = append(t.captions, Caption{At: f.Events[i].At, Text: text})
			}
		}
	}
	t.captions = t.captions[max(0, len(t.captions)-captionsKept):]
}

// caption is what is said of an event; empty: nothing.
func (t *narrator) caption(e *event.Event) string {
	x := t.names[e.Execution]
	switch {
	case e.Kind == event.PipelineDefined:
		for _, s := range e.Defined.Definition.Stages {
			t.stages[s.Name] = s.Environment != ""
		}
		return ""
	case e.Kind == event.ExecutionStarted:
		return t.startedCaption(e.Started)
	case e.Kind == event.TransitionDisabled && e.Transition != nil && e.Transition.Cause == "rollback":
		return e.Stage + " is locked after the rollback"
	case e.Kind == event.TransitionEnabled && (e.Transition == nil || e.Transition.Only == ""):
		return e.Stage + " is unlocked"
	case x == nil:
		return ""
	}
	ref := x.ref(x.number)
	switch e.Kind {
	case event.TransitionEnabled:
		return "Only " + ref + " may enter " + e.Stage
	case event.ExecutionWaiting:
		if e.Wait != nil && e.Wait.For == workflows.WaitsForTransition {
			return ref + " is " + (&say.Format{}).Wait(e.Wait)
		}
	case event.ExecutionSucceeded, event.ExecutionFailed:
		return t.ended(x, ref, e)
	case event.GateOpened, event.GateVoted, event.GateClosed:
		return gateCaption(ref, e)
	case event.ActionStarted:
		if t.stages[e.Stage] && e.Start != nil && e.Start.Task != "" && e.Action == "Deploy" {
			return ref + " is being deployed"
		}
	case event.ActionTracked:
		if e.Outcome != nil && strings.HasPrefix(e.Outcome.Summary, "opens ") { // a DeploymentWindow, in its own words
			return ref + " waits for its deployment window, which " + e.Outcome.Summary
		}
	case event.ActionInDoubt:
		return e.Action + " of " + ref + ": " + string(say.ResultUnknown)
	case event.ExecutionNoted:
		if n := e.Note; n != nil && n.Name == "ticket" && n.State == "done" {
			return "Ticket " + n.Text + " for " + ref
		}
	}
	return ""
}

// ref is an execution's number, with the pipeline's name where there are several.
func (n *named) ref(number int) string { return fmt.Sprintf("%s#%d", n.pipeline, number) }

func (t *narrator) startedCaption(x *workflows.Execution) string {
	n := &named{number: x.Number, rollback: x.Type == workflows.TypeRollback}
	if t.many {
		n.pipeline = x.Pipeline
	}
	t.names[x.ID] = n
	if n.rollback {
		n.target = x.Rollback.TargetNumber
		if x.Trigger.Type == workflows.TriggerAutomated {
			return fmt.Sprintf("%s: automatic rollback to #%d", n.ref(n.number), n.target)
		}
		return fmt.Sprintf("%s rolls back to %s", who(x.Trigger.By), n.ref(n.target))
	}
	if len(x.SourceRevisions) > 0 {
		n.title = x.SourceRevisions[0].RevisionSummary
	}
	if n.title == "" {
		return fmt.Sprintf("%s started %s", who(x.Trigger.By), n.ref(n.number))
	}
	return fmt.Sprintf("%s: “%s”", n.ref(n.number), n.title)
}

func (t *narrator) ended(x *named, ref string, e *event.Event) string {
	switch {
	case e.Kind == event.ExecutionSucceeded && x.rollback:
		return x.ref(x.target) + " is back"
	case e.Kind == event.ExecutionSucceeded:
		return ref + " is out"
	case e.Reason != nil && (e.Reason.Code == "NotApproved" || e.Reason.Code == "ApprovalExpired"):
		return ref + " was not approved"
	}
	return ref + " failed"
}

func gateCaption(ref string, e *event.Event) string {
	switch {
	case e.Kind == event.GateOpened && e.Gate != nil && e.Gate.Required > 1:
		return fmt.Sprintf("%s asks for %d approvals", ref, e.Gate.Required)
	case e.Kind == event.GateOpened:
		return ref + " asks for approval"
	case e.Kind == event.GateVoted && e.Vote != nil && e.Vote.Answer == "approve":
		return who(e.Vote.By) + " approved " + ref
	case e.Kind == event.GateVoted && e.Vote != nil:
		return who(e.Vote.By) + " rejected " + ref
	case e.Kind == event.GateClosed && e.Text == "withdrawn":
		return ref + " steps back"
	}
	return ""
}

func who(p workflows.Principal) string {
	if p.Via == workflows.ViaOutside {
		return shortARN(orElse(p.Name, p.ID)) + " in AWS"
	}
	return orElse(p.Name, p.ID)
}

// watch hears what is committed, and has pages look again.
func (d *Demo) watch(ctx context.Context, e Engine) {
	for ctx.Err() == nil {
		frames, err := e.Feed(ctx, workflows.EnginePrincipal(), d.told.after, 256)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Warn("the demo could not read what happened", "err", err)
				pause(ctx, time.Second)
			}
			continue
		}
		d.told.add(frames)
		d.beats.bump()
	}
}

// refreshRegularly has pages look again while time alone changes what they show.
func (d *Demo) refreshRegularly(ctx context.Context, _ Engine) {
	for ctx.Err() == nil {
		pause(ctx, time.Second)
		d.beats.bump()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
