package codebuild

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// enter begins a phase.
func (b *build) enter(name string, at time.Time) {
	takes, planned := b.script.Takes[name]
	if !planned {
		takes = usual(name)
	}
	p := &phase{name: name, started: at, due: at.Add(takes), held: b.script.Hold == name, lines: b.script.Lines[name]}
	b.phases = append(b.phases, p)
	switch name {
	case phaseProvisioning:
		b.provided = at
	case phaseDownload:
		b.group = b.project.LogGroup
		to := api.Input(b.settings).In("logsConfig").In("cloudWatchLogs")
		if g := to.Text("groupName"); g != "" {
			b.group = g
		}
		if prefix := to.Text("streamName"); prefix != "" {
			b.stream = prefix + "/" + b.stream
		}
	}
}

// deadline is when a phase times out.
func (b *build) deadline(p *phase) time.Time {
	settings := api.Input(b.settings)
	minutes := func(name string) time.Duration {
		switch n := settings[name].(type) {
		case float64:
			return time.Duration(n) * time.Minute
		case int:
			return time.Duration(n) * time.Minute
		}
		return 0
	}
	if b.provided.IsZero() {
		return p.started.Add(minutes("queuedTimeoutInMinutes"))
	}
	return b.provided.Add(minutes("timeoutInMinutes"))
}

// advance lets happen what is due: lines of the log, and phases that end.
func (s *Service) advance(b *build, now time.Time) {
	for !b.complete() {
		p := b.current()
		at, late := p.due, false
		if limit := b.deadline(p); p.name != phaseFinalizing && (p.held || limit.Before(at)) {
			at, late = limit, true
		}
		if at.After(now) {
			s.speak(b, p, now)
			return
		}
		s.speak(b, p, at)
		if late {
			s.leave(b, at, statusTimedOut, "BUILD_TIMED_OUT", "Build has timed out. ")
		} else {
			s.finish(b, p, at)
		}
		s.proceed(b, p, at)
	}
}

// finish ends a phase as the script says, or as what it does comes out.
func (s *Service) finish(b *build, p *phase, at time.Time) {
	if b.failure.Phase == p.name {
		s.leave(b, at, b.failure.Status, b.failure.Code, b.failure.Message)
		return
	}
	trouble := ""
	switch p.name {
	case phaseDownload:
		trouble = s.download(b)
	case phaseUpload:
		trouble = s.upload(b)
		s.report(b, at)
	}
	if trouble != "" {
		s.leave(b, at, statusFailed, "CLIENT_ERROR", trouble)
		return
	}
	s.leave(b, at, statusSucceeded, "", "")
}

// leave ends the phase that runs.
func (s *Service) leave(b *build, at time.Time, status, code, message string) {
	p := b.current()
	p.status, p.code, p.message, p.ended = status, code, message, at
	if b.group == "" {
		return
	}
	s.world.LogAt(at, b.group, b.stream, stamped(at, "Phase complete: %s State: %s", p.name, status), stamped(at, "Phase context status code: %s Message: %s", code, message))
}

// proceed enters the phase that follows one, or ends the build.
func (s *Service) proceed(b *build, p *phase, at time.Time) {
	next := after(p.name, p.status == statusSucceeded)
	switch {
	case p.status == statusStopped || p.status == "FAULT":
		next = phaseCompleted
	case p.status == statusTimedOut && next != phaseCompleted:
		next = phaseFinalizing
	}
	b.enter(next, at)
	if next != phaseCompleted {
		return
	}
	b.status, b.ended = statusSucceeded, at
	if i := slices.IndexFunc(b.phases, func(p *phase) bool { return p.status != statusSucceeded && p.name != phaseCompleted }); i >= 0 {
		b.status = b.phases[i].status
	}
}

// speak writes the lines of a phase that have come by a time, each at its own.
func (s *Service) speak(b *build, p *phase, by time.Time) {
	if b.group == "" {
		return
	}
	for n := len(p.lines); p.told <= n; p.told++ {
		at := p.started.Add(p.due.Sub(p.started) * time.Duration(p.told) / time.Duration(n+1))
		if at.After(by) {
			return
		}
		line := stamped(at, "Entering phase %s", p.name)
		if p.told > 0 {
			line = p.lines[p.told-1]
		}
		s.world.LogAt(at, b.group, b.stream, line)
	}
}

// stamped is a line of the container itself.
func stamped(at time.Time, format string, args ...any) string {
	return "[Container] " + at.UTC().Format("2006/01/02 15:04:05.000000") + " " + fmt.Sprintf(format, args...)
}
