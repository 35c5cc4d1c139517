// Package roles finds what a configuration says of a role: under its ARN, or under a
// pattern that covers the role of that name in every account of an organization.
//
// A pattern is the ARN of a role with * in place of the account, once in the name, or
// both: arn:aws:iam::*:role/deploy, arn:aws:iam::*:role/rollcall-*.
package roles

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var form = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}|\*):role/[\w+=,.@/-]*\*?[\w+=,.@/-]*$`)
})

// Valid says whether a key is the ARN of a role or a pattern of such.
func Valid(key string) bool { return form().MatchString(key) && !strings.HasSuffix(key, "role/") }

// IsPattern says whether a key stands for more than one role.
func IsPattern(key string) bool { return strings.Contains(key, "*") }

// Of returns what is said of a role, and under which key: its ARN, else the narrowest
// pattern. Without one the key is empty. Of two patterns that [Ambiguous] would
// refuse it takes the first in the order of their letters.
func Of[T any](said map[string]T, arn string) (of T, key string) {
	if exact, ok := said[arn]; ok && !IsPattern(arn) {
		return exact, arn
	}
	for _, candidate := range slices.Sorted(maps.Keys(said)) {
		if IsPattern(candidate) && covers(candidate, arn) && (key == "" || within(candidate, key)) {
			of, key = said[candidate], candidate
		}
	}
	return of, key
}

// Ambiguous finds two patterns that cover some role alike, none of them being the
// narrower one: nobody could say which one holds. Both empty: there are none.
func Ambiguous[T any](said map[string]T) (one, other string) {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(said)), func(key string) bool { return !IsPattern(key) || !Valid(key) })
	for i, a := range keys {
		for _, b := range keys[i+1:] {
			if overlap(a, b) && within(a, b) == within(b, a) {
				return a, b
			}
		}
	}
	return "", ""
}

// parts are the two places of a key in which a * may stand: account and name.
func parts(key string) (before, account, name string) {
	p := strings.SplitN(key, ":", 6)
	if len(p) < 6 {
		return key, "", ""
	}
	return strings.Join(p[:4], ":"), p[4], p[5]
}

// covers says whether a pattern stands for a role.
func covers(pattern, arn string) bool {
	before, account, name := parts(pattern)
	b, a, n := parts(arn)
	return before == b && fits(account, a) && fits(name, n)
}

// within says whether every role that a covers is covered by b.
func within(a, b string) bool {
	before, account, name := parts(a)
	wide, accounts, names := parts(b)
	return before == wide && inside(account, accounts) && inside(name, names)
}

func overlap(a, b string) bool {
	before, account, name := parts(a)
	other, accounts, names := parts(b)
	return before == other && meet(account, accounts) && meet(name, names)
}

// fits says whether a text has the form of a pattern with at most one *.
func fits(pattern, text string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	return len(text) >= len(head)+len(tail) && strings.HasPrefix(text, head) && strings.HasSuffix(text, tail)
}

// inside says whether every text that fits a fits b.
func inside(a, b string) bool {
	head, tail, star := strings.Cut(a, "*")
	if !star {
		return fits(b, a)
	}
	h, t, wide := strings.Cut(b, "*")
	return wide && strings.HasPrefix(head, h) && strings.HasSuffix(tail, t)
}

// meet says whether some text fits both.
func meet(a, b string) bool {
	if !strings.Contains(a, "*") {
		return fits(b, a)
	}
	if !strings.Contains(b, "*") {
		return fits(a, b)
	}
	h1, t1, _ := strings.Cut(a, "*")
	h2, t2, _ := strings.Cut(b, "*")
	return (strings.HasPrefix(h1, h2) || strings.HasPrefix(h2, h1)) && (strings.HasSuffix(t1, t2) || strings.HasSuffix(t2, t1))
}
