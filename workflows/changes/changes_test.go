package changes_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/changes"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// pipeline reads two repositories and an object.
func pipeline() *workflows.Pipeline {
	source := func(name, provider string) workflows.Action {
		return workflows.Action{Name: name, ActionType: workflows.ActionType{Category: "Source", Provider: provider}}
	}
	return &workflows.Pipeline{Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{source("App", "GitHub"), source("Infra", "GitHub"), source("Data", "S3")}}}}
}

// revisions reads "App=c1 Infra=d1 Data=v1".
func revisions(text string) (all []workflows.SourceRevision) {
	for pair := range strings.FieldsSeq(text) {
		action, id, _ := strings.Cut(pair, "=")
		r := workflows.SourceRevision{ActionName: action, RevisionID: id}
		if action != "Data" {
			r.Repository = "acme/" + strings.ToLower(action)
		}
		all = append(all, r)
	}
	return all
}

func commits(prefix string, n int) (all []work.Commit) {
	for i := n; i > 0; i-- {
		all = append(all, work.Commit{ID: fmt.Sprint(prefix, i), Summary: fmt.Sprint("Change ", i)})
	}
	return all
}

// found answers every range by "NEW LOST", of which at most ten are listed.
func found(s changes.Sides, texts ...string) map[work.Range]work.Changes {
	all := map[work.Range]work.Changes{}
	for i, r := range s.Ranges() {
		if i >= len(texts) || texts[i] == "away" {
			continue
		}
		c := work.Changes{Complete: true, CompareURL: "https://x/" + r.Repository}
		if why, gone := strings.CutPrefix(texts[i], "gone "); gone {
			c = work.Changes{Why: why}
		} else {
			fmt.Sscan(texts[i], &c.Count, &c.Undone)
			c.New, c.Lost = commits("new", min(c.Count, 10)), commits("lost", min(c.Undone, 10))
		}
		all[r] = c
	}
	return all
}

// What is in an execution: from, to, which way, how much, and whether that is all.
func TestSets(t *testing.T) {
	for _, c := range []struct {
		name, from, to, found string
		rollback              bool
		want                  string
	}{
		{"one line", "App=c1", "App=c2", "3 0", false, "c1 c2 ahead, 3: 3 listed, 0 dropped"},
		{"one commit", "App=c1", "App=c2", "1 0", false, "c1 c2 ahead, 1: 1 listed, 0 dropped"},
		{"400 commits, of which the source lists ten", "App=c1", "App=c2", "400 0", false, "c1 c2 ahead, 400: 10 listed, 0 dropped; only the newest 10 of 400 commits are listed"},
		{"a first release", "", "App=c2", "2 0", false, "null c2 ahead, 2: 2 listed, 0 dropped"},
		{"a repository that is new", "Infra=d1", "App=c2 Infra=d1", "2 0", false, "null c2 ahead, 2: 2 listed, 0 dropped"},
		{"the same", "App=c1", "App=c1", "", false, "c1 c1 ahead, 0: 0 listed, 0 dropped"},
		{"a rollback", "App=c2", "App=c1", "0 3", true, "c2 c1 back, 3: 3 listed, 3 dropped"},
		{"a rollback to the same", "App=c1", "App=c1", "", true, "c1 c1 back, 0: 0 listed, 0 dropped"},
		{"a rollback of which nothing is known", "App=c2", "App=c1", "gone it was pruned", true, "c2 c1 back, 0: 0 listed, 0 dropped; it was pruned"},
		{"an old revision started by hand", "App=c2", "App=c1", "0 3", false, "c2 c1 back, 3: 3 listed, 3 dropped"},
		{"a forced push", "App=c2", "App=x1", "2 3", false, "c2 x1 diverged, 2: 2 listed, 3 dropped"},
		{"a forced push that dropped many", "App=c2", "App=x1", "2 30", false, "c2 x1 diverged, 2: 2 listed, 10 dropped; only the newest 10 of 30 commits that it lacks are listed"},
		{"a commit that is gone", "App=c1", "App=c2", "gone it was pruned", false, "c1 c2 unknown, 0: 0 listed, 0 dropped; it was pruned"},
		{"a repository that is away", "App=c1", "App=c2", "away", false, "c1 c2 unknown, 0: 0 listed, 0 dropped; the history of acme/app could not be looked at"},
		{"two repositories, one of them changed", "App=c1 Infra=d1", "App=c1 Infra=d2", "3 0", false, "d1 d2 ahead, 3: 3 listed, 0 dropped"},
		{"two repositories", "App=c1 Infra=d1", "App=c2 Infra=d2", "3 0,1 0", false, "c1 c2 ahead, 4: 4 listed, 0 dropped; acme/app acme/infra"},
		{"two repositories, one of them back", "App=c1 Infra=d2", "App=c2 Infra=d1", "3 0,0 2", false, "c1 c2 diverged, 3: 3 listed, 2 dropped; acme/app acme/infra"},
		{"an object", "Data=v1", "Data=v2", "", false, "v1 v2 unknown, 0: 0 listed, 0 dropped; what lies between two revisions of Data cannot be known: they are no commits"},
	} {
		s := changes.Sides{Definition: pipeline(), From: revisions(c.from), To: revisions(c.to), Rollback: c.rollback}
		set := s.Set(found(s, strings.Split(c.found, ",")...))
		from := "null"
		if set.From != nil {
			from = *set.From
		}
		got := fmt.Sprintf("%s %s %s, %d: %d listed, %d dropped", from, set.To, cmp.Or(set.Direction, "unknown"), set.Total, len(set.Commits), len(set.Dropped))
		if set.Why != "" {
			got += "; " + set.Why
		}
		if len(set.Sources) > 0 {
			got += "; " + set.Sources[0].Repository + " " + set.Sources[1].Repository
		}
		if got != c.want || set.Complete != (set.Why == "") {
			t.Errorf("%s:\n got %s\nwant %s (complete: %v)", c.name, got, c.want, set.Complete)
		}
		if raw, err := json.Marshal(set); err != nil || strings.Contains(string(raw), `s":null`) {
			t.Errorf("%s: a list is null: %s, %v", c.name, raw, err)
		}
	}
}

