package clock

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Zone finds a time zone: a region ("Europe/Berlin"), a fixed offset
// ("UTC+02:00", "UTC-8", "GMT+1"), "UTC", "GMT" or "Z", or an abbreviation of 3 to
// 5 letters, which CodePipeline allows (see [Abbreviation]); empty: UTC. The error
// says what to write instead. The program must carry the zones (import
// time/tzdata) or the machine have them.
func Zone(name string) (*time.Location, error) {
	switch name {
	case "", "UTC", "Z":
		return time.UTC, nil
	case "Local":
		return nil, fmt.Errorf("%q depends on the machine (write a region, as America/Los_Angeles, or UTC+02:00)", name)
	}
	if !strings.Contains(name, "/") { // decisions ask for regions again and again: no expression, no table for them
		if part := offset().FindStringSubmatch(name); part != nil {
			return fixed(name, part)
		}
		if region, _ := Abbreviation(name); region != "" {
			name = region
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("no time zone is named %q (write a region, as America/Los_Angeles, or UTC+02:00)", name)
	}
	return zone, nil
}

func offset() *regexp.Regexp {
	return regexp.MustCompile(`^(?:UTC|GMT)([+-])([0-9]{1,2})(?::?([0-9]{2}))?$`)
}

// fixed reads a sign, hours and minutes; no place on earth is further from UTC than 14 hours.
func fixed(name string, part []string) (*time.Location, error) {
	hours, _ := strconv.Atoi(part[2])
	minutes, _ := strconv.Atoi(part[3]) // none: 0
	total := hours*60 + minutes
	if minutes > 59 || total > 14*60 {
		return nil, fmt.Errorf("%q is not UTC with an offset of at most 14 hours, as UTC+02:00 or UTC-09:30", name)
	}
	if part[1] == "-" {
		total = -total
	}
	return time.FixedZone(name, total*60), nil
}

// Abbreviation is the region that an abbreviation stands for, empty for any other
// text, and the other places that use the same letters. The three-letter ones are
// those of Java (java.time.ZoneId.SHORT_IDS), by which AWS reads them: AST is
// Alaska there and BST Dhaka. Names of summer time stand for the region's own rules.
func Abbreviation(name string) (region string, others string) {
	type entry struct{ region, others string }
	e := map[string]entry{
		"ACT": {"Australia/Darwin", "Acre in Brazil"},
		"AET": {"Australia/Sydney", ""},
		"AGT": {"America/Argentina/Buenos_Aires", ""},
		"ART": {"Africa/Cairo", "Argentina"},
		"AST": {"America/Anchorage", "the Atlantic coast of Canada, Saudi Arabia"},
		"BET": {"America/Sao_Paulo", ""},
		"BST": {"Asia/Dhaka", "the summer of Europe/London"},
		"CAT": {"Africa/Harare", ""},
		"CNT": {"America/St_Johns", ""},
		"CST": {"America/Chicago", "China, Cuba"},
		"CTT": {"Asia/Shanghai", ""},
		"EAT": {"Africa/Addis_Ababa", ""},
		"ECT": {"Europe/Paris", "Ecuador"},
		"IET": {"America/Indiana/Indianapolis", ""},
		"IST": {"Asia/Kolkata", "Israel, Ireland"},
		"JST": {"Asia/Tokyo", ""},
		"MIT": {"Pacific/Apia", "the Marquesas Islands"},
		"NET": {"Asia/Yerevan", ""},
		"NST": {"Pacific/Auckland", "Newfoundland"},
		"PLT": {"Asia/Karachi", ""},
		"PNT": {"America/Phoenix", ""},
		"PRT": {"America/Puerto_Rico", ""},
		"PST": {"America/Los_Angeles", "the Philippines"},
		"SST": {"Pacific/Guadalcanal", "Samoa"},
		"VST": {"Asia/Ho_Chi_Minh", ""},

		"PDT":  {"America/Los_Angeles", ""},
		"MDT":  {"America/Denver", ""},
		"CDT":  {"America/Chicago", "Cuba"},
		"EDT":  {"America/New_York", ""},
		"AKST": {"America/Anchorage", ""},
		"AKDT": {"America/Anchorage", ""},
		"CEST": {"Europe/Berlin", ""},
		"EEST": {"Europe/Athens", ""},
		"WEST": {"Europe/Lisbon", ""},
		"MSK":  {"Europe/Moscow", ""},
		"PKT":  {"Asia/Karachi", ""},
		"SGT":  {"Asia/Singapore", ""},
		"HKT":  {"Asia/Hong_Kong", ""},
		"KST":  {"Asia/Seoul", ""},
		"AWST": {"Australia/Perth", ""},
		"ACST": {"Australia/Darwin", "the winter of Australia/Adelaide"},
		"ACDT": {"Australia/Adelaide", ""},
		"AEST": {"Australia/Brisbane", "the winter of Australia/Sydney"},
		"AEDT": {"Australia/Sydney", ""},
		"NZST": {"Pacific/Auckland", ""},
		"NZDT": {"Pacific/Auckland", ""},
		"SAST": {"Africa/Johannesburg", ""},
		"BRT":  {"America/Sao_Paulo", ""},
	}[name]
	return e.region, e.others
}
