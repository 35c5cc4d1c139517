package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// remarksFor is for how long it is tried to comment an issue after its gate has closed.
const remarksFor = 7 * 24 * time.Hour

// asked is the memo of a gate that is, or was, answered in Jira.
type asked struct {
	Pipeline  string                 `json:"pipeline"`
	Execution string                 `json:"execution"`
	Stage     string                 `json:"stage"`
	Action    string                 `json:"action"`
	Token     string                 `json:"token"` // of the gate
	Ref       string                 `json:"ref"`
	OpenedAt  time.Time              `json:"openedAt"`
	Jira      workflows.JiraApproval `json:"jira"`

	State string    `json:"state,omitempty"` // creating: an issue may have been made
	Label string    `json:"label,omitempty"` // only that issue carries it
	Plain bool      `json:"plain,omitempty"` // Jira refused labels: it is in the description only
	Until time.Time `json:"until,omitzero"`  // creating: before this, not finding it proves nothing
	Again time.Time `json:"again,omitzero"`  // Jira refused the issue: when it is tried again
	Issue string    `json:"issue,omitempty"`
	Own   bool      `json:"own,omitempty"` // it was opened for this gate

	Looked  bool     `json:"looked,omitempty"`
	Skip    []string `json:"skip,omitempty"` // moves from before the gate
	Done    []string `json:"done,omitempty"` // moves and decisions that have been dealt with
	Remarks []remark `json:"remarks,omitempty"`

	Closed   bool      `json:"closed,omitempty"`
	ClosedAt time.Time `json:"closedAt,omitzero"`
	Outcome  string    `json:"outcome,omitempty"` // of a change request: deployed|failed|over
	Moved    bool      `json:"moved,omitempty"`   // the request was closed, or cannot be
	Lands    string    `json:"lands,omitempty"`   // the stage in which the change is carried out
	Ran      string    `json:"ran,omitempty"`     // the execution that ran there when the outcome was said

	new  bool
	open *say.OpenApproval // nil: it is open no more
}

// about are the attributes of a log line about the gate.
func (g *asked) about() []any { return words.LogAttrs(g.Ref, g.Stage, g.Action) }

// remark is a comment to be made.
type remark struct {
	Text   string `json:"text"`             // its first line is like no other
	Link   string `json:"link,omitempty"`   // of the execution
	Ref    string `json:"ref,omitempty"`    // how that is called
	Trying bool   `json:"trying,omitempty"` // it may have been made
}

const gatePrefix = "gate/"

// watchedKey is the memo that says that a gate waits for an issue; it holds the gates' tokens.
func watchedKey(issue string) string { return "issue/" + url.PathEscape(issue) }

// load reads all memos, by token.
func (a *Approvals) load(ctx context.Context) (map[string]*asked, error) {
	memos, err := a.Notes.List(ctx, gatePrefix)
	if err != nil {
		return nil, fmt.Errorf("list what is asked for in Jira: %w", err)
	}
	all := map[string]*asked{}
	for _, m := range memos {
		g := &asked{}
		if err := json.Unmarshal(m.Value, g); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.Key, err)
		}
		all[g.Token] = g
	}
	return all, nil
}

func (a *Approvals) save(ctx context.Context, g *asked) error {
	raw, err := json.Marshal(g)
	if err == nil {
		err = a.Notes.Note(ctx, gatePrefix+g.Token, raw)
	}
	if err != nil {
		return &ownError{fmt.Errorf("note what is asked for in Jira: %w", err)}
	}
	g.new = false
	return nil
}

// watch notes that webhooks about the issue concern the gate.
func (a *Approvals) watch(ctx context.Context, g *asked) error {
	if err := a.Notes.Note(ctx, watchedKey(g.Issue), []byte(`"`+g.Token+`"`)); err != nil {
		return &ownError{fmt.Errorf("note that %s is watched: %w", g.Issue, err)}
	}
	return nil
}

// forget drops what is known of a gate that is over. Another gate may wait for the same issue.
func (a *Approvals) forget(ctx context.Context, g *asked) error {
	if g.Issue != "" {
		raw, ok, err := a.Notes.Memo(ctx, watchedKey(g.Issue))
		if err == nil && ok && string(raw) == `"`+g.Token+`"` {
			err = a.Notes.Note(ctx, watchedKey(g.Issue), nil)
		}
		if err != nil {
			return &ownError{fmt.Errorf("note that %s is watched no more: %w", g.Issue, err)}
		}
	}
	if err := a.Notes.Note(ctx, gatePrefix+g.Token, nil); err != nil {
		return &ownError{fmt.Errorf("forget what is asked for in Jira: %w", err)}
	}
	return nil
}

// lookAt brings a gate and its issue in step. What one call cannot do keeps up
// nothing that does not need it.
func (a *Approvals) lookAt(ctx context.Context, g *asked) error {
	if g.open != nil {
		if err := a.answers(ctx, g); err != nil {
			return err
		}
		return a.post(ctx, g)
	}
	if !g.Closed {
		if err := a.close(ctx, g); err != nil {
			return err
		}
	}
	if g.Issue != "" && g.Jira.Change {
		if err := a.outcome(ctx, g); err != nil {
			return err
		}
	}
	late := a.Now().Sub(g.ClosedAt) > remarksFor
	if err := a.post(ctx, g); err != nil && !late {
		return err
	}
	if over := g.Issue == "" || !g.Jira.Change || g.Outcome == overAndDone; over && len(g.Remarks) == 0 || late {
		return a.forget(ctx, g)
	}
	return nil
}

// answers has an issue for an open gate, and takes the answers that it shows.
func (a *Approvals) answers(ctx context.Context, g *asked) error {
	if g.Issue == "" {
		if err := a.find(ctx, g); err != nil || g.Issue == "" {
			return err
		}
	}
	if err := a.annotate(ctx, g, "done", g.Issue, a.jira.link(g.Issue)); err != nil {
		return err
	}
	if g.Jira.Change {
		return a.followChange(ctx, g)
	}
	return a.followMoves(ctx, g)
}

// close says in the issue what became of the gate.
func (a *Approvals) close(ctx context.Context, g *asked) error {
	if g.State == creating { // the call may have been carried out: its issue is not left unanswered
		if err := a.lookUp(ctx, g); err != nil {
			return err
		}
	}
	x, err := a.Engine.Execution(ctx, workflows.EnginePrincipal(), g.Execution)
	if err != nil && !notFound(err) {
		return fmt.Errorf("read %s: %w", g.Ref, err)
	}
	g.Closed, g.ClosedAt = true, a.Now()
	if g.Issue != "" {
		g.remark("closed", a.closedText(g, &x), a.page(g.Ref, g.Execution))
	}
	return a.save(ctx, g)
}

// annotate puts a note about the gate on its execution unless it is there already.
func (a *Approvals) annotate(ctx context.Context, g *asked, state, text, link string) error {
	x, err := a.Engine.Execution(ctx, workflows.EnginePrincipal(), g.Execution)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", g.Ref, err)
	}
	n := workflows.Note{Name: g.Jira.Note(g.Stage, g.Action), State: state, Text: text, URL: link}
	for _, old := range x.Notes {
		if old == n {
			return nil
		}
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: g.Pipeline, Execution: g.Execution, Note: &n}
	if _, err := a.Engine.Submit(ctx, in, workflows.EnginePrincipal()); err != nil && !notFound(err) {
		return fmt.Errorf("note the issue on %s: %w", g.Ref, err)
	}
	return nil
}