// Pull requests are added to their commits, issues to the whole; what of it is
// not known makes it incomplete.
func TestWith(t *testing.T) {
	s := changes.Sides{Definition: pipeline(), From: revisions("App=c1"), To: revisions("App=c2")}
	set := s.Set(found(s, "2 1"))
	set.With(map[string]*work.Pull{"new1": {Number: 7}}, []work.Issue{{Key: "SHOP-1"}}, []work.Issue{{Key: "SHOP-1"}, {Key: "SHOP-9"}}, "")
	if set.Commits[0].Pull != nil || set.Commits[1].Pull == nil || len(set.Issues) != 1 || !set.Complete {
		t.Errorf("%+v", set)
	}
	if set.With(nil, []work.Issue{{Key: "SHOP-1"}, {Key: "SHOP-2"}}, []work.Issue{{Key: "SHOP-2"}}, ""); len(set.Issues) != 2 || len(set.DroppedIssues) != 1 || set.DroppedIssues[0].Key != "SHOP-9" {
		t.Errorf("of another repository: %+v", set.Issues)
	}
	set.With(nil, nil, nil, "GitHub is away")
	if set.Commits[1].Pull == nil || set.Complete || set.Why != "GitHub is away" {
		t.Errorf("%+v", set)
	}
}

// People are shown the newest commits of 1, 12 and 400, at most ten, and how many
// more there are; where none come, those that are undone.
func TestLines(t *testing.T) {
	named := work.Commit{ID: strings.Repeat("a1", 20), Summary: "Sell shoes", Author: workflows.Author{Name: "Ana", Email: "ana@acme.example"}}
	for _, c := range []struct {
		of    []work.Changes
		first string
		n     int
		last  string
	}{
		{[]work.Changes{{Count: 1, New: []work.Commit{named}}}, "a1a1a1a Sell shoes (Ana)", 1, "a1a1a1a Sell shoes (Ana)"},
		{[]work.Changes{{Count: 12, New: commits("", 12)}}, "12 Change 12", 11, "and 2 more"},
		{[]work.Changes{{Count: 400, New: commits("", 400)}}, "400 Change 400", 11, "and 390 more"},
		{[]work.Changes{{Count: 10, New: commits("", 10)}}, "10 Change 10", 10, "1 Change 1"},
		{[]work.Changes{{Undone: 11, Lost: commits("old", 11)}}, "old11 Change 11", 11, "and 1 more"},
		{[]work.Changes{{Count: 1, Undone: 5, New: commits("", 1), Lost: commits("old", 5)}}, "1 Change 1", 1, "1 Change 1"},
		{[]work.Changes{{Count: 1, New: commits("a", 1)}, {Count: 1, New: commits("b", 1)}}, "a1 Change 1", 2, "b1 Change 1"},
	} {
		if got := changes.Lines(c.of...); len(got) != c.n || got[0] != c.first || got[c.n-1] != c.last {
			t.Errorf("%d lines: %q; want %d from %q to %q", len(got), got, c.n, c.first, c.last)
		}
	}
	if got := changes.Lines(work.Changes{Why: "it is away"}, work.Changes{}); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	if got := changes.Lines(work.Changes{Count: 1, New: []work.Commit{{ID: "1", Summary: strings.Repeat("é", 300)}}}); len([]rune(got[0])) > 90 {
		t.Errorf("a line of %d characters", len([]rune(got[0])))
	}
}
