package machine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
)

// filter reads a trigger of App's repository, acme/webshop; ! marks what is excluded:
//
//	trigger: push branches=*,!main files=src/**
//	trigger: pull events=OPEN,UPDATED branches=main
//
// Several lines are alternatives.
func filter(p *workflows.Pipeline, words []string) error {
	if len(p.Triggers) == 0 {
		p.Triggers = []workflows.Trigger{{ProviderType: "CodeStarSourceConnection", Git: &workflows.GitConfiguration{SourceActionName: "App"}}}
	}
	var f workflows.GitFilter
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		patterns := &workflows.Patterns{}
		for _, text := range strings.Split(value, ",") {
			if out, excluded := strings.CutPrefix(text, "!"); excluded {
				patterns.Excludes = append(patterns.Excludes, out)
			} else {
				patterns.Includes = append(patterns.Includes, text)
			}
		}
		switch key {
		case "branches":
			f.Branches = patterns
		case "files":
			f.FilePaths = patterns
		case "tags":
			f.Tags = patterns
		case "events":
			f.Events = patterns.Includes
		default:
			return fmt.Errorf("a trigger has no %q", key)
		}
	}
	switch git := p.Triggers[0].Git; words[0] {
	case "push":
		git.Push = append(git.Push, f)
	case "pull":
		git.PullRequest = append(git.PullRequest, f)
	default:
		return fmt.Errorf("a trigger is for push or pull, not %q", words[0])
	}
	return nil
}

// change tells the pipeline of something that happened to acme/webshop, as the
// runtime does: package trigger judges whether it starts anything.
//
//	dee pushes c1 to main with README.md src/a
//	dee pushes c1 to a new branch dev
//	dee pushes c1 to main with 100 others and src/a
//	dee has a pull request c1 from dev into main OPEN with src/a
func (s *story) change(who, what, commit string, w []string) ([]string, error) {
	e := trigger.Event{Provider: "GitHub", Kind: "push", Repository: "acme/webshop"}
	var files []string
	for i, word := range w {
		if word == "with" {
			files, w = w[i+1:], w[:i]
			break
		}
	}
	for i, f := range files {
		if n, err := strconv.Atoi(f); err == nil { // so many others
			for k := range n {
				e.Files = append(e.Files, fmt.Sprintf("docs/%d.md", k))
			}
		} else if f != "others" && f != "and" {
			e.Files = append(e.Files, files[i])
		}
	}
	rev := workflows.SourceRevision{ActionName: "App", RevisionID: commit, Repository: e.Repository}
	switch {
	case what == "pull": // from dev into main OPEN
		e.Kind, e.Branch, e.PullEvent = "pull_request", w[3], w[4]
		rev.Branch, rev.AnyBranch = w[1], true
	case w[1] == "a": // to a new branch dev
		e.Branch, e.Created = w[4], true
		rev.Branch = w[4]
	default: // to main
		e.Branch = w[1]
		rev.Branch = w[1]
	}
	action, ok, why := trigger.Match(s.s.definition(), e)
	if !ok {
		return []string{"no start: " + why}, nil
	}
	if action != "App" {
		return nil, errors.New("the stories know of App only")
	}
	_, err := s.ask(person("rollcall"), workflows.Intent{Verb: workflows.Start, Change: []workflows.SourceRevision{rev}, Trigger: &workflows.StartedBy{
		Type: workflows.TriggerWebhook, Detail: e.Repository + " " + e.Branch, By: workflows.Principal{ID: "github:" + who, Name: who, Via: "github"},
	}})
	return []string{"start: " + why}, err
}
