// Package wiretest holds the tables that every outbound integration must
// treat alike: HTTP statuses (try again, or accept and say so), and answers
// that would take credentials elsewhere or fill the memory.
package wiretest

import (
	"fmt"
	"net/http"
	"testing"
)

// Status is one answer of the other side and what a follower makes of it.
type Status struct {
	Code  int
	Retry bool // the follower returns an error, so that the runtime comes back
}

// Statuses is the table.
func Statuses() []Status {
	return []Status{
		{http.StatusBadRequest, false},
		{http.StatusUnauthorized, true},
		{http.StatusForbidden, true}, // C19c: somebody fixes it, as 401
		{http.StatusNotFound, true},  // and so is what our account may not see yet
		{http.StatusRequestTimeout, true},
		{http.StatusConflict, false},
		{http.StatusGone, false},
		{http.StatusUnprocessableEntity, false},
		{http.StatusTooManyRequests, true},
		{http.StatusInternalServerError, true},
		{http.StatusNotImplemented, true},
		{http.StatusBadGateway, true},
		{http.StatusServiceUnavailable, true},
		{http.StatusGatewayTimeout, true},
	}
}

// Run checks that follow, called with each status as the other side's only
// answer, returns an error exactly where the table says so.
func Run(t *testing.T, follow func(t *testing.T, status int) error) {
	t.Helper()
	for _, s := range Statuses() {
		t.Run(fmt.Sprint(s.Code), func(t *testing.T) {
			err := follow(t, s.Code)
			if got := err != nil; got != s.Retry {
				t.Errorf("HTTP %d: retry = %v (%v), want %v", s.Code, got, err, s.Retry)
			}
		})
	}
}
