package jira

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/markup"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// sentence says how an issue stands in an environment by one pipeline. text
// writes what comes from outside, ref an execution.
func (s *standing) sentence(environment string, text func(string) string, ref func(*landing) string) string {
	in := text(environment)
	var parts []string
	if r := s.Runs; r != nil {
		part := fmt.Sprintf("in %s since %s, %s", in, moment(r.At), ref(r))
		if r.Approved != "" {
			part += ", approved by " + text(r.Approved)
		}
		parts = append(parts, part)
	}
	l := &s.Last
	switch {
	case l.State == rolledBack:
		part := fmt.Sprintf("rolled back in %s on %s, %s went back to #%d", in, moment(l.At), ref(l), l.Target)
		if l.By != "" {
			part += ", asked for by " + text(l.By)
		}
		if l.Target == 0 { // another line of history was deployed
			part = fmt.Sprintf("rolled back in %s on %s: %s does not hold it", in, moment(l.At), ref(l))
		}
		parts = append(parts, part)
	case l.State == failedHere && l.Target > 0:
		parts = append(parts, fmt.Sprintf("the rollback to #%d in %s failed on %s, %s", l.Target, in, moment(l.At), ref(l)))
	case l.State == failedHere:
		parts = append(parts, fmt.Sprintf("the deployment to %s failed on %s, %s", in, moment(l.At), ref(l)))
	}
	return text(l.Pipeline) + ": " + strings.Join(parts, "; ")
}

// moment is a time that people can still read years later.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// heading is the first line of the comment about an environment, by which it is found again.
func heading(environment string) string {
	return "*Deployments to " + markup.Escape(clean.Line(environment)) + "* (rollcall)"
}

// commentText is the comment about an environment.
func (d *Deployments) commentText(name string, e *environment) string {
	lines := []string{heading(name)}
	text := func(s string) string { return words.Cut(markup.Escape(clean.Line(s)), 300) }
	for _, pipeline := range slices.Sorted(maps.Keys(e.Pipelines)) {
		lines = append(lines, e.Pipelines[pipeline].sentence(name, text, func(l *landing) string {
			if u := d.executionURL(l); markup.IsLink(u) {
				return "[" + markup.Escape(l.ref()) + "|" + u + "]"
			}
			return markup.Escape(l.ref())
		}))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (d *Deployments) executionURL(l *landing) string {
	if d.PublicURL == "" {
		return ""
	}
	return d.PublicURL + "/executions/" + url.PathEscape(l.Execution)
}

// remoteLink is a link of an issue to what is not in Jira. Jira keeps one of each GlobalID.
type remoteLink struct {
	GlobalID    string            `json:"globalId"`
	Application map[string]string `json:"application"`
	Relation    string            `json:"relationship"`
	Object      linkObject        `json:"object"`
}

type linkObject struct {
	URL     string         `json:"url"`
	Title   string         `json:"title"`
	Summary string         `json:"summary"`
	Status  map[string]any `json:"status"`
}

// globalID is what Jira knows the link to an environment by.
func globalID(environment string) string {
	id := "system=rollcall&environment=" + url.QueryEscape(environment)
	if len(id) > 255 {
		sum := sha256.Sum256([]byte(environment))
		id = "system=rollcall&environment=" + hex.EncodeToString(sum[:])
	}
	return id
}

// linkOf is the remote link about an environment: to the execution that said something last.
func (d *Deployments) linkOf(name string, e *environment) remoteLink {
	var newest *standing
	var all []string
	for _, pipeline := range slices.Sorted(maps.Keys(e.Pipelines)) {
		s := e.Pipelines[pipeline]
		if newest == nil || s.Last.At.After(newest.Last.At) {
			newest = s
		}
		all = append(all, s.sentence(name, clean.Line, (*landing).ref))
	}
	state := map[string]string{successful: "deployed", failedHere: "failed", rolledBack: "rolled back"}[newest.Last.State]
	return remoteLink{
		GlobalID: globalID(name), Application: map[string]string{"type": "rollcall", "name": "rollcall"}, Relation: "deployments",
		Object: linkObject{URL: d.executionURL(&newest.Last), Title: words.Cut(clean.Line(fmt.Sprintf("%s: %s %s", name, newest.Last.ref(), state)), maxSummary),
			Summary: words.Cut(strings.Join(all, "; "), maxSummary), Status: map[string]any{"resolved": newest.Runs != nil && newest.Last.State == successful}},
	}
}

// printOf knows a text again.
func printOfText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
