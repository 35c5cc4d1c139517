package client

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/history"
)

// Event prints one line of the live feed: when, which execution, where, what.
func (p Printer) Event(e FeedEvent) {
	name := e.Pipeline
	if e.Execution != "" {
		name = strings.Replace(name+" "+p.ref(e.Execution), " #", "#", 1)
	}
	p.say("%s  %s  %s", e.At.In(p.Now.Location()).Format("15:04:05"), name, history.Line(p.format(), &e.Event))
}
