package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/identity"
)

// An ID says when it was made, and what only looks like one does not.
func TestTime(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 123e6, time.UTC)
	id := identity.New(at, [16]byte{1}, 2)
	if got, ok := identity.Time(id); !ok || !got.Equal(at) {
		t.Errorf("%s was made %v, %v", id, got, ok)
	}
	for _, text := range []string{"", "webshop#1", id[1:], strings.ToUpper(id), strings.Replace(id, "-7", "-4", 1), strings.Replace(id, "-", "a", 1), "-" + id[:35]} {
		if got, ok := identity.Time(text); ok {
			t.Errorf("%q was made %v", text, got)
		}
	}
}
