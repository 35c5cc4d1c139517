package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// How an execution ended in an environment, in the words of Jira's Deployments API.
const (
	successful = "successful"
	failedHere = "failed"
	rolledBack = "rolled_back"
)

// landing is the end of an execution in an environment.
type landing struct {
	Environment string `json:"-"`
	Pipeline    string `json:"-"`

	State     string    `json:"state"`
	Execution string    `json:"execution"`
	Number    int       `json:"number"`
	At        time.Time `json:"at"`
	Approved  string    `json:"approved,omitempty"` // "Ana and Cho"
	Target    int       `json:"target,omitempty"`   // of a rollback
	By        string    `json:"by,omitempty"`       // who asked for the rollback
}

func (l *landing) ref() string { return fmt.Sprintf("%s#%d", l.Pipeline, l.Number) }

// landingOf reads how an execution ended in a stage; false: it has not, the stage
// is no environment, or it never began to deploy there.
func landingOf(x *workflows.Execution, p *workflows.Pipeline, stage string) (landing, bool) {
	in, ok := x.Stage(stage)
	def, known := p.Stage(stage)
	if !ok || !known || def.Environment == "" || in.Since == nil {
		return landing{}, false
	}
	l := landing{Environment: def.Environment, Pipeline: x.Pipeline, Execution: x.ID, Number: x.Number, At: in.Since.UTC(), Approved: approvers(x, stage)}
	if x.Rollback != nil {
		l.Target, l.By = x.Rollback.TargetNumber, (&say.Format{}).Who(x.Trigger.By)
	}
	began := slices.ContainsFunc(in.Actions, func(a workflows.ActionExecution) bool { return !a.IsGate() && a.Status == workflows.StatusFailed })
	switch {
	case in.Status == workflows.StatusSucceeded:
		l.State = successful
	case in.Status == workflows.StatusFailed && began:
		l.State = failedHere
	default:
		return landing{}, false
	}
	return l, true
}

// approvers are who approved what came into a stage: at its own gates, else at the nearest ones before it.
func approvers(x *workflows.Execution, stage string) string {
	var names []string
	for i := range x.Stages {
		var here []string
		for _, a := range x.Stages[i].Actions {
			if a.Approval == nil {
				continue
			}
			for _, v := range a.Approval.Votes {
				if who := (&say.Format{}).Who(v.By); v.Answer == "approve" && who != "" && !slices.Contains(here, who) {
					here = append(here, who)
				}
			}
		}
		if len(here) > 0 {
			names = here
		}
		if x.Stages[i].Name == stage {
			break
		}
	}
	if len(names) > 5 {
		names = append(names[:4:4], fmt.Sprintf("%d more", len(names)-4))
	}
	return words.List(names, "and")
}

// issueRecord is the memo of one issue.
type issueRecord struct {
	Environments map[string]*environment `json:"environments"`

	key string
}

// environment is what an issue says of one environment.
type environment struct {
	// Pipelines are how it stands by pipeline: several may deploy it there.
	Pipelines map[string]*standing `json:"pipelines"`
	Link      string               `json:"link,omitempty"`    // the print of the remote link that Jira has
	Comment   string               `json:"comment,omitempty"` // its ID
	Text      string               `json:"text,omitempty"`    // the print of the comment that Jira has
	Making    bool                 `json:"making,omitempty"`  // the marker: a comment may have been made
	Wish      *wish                `json:"wish,omitempty"`    // what the issue is to be, once
}

// standing is how an issue stands in an environment by one pipeline.
type standing struct {
	Last landing `json:"last"`
	// Runs is the execution since which it is there; nil: it is not.
	Runs *landing `json:"runs,omitempty"`
}

func (d *Deployments) loadRecord(ctx context.Context, key string) (*issueRecord, error) {
	r := &issueRecord{key: "issue/" + key}
	raw, ok, err := d.Notes.Memo(ctx, r.key)
	if err == nil && ok {
		err = json.Unmarshal(raw, r)
	}
	if err != nil {
		return nil, &ownError{fmt.Errorf("reading where %s is deployed: %w", key, err)}
	}
	if r.Environments == nil {
		r.Environments = map[string]*environment{}
	}
	for _, e := range r.Environments {
		for name, s := range e.Pipelines {
			s.Last.Pipeline = name
			if s.Runs != nil {
				s.Runs.Pipeline = name
			}
		}
	}
	return r, nil
}

func (d *Deployments) saveRecord(ctx context.Context, r *issueRecord) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = d.Notes.Note(ctx, r.key, raw)
	}
	if err != nil {
		return &ownError{fmt.Errorf("noting where %s is deployed: %w", strings.TrimPrefix(r.key, "issue/"), err)}
	}
	return nil
}

// place notes with an issue how an execution that brings or takes it ended. What
// is older than what is known changes nothing.
func (d *Deployments) place(ctx context.Context, key string, l landing, gone bool, w *wish) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	r, err := d.loadRecord(ctx, key)
	if err != nil {
		return err
	}
	e := r.Environments[l.Environment]
	if e == nil {
		e = &environment{Pipelines: map[string]*standing{}}
		r.Environments[l.Environment] = e
	}
	s := e.Pipelines[l.Pipeline]
	if s == nil {
		s = &standing{}
		e.Pipelines[l.Pipeline] = s
	}
	if l.At.Before(s.Last.At) {
		return nil
	}
	if gone && l.State == successful {
		l.State = rolledBack
	}
	if s.Last == l {
		return nil
	}
	switch s.Last = l; l.State {
	case successful:
		s.Runs = &l
		if w != nil {
			e.Wish = w
		}
	case rolledBack:
		s.Runs, e.Wish = nil, nil
	}
	return d.saveRecord(ctx, r)
}
