package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/bot/form"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/scope"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// origin notes in a form where it was asked for: a submitted form says nothing
// about that, and the answer belongs there.
func origin(about card.Subject, to Reply) card.Subject {
	if about.Channel == "" {
		about.Channel, about.Thread = to.Channel, to.Thread
	}
	return about
}

func (b *Bot) openReject(ctx context.Context, r Request, about card.Subject) error {
	e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), about.Execution)
	if err != nil {
		return err
	}
	if err := b.possible(ctx, r, answerOf(workflows.Reject, about)); err != nil {
		return err
	}
	return b.show(ctx, r.Reply, form.Reason(b.view(ctx, workflows.EnginePrincipal(), e), workflows.Reject, origin(about, r.Reply)))
}

// openRollback opens the form for what f.About says, after making sure that it
// is of use to this person.
func (b *Bot) openRollback(ctx context.Context, r Request, f form.Return) error {
	if err := b.may(ctx, r.By, workflows.RollBack, f.About.Pipeline, f.About.Stage); err != nil {
		return err
	}
	filled, err := b.rollbackForm(ctx, r, f)
	if err == nil {
		err = b.returnable(ctx, r, filled)
	}
	if err != nil {
		return err
	}
	return b.show(ctx, r.Reply, form.Rollback(filled))
}

// returnable is nil when the stage of a form could go back to one of its
// targets, else the refusal: of the one that is preselected, or of all.
func (b *Bot) returnable(ctx context.Context, r Request, f form.Return) error {
	target, why := "", []string{}
	for _, t := range f.Targets {
		switch {
		case !t.Eligible:
			why = append(why, fmt.Sprintf("#%d %s", t.Number, t.Why))
		case target == "" || t.Preselected && target != f.About.Target || t.Execution == f.About.Target:
			target = t.Execution
		}
	}
	if target == "" {
		return &workflows.Problem{Code: workflows.CodeUnableToRollback, Message: "there is nothing that " + f.About.Stage + " of " + f.About.Pipeline + " could go back to",
			Hint: strings.Join(append(why[:min(len(why), 5)], "something must have succeeded there before"), "; ")}
	}
	return b.possible(ctx, r, workflows.Intent{Verb: workflows.RollBack, Pipeline: f.About.Pipeline, Stage: f.About.Stage, Target: target, WhileRunning: "wait"})
}

// may is nil when the person has the right, else the refusal.
func (b *Bot) may(ctx context.Context, by workflows.Principal, v workflows.Verb, pipeline, stage string) error {
	refusal, holders, err := b.engine.Verdict(ctx, by, v, pipeline, stage)
	if err != nil || refusal == nil {
		return err
	}
	return &refusedIntent{Problem: refusal, holders: b.called(ctx, holders)}
}

// rollbackForm gathers what the form shows: the stage's targets, what runs
// there, whether it is at work.
func (b *Bot) rollbackForm(ctx context.Context, r Request, f form.Return) (form.Return, error) {
	f.About = origin(f.About, r.Reply)
	f.About.Execution = "" // the form is about the stage, whoever opened it
	if f.About.Stage == "" {
		return f, nil
	}
	p, err := b.engine.Pipeline(ctx, r.By, f.About.Pipeline, 0)
	if err != nil {
		return f, err
	}
	if f.Targets, err = b.engine.Targets(ctx, r.By, p.Name, f.About.Stage); err != nil {
		return f, err
	}
	s, ok := p.Stage(f.About.Stage)
	if !ok {
		return f, nil
	}
	f.Reader, f.Zone, f.Now = r.By.Called(), r.Reply.Zone, b.now()
	if p.Definition != nil {
		f.Stage, _ = p.Definition.Stage(s.Name)
	}
	if i := slices.IndexFunc(p.Freezes, func(z workflows.Freeze) bool { return scope.Frozen(&z, f.Now, p.Name, s.Name) }); i >= 0 {
		f.Freeze = &p.Freezes[i]
	}
	// What the form shows is what the person sees, also when the button was older.
	f.About.Seen = ""
	if s.Running != nil {
		f.About.Seen = s.Running.Execution
	}
	if l := s.LatestExecution; l != nil && !l.Status.Final() {
		e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), l.Execution)
		if err == nil && busy(&e, s.Name) {
			f.Busy = e.Ref()
		}
	}
	return f, nil
}

