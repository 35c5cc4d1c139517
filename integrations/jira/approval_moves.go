package jira

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// jiraUser is somebody in Jira, as an answer of it says.
type jiraUser struct {
	AccountID string `json:"accountId"` // on Cloud
	Kind      string `json:"accountType"`
	Name      string `json:"name"` // on a server
	Key       string `json:"key"`
	Display   string `json:"displayName"`
}

// id is what the user is known by; empty: nobody.
func (u *jiraUser) id() string { return or(u.AccountID, or(u.Name, u.Key)) }

// move is a change of an issue's status.
type move struct {
	ID   string
	At   time.Time
	By   jiraUser
	To   string
	ToID string
	Auto bool // made by a rule, not by a person
}

// historyJSON is an entry of an issue's changelog.
type historyJSON struct {
	ID       jiraID   `json:"id"`
	Author   jiraUser `json:"author"`
	Created  string   `json:"created"`
	Metadata struct {
		Generator struct {
			ID jiraID `json:"id"`
		} `json:"generator"`
		Cause struct {
			ID jiraID `json:"id"`
		} `json:"cause"`
	} `json:"historyMetadata"`
	Items []struct {
		Field string `json:"field"`
		To    jiraID `json:"to"`
		Name  string `json:"toString"`
	} `json:"items"`
}

// changelogPages is how many pages of an issue's history are read at most.
const changelogPages = 20

