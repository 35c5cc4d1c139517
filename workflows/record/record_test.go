package record_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Of two who are told the same thing one acts, and after the time for which a claim stands the next one.
func TestWhenAClaimIsTaken(t *testing.T) {
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name         string
		since, there time.Time
		want         bool
	}{
		{"it stands for good", time.Time{}, since.AddDate(-9, 0, 0), true},
		{"newer", since, since.Add(1), true},
		{"at the moment itself", since, since, true},
		{"older", since, since.Add(-1), false},
	} {
		claim := record.Claim{Since: c.since}
		if got := claim.Taken(work.Receipt{At: c.there}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A conflict is told from a fence and from an unknown end, also when it is wrapped.
func TestConflicts(t *testing.T) {
	for _, c := range []struct {
		conflict record.Conflict
		says     string
	}{
		{record.Conflict{Pipeline: "webshop"}, "the log of webshop has moved on"},
		{record.Conflict{Claim: "push/1"}, "the receipt push/1 is there already"},
	} {
		err := fmt.Errorf("committing: %w", &c.conflict)
		if !errors.Is(err, record.ErrConflict) || errors.Is(err, record.ErrFenced) || !strings.Contains(err.Error(), c.says) || !strings.HasSuffix(err.Error(), "nothing was written") {
			t.Errorf("%v, want %s", err, c.says)
		}
	}
}

// What a store made ahead stays with what it was made of, whatever is added.
func TestAddedRowsKeepTheirPlaces(t *testing.T) {
	row := func(key string) [][]byte { return [][]byte{[]byte(key)} }
	memo := func(key string) []record.Memo { return []record.Memo{{Key: key}} }
	var c record.Commit
	c.Add(record.Commit{Memos: memo("a")})
	c.Add(record.Commit{Memos: memo("b"), Encoded: record.Encoded{Memos: row("b")}})
	c.Add(record.Commit{})
	c.Add(record.Commit{Memos: memo("c")})
	c.Add(record.Commit{Memos: memo("d"), Encoded: record.Encoded{Memos: row("d")}})
	for i, m := range c.Memos {
		if i < len(c.Encoded.Memos) && c.Encoded.Memos[i] != nil && string(c.Encoded.Memos[i]) != m.Key {
			t.Errorf("the memo %s has the row %s", m.Key, c.Encoded.Memos[i])
		}
	}
	if n := len(c.Encoded.Memos); n != 4 || c.Empty() || !(&record.Commit{}).Empty() {
		t.Errorf("%d rows, empty: %t", n, c.Empty())
	}
}
