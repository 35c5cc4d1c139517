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

// places are the environments, each with what runs there and what this person
// can do about it.
func (p *Person) places(l *layout.Layout) {
	l.Header("Environments")
	if len(p.Places) == 0 {
		l.Lines("There is no pipeline here that you may view.")
	}
	var b card.Buttons
	b.Quiet()
	shown := p.Places[:min(len(p.Places), mostPlaces)]
	ends := make([]int, len(shown))
	for i := range shown {
		shown[i].offers(&b)
		ends[i] = b.Len()
	}
	buttons := b.Done()
	from := 0
	for i := range shown {
		pl := &shown[i]
		l.Lines(pl.lines(p.Now)...)
		if i == len(shown)-1 || shown[i+1].Pipeline.Name != pl.Pipeline.Name {
			l.Lines(notices(&pl.Pipeline, p.Now)...)
		}
		l.Buttons(buttons[from:ends[i]]...)
		from = ends[i]
	}
	l.Lines(rest(len(p.Places)-len(shown), "environment", "environments"), p.others())
}

// others says how many pipelines are not shown, and how to find them.
func (p *Person) others() string {
	if text := rest(p.More, "pipeline", "pipelines"); text != "" {
		return text + ": find one above"
	}
	return ""
}

// offers adds what can be done about what runs here: the way back, and the lock.
func (pl *Place) offers(b *card.Buttons) {
	s, ok := pl.Pipeline.Stage(pl.Stage)
	if !ok || !pl.Acts() {
		return
	}
	for _, verb := range []workflows.Verb{workflows.RollBack, workflows.Unlock} {
		for _, o := range s.Offers {
			if o.Verb == verb && (verb != workflows.Unlock || o.Target == "") {
				o.Stage = s.Name
				b.Offer(&pl.View, o)
				break
			}
		}
	}
}

// lines are what runs in an environment, since when and by whom, and what stands in its way.
func (pl *Place) lines(now time.Time) []string {
	s, ok := pl.Pipeline.Stage(pl.Stage)
	if !ok {
		return nil
	}
	where := "*" + layout.Name(pl.Pipeline.Name) + "* · " + layout.Text(s.Name, 100)
	frozen := ""
	if frozenNow(&pl.Pipeline, s.Name, now) {
		frozen = "❄️ frozen"
	}
	lines := []string{layout.Join(where+": "+pl.content(s), frozen)}
	if newer := pl.newer(s); newer != "" {
		lines = append(lines, "        "+newer)
	}
	if r := s.Running; r != nil && r.Caveat() != "" {
		lines = append(lines, "        ⚠️ what runs there is "+layout.Text(r.Caveat(), 200))
	}
	if !s.Transition.Enabled {
		lines = append(lines, "        🔒 "+layout.Sentence(pl.Format().Lock(&s.Transition)))
	}
	if n := len(s.Inbound); n > 0 {
		lines = append(lines, "        ○ "+layout.Count(n, "execution", "executions")+" waiting")
	}
	if s.Planned != nil {
		lines = append(lines, "        ↩️ "+pl.Format().Planned(s.Planned))
	}
	return lines
}

// content is what runs in a stage.
func (pl *Place) content(s *workflows.StageView) string {
	r := s.Running
	if r == nil {
		return "○ nothing yet"
	}
	text := fmt.Sprintf("● *#%d* since %s", r.Number, layout.Moment(r.Since))
	e := pl.Brought
	if e == nil {
		return text
	}
	who := card.Brought(e)
	if e.Rollback != nil {
		who = "rolled back automatically"
		if e.Trigger.Type != workflows.TriggerAutomated {
			who = strings.TrimSpace("rolled back " + card.Brought(e))
		}
	}
	return layout.Join(text+strings.TrimSuffix(", "+who, ", "), layout.Text(brings(e.SourceRevisions), 70))
}

// newer is how the newest execution stands here, where it is not the one that runs.
func (pl *Place) newer(s *workflows.StageView) string {
	n := s.LatestExecution
	if n == nil || s.Running != nil && (n.Execution == s.Running.Execution || n.Execution == s.Running.By) {
		return ""
	}
	st := say.Status(n.Status)
	if st == say.Running {
		return fmt.Sprintf("%s #%d in progress", card.Sign(st), n.Number) // it may be waiting for people
	}
	return fmt.Sprintf("%s #%d %s", card.Sign(st), n.Number, st)
}

func join(all []string) string { return strings.Join(all, ", ") }
