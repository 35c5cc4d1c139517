package bot

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

func TestARefusalNamesThoseWhoHaveNotAnswered(t *testing.T) {
	b := New(Options{Groups: map[string][]string{"release-managers": {"ana@acme.example", "ben@acme.example"}},
		Deputies: map[string]string{"Ben@acme.example": "eve@acme.example", "ana@acme.example": "fay@acme.example"}})
	yes := func(mail string) workflows.Vote {
		return workflows.Vote{By: workflows.Principal{ID: "slack:" + mail, Email: mail}, Answer: "approve"}
	}
	for _, c := range []struct {
		votes []workflows.Vote
		want  []string
	}{
		{nil, []string{"ana@acme.example", "fay@acme.example", "ben@acme.example", "eve@acme.example"}},
		{[]workflows.Vote{yes("ana@acme.example")}, []string{"ben@acme.example", "eve@acme.example"}},
		{[]workflows.Vote{yes("ana@acme.example"), yes("eve@acme.example")}, []string{"ben@acme.example"}},
		{[]workflows.Vote{yes("ana@acme.example"), yes("ben@acme.example")}, []string{"ana@acme.example", "ben@acme.example"}},
	} {
		g := workflows.Approval{From: []string{"group:release-managers"}, Votes: c.votes}
		if got := b.canStill(&g); !slices.Equal(got, c.want) {
			t.Errorf("after %d votes %v can, want %v", len(c.votes), got, c.want)
		}
	}
}
