// Package clock tells when: schedules and deployment windows in named time
// zones. It is pure: it is told what time it is.
//
// A [Cron] is a cron expression: five fields as on Unix, or CodePipeline's and
// EventBridge's six or seven. As an instant it fires ([Cron.Next]); as a window
// it covers every minute that its fields match ([Cron.Covers]). At changes of
// the clock it does what EventBridge Scheduler does: a time that is skipped
// does not fire, one that comes twice fires the first time only; expressions
// that fire every hour go on in real time.
package clock

import "time"

// Cron is a parsed expression.
type Cron struct{}

// ParseCron reads an expression of a schedule: five fields (minute hour
// day-of-month month day-of-week), EventBridge's six (with a year), the same in
// "cron(…)", or "rate(N minutes|hours|days)". The error says what is wrong, for people.
func ParseCron(text string) (Cron, error) { return Cron{}, nil }

// ParseWindow reads the Cron of a DeploymentWindow rule: six fields, the first
// of which, seconds, must be *, and a year if wanted (engine.md 9.2).
func ParseWindow(text string) (Cron, error) { return Cron{}, nil }

// Zone finds a time zone: "Europe/Berlin", "UTC+02:00", "CET"; empty: UTC.
func Zone(name string) (*time.Location, error) { return time.UTC, nil }

// Next is the first moment after a time at which the expression fires in a
// zone; false: never again.
func (c Cron) Next(after time.Time, in *time.Location) (time.Time, bool) { return time.Time{}, false }

// Covers says whether a moment lies in a minute that the expression matches.
func (c Cron) Covers(at time.Time, in *time.Location) bool { return true }

// Opens is the first moment at or after a time that the window covers; false: never again.
func (c Cron) Opens(at time.Time, in *time.Location) (time.Time, bool) { return at, true }
