package ledger

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What a stage succeeded with comes back as it was written, whatever people call
// their branches, and in text that JSON leaves as it is.
func TestSuccessesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "main", "a|b;c,d%e", `"<&>\`, "föhn/\u2028", "%zz", "\x00\xff"}))
		at := func(what string) time.Time {
			return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, what), rapid.Int64Range(0, 999_999_999).Draw(t, what)).UTC()
		}
		var list []*Success
		for range rapid.IntRange(0, 4).Draw(t, "successes") {
			s := &Success{
				Execution: text.Draw(t, "execution"), Number: rapid.Int().Draw(t, "number"), Version: rapid.Int().Draw(t, "version"),
				Digest: text.Draw(t, "digest"), LeftBy: text.Draw(t, "leftBy"), Without: text.Draw(t, "without"),
			}
			for range rapid.IntRange(0, 3).Draw(t, "spans") {
				span := Span{From: at("from")}
				if rapid.Bool().Draw(t, "ended") {
					to := at("to")
					span.To = &to
				}
				s.Ran = append(s.Ran, span)
			}
			for range rapid.IntRange(0, 3).Draw(t, "revisions") {
				s.Revisions = append(s.Revisions, workflows.SourceRevision{
					ActionName: text.Draw(t, "action"), RevisionID: text.Draw(t, "revision"), Branch: text.Draw(t, "branch"), Repository: text.Draw(t, "repository"),
				})
			}
			list = append(list, s)
		}
		all := Successes{read: list}
		data, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if plain := all.AppendRows(nil); string(data) != `"`+string(plain)+`"` {
			t.Errorf("JSON escapes some of %q: %q, %v", plain, data, err)
		}
		var back Successes
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list, back.read, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		asRows(t, list)
	})
}

// asRows looks at successes that are rows yet: they are what they were, whichever
// is asked for, and are written as they were.
func asRows(t *rapid.T, list []*Success) {
	rows := Successes{read: list}.AppendRows(nil)
	read := func() Successes {
		back, err := ReadSuccesses(slices.Clone(rows))
		if err != nil {
			t.Fatal(err)
		}
		return back
	}
	all := read()
	if all.Len() != len(list) || all.IsZero() != (len(list) == 0) || all.find("of nobody") >= 0 {
		t.Errorf("%d rows of %d, and one of nobody at %d", all.Len(), len(list), all.find("of nobody"))
	}
	for i, s := range list {
		first := slices.IndexFunc(list, func(one *Success) bool { return one.Execution == s.Execution })
		some := read()
		if at := some.find(s.Execution); at != first {
			t.Errorf("%q is found at %d and not at %d of %q", s.Execution, at, first, rows)
		}
		if got, want := some.at(i).append(nil), s.append(nil); !bytes.Equal(got, want) || some.find(s.Execution) != first {
			t.Errorf("%d is read as %q, want %q; it is found at %d and not at %d", i, got, want, some.find(s.Execution), first)
		}
		if again := some.AppendRows(nil); !bytes.Equal(again, rows) {
			t.Errorf("after one was asked for it is written as %q, and not %q", again, rows)
		}
		shared := some
		changed := *s
		changed.LeftBy = "somebody"
		if some = some.rewritten(i, &changed); some.at(i).LeftBy != "somebody" || !bytes.Equal(shared.AppendRows(nil), rows) {
			t.Errorf("a copy that shares it has changed: %q, was %q", shared.AppendRows(nil), rows)
		}
	}
}

// Checkpoints of earlier versions hold objects.
func TestSuccessesOfEarlierVersions(t *testing.T) {
	ended := time.Date(2026, 3, 2, 9, 1, 0, 5, time.UTC)
	want := []*Success{{
		Execution: "e1", Number: 29, Version: 2, Digest: "700d", LeftBy: "e9", Without: "1 of 2 approvals",
		Ran:       []Span{{From: ended.Add(-time.Minute), To: &ended}},
		Revisions: []workflows.SourceRevision{{ActionName: "App", RevisionID: "c1", Branch: "main", Repository: "acme/webshop"}},
	}}
	var got Successes
	err := json.Unmarshal([]byte(`[{"execution":"e1","number":29,"version":2,"digest":"700d","ran":[{"from":"2026-03-02T09:00:00.000000005Z","to":"2026-03-02T09:01:00.000000005Z"}],"leftBy":"e9","without":"1 of 2 approvals","revisions":[{"actionName":"App","revisionId":"c1","branch":"main","repository":"acme/webshop"}]}]`), &got)
	if diff := cmp.Diff(want, got.read); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// What is damaged is refused, and never read as something else.
func TestDamagedSuccesses(t *testing.T) {
	for name, text := range map[string]string{
		"a field too few":     `"e1|1|1|d|1.0,,||;"`,
		"no number":           `"e1|x|1|d|1.0,,|||;"`,
		"no time":             `"e1|1|1|d|,,|||;"`,
		"half a time":         `"e1|1|1|d|1,,|||;"`,
		"half a span":         `"e1|1|1|d|1.0,|||;"`,
		"a revision cut off":  `"e1|1|1|d|1.0,,|||App,c1,;"`,
		"a row without end":   `"e1|1|1|d|1.0,,|||"`,
		"neither text or row": `{}`,
	} {
		var got Successes
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: it was read as %v", name, got)
		}
		if rows, isText := strings.CutPrefix(strings.TrimSuffix(text, `"`), `"`); isText && !readPanics(rows) {
			t.Errorf("%s: it was read from rows", name)
		}
	}
}

// readPanics says whether rows are refused: as a whole, or when the first is asked for.
func readPanics(rows string) (refused bool) {
	defer func() { refused = refused || recover() != nil }()
	all, err := ReadSuccesses([]byte(rows))
	if err != nil {
		return true
	}
	all.at(0)
	return false
}
