package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Rows that are made ahead are those that the commit would make, also when only
// some of the commits that are added up have made them.
func TestRowsMadeAhead(t *testing.T) {
	for _, ahead := range []func(i int) bool{
		func(int) bool { return true },
		func(i int) bool { return i%2 == 0 },
		func(i int) bool { return i%2 == 1 },
	} {
		plain, made := openTest(t, filepath.Join(t.TempDir(), "plain.db")), openTest(t, filepath.Join(t.TempDir(), "made.db"))
		var all, some record.Commit
		for i, c := range append(secondCommits(), record.Commit{Memos: []record.Memo{{Owner: "slack", Key: "card/42"}}}) {
			all.Add(c)
			if ahead(i) {
				made.Encode(&c)
			}
			some.Add(c)
		}
		for db, c := range map[*DB]*record.Commit{plain: &all, made: &some} {
			if err := db.Commit(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(string(dump(t, plain)), string(dump(t, made))); d != "" {
			t.Errorf("the files differ (-made by the commit +made ahead):\n%s", d)
		}
	}
}
