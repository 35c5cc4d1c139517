package work_test

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// T2: what goes live is compared with what runs of the same repository, whatever
// the action was called then; where nothing of it runs that is said, and never
// taken for "nothing new".
func TestRanges(t *testing.T) {
	action := func(name string) workflows.Action {
		return workflows.Action{Name: name, ActionType: workflows.ActionType{Provider: "Git"}}
	}
	p := &workflows.Pipeline{Stages: []workflows.Stage{{Name: "Source", Actions: []workflows.Action{action("App"), action("Config")}}}}
	of := func(action, repository, commit string) workflows.SourceRevision {
		return workflows.SourceRevision{ActionName: action, Repository: repository, RevisionID: commit}
	}
	between := func(repository, from, to string) work.Range {
		return work.Range{Provider: "Git", Repository: repository, From: from, To: to}
	}
	type revisions = []workflows.SourceRevision
	for name, c := range map[string]struct {
		runs, next revisions
		want       []work.Range
	}{
		"another commit":                      {revisions{of("App", "shop", "c1")}, revisions{of("App", "shop", "c2")}, []work.Range{between("shop", "c1", "c2")}},
		"the same commit":                     {revisions{of("App", "shop", "c1")}, revisions{of("App", "shop", "c1")}, nil},
		"nothing runs":                        {nil, revisions{of("App", "shop", "c2")}, nil},
		"the action had another name":         {revisions{of("Old", "shop", "c1")}, revisions{of("App", "shop", "c2")}, []work.Range{between("shop", "c1", "c2")}},
		"its name is another's now":           {revisions{of("Config", "shop", "c1"), of("App", "conf", "d1")}, revisions{of("App", "shop", "c2"), of("Config", "conf", "d1")}, []work.Range{between("shop", "c1", "c2")}},
		"one repository twice":                {revisions{of("App", "shop", "c1"), of("Config", "shop", "d1")}, revisions{of("Config", "shop", "d2"), of("App", "shop", "c1")}, []work.Range{between("shop", "d1", "d2")}},
		"another repository":                  {revisions{of("App", "shop", "c1")}, revisions{of("App", "store", "e1")}, []work.Range{between("store", "", "e1")}},
		"an action more":                      {revisions{of("App", "shop", "c1")}, revisions{of("App", "shop", "c1"), of("Config", "conf", "d1")}, []work.Range{between("conf", "", "d1")}},
		"an action that brings no repository": {revisions{of("App", "", "1")}, revisions{of("App", "", "2")}, nil},
	} {
		if got := work.Ranges(p, c.runs, c.next); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
