package card

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/workflows"
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
			st := ofStatus(s.LatestExecution.Status)
			text = st.icon + " " + esc(s.Name, 40) + fmt.Sprintf(" #%d %s", s.LatestExecution.Number, st.word)
		}
		if !s.Transition.Enabled {
			text += " 🔒 closed"
		}
		if frozenNow(p, s.Name, now) {
			text += " ❄️ frozen"
		}
		stages = append(stages, text)
	}
	return append([]string{"*" + v0(p.Name) + "*: " + strings.Join(stages, " → ")}, notices(p, now)...)
}

// Overview is what waits for somebody, and how the pipelines stand at the time now.
func Overview(waiting []workflows.OpenApproval, all []workflows.PipelineView, now time.Time, url string) Message {
	l := messageLayout()
	overview(l, waiting, all, now, nil)
	return Message{Text: fmt.Sprintf("%s for approval, %s", count(len(waiting), "waits", "wait"), count(len(all), "pipeline", "pipelines")), Blocks: l.done(consoleRoot(url))}
}

// Home is a person's App Home: what waits for them, what is open, the
// pipelines. open are sentences about settings that are open.
func Home(waiting []workflows.OpenApproval, all []workflows.PipelineView, open []string, now time.Time, url string) slack.ModalViewRequest {
	l := &layout{most: maxHome}
	overview(l, waiting, all, now, open)
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: l.done(consoleRoot(url))}}
}

// HomeRefused is the App Home of somebody who has no rights here.
func HomeRefused(why string) slack.ModalViewRequest {
	return slack.ModalViewRequest{Type: slack.VTHomeTab, CallbackID: "home", Blocks: slack.Blocks{BlockSet: Say(why).Blocks}}
}

func overview(l *layout, waiting []workflows.OpenApproval, all []workflows.PipelineView, now time.Time, open []string) {
	if len(open) > 0 {
		l.header("⚠️ Open settings")
		for _, s := range open {
			l.lines("• " + esc(s, 300))
		}
	}
	l.header("✋ Waiting for you")
	if len(waiting) == 0 {
		l.lines("Nothing waits for your answer.")
	}
	r := newRow()
	for i := range waiting {
		w := &waiting[i]
		ref := fmt.Sprintf("%s#%d", w.Pipeline, w.Number)
		if i == 10 {
			l.lines(fmt.Sprintf("… and %d more", len(waiting)-i))
			break
		}
		v := View{Execution: workflows.Execution{ID: w.Execution, Number: w.Number, Pipeline: w.Pipeline, SourceRevisions: w.SourceRevisions, Trigger: w.StartedBy}}
		a := Asking{View: v, Stage: w.Stage, Action: w.Action, Approval: w.Approval}
		l.lines("*"+v0(ref)+"* in *"+v0(w.Stage)+"* · "+a.standing(), strings.Join(revisions(&v.Execution, 1), ""))
		l.lines(warning(w.Stage, w.Approval.Warning)...)
		about := Subject{Pipeline: w.Pipeline, Stage: w.Stage, Action: w.Action, Execution: w.Execution, Gate: w.Approval.Token}
		r.primary = true // several Approves side by side: none stands out
		v.answer(r, workflows.Approve, about, w.Approval.Warning)
		v.answer(r, workflows.Reject, about, "")
		l.buttons(r.buttons...)
		r.buttons = nil
	}
	l.header("Pipelines")
	if len(all) == 0 {
		l.lines("There is no pipeline that you may see.")
	}
	for i := range all {
		l.lines(pipelineLines(&all[i], now)...)
	}
}

// Status is a pipeline stage by stage at the time now, with what the viewer may
// do there. moving are its executions that have not ended; without them those
// that wait have no numbers, and several in one stage are not told apart.
func Status(p workflows.PipelineView, moving []workflows.Execution, now time.Time, url string) Message {
	head := fmt.Sprintf("%s, version %d", p.Name, p.Version)
	l := messageLayout()
	l.header(head)
	r := newRow()
	if offered(&p, workflows.Start) {
		r.add(ActStart, "Start", Subject{Pipeline: p.Name}, slack.StyleDefault, ask("Start "+p.Name+"?", "A new execution of "+line(p.Name, 100)+" begins with the newest sources.", "Start"))
	}
	v := View{Pipeline: p, Execution: workflows.Execution{Pipeline: p.Name}, Numbers: map[string]int{}}
	for i := range moving {
		v.Numbers[moving[i].ID] = moving[i].Number
	}
	for i := range p.Stages {
		for _, o := range p.Stages[i].Offers {
			if o.Verb != workflows.RollBack && o.Verb != workflows.Enable {
				continue
			}
			if o.Stage == "" {
				o.Stage = p.Stages[i].Name
			}
			v.offer(r, o)
		}
	}
	l.buttons(r.buttons...)
	l.lines(notices(&p, now)...)
	for i := range p.Stages {
		l.lines(v.stageStatus(&p.Stages[i])...)
		l.lines(inStage(&p, &p.Stages[i], moving))
	}
	text := join("mode "+string(p.ExecutionMode), esc(p.File, 150))
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
		st := ofStatus(s.LatestExecution.Status)
		text = fmt.Sprintf("%s *%s* #%d %s", st.icon, v0(s.Name), s.LatestExecution.Number, st.word)
	}
	if r := s.Running; r != nil {
		text = join(text, fmt.Sprintf("runs #%d since %s", r.Number, moment(r.Since)))
		if !r.Certain {
			text += ", ⚠️ uncertain"
		}
	}
	lines := []string{text}
	if !s.Transition.Enabled {
		lines = append(lines, "        🔒 "+closedDoor(s))
	}
	if n := len(s.Inbound); n > 0 {
		lines = append(lines, "        🚪 "+count(n, "execution waits", "executions wait")+" before it "+strings.Join(v.numbers(s.Inbound), ", "))
	}
	if p := s.Planned; p != nil {
		lines = append(lines, because("        ↩️ goes back to "+v.number(p.Target)+" when it is free, by "+name(p.By), p.Reason))
	}
	return lines
}

// inStage names the executions inside a stage where there can be several:
// "#43 waiting for approval, #44 running".
func inStage(p *workflows.PipelineView, s *workflows.StageView, moving []workflows.Execution) string {
	var all []string
	for i := range moving {
		e := &moving[i]
		at := current(e)
		if at == nil || at.Name != s.Name || e.WaitsFor != nil || at.Status != workflows.StatusInProgress && at.Status != workflows.StatusStopping {
			continue
		}
		all = append(all, fmt.Sprintf("%s #%d %s", ofStage(e, at).icon, e.Number, ofStage(e, at).word))
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
func Executions(pipeline string, all []workflows.Execution, url string) Message {
	head := "Executions of " + pipeline
	l := messageLayout()
	l.header(head)
	if len(all) == 0 {
		l.lines("There is none yet.")
	}
	for i := range all {
		e := &all[i]
		s := headline(e)
		ref := link(Link(url, e.ID), fmt.Sprintf("#%d", e.Number))
		l.lines(join(s.icon+" *"+ref+"* "+esc(s.word, 80), moment(e.StartedAt), esc(summary(e.SourceRevisions), 80), "by "+name(e.Trigger.By)))
		for _, text := range overrides(e) {
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
