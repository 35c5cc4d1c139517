package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// scale is what a figure is read beside.
type scale int

const (
	inF      scale = iota // a duration, in F; less is better
	inRate                // something per second, in writes of the floor per second; more is better
	absolute              // a size, a share, a ratio; less is better
	count                 // how often something happened: neither is better
)

// figure is what one round found out.
type figure struct {
	name, unit string
	scale      scale
	value      float64 // in the unit
}

// series is a figure over the rounds of one binary.
type series struct {
	figure
	subject        string
	values, ratios []float64
}

// figures are all series of a benchmark, in the order of their first figure.
type figures []*series

// add takes what a round found out, and what the disk could do then.
func (all *figures) add(subject string, found []figure, f floor) {
	for _, g := range found {
		s := all.of(subject, g)
		s.values = append(s.values, g.value)
		switch g.scale {
		case inF:
			s.ratios = append(s.ratios, g.value/milliseconds(f.p50))
		case inRate:
			s.ratios = append(s.ratios, g.value/f.rate)
		default:
			s.ratios = append(s.ratios, g.value)
		}
	}
}

func (all *figures) of(subject string, g figure) *series {
	for _, s := range *all {
		if s.subject == subject && s.name == g.name {
			return s
		}
	}
	s := &series{figure: g, subject: subject}
	*all = append(*all, s)
	return s
}

// print writes one line per figure: the median, its ratio, the worst round, and
// how the two binaries compare.
func (all figures) print(w io.Writer, benchmark string) {
	for _, s := range all {
		if s.subject == "base" {
			continue
		}
		line := fmt.Sprintf("%-8s%-38s%12s %-10s", benchmark, s.name, number(median(s.values)), s.unit)
		line += fmt.Sprintf("%-28s", s.beside())
		if i := slices.IndexFunc(all, func(b *series) bool { return b.subject == "base" && b.name == s.name }); i >= 0 {
			line += fmt.Sprintf("base %s %s %s", number(median(all[i].values)), s.unit, all[i].beside()) + s.against(all[i])
		}
		fmt.Fprintln(w, line)
	}
}

// against is the median over the rounds of new divided by base. The two of a
// round ran one after the other, so what other processes did to one
// they mostly did to the other.
func (s *series) against(base *series) string {
	var all []float64
	for i := range min(len(s.values), len(base.values)) {
		if base.values[i] > 0 {
			all = append(all, s.values[i]/base.values[i])
		}
	}
	if len(all) == 0 || s.scale == count {
		return ""
	}
	return fmt.Sprintf(" new/base %s (%s to %s)", number(median(all)), number(slices.Min(all)), number(slices.Max(all)))
}

// beside is the median of the ratios, and the worst one.
func (s *series) beside() string {
	switch s.scale {
	case inF:
		return fmt.Sprintf("%s F (worst %s)", number(median(s.ratios)), number(slices.Max(s.ratios)))
	case inRate:
		return fmt.Sprintf("%s x rate (worst %s)", number(median(s.ratios)), number(slices.Min(s.ratios)))
	case absolute:
		return fmt.Sprintf("(worst %s)", number(slices.Max(s.ratios)))
	default:
		return fmt.Sprintf("(%s to %s)", number(slices.Min(s.ratios)), number(slices.Max(s.ratios)))
	}
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}

// number writes three significant digits.
func number(v float64) string {
	if digits := int(math.Log10(max(math.Abs(v), 0.01))); digits < 2 {
		return strconv.FormatFloat(v, 'f', 2-max(digits, 0), 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// took is a duration beside F.
func took(name string, d time.Duration) figure { return figure{name, "ms", inF, milliseconds(d)} }
