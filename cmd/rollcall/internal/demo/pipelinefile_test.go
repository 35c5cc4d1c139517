package demo

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const own = `
name: own
channel: "#releases"
owners: [boss@corp.example]
stages:
  - name: Source
    actions: [{name: App, provider: Git, namespace: Src, configuration: {Repository: "https://git.example/app.git", BranchName: trunk}, outputArtifacts: [app]}]
  - name: Build
    actions: [{name: Pack, provider: Commands, namespace: Build, commands: ["make #{Src.CommitId}"], outputVariables: [IMAGE_TAG], inputArtifacts: [app], outputArtifacts: [{name: dist}]}]
  - name: Live
    actions:
      - {name: Ok, provider: Manual, approval: {from: ["group:ops", "token:ci", "slack-group:S042", boss@corp.example], required: 2}}
      - {name: Go, provider: Commands, runOrder: 2, commands: ["deploy"], environmentVariables: [{name: TAG, value: "#{Build.IMAGE_TAG}"}], inputArtifacts: [dist]}
`

func TestWhomAnOwnPipelineNeeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.yaml")
	write(t, path, own)
	p, err := readPipelineFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.people, []string{"boss@corp.example"}) || !slices.Equal(p.groups, []string{"ops"}) || !slices.Equal(p.slackGroups, []string{"S042"}) || p.channel != "releases" {
		t.Errorf("people %v, groups %v, slack groups %v, channel %v", p.people, p.groups, p.slackGroups, p.channel)
	}
	if strings.Contains(string(p.data), "token:") || !strings.Contains(string(p.data), "everyone") {
		t.Error("a gate waits for a machine that is not here")
	}
	if got := p.runner.wanted; !slices.Equal(got["Src"], []string{"CommitId"}) || !slices.Equal(got["Build"], []string{"IMAGE_TAG"}) {
		t.Errorf("references %v", got)
	}
	d := &Demo{play: p}
	if cast := d.demoUsers(); cast[len(cast)-1] != (Person{"UBOSSCORPEXAMPLE", "boss", "named in your file"}) {
		t.Errorf("cast %v", cast)
	}
	write(t, path, "name: own\n")
	if _, err := readPipelineFile(path); err == nil || !strings.Contains(err.Error(), path+":1:1: ") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestPlausibleOutputs(t *testing.T) {
	commit := madeUp("seed")
	if len(commit) != 40 || commit != madeUp("seed") || commit == madeUp("other") {
		t.Errorf("a made-up commit is %q", commit)
	}
	task := work.Task{Number: 7, Configuration: map[string]string{"BranchName": "trunk"}}
	for key, want := range map[string]string{"CommitId": commit, "BranchName": "trunk", "IMAGE_TAG": "1.0.7", "Anything": "simulated-anything"} {
		if got := plausible(key, commit, task); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

// Colleagues answer a gate so far that the visitor has the last word.
func TestTurnsAtGates(t *testing.T) {
	d := &Demo{shop: &shop{}, slack: slackfake.New(slackfake.Options{}), place: &dataDir{}, o: Options{Beat: time.Second}}
	d.people()
	vote := func(names ...string) (all []workflows.Vote) {
		for _, n := range names {
			all = append(all, workflows.Vote{Answer: "approve", By: workflows.Principal{Email: mail(n)}})
		}
		return all
	}
	long, now := time.Now().Add(-time.Minute), time.Now()
	for _, c := range []struct {
		name     string
		own      bool
		number   int
		required int
		opened   time.Time
		votes    []workflows.Vote
		want     []string
		by       string
	}{
		{"before the visitor came", false, 42, 2, now, nil, []string{"UBEN", "UCLEO"}, ""},
		{"and one has answered", false, 42, 2, now, vote("ben"), []string{"UCLEO"}, ""},
		{"at first Ben thinks", false, 45, 2, now, nil, nil, ""},
		{"then he approves", false, 45, 2, long, nil, []string{"UBEN"}, ""},
		{"and leaves the rest to the visitor", false, 45, 2, long, vote("ben"), nil, ""},
		{"who may be first", false, 45, 2, long, vote("ana"), []string{"UBEN"}, ""},
		{"one's own pipeline, one approval", true, 1, 1, long, nil, nil, ""},
		{"two approvals", true, 1, 2, long, nil, []string{"UBEN"}, ""},
		{"three", true, 1, 3, long, nil, []string{"UBEN", "UCLEO"}, ""},
		{"what the visitor started, others approve", false, 45, 2, long, nil, []string{"UBEN", "UCLEO"}, mail("ana")},
	} {
		d.play, d.shop = nil, &shop{}
		if c.own {
			d.play, d.shop = &pipelineFile{}, nil
		}
		g := say.OpenApproval{Number: c.number, Approval: workflows.Approval{Required: c.required, OpenedAt: c.opened, Votes: c.votes}, StartedBy: workflows.StartedBy{By: workflows.Principal{Email: c.by}}}
		if got := d.approversNow(&scene{}, &g); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