// busy says whether an execution has actions at work in a stage; one that only
// waits for people steps back by itself.
func busy(e *workflows.Execution, stage string) bool {
	s, ok := e.Stage(stage)
	if !ok || e.WaitsFor != nil {
		return false
	}
	return slices.ContainsFunc(s.Actions, func(a workflows.ActionExecution) bool {
		return a.Status == workflows.StatusInProgress && a.Needs != workflows.NeedsApproval
	})
}

// typedRollback acts at once when pipeline, stage and target are named; else
// the form asks for what is missing.
func (b *Bot) typedRollback(ctx context.Context, r Request, c command.Command) error {
	f := form.Return{Reason: c.Reason}
	target := ""
	if c.Execution != "" {
		e, err := b.engine.Execution(ctx, r.By, c.Execution)
		if err != nil {
			return err
		}
		target = e.ID
		if c.Pipeline == "" {
			c.Pipeline = e.Pipeline
		}
	}
	if c.Pipeline == "" {
		return b.choosePlace(ctx, r, f, nil)
	}
	p, err := b.engine.Pipeline(ctx, r.By, c.Pipeline, 0)
	if err != nil {
		return err
	}
	stage := stageName(p, c.Stage)
	if _, ok := p.Stage(stage); !ok && c.Stage != "" {
		if _, near := words.Nearest(c.Stage, stageNames(p)); target != "" || near || c.Reason == "" {
			return &workflows.Problem{Code: workflows.CodeStageNotFound, Message: p.Name + " has no stage " + c.Stage, Hint: "it has " + strings.Join(stageNames(p), ", ")}
		}
		// Several words that begin with no stage are the reason.
		f.Reason, stage = c.Loose(c.Stage), ""
	}
	f.About = card.Subject{Pipeline: p.Name, Stage: stage, Target: target}
	switch {
	case stage == "":
		return b.choosePlace(ctx, r, f, &p)
	case target == "":
		return b.openRollback(ctx, r, f)
	}
	return b.do(ctx, r, workflows.Intent{Verb: workflows.RollBack, Pipeline: p.Name, Stage: stage, Target: target, Reason: c.Reason})
}

func stageNames(p workflows.PipelineView) []string {
	var all []string
	for _, s := range p.Stages {
		all = append(all, s.Name)
	}
	return all
}

// choosePlace opens the form with a choice of stages, of one pipeline or all.
// The last stage with an environment that this person may roll back is chosen already.
func (b *Bot) choosePlace(ctx context.Context, r Request, f form.Return, only *workflows.PipelineView) error {
	var all []workflows.PipelineView
	if only != nil {
		all = []workflows.PipelineView{*only}
	} else {
		var err error
		if all, err = b.engine.Pipelines(ctx, r.By); err != nil {
			return err
		}
	}
	if f.Places = places(all); len(f.Places) == 0 {
		return &workflows.Problem{Code: workflows.CodeUnableToRollback, Message: "there is no stage that you could roll back",
			Hint: "nothing has run anywhere before what runs there now, or you do not have the right"}
	}
	best := 0
	for _, p := range all {
		for _, s := range p.Stages {
			rank := rankOf(s)
			if rank > 0 && rank >= best && (only != nil || len(all) == 1) {
				best, f.About.Pipeline, f.About.Stage = rank, p.Name, s.Name
			}
		}
	}
	filled, err := b.rollbackForm(ctx, r, f)
	if err != nil {
		return err
	}
	return b.show(ctx, r.Reply, form.Rollback(filled))
}

// rankOf says how likely a stage is meant: 2 production-like, 1 can be rolled back, 0 cannot.
func rankOf(s workflows.StageView) int {
	if !slices.ContainsFunc(s.Offers, func(o workflows.Offer) bool { return o.Verb == workflows.RollBack }) {
		return 0
	}
	if s.Environment != "" {
		return 2
	}
	return 1
}

