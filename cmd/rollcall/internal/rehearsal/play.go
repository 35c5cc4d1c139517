package rehearsal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Result is what became of a test. Faults are the expectations of the first
// step in which one did not hold; none: it passed. Trace is what happened, in
// lines for people; what follows from a step is indented below it.
type Result struct {
	Faults []Fault
	Trace  []string
}

// Play plays the test on the machine. Every test begins with a fresh pipeline.
func (t Test) Play() Result {
	begins := t.file.begins
	if now := t.body.get("now"); now != nil {
		begins, _ = momentIn(now.text, t.file.zone)
	}
	w := newWorld(t.file, begins)
	f := &faults{file: t.file.Path}
	w.setOutcomes(t.file.root.get("outcomes"))
	w.setOutcomes(t.body.get("outcomes"))
	if err := w.define(t.freezes(f)); err != nil {
		f.add(t.body, "the pipeline cannot be applied: "+err.Error(), "")
	}
	for _, step := range t.body.get("steps").items {
		if len(f.list) > 0 {
			break
		}
		w.step(step, f)
	}
	return Result{Faults: f.list, Trace: w.trace}
}

// define puts the pipeline, and the freezes, in force.
func (w *simulation) define(freezes []workflows.Freeze) error {
	engine := workflows.EnginePrincipal()
	if err := w.ask(engine, workflows.Intent{Verb: workflows.Edit, NewDefinition: w.file.pipeline, ManagedBy: "file:" + w.file.main}); err != nil {
		return err
	}
	if len(freezes) == 0 {
		return nil
	}
	return w.ask(engine, workflows.Intent{Verb: workflows.ReplaceFreezes, Freezes: freezes})
}

// freezes reads those of the test, or else of the file, that name the pipeline.
func (t Test) freezes(f *faults) []workflows.Freeze {
	given := t.body.get("freeze")
	if given == nil {
		given = t.file.root.get("freeze")
	}
	var all []workflows.Freeze
	if given == nil {
		return nil
	}
	for _, n := range given.items {
		in := zone(n, f, t.file.zone)
		from, _ := momentIn(n.str("from"), in)
		to, _ := momentIn(n.str("to"), in)
		if !to.After(from) {
			f.add(n, "the freeze ends before it begins", "to is the first moment that is free again")
		}
		one := workflows.Freeze{Name: n.str("name"), From: from, To: to, On: n.get("on").texts(), MayPass: t.file.people.whos(n.get("mayPass"))}
		if slices.ContainsFunc(t.file.pipeline.Stages, func(st workflows.Stage) bool { return scope.Frozen(&one, from, t.file.pipeline.Name, st.Name) }) {
			all = append(all, one)
		}
	}
	return all
}

// step plays one step and checks what must follow.
func (w *simulation) step(step *node, f *faults) {
	w.trace = append(w.trace, fmt.Sprintf("- line %d: %s", step.line, headline(step)))
	w.setOutcomes(step.get("outcomes"))
	before := len(w.events)
	w.ignored = ""
	key, err := w.act(step)
	decided := len(w.events)
	if err == nil || isRefusal(err) {
		if e := w.runUntilIdle(); e != nil {
			err = e
		}
	}
	if key == "wait" || key == "until" {
		decided = len(w.events)
	}
	at := step
	if v := step.get(key); v != nil {
		at = v
	}
	switch refused := step.get("refused"); {
	case err != nil && !isRefusal(err):
		f.add(at, key+": "+err.Error(), "")
		return
	case refused != nil:
		w.checkRefusal(refused, err, f)
	case err != nil:
		f.add(at, key+" was refused: "+refusalText(err), "if that is meant, add refused: "+refusalCode(err))
		return
	}
	known := len(f.list)
	w.checkStarts(step, at, w.events[before:decided], f)
	if expect := step.get("expect"); expect != nil && len(f.list) == known {
		w.expect(expect, f)
	}
}

// headline is the step without what it expects.
func headline(step *node) string {
	var parts []string
	for _, e := range step.entries {
		if e.key.text != "expect" {
			parts = append(parts, e.key.text+": "+e.value.String())
		}
	}
	if len(parts) == 0 {
		return "expect"
	}
	return strings.Join(parts, ", ")
}

// act carries the step's act out, if it has one.
func (w *simulation) act(step *node) (key string, err error) {
	for _, a := range acts() {
		if v := step.get(a.key); v != nil {
			err := a.do(w, v)
			if isRefusal(err) {
				w.traceLine("refused: " + refusalText(err))
			}
			return a.key, err
		}
	}
	return "", nil
}

func isRefusal(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p)
}

func refusalCode(err error) string {
	var p *workflows.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func refusalText(err error) string {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		return err.Error()
	}
	return p.Code + ", " + p.Error()
}

func (w *simulation) checkRefusal(want *node, err error, f *faults) {
	code, says := want.text, ""
	if want.kind == mapping {
		code, says = want.str("code"), want.str("says")
	}
	switch {
	case err == nil:
		f.add(want, "expected a refusal, and it was accepted", "")
	case code != "" && code != refusalCode(err):
		f.add(want, fmt.Sprintf("refused: expected %s, is %s", code, refusalText(err)), "")
	case !strings.Contains(refusalText(err), says):
		f.add(want, fmt.Sprintf("refused: expected %s, is %s", words.Quoted(says), refusalText(err)), "")
	}
}

// checkStarts compares the executions that the act started by itself.
func (w *simulation) checkStarts(step, at *node, events []event.Event, f *faults) {
	started := []string{}
	for _, e := range events {
		if e.Kind == event.ExecutionStarted && e.Started.Trigger.Type != workflows.TriggerAutomated {
			started = append(started, fmt.Sprint(e.Started.Number))
		}
	}
	want, ignored := step.get("starts"), step.get("ignored")
	switch {
	case ignored != nil && w.ignored == "":
		f.add(ignored, "expected that it starts nothing, and it starts #"+strings.Join(started, ", #"), "")
	case ignored != nil && !strings.Contains(w.ignored, ignored.text):
		f.add(ignored, fmt.Sprintf("ignored: expected %s, is %s", words.Quoted(ignored.text), words.Quoted(w.ignored)), "")
	case ignored == nil && want == nil && w.ignored != "":
		hint := "if that is meant, add ignored: " + w.ignored
		if strings.Contains(w.ignored, "changed file") && at.get("files") == nil {
			hint = "say which files: [src/a.go] were changed"
		}
		f.add(at, "this starts nothing: "+w.ignored, hint)
	case want != nil:
		numbers := []string{}
		for _, text := range want.texts() {
			if n, ok := executionNumber(text); ok {
				numbers = append(numbers, fmt.Sprint(n))
			}
		}
		if strings.Join(numbers, " ") != strings.Join(started, " ") {
			f.add(want, fmt.Sprintf("starts: expected %s, is %s", orNothing(numbers), orNothing(started)), w.ignored)
		}
	}
}

func orNothing(words []string) string {
	if len(words) == 0 {
		return nothing
	}
	return strings.Join(words, ", ")
}
