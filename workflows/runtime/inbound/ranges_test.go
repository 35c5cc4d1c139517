package inbound

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/ledger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// books is a Source that knows histories.
type books struct {
	remote
	mu    sync.Mutex
	known map[work.Range]work.Changes
	asked int
	err   error
	slow  time.Duration
}

func (b *books) Compare(ctx context.Context, r work.Range) (work.Changes, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	select {
	case <-time.After(b.slow):
	case <-ctx.Done():
		return work.Changes{}, ctx.Err()
	}
	return b.known[r], b.err
}

func rangeOf(from, to string) work.Range {
	return work.Range{Provider: "Git", Repository: "shop", From: from, To: to}
}

// What a decision hears of a range: what the source says and who pushed it; a
// look-up that fails is "could not check", never nobody.
func TestWhatADecisionHearsOfARange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := work.Changes{Complete: true, Count: 2, Commits: []string{"c2", "c1"}, Authors: []workflows.Author{{Name: "Ana"}}}
		source := &books{known: map[work.Range]work.Changes{rangeOf("c0", "c2"): known, rangeOf("x", "y"): {Why: "it is shallow"}}}
		d := newDesk(t)
		m := d.member(func(o *Options) { o.Sources = map[string]Source{"Git": source} })
		m.put(pipeline("web", git("App", "shop", "main")))
		notes := m.starter.pushers([]work.Change{
			{Provider: "Git", Event: "push", Repository: "shop", Branch: "main", Commits: []string{"c1", "c2"}, By: workflows.Principal{ID: "github:dora", Name: "Dora"}},
			{Provider: "Git", Event: "push", Repository: "shop", Branch: "main", Commits: []string{"c1"}, By: workflows.Principal{ID: "git:nobody"}},
			{Provider: "Git", Event: "push", Repository: "other", Branch: "main", Commits: []string{"c1"}, By: workflows.Principal{ID: "github:eve"}},
			{Provider: "Git", Event: "pull_request", Repository: "shop", Branch: "main", Commits: []string{"c1"}, By: workflows.Principal{ID: "github:eve"}},
		})
		for _, n := range notes {
			d.memos[n.Key] = string(n.Value)
		}
		for range 3 {
			got, err := m.ranges.ForDecision(t.Context(), rangeOf("c0", "c2"))
			if err != nil || !got.Complete || len(got.Authors) != 2 || got.Authors[0].Name != "Ana" || got.Authors[1].Login != "dora" {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		if source.asked != 1 {
			t.Errorf("asked %d times for what stays true", source.asked)
		}
		for _, r := range []work.Range{rangeOf("x", "y"), rangeOf("", "c2"), {Provider: "S3", Repository: "b", From: "1", To: "2"}} {
			for range 2 {
				if got, err := m.ranges.ForDecision(t.Context(), r); err != nil || got.Complete || got.Why == "" {
					t.Errorf("%+v: %+v, %v", r, got, err)
				}
			}
		}
		if source.asked != 3 {
			t.Errorf("asked %d times; what is not known now may be known later", source.asked)
		}
		source.err = errors.New("away")
		_, err := m.ranges.ForDecision(t.Context(), rangeOf("c0", "c9"))
		if p := (*workflows.Problem)(nil); !errors.As(err, &p) || p.Code != workflows.CodeUnavailable || !strings.HasPrefix(p.Message, "could not check") {
			t.Errorf("%v", err)
		}
		source.err, source.slow = nil, time.Hour
		if _, err = m.ranges.ForDecision(t.Context(), rangeOf("c0", "c8")); err == nil {
			t.Error("a repository that does not answer is taken for one that knows nothing")
		}
	})
}

