package config

import (
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clock"
)

// Freeze is a time in which only rollbacks, and what some people exempt,
// reach the stages it names. From and To are dates, or dates with a time of
// day, in Timezone (none: UTC); a date in To is a day that is still frozen.
type Freeze struct {
	Name     string   `yaml:"name"`
	From     string   `yaml:"from"`
	To       string   `yaml:"to"`
	Timezone string   `yaml:"timezone"`
	On       []string `yaml:"on"`      // as in access rules; none: everything
	MayPass  []string `yaml:"mayPass"` // who may let one execution through; none: nobody
}

// Freezes are the freeze windows as the engine takes them, in the file's order.
func (c *Config) Freezes() []workflows.Freeze { return c.freezes }

// checkFreezes reads the freeze windows and reports what is wrong with them.
func (d *decoder) checkFreezes(c *Config) {
	names, policy := map[string]bool{}, c.Policy()
	for i, f := range c.Freeze {
		at := fmt.Sprintf("freeze[%d]", i)
		d.missing(at+".name", "people read it where an execution waits: name: year-end")
		d.missing(at+".from", "its first day: from: 2026-12-20")
		d.missing(at+".to", "its last day: to: 2027-01-04")
		d.differs(at+".name", "freezes", f.Name, names, "")
		for k, pattern := range f.On {
			d.fault(fmt.Sprintf("%s.on[%d]", at, k), access.CheckPattern(pattern))
		}
		for k, who := range f.MayPass {
			d.fault(fmt.Sprintf("%s.mayPass[%d]", at, k), policy.CheckWho(who))
		}
		from, to, ok := d.span(at, f)
		if ok {
			c.freezes = append(c.freezes, workflows.Freeze{Name: f.Name, From: from, To: to, On: f.On, MayPass: f.MayPass})
		}
	}
}

// span reads when a freeze begins and when it is over.
func (d *decoder) span(at string, f Freeze) (from, to time.Time, ok bool) {
	zone, err := clock.Zone(f.Timezone)
	if err != nil {
		d.problem(d.at(at+".timezone"), fmt.Sprintf("%s.timezone: %s", at, err), "")
		return from, to, false
	}
	from, _, fromOK := d.moment(at+".from", f.From, zone)
	to, day, toOK := d.moment(at+".to", f.To, zone)
	if !fromOK || !toOK {
		return from, to, false
	}
	if day {
		to = time.Date(to.Year(), to.Month(), to.Day()+1, 0, 0, 0, 0, zone)
	}
	if !from.Before(to) {
		d.problem(d.at(at+".to"), at+" ends before it begins", "to must be later than from")
		return from, to, false
	}
	return from, to, true
}

// moment reads a date, or a date with a time of day, in a time zone.
func (d *decoder) moment(path, text string, zone *time.Location) (at time.Time, day, ok bool) {
	if at, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return at, true, true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, false, true
		}
	}
	if d.nodes[path] != nil {
		d.problem(d.at(path), fmt.Sprintf("%s: %q is neither a date nor a date with a time", path, text), "write 2026-12-20, or 2026-12-20T18:00")
	}
	return at, false, false
}

// fault reports what the policy finds wrong with a value.
func (d *decoder) fault(path string, fault *access.Problem) {
	if fault != nil {
		d.problem(d.at(path), path+": "+fault.Message, fault.Hint)
	}
}