// places are the stages that this person may roll back.
func places(all []workflows.PipelineView) []form.Place {
	var some []form.Place
	for _, p := range all {
		for _, s := range p.Stages {
			if rankOf(s) > 0 {
				some = append(some, form.Place{Pipeline: p.Name, Stage: s.Name})
			}
		}
	}
	return some
}

// placeChosen shows the targets of the stage that was chosen in an open form,
// keeping what was typed.
func (b *Bot) placeChosen(ctx context.Context, r Request, value string) error {
	var at form.Place
	view := r.Interaction.View
	before, problem := card.ParseSubject(view.PrivateMetadata)
	if !at.Parse(value) || problem != nil {
		return problemOr(problem, "this choice cannot be read")
	}
	return b.redraw(ctx, r, card.Subject{Pipeline: at.Pipeline, Stage: at.Stage, Channel: before.Channel, Thread: before.Thread})
}

// targetChosen shows what would be undone for the target that was chosen in an
// open form, keeping what was typed.
func (b *Bot) targetChosen(ctx context.Context, r Request, target string) error {
	about, problem := card.ParseSubject(r.Interaction.View.PrivateMetadata)
	if problem != nil {
		return problem
	}
	about.Target = target
	return b.redraw(ctx, r, about)
}

// redraw shows an open rollback form again, about something else.
func (b *Bot) redraw(ctx context.Context, r Request, about card.Subject) (err error) {
	r.Reply.View, r.Reply.Channel, r.Reply.Thread = r.Interaction.View.ID, about.Channel, about.Thread
	f := form.Return{About: about, Reason: typedSoFar(r), Lock: chosenSoFar(r)}
	if _, choosesPlace := inputs(r.Interaction.View)[form.InPlace]; choosesPlace {
		all, err := b.engine.Pipelines(ctx, r.By)
		if err != nil {
			return err
		}
		f.Places = places(all)
	}
	if f, err = b.rollbackForm(ctx, r, f); err != nil {
		return err
	}
	return b.show(ctx, r.Reply, form.Rollback(f))
}

func problemOr(p *workflows.Problem, text string) error {
	if p != nil {
		return p
	}
	return &workflows.Problem{Code: workflows.CodeValidation, Message: text, Hint: "close the form and open a fresh one"}
}

// typedSoFar is the reason in a form that is still open.
func typedSoFar(r Request) string {
	if s := r.Interaction.BlockActionState; s != nil {
		return s.Values[form.InReason][form.InReason].Value
	}
	return inputs(r.Interaction.View)[form.InReason]
}

// chosenSoFar says whether the box of the lock is ticked in a form that is still
// open; nil: the form has none yet.
func chosenSoFar(r Request) *bool {
	if s := r.Interaction.BlockActionState; s != nil {
		if a, ok := s.Values[form.InLock][form.InLock]; ok {
			ticked := len(a.SelectedOptions) > 0
			return &ticked
		}
	}
	return nil
}

// typedStart starts a pipeline, telling variables from source actions by the
// definition's names.
func (b *Bot) typedStart(ctx context.Context, r Request, c command.Command) error {
	p, err := b.engine.Pipeline(ctx, r.By, c.Pipeline, 0)
	if err != nil {
		return err
	}
	values, revisions := assigned(p.Definition, c.Set)
	return b.startWith(ctx, r, p, values, revisions, len(c.Set) > 0)
}

// assigned are the variables and the revisions that somebody typed, NAME=VALUE.
func assigned(d *workflows.Pipeline, set []command.Assignment) (values map[string]string, revisions []workflows.RevisionOverride) {
	values = map[string]string{}
	for _, a := range set {
		if name, ok := sourceAction(d, a.Name); ok {
			revisions = append(revisions, workflows.RevisionOverride{ActionName: name, RevisionValue: a.Value})
			continue
		}
		values[a.Name] = a.Value
	}
	return values, revisions
}

