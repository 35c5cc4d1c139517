package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/layout"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Status is a pipeline stage by stage at the time now, with what the viewer may
// do there. moving are its executions that have not ended; without them those
// that wait have no numbers, and several in one stage are not told apart.
func Status(p workflows.PipelineView, moving []workflows.Execution, now time.Time, url string) card.Message {
	head := fmt.Sprintf("%s, version %d", p.Name, p.Version)
	l := layout.Message()
	l.Header(head)
	var buttons card.Buttons
	if offered(&p, workflows.Start) {
		buttons.Start(p.Name)
	}
	v := card.View{Pipeline: p, Execution: workflows.Execution{Pipeline: p.Name}, Numbers: map[string]int{}}
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
			buttons.Offer(&v, o)
		}
	}
	if v.Acts() {
		l.Buttons(buttons.Done()...)
	}
	l.Lines(notices(&p, now)...)
	for i := range p.Stages {
		l.Lines(stageStatus(&v, &p.Stages[i])...)
		l.Lines(inStage(&p, &p.Stages[i], moving))
	}
	text := layout.Join("mode "+p.ExecutionMode, layout.Text(p.File, 150), whereInAWS(p.Bridge))
	if p.Archived {
		text = layout.Join("archived", text)
	}
	l.Context(layout.Join(text, console(url)))
	return card.Message{Text: layout.Text(head, 200), Blocks: l.Done(console(url))}
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
func stageStatus(v *card.View, s *workflows.StageView) []string {
	text := "○ *" + layout.Name(s.Name) + "* nothing yet"
	if s.LatestExecution != nil {
		st := say.Status(s.LatestExecution.Status)
		text = fmt.Sprintf("%s *%s* #%d %s", card.Sign(st), layout.Name(s.Name), s.LatestExecution.Number, st)
	}
	if r := s.Running; r != nil && s.Environment != "" {
		text = layout.Join(text, fmt.Sprintf("runs #%d since %s", r.Number, layout.Moment(r.Since)))
		if c := r.Caveat(); c != "" {
			text += ", ⚠️ " + layout.Text(c, 200)
		}
	}
	lines := []string{text}
	if !s.Transition.Enabled {
		lines = append(lines, "        🔒 "+v.Format().Lock(&s.Transition))
	}
	if n := len(s.Inbound); n > 0 {
		lines = append(lines, strings.TrimRight("        ⏸️ "+layout.Count(n, "execution", "executions")+" waiting: "+strings.Join(numbers(v, s.Inbound), ", "), ": "))
	}
	if p := s.Planned; p != nil {
		lines = append(lines, "        ↩️ "+v.Format().Planned(p))
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
		all = append(all, fmt.Sprintf("%s #%d %s", card.Sign(st), e.Number, st))
	}
	if len(all) == 0 || len(all) == 1 && p.ExecutionMode != workflows.ModeParallel {
		return ""
	}
	if n := len(all) - 20; n > 0 {
		all = append(all[:20], fmt.Sprintf("%d more", n))
	}
	return "        inside: " + strings.Join(all, ", ")
}

func numbers(v *card.View, ids []string) []string {
	var some []string
	for _, id := range ids {
		if n := v.Number(id); n != "" {
			some = append(some, n)
		}
	}
	return some
}

// whereInAWS is the place of a pipeline that stays in AWS.
func whereInAWS(b *workflows.Bridge) string {
	if b == nil {
		return ""
	}
	if say.IsECS(b) {
		return layout.Text((&card.View{}).Format().Place(b), 200)
	}
	return layout.Join("in AWS: account "+layout.Text(b.Account, 20), layout.Text(b.Region, 30), "type "+layout.Text(b.Type, 10))
}
