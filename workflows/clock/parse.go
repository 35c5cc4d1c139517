package clock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ParseCron reads an expression of a schedule: five fields (minute hour
// day-of-month month day-of-week) as on Unix, EventBridge's six (with a year),
// the same in "cron(…)", or "rate(N minutes|hours|days)". Days of the week are
// 0-7 in five fields, where 0 and 7 are Sunday, and 1-7 in six, where 1 is
// Sunday. Of the two day fields, in five both must match unless neither begins
// with *, then one will do; in six exactly one must be ?. A range may run over
// the end (FRI-MON, 22-2), except of years. The error says what is wrong, for people.
func ParseCron(text string) (Cron, error) {
	upper := strings.ToUpper(strings.TrimSpace(text))
	if len(upper) > maxText {
		return Cron{}, fmt.Errorf("the expression is longer than %d characters", maxText)
	}
	if rate, ok := unwrap(upper, "RATE("); ok {
		every, err := parseRate(rate)
		return Cron{text: text, every: every}, err
	}
	inner, wrapped := unwrap(upper, "CRON(")
	fields := strings.Fields(inner)
	switch {
	case len(fields) == 6:
		return calendar(text, fields, false)
	case wrapped:
		return Cron{}, fmt.Errorf("cron(…) has %d fields: it needs 6 (minute hour day-of-month month day-of-week year)", len(fields))
	case len(fields) == 5:
		return calendar(text, append(fields, "*"), true)
	}
	return Cron{}, fmt.Errorf("the expression has %d fields: it needs 5 (minute hour day-of-month month day-of-week) or 6 (with a year), or is rate(N minutes|hours|days)", len(fields))
}

// ParseWindow reads the Cron of a DeploymentWindow rule: seconds, minute, hour,
// day of the month, month, day of the week (1-7, 1 is Sunday), and a year if wanted
// (AWS: rule reference, DeploymentWindow). Seconds are read and mean nothing: a
// window opens and closes with the minute. The error says what is wrong, for people.
func ParseWindow(text string) (Cron, error) {
	if len(text) > maxText {
		return Cron{}, fmt.Errorf("the window is longer than %d characters", maxText)
	}
	fields := strings.Fields(strings.ToUpper(text))
	if len(fields) == 6 {
		fields = append(fields, "*")
	}
	if len(fields) != 7 {
		return Cron{}, fmt.Errorf("the window has %d fields: it needs 6 (seconds minute hour day-of-month month day-of-week), and may have a year", len(fields))
	}
	if _, err := secondField.parse(fields[0]); err != nil {
		return Cron{}, err
	}
	return calendar(text, fields[1:], false)
}

// unwrap answers with what is inside name…), or with all of it.
func unwrap(text, name string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, name); ok {
		if inner, ok := strings.CutSuffix(rest, ")"); ok {
			return inner, true
		}
	}
	return text, false
}

// calendar reads minute, hour, day of the month, month, day of the week and year.
func calendar(text string, fields []string, unix bool) (Cron, error) {
	dayOfMonth, dayOfWeek := awsMonthDay, awsWeekDay
	if unix {
		dayOfMonth, dayOfWeek = unixMonthDay, unixWeekDay
	} else if (fields[2] == "?") == (fields[4] == "?") {
		return Cron{}, errors.New("exactly one of day of the month and day of the week must be ? (the one that does not matter)")
	}
	if fields[4] == "L" && !unix {
		fields[4] = "SAT" // the last day of the week
	}
	var first error
	read := func(f field, text string) days {
		d, err := f.parse(text)
		if first == nil {
			first = err
		}
		return d
	}
	c := Cron{
		text:      text,
		minutes:   read(minuteField, fields[0]).numbers,
		hours:     read(hourField, fields[1]).numbers,
		monthDays: read(dayOfMonth, fields[2]),
		months:    read(monthField, fields[3]).numbers,
		weekDays:  read(dayOfWeek, fields[4]),
		years:     read(yearField, fields[5]).numbers,
		either:    unix && fields[2][0] != '*' && fields[4][0] != '*',
	}
	if first != nil {
		return Cron{}, first
	}
	return c, nil
}

func parseRate(text string) (time.Duration, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	one, known := map[string]time.Duration{"MINUTE": time.Minute, "HOUR": time.Hour, "DAY": 24 * time.Hour}[strings.TrimSuffix(strings.TrimSpace(unit), "S")]
	if !known {
		return 0, errors.New("a rate is rate(N minutes), rate(N hours) or rate(N days)")
	}
	n, err := digits(number)
	if most := int(maxRate / one); err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("rate: %q is not a number from 1 to %d", number, most)
	}
	return time.Duration(n) * one, nil
}
