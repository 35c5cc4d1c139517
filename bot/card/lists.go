package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Pipelines lists pipelines, a line each, and what else holds at the time now.
// title is what stands above.
func Pipelines(title string, all []workflows.PipelineView, now time.Time, url string) Message {
	l := layout.Message()
	l.Lines("*" + layout.Text(title, 100) + "*")
	if len(all) == 0 {
		l.Lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.Lines(pipelineLines(&all[i], now)...)
	}
	return Message{Text: layout.Text(title, 100), Blocks: l.Done(consoleRoot(url))}
}

func consoleRoot(url string) string {
	if url == "" {
		return ""
	}
	return layout.Link(url, "the console")
}

// pipelineLines are a pipeline with its stages side by side, and what else holds of it.
func pipelineLines(p *workflows.PipelineView, now time.Time) []string {
	var stages []string
	for i := range p.Stages {
		if i == 12 {
			stages = append(stages, fmt.Sprintf("%d more", len(p.Stages)-i))
			break
		}
		s := &p.Stages[i]
		text := "▫️ " + layout.Text(s.Name, 40)
		if s.LatestExecution != nil {
			st := say.Status(s.LatestExecution.Status)
			text = icon(st) + " " + layout.Text(s.Name, 40) + fmt.Sprintf(" #%d %s", s.LatestExecution.Number, st)
		}
		if s.Running != nil && s.Running.Caveat() != "" {
			text += " ⚠️ " + layout.Text(s.Running.Caveat(), 100)
		}
		if !s.Transition.Enabled {
			text += " 🔒 locked"
		}
		if frozenNow(p, s.Name, now) {
			text += " ❄️ frozen"
		}
		stages = append(stages, text)
	}
	return append([]string{"*" + layout.Name(p.Name) + "*: " + strings.Join(stages, " → ")}, notices(p, now)...)
}

// Overview is what waits for somebody, and how the pipelines stand at the time now.
func Overview(waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, url string) Message {
	l := layout.Message()
	overview(l, waiting, all, now, nil)
	return Message{Text: fmt.Sprintf("%d waiting for approval, %s", len(waiting), layout.Count(len(all), "pipeline", "pipelines")), Blocks: l.Done(consoleRoot(url))}
}

// Home is a person's App Home: what waits for them, what is open, the
// pipelines. open are sentences about settings that are open, unseen about what
// Slack does not let people see.
func Home(waiting []say.OpenApproval, all []workflows.PipelineView, open []string, now time.Time, url string, unseen ...string) slack.ModalViewRequest {
	l := layout.View()
	if len(unseen) > 0 {
		l.Header("⚠️ Not delivered")
		for _, s := range unseen {
			l.Lines("• " + layout.Text(s, 300))
		}
	}
	overview(l, waiting, all, now, open)
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: l.Done(consoleRoot(url))}}
}

func overview(l *layout.Layout, waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, open []string) {
	if len(open) > 0 {
		l.Header("⚠️ Open settings")
		for _, s := range open {
			l.Lines("• " + layout.Text(s, 300))
		}
	}
	l.Header("✋ Waiting for you")
	if len(waiting) == 0 {
		l.Lines("Nothing is waiting for your approval.")
	}
	shown := waiting[:min(len(waiting), 10)]
	buttons := answerable(shown)
	for i := range shown {
		w := &shown[i]
		a := asked(w)
		l.Lines("*"+layout.Name(a.Execution.Ref())+"* in *"+layout.Name(w.Stage)+"*"+ofSeveral(shown, w)+" · "+a.standing(), strings.Join(revisions(&a.Execution, 1), ""))
		l.Lines(warning(w.Stage, w.Approval.Warning)...)
		l.Buttons(buttons[2*i : 2*i+2]...)
	}
	if n := len(waiting) - len(shown); n > 0 {
		l.Lines(fmt.Sprintf("… and %d more", n))
	}
	l.Header("Pipelines")
	if len(all) == 0 {
		l.Lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.Lines(pipelineLines(&all[i], now)...)
	}
}

