package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// waitingOnGitHub is a pipeline of acme/webshop with triggers of its own.
func waitingOnGitHub(name string, triggers ...workflows.Trigger) *workflows.Pipeline {
	a := git("App", "", "main")
	a.ActionType.Provider, a.Configuration["FullRepositoryId"] = "GitHub", "acme/webshop"
	p := pipeline(name, a)
	for _, t := range triggers {
		t.SourceActionName = "App"
		p.Triggers = append(p.Triggers, t)
	}
	return p
}

func happened(kind, commit, id string) work.Change {
	return work.Change{Provider: "GitHub", Event: kind, Repository: "acme/webshop", Branch: "main", Commit: commit, ID: id, Conclusion: "success", Workflow: []string{"CI"}, By: workflows.Principal{ID: "github:dora", Name: "dora", Via: "github"}}
}

func (m *member) putOnGitHub(all ...*workflows.Pipeline) {
	for _, p := range all {
		m.commitEvents(p.Name, []event.Event{{Kind: event.PipelineDefined, Defined: &event.Defined{Version: 1, Definition: *p}}}, m)
	}
}

// An event of GitHub starts what waits for it, each time once, with the commit and
// the variables it names; two hooks that report one event start one.
func TestEventsOfGitHubStartWhatWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		m.putOnGitHub(waitingOnGitHub("release", workflows.Trigger{Release: &workflows.GitFilter{}, Variables: map[string]string{"TAG": "$.release.tag_name"}}),
			waitingOnGitHub("tested", workflows.Trigger{WorkflowRun: &workflows.GitFilter{}}), waitingOnGitHub("push"))
		if m.starter.Listens(happened("deployment", "", "")) || !m.starter.Listens(happened("release", "", "")) {
			t.Error("who listens to what")
		}
		deliver := func(key string, c work.Change) record.Result {
			t.Helper()
			got, _, err := m.receipts.Receive(t.Context(), work.Receipt{Key: "github/" + key, Source: "github"}, []work.Change{c})
			var result record.Result
			if err == nil {
				err = json.Unmarshal(got.Result, &result)
			}
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		deliver("r1", happened("workflow_run", "c1", "1 1"))
		deliver("r1", happened("workflow_run", "c1", "1 1"))
		deliver("r1-org", happened("workflow_run", "c1", "1 1")) // the organization's hook
		deliver("r2", happened("workflow_run", "c1", "1 2"))     // run again
		v1 := happened("release", "c2", "7")
		v1.Tag, v1.Payload = "v1", json.RawMessage(`{"release":{"tag_name":"v1"}}`)
		deliver("v1", v1)
		lost, odd := v1, v1
		lost.Commit, lost.ID = "", "8"
		odd.Payload, odd.ID = nil, "9"
		for c, why := range map[*work.Change]string{&lost: "the commit of tag v1 could not be found", &odd: "for the variable TAG the event has nothing at $.release.tag_name"} {
			if got := deliver("odd"+c.ID, *c); len(got.Started) != 0 || !strings.Contains(strings.Join(got.Ignored, "\n"), "release: "+why) {
				t.Errorf("%+v, want %s", got, why)
			}
		}
		if d.starts("tested") != 2 || d.starts("release") != 1 || d.starts("push") != 0 {
			t.Errorf("%d, %d, %d starts", d.starts("tested"), d.starts("release"), d.starts("push"))
		}
		in := d.intents[len(d.intents)-1]
		if in.Variables["TAG"] != "v1" || in.Trigger.Detail != "acme/webshop release v1" || in.Change[0].RevisionID != "c2" || !in.Change[0].AnyBranch {
			t.Errorf("%+v %+v", in, in.Trigger)
		}
	})
}

// What happens to one pull request twice starts twice: closed and opened again, pushed to and back.
func TestEventsOfAPullRequestDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		m := d.member()
		p := waitingOnGitHub("check")
		p.Triggers = []workflows.Trigger{{Git: &workflows.GitConfiguration{SourceActionName: "App", PullRequest: []workflows.GitFilter{{}}}}}
		m.putOnGitHub(p)
		for i, id := range []string{"7", "7", "8", "7 2026-01-01T00:00:00Z", "7 2026-01-01T00:00:00Z", "7 2026-01-01T00:01:00Z"} {
			c := happened("pull_request", "c1", id)
			c.PullEvent = "OPEN"
			if _, _, err := m.receipts.Receive(t.Context(), work.Receipt{Key: fmt.Sprint("github/", i), Source: "github"}, []work.Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		if d.starts("check") != 4 {
			t.Errorf("%d starts, want 4", d.starts("check"))
		}
	})
}

// tagger is a source that knows tags.
type tagger struct {
	tags map[string]string
	err  error
}

func (s tagger) Head(context.Context, work.Followed) (work.Change, error) {
	return work.Change{}, errors.New("not asked")
}

func (s tagger) Tagged(_ context.Context, _ workflows.Action, tag string) (string, error) {
	return s.tags[tag], s.err
}

func TestTagsAreLookedUpAtTheSource(t *testing.T) {
	d := newDesk(t)
	source := &tagger{tags: map[string]string{"v1": "c1"}}
	m := d.member(func(o *Options) { o.Sources, o.PollInterval = map[string]Source{"GitHub": source}, time.Hour })
	c := happened("release", "", "1")
	c.Tag = "v1"
	if got, err := m.starter.Tagged(t.Context(), c); got != "" || err != nil {
		t.Errorf("%q %v of a repository that nobody follows", got, err)
	}
	m.putOnGitHub(waitingOnGitHub("release", workflows.Trigger{Release: &workflows.GitFilter{}}))
	if got, err := m.starter.Tagged(t.Context(), c); got != "c1" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	source.tags, source.err = nil, errors.New("the network is down")
	if got, err := m.starter.Tagged(t.Context(), c); got != "" || err == nil {
		t.Errorf("%q %v", got, err)
	}
}
