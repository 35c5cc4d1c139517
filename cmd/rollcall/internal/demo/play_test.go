package demo

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	p, err := readPlay(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.people, []string{"boss@corp.example"}) || !slices.Equal(p.groups, []string{"ops"}) || !slices.Equal(p.slackGroups, []string{"S042"}) || !slices.Equal(p.channels, []string{"releases"}) {
		t.Errorf("people %v, groups %v, slack groups %v, channels %v", p.people, p.groups, p.slackGroups, p.channels)
	}
	if strings.Contains(string(p.data), "token:") || !strings.Contains(string(p.data), "everyone") {
		t.Error("a gate waits for a machine that is not here")
	}
	if got := p.runner.wanted; !slices.Equal(got["Src"], []string{"CommitId"}) || !slices.Equal(got["Build"], []string{"IMAGE_TAG"}) {
		t.Errorf("references %v", got)
	}
	d := &Demo{play: p}
	if cast := d.cast(); cast[len(cast)-1] != (Person{"UBOSSCORPEXAMPLE", "boss", "named in your file"}) {
		t.Errorf("cast %v", cast)
	}
	write(t, path, "name: own\n")
	if _, err := readPlay(path, time.Second); err == nil || !strings.Contains(err.Error(), path+":1:1: ") {
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