// asked is a gate that waits for somebody, as far as a list knows it.
func asked(w *say.OpenApproval) *Asking {
	e := workflows.Execution{ID: w.Execution, Number: w.Number, Pipeline: w.Pipeline, SourceRevisions: w.SourceRevisions, Trigger: w.StartedBy}
	return &Asking{View: View{Execution: e}, Stage: w.Stage, Action: w.Action, Approval: w.Approval}
}

// ofSeveral names a gate's action where its execution asks at several at a time.
func ofSeveral(all []say.OpenApproval, w *say.OpenApproval) string {
	n := 0
	for i := range all {
		if all[i].Execution == w.Execution {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	return " " + layout.Text(w.Action, 100)
}

// answerable are the two buttons of each gate, in order; of several gates none stands out.
func answerable(all []say.OpenApproval) []*slack.ButtonBlockElement {
	r := &row{quiet: true}
	for i := range all {
		w := &all[i]
		a := asked(w)
		about := Subject{Pipeline: w.Pipeline, Stage: w.Stage, Action: w.Action, Execution: w.Execution, Gate: w.Approval.Token}
		object := a.Execution.Ref() + ofSeveral(all, w)
		a.answer(r, workflows.Approve, about, w.Approval.Warning, object)
		a.answer(r, workflows.Reject, about, "", object)
	}
	return r.done()
}

// Status is a pipeline stage by stage at the time now, with what the viewer may
// do there. moving are its executions that have not ended; without them those
// that wait have no numbers, and several in one stage are not told apart.
func Status(p workflows.PipelineView, moving []workflows.Execution, now time.Time, url string) Message {
	head := fmt.Sprintf("%s, version %d", p.Name, p.Version)
	l := layout.Message()
	l.Header(head)
	r := &row{}
	if offered(&p, workflows.Start) {
		r.add(button{act: ActStart, text: "Start", about: Subject{Pipeline: p.Name},
			confirm: always(ask("Start "+p.Name+"?", "A new execution of "+layout.Line(p.Name, 100)+" begins with the newest sources.", "Start"))})
	}
	v := View{Pipeline: p, Execution: workflows.Execution{Pipeline: p.Name}, Numbers: map[string]int{}}
	for i := range moving {
		v.Numbers[moving[i].ID] = moving[i].Number
	}
	for i := range p.Stages {
		for _, o := range p.Stages[i].Offers {
			if o.Verb != workflows.RollBack && o.Verb != workflows.Unlock {
				continue
			}
			if o.Stage == "" {
				o.Stage = p.Stages[i].Name
			}
			v.offer(r, o)
		}
	}
	if v.acts() {
		l.Buttons(r.done()...)
	}
	l.Lines(notices(&p, now)...)
	for i := range p.Stages {
		l.Lines(v.stageStatus(&p.Stages[i])...)
		l.Lines(inStage(&p, &p.Stages[i], moving))
	}
	text := layout.Join("mode "+p.ExecutionMode, layout.Text(p.File, 150), whereInAWS(p.Bridge))
	if p.Archived {
		text = layout.Join("archived", text)
	}
	l.Context(layout.Join(text, consoleRoot(url)))
	return Message{Text: layout.Text(head, 200), Blocks: l.Done(consoleRoot(url))}
}

func offered(p *workflows.PipelineView, verb workflows.Verb) bool {
	for _, s := range p.Stages {
		for _, o := range s.Offers {
			if o.Verb == verb {
				return true
			}
		}
	}
	return false
}

// stageStatus is a stage as it stands now, in one line or a few.
func (v *View) stageStatus(s *workflows.StageView) []string {
	text := "▫️ *" + layout.Name(s.Name) + "* nothing yet"
	if s.LatestExecution != nil {
		st := say.Status(s.LatestExecution.Status)
		text = fmt.Sprintf("%s *%s* #%d %s", icon(st), layout.Name(s.Name), s.LatestExecution.Number, st)
	}
	if r := s.Running; r != nil {
		text = layout.Join(text, fmt.Sprintf("runs #%d since %s", r.Number, layout.Moment(r.Since)))
		if c := r.Caveat(); c != "" {
			text += ", ⚠️ " + layout.Text(c, 200)
		}
	}
	lines := []string{text}
	if !s.Transition.Enabled {
		lines = append(lines, "        🔒 "+v.format().Lock(&s.Transition))
	}
	if n := len(s.Inbound); n > 0 {
		lines = append(lines, strings.TrimRight("        ⏸️ "+layout.Count(n, "execution", "executions")+" waiting: "+strings.Join(v.numbers(s.Inbound), ", "), ": "))
	}
	if p := s.Planned; p != nil {
		lines = append(lines, "        ↩️ "+v.format().Planned(p))
	}
	return lines
}

// inStage names the executions inside a stage where there can be several:
// "#43 waiting for approval, #44 running".
func inStage(p *workflows.PipelineView, s *workflows.StageView, moving []workflows.Execution) string {
	var all []string
	for i := range moving {
		e := &moving[i]
		at := say.Current(e)
		if at == nil || at.Name != s.Name || e.WaitsFor != nil || at.Status != workflows.StatusInProgress && at.Status != workflows.StatusStopping {
			continue
		}
		st := say.Stage(e, at)
		all = append(all, fmt.Sprintf("%s #%d %s", icon(st), e.Number, st))
	}
	if len(all) == 0 || len(all) == 1 && p.ExecutionMode != workflows.ModeParallel {
		return ""
	}
	if n := len(all) - 20; n > 0 {
		all = append(all[:20], fmt.Sprintf("%d more", n))
	}
	return "        inside: " + strings.Join(all, ", ")
}

func (v *View) numbers(ids []string) []string {
	var some []string
	for _, id := range ids {
		if n := v.number(id); n != "" {
			some = append(some, n)
		}
	}
	return some
}

// Executions lists a pipeline's executions, newest first.
func Executions(pipeline string, all []View, url string) Message {
	head := "Executions of " + pipeline
	l := layout.Message()
	l.Header(head)
	if len(all) == 0 {
		l.Lines("There is none yet.")
	}
	for i := range all {
		e := &all[i].Execution
		state, word := all[i].headline()
		ref := layout.Link(page(url, e.ID), fmt.Sprintf("#%d", e.Number))
		l.Lines(layout.Join(icon(state)+" *"+ref+"* "+layout.Text(word, 80), layout.Moment(e.StartedAt), layout.Text(summary(e.SourceRevisions), 80), "by "+name(e.Trigger.By)))
		for _, text := range all[i].overrides() {
			l.Lines("        " + text)
		}
	}
	return Message{Text: layout.Text(head, 150), Blocks: l.Done(consoleRoot(url))}
}

// HelpLine teaches one sub-command.
type HelpLine struct {
	Name, Usage, Does string
	Possible          bool // the reader has the right somewhere
}

// Help lists the sub-commands by what is possible: first those that may help
// the reader, then, in one line, those that need a right the reader has nowhere.
func Help(slash string, all []HelpLine) Message {
	l := layout.Message()
	l.Header("What you can say")
	var not []string
	for _, u := range all {
		if !u.Possible {
			not = append(not, u.Name)
			continue
		}
		l.Lines(layout.Code(strings.TrimSpace(slash+" "+u.Usage), 120) + " " + u.Does)
	}
	l.Lines("P is a pipeline; E is an execution: " + layout.Code("webshop#42", 20) + ", its ID, or the end of its ID")
	if len(not) > 0 {
		l.Context("Not among your rights: " + strings.Join(not, ", ") + ". " + layout.Code(slash+" who P", 60) + " says who has them")
	}
	return Message{Text: "What you can say to " + layout.Text(slash, 40), Blocks: l.Done("")}
}
