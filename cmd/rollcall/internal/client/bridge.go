package client

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// bridge prints where a pipeline is that stays in AWS, whether it is seen, and
// whether anything can be done from here.
func (p Printer) bridge(b *workflows.Bridge, where bool) {
	if b == nil {
		return
	}
	if where {
		p.say("%s, bridge %s (%s)", p.format().Place(b), b.Name, b.Mode)
	}
	for _, text := range []string{p.format().Lost(b), p.format().WatchOnly(b)} {
		if text != "" {
			p.say("%s", text)
		}
	}
}

// managedBy is from where a definition comes: "file webshop.yaml", "bridge prod-eu".
func managedBy(v *workflows.PipelineView) string {
	text := strings.TrimSpace(v.ManagedBy + " " + v.File)
	if v.Bridge != nil {
		text += " " + v.Bridge.Name
		if lost := (&say.Format{}).Lost(v.Bridge); lost != "" {
			text += ", " + lost
		}
	}
	return text
}

// requests prints what AWS was asked to do, and what it answered.
func (p Printer) requests(e *workflows.Execution) {
	for i := range e.Requests {
		p.say("%s", p.format().Request(&e.Requests[i]))
	}
}

// Asked is what AWS was asked to do that it has not answered yet, or does and
// nobody has seen: "AWS is asked to roll back Production; it has not answered yet".
func Asked(r *workflows.Request) string {
	verb := (&say.Format{}).RequestVerb(r)
	if r.State == workflows.RequestOpen {
		return "AWS is asked to " + verb + "; it has not answered yet"
	}
	return "AWS was asked to " + verb + " and does it; it is not seen there yet"
}

// RefusedByAWS is AWS's answer to the newest request of a kind when it refused
// it; empty when it did not.
func RefusedByAWS(e *workflows.Execution, verb workflows.Verb) string {
	if r := newest(e, verb); r != nil && r.State == workflows.RequestRefused {
		return e.Ref() + ": " + (&say.Format{}).Refused(r)
	}
	return ""
}

// Unanswered says whether AWS has not answered the newest request of a kind.
func Unanswered(e *workflows.Execution, verb workflows.Verb) bool {
	r := newest(e, verb)
	return r != nil && r.State == workflows.RequestOpen
}

func newest(e *workflows.Execution, verb workflows.Verb) *workflows.Request {
	for i := len(e.Requests) - 1; i >= 0; i-- {
		if e.Requests[i].Verb == verb {
			return &e.Requests[i]
		}
	}
	return nil
}