// The rollback form says what differs from what runs, for as many targets as that
// is known of within a second, and nothing of the others.
func TestWhatDiffersFromWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &books{known: map[work.Range]work.Changes{rangeOf("c3", "c1"): {Complete: true, Undone: 2, CompareURL: "https://x"}, rangeOf("c3", "c0"): {Why: "it is shallow"}}}
		m := newDesk(t).member(func(o *Options) { o.Sources = map[string]Source{"Git": source} })
		p := pipeline("web", git("App", "shop", "main"))
		at := func(commit string, now, eligible bool) ledger.Target {
			return ledger.Target{Now: now, Eligible: eligible, SourceRevisions: []workflows.SourceRevision{{ActionName: "App", Repository: "shop", RevisionID: commit}}}
		}
		targets := []ledger.Target{at("c3", true, false), at("c1", false, true), at("c0", false, true), at("c2", false, false), at("c3", false, true)}
		m.ranges.Compare(t.Context(), p, targets)
		if g := targets[1]; !g.Compared || g.Undoes != 2 || g.Brings != 0 || g.CompareURL != "https://x" {
			t.Errorf("two commits fewer: %+v", g)
		}
		for i, g := range targets {
			if want := i == 1 || i == 4; g.Compared != want {
				t.Errorf("target %d is compared: %v", i, g.Compared)
			}
		}
		source.slow = time.Hour
		began := time.Now()
		again := []ledger.Target{at("c3", true, false), at("c7", false, true), at("c8", false, true)}
		m.ranges.Compare(t.Context(), p, again)
		if took := time.Since(began); took > time.Second || again[1].Compared {
			t.Errorf("the form waits %v", took)
		}
		none := []ledger.Target{at("c1", false, true)}
		if m.ranges.Compare(t.Context(), p, none); none[0].Compared {
			t.Error("nothing runs, and something differs from it")
		}
	})
}

