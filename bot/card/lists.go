package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Pipelines lists pipelines, a line each, and what else holds at the time now.
// title is what stands above.
func Pipelines(title string, all []workflows.PipelineView, now time.Time, url string) Message {
	l := messageLayout()
	l.lines("*" + esc(title, 100) + "*")
	if len(all) == 0 {
		l.lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.lines(pipelineLines(&all[i], now)...)
	}
	return Message{Text: esc(title, 100), Blocks: l.done(consoleRoot(url))}
}

func consoleRoot(url string) string {
	if url == "" {
		return ""
	}
	return link(url, "the console")
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
		text := "▫️ " + esc(s.Name, 40)
		if s.LatestExecution != nil {
			st := say.Status(s.LatestExecution.Status)
			text = icon(st) + " " + esc(s.Name, 40) + fmt.Sprintf(" #%d %s", s.LatestExecution.Number, st)
		}
		if s.Running != nil && s.Running.Caveat() != "" {
			text += " ⚠️ " + esc(s.Running.Caveat(), 100)
		}
		if !s.Transition.Enabled {
			text += " 🔒 locked"
		}
		if frozenNow(p, s.Name, now) {
			text += " ❄️ frozen"
		}
		stages = append(stages, text)
	}
	return append([]string{"*" + v0(p.Name) + "*: " + strings.Join(stages, " → ")}, notices(p, now)...)
}

// Overview is what waits for somebody, and how the pipelines stand at the time now.
func Overview(waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, url string) Message {
	l := messageLayout()
	overview(l, waiting, all, now, nil)
	return Message{Text: fmt.Sprintf("%d waiting for approval, %s", len(waiting), count(len(all), "pipeline", "pipelines")), Blocks: l.done(consoleRoot(url))}
}

// Home is a person's App Home: what waits for them, what is open, the
// pipelines. open are sentences about settings that are open, unseen about what
// Slack does not let people see.
func Home(waiting []say.OpenApproval, all []workflows.PipelineView, open []string, now time.Time, url string, unseen ...string) slack.ModalViewRequest {
	l := &layout{most: maxHome}
	if len(unseen) > 0 {
		l.header("⚠️ Not delivered")
		for _, s := range unseen {
			l.lines("• " + esc(s, 300))
		}
	}
	overview(l, waiting, all, now, open)
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: l.done(consoleRoot(url))}}
}

func overview(l *layout, waiting []say.OpenApproval, all []workflows.PipelineView, now time.Time, open []string) {
	if len(open) > 0 {
		l.header("⚠️ Open settings")
		for _, s := range open {
			l.lines("• " + esc(s, 300))
		}
	}
	l.header("✋ Waiting for you")
	if len(waiting) == 0 {
		l.lines("Nothing is waiting for your approval.")
	}
	shown := waiting[:min(len(waiting), 10)]
	buttons := answerable(shown)
	for i := range shown {
		w := &shown[i]
		a := asked(w)
		l.lines("*"+v0(a.Execution.Ref())+"* in *"+v0(w.Stage)+"*"+ofSeveral(shown, w)+" · "+a.standing(), strings.Join(revisions(&a.Execution, 1), ""))
		l.lines(warning(w.Stage, w.Approval.Warning)...)
		l.buttons(buttons[2*i : 2*i+2]...)
	}
	if n := len(waiting) - len(shown); n > 0 {
		l.lines(fmt.Sprintf("… and %d more", n))
	}
	l.header("Pipelines")
	if len(all) == 0 {
		l.lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.lines(pipelineLines(&all[i], now)...)
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
	return " " + esc(w.Action, 100)
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
	l := messageLayout()
	l.header(head)
	r := &row{}
	if offered(&p, workflows.Start) {
		r.add(button{act: ActStart, text: "Start", about: Subject{Pipeline: p.Name},
			confirm: always(ask("Start "+p.Name+"?", "A new execution of "+line(p.Name, 100)+" begins with the newest sources.", "Start"))})
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
		l.buttons(r.done()...)
	}
	l.lines(notices(&p, now)...)
	for i := range p.Stages {
		l.lines(v.stageStatus(&p.Stages[i])...)
		l.lines(inStage(&p, &p.Stages[i], moving))
	}
	text := join("mode "+p.ExecutionMode, esc(p.File, 150), whereInAWS(p.Bridge))
	if p.Archived {
		text = join("archived", text)
	}
	l.context(join(text, consoleRoot(url)))
	return Message{Text: esc(head, 200), Blocks: l.done(consoleRoot(url))}
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
	text := "▫️ *" + v0(s.Name) + "* nothing yet"
	if s.LatestExecution != nil {
		st := say.Status(s.LatestExecution.Status)
		text = fmt.Sprintf("%s *%s* #%d %s", icon(st), v0(s.Name), s.LatestExecution.Number, st)
	}
	if r := s.Running; r != nil {
		text = join(text, fmt.Sprintf("runs #%d since %s", r.Number, moment(r.Since)))
		if c := r.Caveat(); c != "" {
			text += ", ⚠️ " + esc(c, 200)
		}
	}
	lines := []string{text}
	if !s.Transition.Enabled {
		lines = append(lines, "        🔒 "+v.format().Lock(&s.Transition))
	}
	if n := len(s.Inbound); n > 0 {
		lines = append(lines, strings.TrimRight("        ⏸️ "+count(n, "execution", "executions")+" waiting: "+strings.Join(v.numbers(s.Inbound), ", "), ": "))
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
	l := messageLayout()
	l.header(head)
	if len(all) == 0 {
		l.lines("There is none yet.")
	}
	for i := range all {
		e := &all[i].Execution
		state, word := all[i].headline()
		ref := link(page(url, e.ID), fmt.Sprintf("#%d", e.Number))
		l.lines(join(icon(state)+" *"+ref+"* "+esc(word, 80), moment(e.StartedAt), esc(summary(e.SourceRevisions), 80), "by "+name(e.Trigger.By)))
		for _, text := range all[i].overrides() {
			l.lines("        " + text)
		}
	}
	return Message{Text: esc(head, 150), Blocks: l.done(consoleRoot(url))}
}

// HelpLine teaches one sub-command.
type HelpLine struct {
	Name, Usage, Does string
	Possible          bool // the reader has the right somewhere
}

// Help lists the sub-commands by what is possible: first those that may help
// the reader, then, in one line, those that need a right the reader has nowhere.
func Help(slash string, all []HelpLine) Message {
	l := messageLayout()
	l.header("What you can say")
	var not []string
	for _, u := range all {
		if !u.Possible {
			not = append(not, u.Name)
			continue
		}
		l.lines(code(strings.TrimSpace(slash+" "+u.Usage), 120) + " " + u.Does)
	}
	l.lines("P is a pipeline; E is an execution: " + code("webshop#42", 20) + ", its ID, or the end of its ID")
	if len(not) > 0 {
		l.context("Not among your rights: " + strings.Join(not, ", ") + ". " + code(slash+" who P", 60) + " says who has them")
	}
	return Message{Text: "What you can say to " + esc(slash, 40), Blocks: l.done("")}
}
