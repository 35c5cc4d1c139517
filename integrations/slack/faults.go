package slack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something about the Slack app, or its place in the workspace, that
// keeps rollcall from working whole.
type Fault struct {
	Code string // Slack's, where it has one: "missing_scope"
	What string // what does not work, a sentence
	Fix  string // what to do about it
}

// faultList holds the faults that are there now, by what they are about, and who
// they were reported to. It forgets with the process: they are found again.
type faultList struct {
	mu       sync.Mutex
	faults   map[string]Fault
	reported map[string]string // user -> the faults that were reported to them
}

// add adds a fault.
func (s *faultList) add(about string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[about] = f
}

// remove takes a fault away.
func (s *faultList) remove(about string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, about)
}

// replace puts found in the place of what was known about these things (or,
// with a slash at the end, about all things of the kind) and returns found in order.
func (s *faultList) replace(found map[string]Fault, about ...string) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.faults, func(key string, _ Fault) bool {
		return slices.ContainsFunc(about, func(a string) bool {
			return key == a || strings.HasSuffix(a, "/") && strings.HasPrefix(key, a)
		})
	})
	maps.Copy(s.faults, found)
	return ordered(found)
}

// all returns what is wrong now, in a steady order.
func (s *faultList) all() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ordered(s.faults)
}

func ordered(faults map[string]Fault) []Fault {
	var all []Fault
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		all = append(all, faults[key])
	}
	return all
}

// firstReport says whether a user has not heard of exactly these faults, and notes that they have.
func (s *faultList) firstReport(user string, faults []Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := fmt.Sprint(faults)
	if s.reported[user] == now {
		return false
	}
	s.reported[user] = now
	return true
}

// logLimiter lets one line of a kind through per minute.
type logLimiter struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (n *logLimiter) allow(kind string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, said := n.last[kind]; said && now.Sub(last) < time.Minute {
		return false
	}
	n.last[kind] = now
	return true
}
