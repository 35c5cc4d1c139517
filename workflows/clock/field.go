package clock

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	firstYear = 1970
	lastYear  = 2199
	maxRate   = 3660 * 24 * time.Hour
	maxText   = 512 // bytes of an expression
)

// set holds numbers from 0 to 255.
type set [4]uint64

func (s *set) add(n int)     { s[n/64] |= 1 << (n % 64) }
func (s set) has(n int) bool { return n >= 0 && n < 256 && s[n/64]&(1<<(n%64)) != 0 }

// field says which numbers a field counts, and how people write them.
type field struct {
	name     string
	min, max int
	shown    int                              // how much more a number is when written: years, and the days of the week of AWS
	sunday7  bool                             // one more than max is another name of min
	onward   bool                             // a range may not run over the end
	plain    bool                             // a day field that knows no ? L W #
	names    []string                         // of the numbers from min
	rule     func(string) (rule, bool, error) // what a day field of AWS knows beside numbers
}

var (
	weekNames  = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}

	secondField  = field{name: "second", max: 59}
	minuteField  = field{name: "minute", max: 59}
	hourField    = field{name: "hour", max: 23}
	unixMonthDay = field{name: "day of the month", min: 1, max: 31, plain: true}
	awsMonthDay  = field{name: "day of the month", min: 1, max: 31, rule: monthRule}
	monthField   = field{name: "month", min: 1, max: 12, names: monthNames}
	unixWeekDay  = field{name: "day of the week", max: 6, sunday7: true, plain: true, names: weekNames}
	awsWeekDay   = field{name: "day of the week", max: 6, shown: 1, names: weekNames, rule: weekRule}
	yearField    = field{name: "year", max: lastYear - firstYear, shown: firstYear, onward: true}

	fullDay = set{1<<24 - 1} // every hour
)

// parse reads a field: alternatives between commas.
func (f field) parse(text string) (days, error) {
	var d days
	if text == "?" && f.rule != nil {
		text = "*"
	}
	for item := range strings.SplitSeq(text, ",") {
		if f.rule != nil {
			r, known, err := f.rule(item)
			if err != nil {
				return d, fmt.Errorf("%s: %w", f.name, err)
			}
			if known {
				d.rules = append(d.rules, r)
				continue
			}
		}
		if err := f.span(&d.numbers, item); err != nil {
			return d, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return d, nil
}

// span reads one alternative: *, a number, a range, each with a step if wanted.
func (f field) span(into *set, item string) error {
	body, every, stepped := strings.Cut(item, "/")
	low, high, ranged := strings.Cut(body, "-")
	from, to, step := f.min, f.max, 1
	var err error
	if body != "*" {
		if from, err = f.number(low); err != nil {
			return err
		}
		if ranged {
			if to, err = f.number(high); err != nil {
				return err
			}
		} else if !stepped {
			to = from
		}
	}
	if stepped {
		if step, err = digits(every); err != nil || step < 1 || step > f.max-f.min+1 {
			return fmt.Errorf("the step of %q is not a number from 1 to %d", item, f.max-f.min+1)
		}
	}
	size := f.max - f.min + 1
	count := to - from + 1
	if count < 1 {
		if f.onward {
			return fmt.Errorf("the range %q runs backwards", item)
		}
		count += size
	}
	for i := 0; i < count; i += step {
		into.add((from-f.min+i)%size + f.min)
	}
	return nil
}

// number reads one number of the field, or its name.
func (f field) number(text string) (int, error) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.min + i, nil
	}
	top := f.max
	if f.sunday7 {
		top++
	}
	n, err := digits(text)
	n -= f.shown
	if err == nil && n >= f.min && n <= top {
		return n, nil
	}
	names, hint := "", ""
	if f.names != nil {
		names = " or a name from " + f.names[0] + " to " + f.names[len(f.names)-1]
	}
	if f.plain && strings.ContainsAny(text, "?LW#") {
		hint = " (five fields know no ? L W #: add a sixth, the year, which may be *)"
	}
	return 0, fmt.Errorf("%q is not a number from %d to %d%s%s", text, f.min+f.shown, top+f.shown, names, hint)
}

func digits(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}