// moves reads the changes of an issue's status, oldest first, from its changelog.
func (c *client) moves(ctx context.Context, key string) ([]move, error) {
	var issue struct {
		Changelog *struct {
			Total     int           `json:"total"`
			Histories []historyJSON `json:"histories"`
		} `json:"changelog"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"?fields=status&expand=changelog", nil, &issue); err != nil {
		return nil, err
	}
	var all []historyJSON
	if issue.Changelog != nil {
		all = issue.Changelog.Histories
	}
	if issue.Changelog == nil || issue.Changelog.Total > len(all) { // long histories come in pages
		more, err := c.changelog(ctx, key)
		if err != nil && !lacks(err) {
			return nil, err
		}
		all = append(all, more...)
	}
	return movesOf(all), nil
}

// changelog reads the pages of an issue's history.
func (c *client) changelog(ctx context.Context, key string) (all []historyJSON, err error) {
	for range changelogPages {
		var page struct {
			Values []historyJSON `json:"values"`
			Total  int           `json:"total"`
			Last   bool          `json:"isLast"`
		}
		if err := c.call(ctx, http.MethodGet, fmt.Sprintf("rest/api/2/issue/%s/changelog?startAt=%d&maxResults=100", key, len(all)), nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Values...); page.Last || len(page.Values) == 0 || len(all) >= page.Total {
			break
		}
	}
	return all, nil
}

func movesOf(all []historyJSON) []move {
	var list []move
	known := map[jiraID]bool{}
	for _, h := range all {
		at, ok := jiraTime(h.Created)
		if h.ID == "" {
			h.ID = jiraID(h.Created)
		}
		if !ok || known[h.ID] {
			continue
		}
		known[h.ID] = true
		for _, i := range h.Items {
			if i.Field == "status" {
				list = append(list, move{ID: string(h.ID), At: at, By: h.Author, To: i.Name, ToID: string(i.To), Auto: h.Metadata.Generator.ID+h.Metadata.Cause.ID != ""})
			}
		}
	}
	slices.SortStableFunc(list, func(x, y move) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(len(x.ID), len(y.ID)), cmp.Compare(x.ID, y.ID))
	})
	return list
}

// jiraTime reads a time of Jira's.
func jiraTime(text string) (time.Time, bool) {
	for _, form := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// goes says whether the move leads to a status, by its name or its ID.
func (m *move) goes(status string) bool { return strings.EqualFold(m.To, status) || m.ToID == status }

// followMoves takes the moves of a gate's issue as answers, in their order.
func (a *Approvals) followMoves(ctx context.Context, g *asked) error {
	moves, err := a.jira.moves(ctx, g.Issue)
	if answered(err) == http.StatusNotFound {
		return a.annotate(ctx, g, "refused", g.Issue+" is not to be seen in Jira any more; answer here", "")
	}
	if err != nil {
		return err
	}
	if !g.Looked {
		g.Looked = true
		for _, m := range moves {
			if !g.Own && m.At.Before(g.OpenedAt.Truncate(time.Second)) { // Jira's times are cut
				g.Skip = append(g.Skip, m.ID)
			}
		}
		if err := a.save(ctx, g); err != nil {
			return err
		}
	}
	for i := range moves {
		m := &moves[i]
		verb := workflows.Approve
		switch {
		case slices.Contains(g.Skip, m.ID), slices.Contains(g.Done, m.ID):
			continue
		case m.goes(g.Jira.Status):
		case m.goes(g.Jira.RejectedStatus):
			verb = workflows.Reject
		default:
			continue
		}
		if err := a.take(ctx, g, m, verb); err != nil {
			return err
		}
	}
	return nil
}

// take submits a move as an answer, and notes that it did. The token is the
// move's, so that an answer which was submitted before a crash is not given twice.
func (a *Approvals) take(ctx context.Context, g *asked, m *move, verb workflows.Verb) error {
	own, err := a.self(ctx)
	if err != nil {
		return err
	}
	if m.By.id() != "" && m.By.id() == own {
		return a.done(ctx, g, m.ID, "")
	}
	by := a.principal(&m.By, m.Auto)
	why := ""
	if by.Email != "" {
		if why, err = a.jira.saidBy(ctx, g.Issue, m.By.id(), g.OpenedAt); err != nil && !lacks(err) {
			return err
		}
	}
	problem, err := a.submit(ctx, g, m.ID, verb, by, why)
	if err != nil {
		return err
	}
	return a.done(ctx, g, m.ID, a.answerText(ctx, g, by, verb, m, problem))
}

// done notes that a move or a decision has been dealt with, and what is to be said of it.
func (a *Approvals) done(ctx context.Context, g *asked, id, text string) error {
	g.Done = append(g.Done, id)
	g.remark(id, text, page{})
	return a.save(ctx, g)
}

// submit submits an answer. The problem is a refusal, which the engine has
// recorded; an error passes, and the answer is submitted again.
func (a *Approvals) submit(ctx context.Context, g *asked, id string, verb workflows.Verb, by workflows.Principal, why string) (*workflows.Problem, error) {
	_, err := a.Engine.Submit(ctx, workflows.Intent{Verb: verb, Pipeline: g.Pipeline, Execution: g.Execution, Stage: g.Stage, Action: g.Action,
		Gate: g.Token, Reason: why, Token: strings.Join([]string{"jira", g.Issue, id, g.Token, by.ID}, "/")}, by)
	problem, refused := errors.AsType[*workflows.Problem](err)
	switch {
	case err == nil:
		return nil, nil
	case !refused, problem.Code == workflows.CodeUnavailable, problem.Code == workflows.CodeCommitUnknown:
		return nil, &ownError{fmt.Errorf("submit an answer to %s: %w", g.Ref, err)}
	}
	return problem, nil
}

// isOver says whether a refusal means that the gate is open no more; the issue hears that anyway.
func isOver(p *workflows.Problem) bool {
	return p.NotFound() || p.Code == workflows.CodeApprovalCompleted || p.Code == workflows.CodeInvalidApprovalToken
}

// principal is who somebody in Jira is here. Only the configuration gives them an
// address, and with it a say.
func (a *Approvals) principal(u *jiraUser, automatic bool) workflows.Principal {
	id := or(u.id(), "unknown")
	p := workflows.Principal{ID: "jira:" + id, Name: words.Cut(clean.Line(or(u.Display, id)), 100), Via: "jira"}
	if automatic || u.Kind == "app" || u.id() == "" {
		p.Stranger = "bot"
		return p
	}
	for _, known := range []string{u.AccountID, u.Name, u.Key} {
		if mail := a.People[known]; known != "" && p.Email == "" {
			p.Email = mail
		}
	}
	return p
}

// self is who rollcall is in Jira: its own moves are nobody's answer. Empty: Jira does not say.
func (a *Approvals) self(ctx context.Context) (string, error) {
	a.mu.Lock()
	own := a.own
	a.mu.Unlock()
	if own != "" {
		return own, nil
	}
	var me jiraUser
	if err := a.jira.call(ctx, http.MethodGet, "rest/api/2/myself", nil, &me); err != nil && !lacks(err) {
		return "", err
	} else if err != nil {
		a.Log.Warn("Jira does not say who rollcall is there", "error", err)
		return "", nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own = me.id()
	return a.own, nil
}

// saidBy is the newest comment that somebody made on an issue since a time: what
// they say with their answer. Empty: none.
func (c *client) saidBy(ctx context.Context, key, id string, since time.Time) (string, error) {
	var list struct {
		Comments []struct {
			Author  jiraUser        `json:"author"`
			Body    json.RawMessage `json:"body"`
			Created string          `json:"created"`
		} `json:"comments"`
	}
	if err := c.call(ctx, http.MethodGet, "rest/api/2/issue/"+key+"/comment?orderBy=-created&maxResults=50", nil, &list); err != nil {
		return "", err
	}
	for _, m := range list.Comments {
		var body string
		at, ok := jiraTime(m.Created)
		if ok && m.Author.id() == id && !at.Before(since.Truncate(time.Second)) && json.Unmarshal(m.Body, &body) == nil {
			return words.Cut(clean.Line(body), 500), nil
		}
	}
	return "", nil
}
