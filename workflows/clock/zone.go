package clock

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Zone finds a time zone: "Europe/Berlin", "UTC+02:00", "CET"; empty: UTC. An
// abbreviation is only known where it names one zone's rules everywhere (CET,
// EST); the error for any other says to name the region. The program must carry
// the zones (import time/tzdata) or the machine have them.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if offset, ok := strings.CutPrefix(name, "UTC"); ok {
		return fixed(name, offset)
	}
	zone, err := time.LoadLocation(name)
	switch {
	case err == nil && name != "Local":
		return zone, nil
	case strings.Contains(name, "/"):
		return nil, fmt.Errorf("no time zone is named %q (regions are written as Europe/Berlin)", name)
	}
	return nil, fmt.Errorf("%q does not name one time zone (write a region, as America/Los_Angeles, or UTC+02:00)", name)
}

// fixed reads ±HH:MM; no place on earth is further from UTC than 14 hours.
func fixed(name, offset string) (*time.Location, error) {
	if len(offset) == len("+02:00") && offset[3] == ':' && (offset[0] == '+' || offset[0] == '-') {
		hours, errH := strconv.ParseUint(offset[1:3], 10, 8)
		minutes, errM := strconv.ParseUint(offset[4:], 10, 8)
		if total := int(hours*60 + minutes); errH == nil && errM == nil && minutes < 60 && total <= 14*60 {
			if offset[0] == '-' {
				total = -total
			}
			return time.FixedZone(name, total*60), nil
		}
	}
	return nil, fmt.Errorf("%q is not UTC with an offset of at most 14 hours, as UTC+02:00 or UTC-09:30", name)
}
