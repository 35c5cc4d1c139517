package inbound

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What the catalogue knows from commits is what it knows after a restart: its
// memos are written in the commit of the events they follow from.
func TestTheCatalogueIsWhatIsDurable(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	define := func(p *workflows.Pipeline) event.Event {
		return event.Event{Kind: event.PipelineDefined, At: at, Defined: &event.Defined{Version: 1, Definition: *p}}
	}
	freeze := workflows.Freeze{Name: "Easter", From: at, To: at.Add(24 * time.Hour)}
	steps := []struct {
		pipeline string
		events   []event.Event
		names    []string // of all pipelines, after it
		polls    bool     // whether that pipeline's branches are polled
		frozen   int
	}{
		{"web", []event.Event{define(pipeline("web", git("App", "shop", "main")))}, []string{"web"}, true, 0},
		{"api", []event.Event{define(pipeline("api", git("App", "shop", "main"))), {Kind: event.FreezesSet, At: at, Freezes: []workflows.Freeze{freeze}}}, []string{"api", "web"}, true, 1},
		{"web", []event.Event{{Kind: event.PollingDisabled, At: at}}, []string{"api", "web"}, false, 0},
		{"web", []event.Event{{Kind: event.ExecutionStarted, At: at}}, []string{"api", "web"}, false, 0},
		{"web", []event.Event{{Kind: event.PollingEnabled, At: at.Add(time.Hour)}}, []string{"api", "web"}, true, 0},
		{"api", []event.Event{{Kind: event.FreezesSet, At: at}}, []string{"api", "web"}, true, 0},
		{"web", []event.Event{{Kind: event.PipelineArchived, At: at}}, []string{"api"}, true, 0},
		{"web", []event.Event{define(pipeline("web", git("App", "store", "next")))}, []string{"api", "web"}, true, 0},
	}
	d := newDesk(t)
	lives := d.member()
	changes := 0
	lives.catalogue.watch(func(string) { changes++ })
	for i, s := range steps {
		before := changes
		d.commitEvents(s.pipeline, s.events, lives)
		if told := changes > before; told != (s.events[0].Kind != event.ExecutionStarted) {
			t.Errorf("step %d: whoever watches is told: %v", i, told)
		}
		for which, c := range map[string]*Catalogue{"lives": lives.catalogue, "starts": d.member().catalogue} {
			var names []string
			for _, p := range c.Pipelines() {
				names = append(names, p.Name)
			}
			polls, since := c.polls(s.pipeline)
			_, want := lives.catalogue.polls(s.pipeline)
			if !slices.Equal(names, s.names) || polls != s.polls || !since.Equal(want) || len(c.frozen(s.pipeline)) != s.frozen {
				t.Errorf("step %d, one that %s: %q, polls %v since %v, frozen %v", i, which, names, polls, since, c.frozen(s.pipeline))
			}
		}
	}
	if a, b := asJSON(t, lives.catalogue.Pipelines()), asJSON(t, d.member().catalogue.Pipelines()); a != b {
		t.Errorf("%s\nis after a restart\n%s", a, b)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A commit of unknown end may have changed anything: whoever watches looks again.
func TestLoadingAgainTellsWhoWatches(t *testing.T) {
	m := newDesk(t).member()
	told := 0
	m.catalogue.watch(func(string) { told++ })
	if err := m.catalogue.Load(t.Context()); err != nil || told != 1 {
		t.Errorf("told %d times, %v", told, err)
	}
}

// Which pipelines a delivery starts, and why others that follow the repository do not.
func TestWhatADeliveryStarts(t *testing.T) {
	const shop = "https://git.example/shop.git"
	filtered := pipeline("filtered", git("App", shop, "main"))
	filtered.Triggers = []workflows.Trigger{{ProviderType: "CodeStarSourceConnection", Git: &workflows.GitConfiguration{SourceActionName: "App",
		Push: []workflows.GitFilter{{Branches: &workflows.Patterns{Includes: []string{"release/**"}}}}}}}
	images := pipeline("images", workflows.Action{Name: "Img", ActionType: workflows.ActionType{Category: "Source", Provider: "ECR"}, Configuration: map[string]string{"RepositoryName": "shop", "ImageTag": "prod"}})
	d := newDesk(t)
	m := d.member()
	for _, p := range []*workflows.Pipeline{pipeline("web", git("App", shop, "main")), pipeline("next", git("App", shop, "next")),
		pipeline("twice", git("One", shop, "main"), git("Two", shop, "main")), filtered, images} {
		d.commitEvents(p.Name, []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Definition: *p}}}, m)
	}
	on := func(branch string) work.Change { c := push("c1"); c.Branch = branch; return c }
	image := work.Change{Provider: "ECR", Kind: work.ImageKind, Event: "push", Repository: "shop", Branch: "prod", Commit: "sha256:1"}
	for name, c := range map[string]struct {
		changes []work.Change
		starts  []string // PIPELINE/ACTION TYPE ANY-BRANCH
		ignored []string
	}{
		"a branch": {[]work.Change{on("main")}, []string{"twice/One", "web/App"},
			[]string{"filtered: branch main does not match", "next: App follows next, this is push to main"}},
		"a branch that one filter wants": {[]work.Change{on("release/7")}, []string{"filtered/App any"},
			[]string{"next: App follows next, this is push to release/7", "twice: One follows main, this is push to release/7; Two follows main, this is push to release/7", "web: App follows main, this is push to release/7"}},
		"two branches in one delivery": {[]work.Change{on("main"), on("next")}, []string{"next/App", "twice/One", "web/App"},
			[]string{"filtered: branch main does not match", "filtered: branch next does not match", "next: App follows next, this is push to main"}},
		"an image":              {[]work.Change{image}, []string{"images/Img IMAGE_DIGEST"}, nil},
		"nobody's":              {[]work.Change{{Provider: "Git", Event: "push", Repository: "other", Branch: "main", Commit: "c1"}}, nil, []string{"other: no pipeline follows it"}},
		"a delivery of nothing": {nil, nil, nil},
	} {
		starts, ignored := m.starter.match(delivery{Receipt: work.Receipt{Key: "k"}, Changes: c.changes})
		var got []string
		for _, s := range starts {
			r := s.intent.Change[0]
			text := s.pipeline + "/" + r.ActionName
			if r.Type != "" {
				text += " " + r.Type
			}
			if r.AnyBranch {
				text += " any"
			}
			got = append(got, text)
			if s.intent.Token != "k/"+s.pipeline || s.intent.Verb != workflows.Start || s.intent.Trigger.Type != workflows.TriggerWebhook {
				t.Errorf("%s: %+v", name, s.intent)
			}
		}
		if !slices.Equal(got, c.starts) || !slices.Equal(ignored, c.ignored) && len(ignored)+len(c.ignored) > 0 {
			t.Errorf("%s: starts %q, ignored %q", name, got, ignored)
		}
	}
}

