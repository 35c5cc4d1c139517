// Package age says how long things are kept.
package age

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Age is how long something is kept, counted from the end of the execution that
// it is of; 0: for ever.
type Age time.Duration

// longest is the longest age: with a century everything is kept.
const longest = 100 * 365 * day

// Parse reads a duration as Go writes it, with days (d) beside Go's units:
// "400d", "36h", "1d12h".
func Parse(text string) (Age, error) {
	var age time.Duration
	rest := text
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > longest.Hours()/24 || strings.HasPrefix(after, "-") {
			return 0, fmt.Errorf("%q is no duration", text)
		}
		age, rest = time.Duration(n*float64(day)), after
	}
	if rest != "" || age == 0 {
		more, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration", text)
		}
		age += more
	}
	if age <= 0 || age > longest {
		return 0, fmt.Errorf("%q is no duration that something can be kept for", text)
	}
	return Age(age), nil
}

// String is the age as people write it: "400d", "36h", "90s".
func (a Age) String() string {
	d := time.Duration(a)
	switch {
	case d == 0:
		return "for ever"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// After is when something is due that ended at that time; the zero time: never.
func (a Age) After(ended time.Time) time.Time {
	if a == 0 {
		return time.Time{}
	}
	return ended.Add(time.Duration(a))
}

// Before is the time before which must have ended what is due now.
func (a Age) Before(now time.Time) time.Time { return now.Add(-time.Duration(a)) }