// Once an execution has entered a stage that people look at, a note says what it
// brings there; where they do not, or nothing ran there, there is none.
func TestNotesOnWhatComesIntoAStage(t *testing.T) {
	revision := func(action, repository, commit string) workflows.SourceRevision {
		return workflows.SourceRevision{ActionName: action, Repository: repository, RevisionID: commit}
	}
	two := pipeline("web", git("App", "shop", "main"), git("Conf", "conf", "main"))
	two.Stages = append(two.Stages, workflows.Stage{Name: "Test"})
	known := map[work.Range]work.Changes{
		rangeOf("c1", "c3"): {Complete: true, Count: 2, CompareURL: "https://x"}, rangeOf("c1", "c0"): {Complete: true, Undone: 1}, rangeOf("c1", "c9"): {Why: "it is shallow"},
		{Provider: "Git", Repository: "conf", From: "d1", To: "d2"}: {Complete: true, Count: 1},
	}
	for name, c := range map[string]struct {
		stage, from string
		next        []workflows.SourceRevision
		err         error
		want        string // the note; empty: none
		state       string
	}{
		"new commits":            {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c3"), revision("Conf", "conf", "d1")}, nil, "2 commits since #41", "done"},
		"fewer":                  {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c0"), revision("Conf", "conf", "d1")}, nil, "undoes 1 commit of #41", "done"},
		"of two repositories":    {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c3"), revision("Conf", "conf", "d2")}, nil, "shop: 2 commits since #41; conf: 1 commit since #41", "done"},
		"the same":               {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c1"), revision("Conf", "conf", "d1")}, nil, "the same revisions as #41", "done"},
		"no repository":          {"Prod", "e1", []workflows.SourceRevision{revision("App", "", "c3"), revision("Conf", "conf", "d1")}, nil, "", ""},
		"not known":              {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c9"), revision("Conf", "conf", "d1")}, nil, "what is new since #41 is not known, because it is shallow", "refused"},
		"nobody looks there":     {"Test", "e1", []workflows.SourceRevision{revision("App", "shop", "c3")}, nil, "", ""},
		"nothing ran there":      {"Prod", "", []workflows.SourceRevision{revision("App", "shop", "c3")}, nil, "", ""},
		"the repository is away": {"Prod", "e1", []workflows.SourceRevision{revision("App", "shop", "c3")}, errors.New("away"), "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			m := d.member(func(o *Options) { o.Sources = map[string]Source{"Git": &books{known: known, err: c.err}} })
			d.versions[1] = two
			d.rows["e1"] = workflows.Execution{ID: "e1", Pipeline: "web", Number: 41, SourceRevisions: []workflows.SourceRevision{revision("App", "shop", "c1"), revision("Conf", "conf", "d1")}}
			d.rows["e2"] = workflows.Execution{ID: "e2", Pipeline: "web", Number: 42, Version: 1, SourceRevisions: c.next, Stages: []workflows.StageExecution{{Name: c.stage, From: c.from}}}
			f := NewNotes(d, d, d, m.catalogue, m.ranges)
			err := f.Follow(t.Context(), event.Batch{Pipeline: "web", Frames: []event.Frame{{Events: []event.Event{
				{Kind: event.StageEntered, Execution: "e2", Stage: c.stage}, {Kind: event.StageSucceeded, Execution: "e2", Stage: c.stage}, {Kind: event.StageEntered, Execution: "gone", Stage: c.stage}}}}})
			if (err != nil) != (c.err != nil) {
				t.Errorf("%s: %v", name, err)
			}
			var notes []string
			for _, in := range d.intents {
				if in.Verb != workflows.Annotate || in.Execution != "e2" || in.Note.Name != "changes/"+c.stage || in.Note.State != c.state {
					t.Errorf("%s: %+v %+v", name, in, in.Note)
				}
				notes = append(notes, in.Note.Text)
			}
			if want := strings.Fields(c.want); len(want) == 0 && len(notes) > 0 || len(want) > 0 && !slices.Equal(notes, []string{c.want}) {
				t.Errorf("%s: noted %q, want %q", name, notes, c.want)
			}
		})
	}
}

// Frames of stages into which nobody looks are nothing to the follower, once it
// knows which those are: from a definition that came by, or from one look.
func TestWhatIsNothingToTheNotes(t *testing.T) {
	quiet, loud := pipeline("web"), pipeline("web")
	quiet.Stages[1].Environment = ""
	entered := func(pipeline, stage string) event.Frame {
		return event.Frame{Pipeline: pipeline, Events: []event.Event{{Kind: event.StageEntered, Execution: "gone", Stage: stage}}}
	}
	defined := func(version int, p *workflows.Pipeline) event.Frame {
		return event.Frame{Pipeline: "web", Events: []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Version: version, Definition: *p}}}}
	}
	back := event.Frame{Pipeline: "web", Events: []event.Event{{Kind: event.ExecutionStarted, Under: loud}}}
	follow := func(f Notes, frame event.Frame) {
		t.Helper()
		if f.Concerns(frame) {
			if err := f.Follow(t.Context(), event.Batch{Pipeline: frame.Pipeline, Frames: []event.Frame{frame}}); err != nil {
				t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		inUse  *workflows.Pipeline
		before []event.Frame // that the follower has seen
		looks  int
		want   bool // Prod concerns it in the end
	}{
		"the first version came by":            {nil, []event.Frame{defined(1, quiet)}, 0, false},
		"and asks":                             {nil, []event.Frame{defined(1, loud)}, 0, true},
		"a later one asks":                     {nil, []event.Frame{defined(1, quiet), defined(2, loud)}, 0, true},
		"a later one asks no more":             {nil, []event.Frame{defined(1, loud), defined(2, quiet)}, 0, true},
		"one comes back with an execution":     {nil, []event.Frame{defined(1, quiet), back}, 0, true},
		"what came before is not known":        {loud, []event.Frame{defined(2, quiet), entered("web", "Source")}, 1, true},
		"looked at once":                       {quiet, []event.Frame{entered("web", "Source"), entered("web", "Prod"), entered("web", "Prod")}, 1, false},
		"looked at once, and a later one asks": {quiet, []event.Frame{entered("web", "Prod"), defined(2, loud)}, 1, true},
	} {
		d := newDesk(t)
		d.versions = map[int]*workflows.Pipeline{1: c.inUse}
		if c.inUse == nil {
			d.versions = nil
		}
		f := NewNotes(d, d, d, NewCatalogue(d), nil)
		for _, frame := range c.before {
			follow(f, frame)
		}
		if got := f.Concerns(entered("web", "Prod")); got != c.want || d.looks != c.looks {
			t.Errorf("%s: it concerns the follower: %v, after %d looks", name, got, d.looks)
		}
		if !f.Concerns(entered("other", "Source")) {
			t.Errorf("%s: of another pipeline it knows something", name)
		}
	}
}
