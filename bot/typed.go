package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/bot/command"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Typed carries out commands that somebody wrote where there are neither forms nor
// buttons, such as a comment on a pull request, and answers in plain sentences. Words
// and meaning are those of the slash command; what a form would ask for must be
// written. It is safe for use by several goroutines.
type Typed struct {
	engine  Engine
	people  Present
	command string // "/rollcall"
}

// Present says who somebody is now. *slack.Client does.
type Present interface {
	// Now is the principal as they are called and addressed now, or why they are a Stranger by now.
	Now(ctx context.Context, p workflows.Principal) (workflows.Principal, error)
}

// NewTyped returns a Typed; name is what its commands begin with, for its answers.
// Without people everybody is who their surface says.
func NewTyped(e Engine, people Present, name string) *Typed {
	return &Typed{engine: e, people: people, command: name}
}

// Answer carries out what stands behind the command's name, and returns what to
// answer, without markup. The key becomes the intent's token: the same one acts once.
// A refusal is an answer; an error is worth another try.
func (t *Typed) Answer(ctx context.Context, key string, by workflows.Principal, text string) (string, error) {
	c, problem := command.Parse(text)
	if problem != nil {
		return refusal(typed(problem, t.command)), nil
	}
	if t.people != nil {
		now, err := t.people.Now(ctx, by)
		if err != nil {
			return "", err
		}
		if by = now; by.Stranger != "" {
			return "Not done: " + by.Called() + " is no full member of the workspace.", nil
		}
	}
	answer, err := t.execute(ctx, key, by, c)
	if errors.As(err, &problem) && problem.Code != workflows.CodeUnavailable && problem.Code != workflows.CodeCommitUnknown {
		return refusal(typed(problem, t.command)), nil
	}
	return answer, err
}

func refusal(p *workflows.Problem) string {
	text := "Not done: " + strings.TrimSuffix(p.Message, ".") + "."
	if p.Hint != "" {
		text += " " + strings.ToUpper(p.Hint[:1]) + strings.TrimSuffix(p.Hint[1:], ".") + "."
	}
	if p.ID != "" {
		text += " Reference ID " + p.ID + "."
	}
	return text
}

func (t *Typed) execute(ctx context.Context, key string, by workflows.Principal, c command.Command) (string, error) {
	var in workflows.Intent
	var err error
	switch c.Name {
	case command.Start:
		in, err = t.start(ctx, by, c)
	case command.Approve, command.Reject:
		in, err = t.vote(ctx, by, c)
	case command.Rollback:
		in, err = t.rollback(ctx, by, c)
	case command.Status:
		return t.status(ctx, by, c.Subject)
	case command.Help, command.Overview:
		return t.help(), nil
	default:
		return "", &workflows.Problem{Code: workflows.CodeValidation, Message: string(c.Name) + " cannot be asked for here", Hint: "use Slack or the command line; " + t.help()}
	}
	if err != nil {
		return "", err
	}
	in.Token = key
	got, err := t.engine.Submit(ctx, in, by)
	if err != nil {
		return "", err
	}
	return outcome(in, got), nil
}

// help lists what can be asked for.
func (t *Typed) help() string {
	var lines []string
	for _, u := range command.All() {
		if slices.Contains([]command.Name{command.Start, command.Status, command.Approve, command.Reject, command.Rollback}, u.Name) {
			lines = append(lines, t.command+" "+u.Line())
		}
	}
	return "here it is one of: " + strings.Join(lines, " · ")
}

func (t *Typed) start(ctx context.Context, by workflows.Principal, c command.Command) (in workflows.Intent, err error) {
	p, err := t.engine.Pipeline(ctx, by, c.Pipeline, 0)
	if err != nil {
		return in, err
	}
	in = workflows.Intent{Verb: workflows.Start, Pipeline: p.Name}
	in.Variables, in.Revisions = assigned(p.Definition, c.Set)
	return in, nil
}

func (t *Typed) vote(ctx context.Context, by workflows.Principal, c command.Command) (in workflows.Intent, err error) {
	e, err := t.engine.Execution(ctx, by, c.Execution)
	if err != nil {
		return in, err
	}
	about, c := subjectOf(&e, c)
	if c.Name == command.Reject && c.Reason == "" {
		return in, &workflows.Problem{Code: workflows.CodeValidation, Message: "a reason is missing", Hint: "write " + t.command + " reject " + e.Ref() + " and why"}
	}
	in = answerOf(workflows.Verb(c.Name), about)
	in.Reason = c.Reason
	return in, nil
}

func (t *Typed) rollback(ctx context.Context, by workflows.Principal, c command.Command) (in workflows.Intent, err error) {
	if c.Pipeline == "" || c.Stage == "" || c.Execution == "" {
		return in, &workflows.Problem{Code: workflows.CodeValidation, Message: "a rollback needs a pipeline, a stage and an execution",
			Hint: "write " + t.command + " rollback PIPELINE STAGE EXECUTION and why; " + t.command + " status PIPELINE shows the stages"}
	}
	e, err := t.engine.Execution(ctx, by, c.Execution)
	if err != nil {
		return in, err
	}
	p, err := t.engine.Pipeline(ctx, by, c.Pipeline, 0)
	if err != nil {
		return in, err
	}
	stage := stageName(p, c.Stage)
	if _, ok := p.Stage(stage); !ok {
		return in, &workflows.Problem{Code: workflows.CodeStageNotFound, Message: p.Name + " has no stage " + c.Stage, Hint: "it has " + strings.Join(stageNames(p), ", ")}
	}
	return workflows.Intent{Verb: workflows.RollBack, Pipeline: p.Name, Stage: stage, Target: e.ID, Reason: c.Reason}, nil
}

// mostShown is how many pipelines an answer lists.
const mostShown = 20

// status says how an execution, a pipeline or all of them stand.
func (t *Typed) status(ctx context.Context, by workflows.Principal, subject string) (string, error) {
	f := &say.Format{}
	if subject == "" {
		all, err := t.engine.Pipelines(ctx, by)
		if err != nil {
			return "", err
		}
		if len(all) == 0 {
			return "There is no pipeline here that you may view.", nil
		}
		var lines []string
		for i := range all[:min(len(all), mostShown)] {
			lines = append(lines, all[i].Name+": "+strings.Join(stagesNow(f, &all[i]), "; "))
		}
		return strings.Join(lines, "\n"), nil
	}
	p, e, err := find(ctx, t.engine, by, subject)
	switch {
	case err != nil:
		return "", err
	case e != nil:
		lines := []string{e.Ref() + ": " + f.StatusText(e)}
		for i := range e.Stages {
			lines = append(lines, e.Stages[i].Name+": "+f.StageText(e, &e.Stages[i]))
		}
		return strings.Join(lines, "\n"), nil
	}
	lines := stagesNow(f, p)
	moving, err := t.engine.Executions(ctx, by, record.Query{Pipeline: p.Name, Status: workflows.StatusInProgress, Limit: 10})
	for i := range moving {
		lines = append(lines, moving[i].Ref()+": "+f.StatusText(&moving[i]))
	}
	return p.Name + "\n" + strings.Join(lines, "\n"), err
}

// stagesNow says how the stages of a pipeline stand, one text each.
func stagesNow(f *say.Format, p *workflows.PipelineView) (lines []string) {
	for i := range p.Stages {
		lines = append(lines, fmt.Sprintf("%s %s", p.Stages[i].Name, f.StageNow(&p.Stages[i])))
	}
	return lines
}