// What a change says of itself goes into the start, its commit pinned.
func TestWhatAStartSays(t *testing.T) {
	a := git("App", "shop", "main")
	c := work.Change{Provider: "Git", Event: "pull_request", PullEvent: "OPEN", Repository: "shop", Branch: "main", HeadBranch: "fix", Commit: "c1", Summary: "Sell socks", URL: "https://x",
		Author: &workflows.Author{Name: "Dora"}, Authors: []workflows.Author{{Name: "Eli"}}, By: workflows.Principal{ID: "github:dora"}}
	got := startBy("web", &a, c, workflows.TriggerWebhook, "k", "pull request to main; which files changed is not known")
	want := workflows.Intent{
		Verb: workflows.Start, Pipeline: "web", Token: "k",
		Trigger: &workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: "shop main; which files changed is not known", By: c.By},
		Change: []workflows.SourceRevision{{ActionName: "App", RevisionID: "c1", RevisionSummary: "Sell socks", RevisionURL: "https://x",
			Branch: "fix", Repository: "shop", Author: c.Author, Authors: c.Authors, AnyBranch: true}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	tagged := startBy("web", &a, work.Change{Event: "push", Repository: "shop", Tag: "v1", Commit: "c1"}, workflows.TriggerWebhook, "k", "tag v1")
	if tagged.Trigger.Detail != "shop v1" || !tagged.Change[0].AnyBranch || tagged.Change[0].Tag != "v1" {
		t.Errorf("%+v", tagged)
	}
}

// In which stages people review what comes in is known without a look at any
// state, now and after a restart: of every version under which an execution may
// run. Only of rows that do not say it, and of an archived pipeline, it is not.
func TestTheCatalogueKnowsWhatIsReviewed(t *testing.T) {
	quiet, loud := pipeline("web", git("App", "shop", "main")), pipeline("web", git("App", "shop", "main"))
	quiet.Stages[1].Environment = ""
	defined := func(version int, p *workflows.Pipeline) event.Event {
		return event.Event{Kind: event.PipelineDefined, Defined: &event.Defined{Version: version, Definition: *p}}
	}
	started := func(version int, under *workflows.Pipeline) event.Event {
		return event.Event{Kind: event.ExecutionStarted, Execution: "e1", Under: under, Started: &workflows.Execution{
			ID: "e1", Pipeline: "web", Number: 1, Version: version, Status: workflows.StatusInProgress, Stages: []workflows.StageExecution{{Name: "Source"}, {Name: "Prod"}}}}
	}
	for name, c := range map[string]struct {
		events  []event.Event
		lives   string // Prod is reviewed, as a process says that saw the events
		starts  string // and one that starts after them
		without bool   // the row does not say it
	}{
		"nowhere":                          {[]event.Event{defined(1, quiet)}, "no", "no", false},
		"in Prod":                          {[]event.Event{defined(1, loud)}, "yes", "yes", false},
		"later":                            {[]event.Event{defined(1, quiet), defined(2, loud)}, "yes", "yes", false},
		"no more":                          {[]event.Event{defined(1, loud), defined(2, quiet)}, "yes", "no", false},
		"no more, but for one under way":   {[]event.Event{defined(1, loud), started(1, nil), defined(2, quiet)}, "yes", "yes", false},
		"again, with one that comes back":  {[]event.Event{defined(1, loud), defined(2, quiet), started(1, loud)}, "yes", "yes", false},
		"archived":                         {[]event.Event{defined(1, loud), {Kind: event.PipelineArchived}}, "not known", "not known", false},
		"one that comes back, archived":    {[]event.Event{defined(1, quiet), {Kind: event.PipelineArchived}, started(1, loud)}, "not known", "not known", false},
		"an earlier row does not say it":   {[]event.Event{defined(1, quiet)}, "no", "not known", true},
		"there was something before these": {[]event.Event{defined(2, quiet)}, "not known", "no", false},
	} {
		d := newDesk(t)
		lives := d.member()
		for _, ev := range c.events {
			d.commitEvents("web", []event.Event{ev}, lives)
		}
		if c.without {
			d.memos["source/web"] = strings.Replace(d.memos["source/web"], `,"reviewed":[]`, "", 1)
		}
		say := func(m *member) string {
			stages, known := m.catalogue.reviewed("web")
			switch {
			case !known:
				return "not known"
			case slices.Contains(stages, "Prod"):
				return "yes"
			}
			return "no"
		}
		if got := say(lives); got != c.lives {
			t.Errorf("%s: who saw it says %s", name, got)
		}
		if got := say(d.member()); got != c.starts {
			t.Errorf("%s: after a restart it is said %s: %s", name, got, d.memos["source/web"])
		}
	}
}
