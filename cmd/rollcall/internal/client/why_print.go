package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// Why prints why an execution failed, or what it waits for.
func (p Printer) Why(w *Why) {
	p.say("%s: %s", w.Ref, w.StatusText)
	for i := range w.Waits {
		p.waits(&w.Waits[i])
	}
	for i := range w.Failures {
		p.failure(&w.Failures[i])
	}
	if len(w.Waits)+len(w.Failures) == 0 && w.Status == workflows.StatusSucceeded {
		p.say("nothing of it failed")
	}
	for i, command := range remedies(w) {
		if i == 0 {
			p.say("")
		}
		p.say("you can: %s", command)
	}
}

func (p Printer) waits(w *Waiting) {
	text := w.Reason
	if w.Action != "" && w.Error == nil {
		text = w.Stage + "/" + say.ActionName(w.Action) + ": " + text
	}
	if w.Since != nil && !w.Since.IsZero() {
		if d, ok := strings.CutSuffix(p.ago(*w.Since), " ago"); ok {
			text += " (for " + d + ")"
		}
	}
	p.say("")
	p.say("%s", text)
	if w.Error != nil {
		p.finding(w.Error.Finding)
	}
}

func (p Printer) failure(f *Failure) {
	p.say("")
	text := fmt.Sprintf("%s/%s failed after %s", f.Stage, say.ActionName(f.Action), p.lasted(f.Seconds))
	if f.Attempt > 1 {
		text += ", attempt " + strconv.Itoa(f.Attempt)
	}
	if f.Error != nil {
		text += ": " + f.Error.Message
	}
	p.say("%s", text)
	if f.Error != nil {
		p.finding(f.Error.Finding)
	}
	if f.ExternalURL != "" {
		p.say("  look: %s", f.ExternalURL)
	}
	switch {
	case f.LogMissing != "":
		p.say("  its log cannot be read: %s", f.LogMissing)
	case len(f.Log) > 0:
		p.say("  the end of its log:")
		for _, line := range f.Log {
			p.say("  | %s", line)
		}
	}
	p.lastSuccess(f)
}

// finding prints what is known of a failure beyond its message.
func (p Printer) finding(f *workflows.Finding) {
	if f == nil {
		return
	}
	p.say("  %s", f.Title)
	if f.Cause != "" {
		p.say("  cause: %s", f.Cause)
	}
	for _, e := range f.Evidence {
		p.say("  %s: %s", e.From, e.Text)
	}
	for i, step := range f.Fix {
		p.say("  %d. %s", i+1, step)
	}
	if len(f.Statement) > 0 {
		p.say("  the statement that is missing: %s", string(f.Statement))
	}
	for _, l := range f.Links {
		p.say("  %s: %s", l.Title, l.URL)
	}
	if helps := say.RetryHelps(f); helps != "" {
		p.say("  %s", helps)
	}
}

func (p Printer) lastSuccess(f *Failure) {
	s := f.LastSuccess
	if s == nil {
		p.say("  nothing has succeeded in %s before", f.Stage)
		return
	}
	text := "the last success in " + f.Stage + " was " + s.Ref
	if s.EndedAt != nil {
		text += ", " + p.ago(*s.EndedAt)
	}
	if s.Seconds > 0 {
		text += "; " + say.ActionName(f.Action) + " took " + p.lasted(s.Seconds)
	}
	p.say("  %s", text)
	if rows := p.differences(s.Differences); len(rows) > 0 {
		p.table(append([][]string{{"WHAT", "NAME", s.Differences.A.Ref(), s.Differences.B.Ref()}}, rows...)...)
	}
}

// lasted is how long something took: "41 s".
func (p Printer) lasted(seconds float64) string {
	to := p.Now.Add(time.Duration(seconds * float64(time.Second)))
	return p.took(&p.Now, &to)
}

// remedies are the commands by which the caller may change how it stands.
func remedies(w *Why) (all []string) {
	pipeline, _, _ := strings.Cut(w.Ref, "#")
	for _, o := range w.Offers {
		switch o.Verb {
		case workflows.Retry:
			all = append(all, "rollcall retry "+w.Ref)
		case workflows.Approve:
			all = append(all, strings.TrimSpace("rollcall approve "+w.Ref+" "+o.Action))
		case workflows.Resolve:
			all = append(all, "rollcall resolve "+w.Ref+" "+o.Action+" succeeded|failed|again")
		case workflows.Unlock:
			command := "rollcall unlock " + pipeline + " " + o.Stage
			if o.Target != "" {
				command += " --only " + w.Ref
			}
			all = append(all, command)
		}
	}
	return all
}
