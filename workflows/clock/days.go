package clock

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// days is what a field matches: numbers and, in the two day fields, rules that
// each name one day of a month.
type days struct {
	numbers set
	rules   []rule
}

// match says whether a day matches; number is what the field counts: the day of the month or of the week.
func (d days) match(year int, month time.Month, day, number int) bool {
	if d.numbers.has(number) {
		return true
	}
	for _, r := range d.rules {
		if r.day(year, month) == day {
			return true
		}
	}
	return false
}

// rule names one day of every month, or none in some.
type rule struct {
	kind    kind
	n       int          // fromEnd: how many days before the last; nearest: the day; nth: which
	weekday time.Weekday // nth, last
}

type kind int

const (
	fromEnd kind = iota // L, L-3
	nearest             // 15W: the working day (Monday to Friday) nearest to a day, in the same month
	ultimo              // LW: the last working day
	nth                 // MON#2
	last                // FRIL
)

// day is the day that the rule names in a month; none of the month's if there is none.
func (r rule) day(year int, month time.Month) int {
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	switch r.kind {
	case fromEnd:
		return length - r.n
	case nearest:
		return workingDay(year, month, r.n, length)
	case ultimo:
		return workingDay(year, month, length, length)
	case nth:
		return 1 + int(7+r.weekday-weekday(year, month, 1))%7 + 7*(r.n-1)
	default:
		return length - int(7+weekday(year, month, length)-r.weekday)%7
	}
}

// workingDay is the working day nearest to a day without leaving its month; 0 if the month has no such day.
func workingDay(year int, month time.Month, day, length int) int {
	if day > length {
		return 0
	}
	switch weekday(year, month, day) {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}

func weekday(year int, month time.Month, day int) time.Weekday {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
}

// monthRule reads L, L-3, LW and 15W.
func monthRule(text string) (rule, bool, error) {
	if text == "LW" {
		return rule{kind: ultimo}, true, nil
	}
	before, fromLast := strings.CutPrefix(text, "L")
	day, working := strings.CutSuffix(text, "W")
	switch {
	case text == "L":
		return rule{kind: fromEnd}, true, nil
	case fromLast:
		n, err := digits(strings.TrimPrefix(before, "-"))
		if err != nil || n > 30 || before[0] != '-' {
			return rule{}, false, fmt.Errorf("%q is not L, LW, or L-0 to L-30", text)
		}
		return rule{kind: fromEnd, n: n}, true, nil
	case working:
		n, err := digits(day)
		if err != nil || n < 1 || n > 31 {
			return rule{}, false, fmt.Errorf("%q is not 1W to 31W, or LW", text)
		}
		return rule{kind: nearest, n: n}, true, nil
	}
	return rule{}, false, nil
}

// weekRule reads 6L (or FRIL) and 6#3 (or FRI#3).
func weekRule(text string) (rule, bool, error) {
	if name, which, numbered := strings.Cut(text, "#"); numbered {
		day, known := weekdayNamed(name)
		if n, err := digits(which); known && err == nil && n >= 1 && n <= 5 {
			return rule{kind: nth, n: n, weekday: day}, true, nil
		}
		return rule{}, false, fmt.Errorf("%q is not a day, # and a number from 1 to 5, as FRI#3", text)
	}
	if name, ok := strings.CutSuffix(text, "L"); ok {
		if day, known := weekdayNamed(name); known {
			return rule{kind: last, weekday: day}, true, nil
		}
		return rule{}, false, fmt.Errorf("%q is not L, or a day and L, as FRIL", text)
	}
	return rule{}, false, nil
}

// weekdayNamed reads 1 to 7, 1 being Sunday, or a name.
func weekdayNamed(text string) (time.Weekday, bool) {
	if i := slices.Index(weekNames, text); i >= 0 {
		return time.Weekday(i), true
	}
	n, err := digits(text)
	return time.Weekday(n - 1), err == nil && n >= 1 && n <= 7
}
