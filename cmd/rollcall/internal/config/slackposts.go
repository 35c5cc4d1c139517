package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/bot/hours"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/clock"
)

// slackRoute says where some messages go. The first that fits counts.
type slackRoute struct {
	On      []string `yaml:"on"`      // as in access rules; none: everything
	Kinds   []string `yaml:"kinds"`   // none: all
	Channel string   `yaml:"channel"` // instead of the pipeline's; off: nowhere
	Also    string   `yaml:"also"`    // a second one
	Quiet   bool     `yaml:"quiet"`   // in the thread alone
}

// quietHours is when reminders and announcements wait that are not about production.
type quietHours struct {
	From     string `yaml:"from"` // HH:MM
	To       string `yaml:"to"`
	Timezone string `yaml:"timezone"` // none: UTC
	Weekends bool   `yaml:"weekends"`
}

// slackDigest is what a channel reads once a day.
type slackDigest struct {
	Channel  string `yaml:"channel"`
	At       string `yaml:"at"` // HH:MM; none: 09:00
	Timezone string `yaml:"timezone"`
	Days     string `yaml:"days"`   // mon-fri, or mon,wed; none: mon-fri
	Weekly   *bool  `yaml:"weekly"` // nil: true
}

func routeKinds() []string { return []string{"start", "rollback", "success", "failure", "edit"} } // the bot's

const routeOff = "off"

// QuietHours is when the bot is quiet; the zero value is never.
func (c *Config) QuietHours() hours.Quiet { return c.quiet }

// DigestAt is when the digest is posted; no days where there is none.
func (c *Config) DigestAt() hours.Daily { return c.digestAt }

// Fits says whether a route is about a stage, or about a whole pipeline where stage is empty.
func (r *slackRoute) Fits(pipeline, stage string) bool {
	return len(r.On) == 0 || slices.ContainsFunc(r.On, func(pattern string) bool {
		p, s, staged := strings.Cut(pattern, "/")
		of, err := path.Match(p, pipeline)
		in, err2 := path.Match(s, stage)
		return err == nil && err2 == nil && of && (!staged || in)
	})
}

// checkPosts reads what says where and when the bot posts, and reports what is wrong with it.
func (d *decoder) checkPosts(c *Config) {
	s := c.Slack
	if s == nil {
		return
	}
	for i := range s.Routes {
		d.route(fmt.Sprintf("slack.routes[%d]", i), &s.Routes[i])
	}
	if q := s.QuietHours; q != nil {
		c.quiet = hours.Quiet{Weekends: q.Weekends, Zone: d.zone("slack.quietHours", q.Timezone),
			From: d.minute("slack.quietHours.from", q.From, 0), To: d.minute("slack.quietHours.to", q.To, 0)}
		if !q.Weekends && q.From == q.To {
			d.problem(d.at("slack.quietHours"), "slack.quietHours are never", `give from and to, or weekends: true: {from: "20:00", to: "07:00", timezone: Europe/Berlin}`)
		}
	}
	if g := s.Digest; g != nil {
		d.missing("slack.digest.channel", `where it is read: channel: "#deploys"`)
		c.digestAt = hours.Daily{At: d.minute("slack.digest.at", g.At, 9*60), Zone: d.zone("slack.digest", g.Timezone), Days: d.days("slack.digest.days", g.Days)}
	}
}

func (d *decoder) route(at string, r *slackRoute) {
	for k, pattern := range r.On {
		d.fault(fmt.Sprintf("%s.on[%d]", at, k), access.CheckPattern(pattern))
	}
	for k, kind := range r.Kinds {
		if !slices.Contains(routeKinds(), kind) {
			d.problem(d.at(fmt.Sprintf("%s.kinds[%d]", at, k)), fmt.Sprintf("%s.kinds: there is no kind %q", at, kind), "the kinds are "+strings.Join(routeKinds(), ", ")+"; approvals always go below their card")
		}
	}
	switch {
	case r.Channel == "" && r.Also == "" && !r.Quiet:
		d.problem(d.at(at), at+" changes nothing", `give channel ("#name", or off), also, or quiet: true`)
	case r.Also == routeOff:
		d.problem(d.at(at+".also"), at+".also must be a channel", "leave it out: nothing goes to a second channel by itself")
	case r.Channel == routeOff && (r.Also != "" || r.Quiet):
		d.problem(d.at(at+".channel"), at+" turns messages off and says where they go", "keep one")
	}
}

// zone reads a time zone; it is UTC where it is wrong, which is reported.
func (d *decoder) zone(at, name string) *time.Location {
	zone, err := clock.Zone(name)
	if err != nil {
		d.problem(d.at(at+".timezone"), fmt.Sprintf("%s.timezone: %s", at, err), "")
		return time.UTC
	}
	return zone
}

// minute reads a time of day as minutes since midnight.
func (d *decoder) minute(at, text string, otherwise int) int {
	if text == "" {
		return otherwise
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		d.problem(d.at(at), fmt.Sprintf("%s: %q is no time of day", at, text), `write it in quotes, from "00:00" to "23:59"`)
		return otherwise
	}
	return t.Hour()*60 + t.Minute()
}

// days reads days of the week: mon-fri, or mon,wed,sat-sun.
func (d *decoder) days(at, text string) (days [7]bool) {
	if text == "" {
		text = "mon-fri"
	}
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, span := strings.Cut(strings.TrimSpace(part), "-")
		if !span {
			last = first
		}
		from, to := slices.Index(names, strings.TrimSpace(first)), slices.Index(names, strings.TrimSpace(last))
		if from < 0 || to < 0 {
			d.problem(d.at(at), fmt.Sprintf("%s: %q is no day of the week", at, strings.TrimSpace(part)), "write mon-fri, or mon,wed")
			return days
		}
		for day := from; ; day = (day + 1) % 7 {
			if days[day] = true; day == to {
				break
			}
		}
	}
	return days
}