// sourceAction finds a source action by name, unless a variable has that name.
func sourceAction(d *workflows.Pipeline, name string) (string, bool) {
	if d == nil || slices.ContainsFunc(d.Variables, func(v workflows.Variable) bool { return v.Name == name }) {
		return "", false
	}
	for _, s := range d.Stages {
		for _, a := range s.Actions {
			if a.IsSource() && strings.EqualFold(a.Name, name) {
				return a.Name, true
			}
		}
	}
	return "", false
}

// start is the button: with variables a form asks for them.
func (b *Bot) start(ctx context.Context, r Request, pipeline string) error {
	if pipeline == "" {
		return b.show(ctx, r.Reply, form.ChoosePipeline(origin(card.Subject{}, r.Reply)))
	}
	p, err := b.engine.Pipeline(ctx, r.By, pipeline, 0)
	if err != nil {
		return err
	}
	if p.Definition != nil && len(p.Definition.Variables) > 0 {
		return b.openStart(ctx, r, p, nil)
	}
	return b.do(ctx, r, workflows.Intent{Verb: workflows.Start, Pipeline: p.Name})
}

// startWith starts at once unless a variable without a default is missing.
func (b *Bot) startWith(ctx context.Context, r Request, p workflows.PipelineView, values map[string]string, revisions []workflows.RevisionOverride, typed bool) error {
	in := workflows.Intent{Verb: workflows.Start, Pipeline: p.Name, Variables: values, Revisions: revisions}
	if !typed && p.Definition != nil && slices.ContainsFunc(p.Definition.Variables, func(v workflows.Variable) bool { return v.DefaultValue == nil }) {
		return b.openStart(ctx, r, p, values)
	}
	return b.do(ctx, r, in)
}

func (b *Bot) openStart(ctx context.Context, r Request, p workflows.PipelineView, values map[string]string) error {
	// What is not valid yet the form asks for.
	var problem *workflows.Problem
	if err := b.possible(ctx, r, workflows.Intent{Verb: workflows.Start, Pipeline: p.Name, Variables: values}); err != nil && (!errors.As(err, &problem) || problem.Code != workflows.CodeValidation) {
		return err
	}
	return b.show(ctx, r.Reply, form.Start(p, origin(card.Subject{Pipeline: p.Name}, r.Reply), values))
}

// view is an execution with what its card needs beside it, as far as it can be read.
func (b *Bot) view(ctx context.Context, viewer workflows.Principal, e workflows.Execution) card.View {
	p, err := b.engine.Pipeline(ctx, viewer, e.Pipeline, 0)
	if err != nil {
		p = workflows.PipelineView{Name: e.Pipeline}
	}
	return b.viewIn(ctx, e, p)
}

// viewIn is view for a pipeline that was read already. Numbers of executions
// that only IDs are known of are looked up; what cannot be read is left out.
func (b *Bot) viewIn(ctx context.Context, e workflows.Execution, p workflows.PipelineView) card.View {
	v := card.View{Execution: e, Pipeline: p, Numbers: map[string]int{}, URL: b.url}
	v.Usual = b.usually(ctx, &e)
	if mem, _, err := b.loadMemory(ctx, e.ID); err == nil {
		v.LeftBy, _ = b.leftBy(ctx, mem)
	}
	v.Failed, _ = b.failedBefore(ctx, &e, p)
	for _, id := range mentioned(&e, &p) {
		if other, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), id); err == nil {
			v.Numbers[id] = other.Number
		}
	}
	return v
}

// mentioned are executions that a card names and whose number the view does not hold.
func mentioned(e *workflows.Execution, p *workflows.PipelineView) []string {
	var ids []string
	add := func(id string) {
		if id != "" && id != e.ID && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if e.Rollback != nil {
		add(e.Rollback.LeftExecution)
		add(e.Rollback.FailedExecution)
	}
	for _, s := range e.Stages {
		if at, ok := p.Stage(s.Name); ok && at.Environment != "" {
			add(s.From)
		}
	}
	for _, s := range p.Stages {
		add(s.Transition.Only)
		if s.Planned != nil {
			add(s.Planned.Target)
		}
	}
	return ids
}

// notFound says whether an error means that there is no such thing (for this person).
func notFound(err error) bool {
	var p *workflows.Problem
	return errors.As(err, &p) && p.NotFound()
}
