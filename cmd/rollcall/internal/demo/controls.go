package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// controls are what the visitor has set for a pipeline of their own. They are
// kept with the demo's notes, so that they outlive a kill.
type controls struct {
	Speed float64       `json:"speed,omitempty"` // how many times as fast as usual; 0: once
	Fail  []string      `json:"fail,omitempty"`  // STAGE/ACTION that fail when they run next
	Gates []string      `json:"gates,omitempty"` // stages that have got a gate
	Ahead time.Duration `json:"ahead,omitempty"` // of the machine's clock
}

// addedGate is the name of the action that a visitor's gate is.
const addedGate = "DemoGate"

// speeds are those that the visitor may choose.
func speeds() []float64 { return []float64{0.5, 1, 4} }

// Now is the demo's clock: the machine's, and what the visitor has skipped.
func (d *Demo) Now() time.Time { return time.Now().Add(d.place.known().Controls.Ahead) }

// beat is how long things take at the speed that is set.
func (d *Demo) beat() time.Duration {
	if s := d.place.known().Controls.Speed; s > 0 {
		return time.Duration(float64(d.o.Beat) / s)
	}
	return d.o.Beat
}

// failNow says whether an action is to fail, and forgets that it was.
func (d *Demo) failNow(action string) bool {
	if !slices.Contains(d.place.known().Controls.Fail, action) {
		return false
	}
	err := d.place.write(func(n *note) { n.Controls.Fail = without(n.Controls.Fail, action) })
	return err == nil
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func toggled(all []string, one string) []string {
	if slices.Contains(all, one) {
		return without(all, one)
	}
	return append(slices.Clone(all), one)
}

// wish is what the visitor asks for with a control of the page.
type wish struct {
	What   string  // speed, fail, gate, skip, approve
	Speed  float64 // of speed
	Stage  string  // of fail and gate
	Action string  // of fail
	To     string  // of skip: hour, monday
	As     string  // of approve: a user
	Gate   string  // of approve: its token
}

// takeControl does what the visitor asks for.
func (d *Demo) takeControl(w http.ResponseWriter, r *http.Request) {
	var in wish
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"ok": false, "error": "say what to do"})
		return
	}
	if err := d.control(r.Context(), in); err != nil {
		answer(w, http.StatusOK, map[string]any{"ok": false, "error": err.Error()})
		return
	}
	d.beats.bump()
	answer(w, http.StatusOK, map[string]any{"ok": true})
}

func (d *Demo) control(ctx context.Context, in wish) error {
	if d.play == nil {
		return errors.New("these controls are for a pipeline file: rollcall demo FILE")
	}
	st, known := d.play.pipeline.Stage(in.Stage)
	switch in.What {
	case "speed":
		if !slices.Contains(speeds(), in.Speed) {
			return errors.New("there is no such speed")
		}
		return d.place.write(func(n *note) { n.Controls.Speed = in.Speed })
	case "fail":
		if !known || !slices.ContainsFunc(st.Actions, func(a workflows.Action) bool { return a.Name == in.Action && !a.IsApproval() }) {
			return errors.New("the pipeline has no such action")
		}
		return d.place.write(func(n *note) { n.Controls.Fail = toggled(n.Controls.Fail, in.Stage+"/"+in.Action) })
	case "gate":
		if !known || in.Stage == d.play.pipeline.Stages[0].Name {
			return errors.New("a gate stands in a stage after the first")
		}
		if err := d.place.write(func(n *note) { n.Controls.Gates = toggled(n.Controls.Gates, in.Stage) }); err != nil {
			return err
		}
		return d.writePipeline()
	case "skip":
		return d.skip(in.To)
	case "approve":
		return d.approveAs(ctx, in.Gate, in.As)
	}
	return fmt.Errorf("there is nothing called %q to do", in.What)
}

// skip moves the clock on; it never goes back.
func (d *Demo) skip(to string) error {
	now := d.Now()
	var by time.Duration
	switch to {
	case "hour":
		by = time.Hour
	case "monday":
		by = nextMonday(now).Sub(now)
	default:
		return errors.New("the clock skips an hour, or to Monday")
	}
	if err := d.place.write(func(n *note) { n.Controls.Ahead += by }); err != nil {
		return err
	}
	if e := d.engine.Load(); e != nil {
		(*e).ClockMoved()
	}
	return nil
}

// nextMonday is 09:00 of the Monday after a moment, where the demo runs.
func nextMonday(at time.Time) time.Time {
	monday := time.Date(at.Year(), at.Month(), at.Day()+int(time.Monday-at.Weekday()+7)%7, 9, 0, 0, 0, at.Location())
	if !monday.After(at) {
		monday = monday.AddDate(0, 0, 7)
	}
	return monday
}

// approveAs presses Approve for one of the demo's people.
func (d *Demo) approveAs(ctx context.Context, gate, user string) error {
	sc, err := d.readScene(ctx)
	if err != nil {
		return err
	}
	for i := range sc.gates {
		if sc.gates[i].Approval.Token != gate {
			continue
		}
		if d.click(ctx, &sc.gates[i], user) {
			return nil
		}
		return errors.New("the gate has no button in the channel yet: try again in a moment")
	}
	return errors.New("this gate is closed")
}

// file is the visitor's pipeline file with the gates that they added.
func (p *pipelineFile) file(gates []string) []byte {
	if len(gates) == 0 {
		return p.data
	}
	whole := *p.pipeline
	whole.Stages = slices.Clone(p.pipeline.Stages)
	for i := range whole.Stages {
		st := &whole.Stages[i]
		if !slices.Contains(gates, st.Name) {
			continue
		}
		actions := []workflows.Action{{Name: addedGate, RunOrder: 1, ActionType: workflows.ActionType{Category: "Approval", Owner: "AWS", Provider: "Manual", Version: "1"},
			TimeoutMinutes: 7 * 24 * 60, Approval: &workflows.ApprovalPolicy{From: []string{"everyone"}, Required: 1}}}
		for _, a := range st.Actions {
			a.RunOrder++
			actions = append(actions, a)
		}
		st.Actions = actions
	}
	if p.kind() == ".json" {
		return spec.PrintJSON(&whole)
	}
	return spec.Print(&whole)
}
