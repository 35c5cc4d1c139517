package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/github/delivery"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// The payloads of events that start pipelines by a trigger of their own.
type (
	eventPayload struct {
		Action      delivery.Text   `json:"action"`
		Repository  repository      `json:"repository"`
		Sender      *delivery.User  `json:"sender"`
		Release     *release        `json:"release"`
		WorkflowRun *workflowRun    `json:"workflow_run"`
		Workflow    *workflow       `json:"workflow"`
		Deployment  *madeDeployment `json:"deployment"`
		MergeGroup  *group          `json:"merge_group"`
	}
	release struct {
		ID          json.RawMessage `json:"id"`
		TagName     string          `json:"tag_name"`
		Draft       bool            `json:"draft"`
		Prerelease  bool            `json:"prerelease"`
		PublishedAt delivery.Text   `json:"published_at"`
	}
	workflowRun struct {
		ID             json.RawMessage `json:"id"`
		Attempt        json.RawMessage `json:"run_attempt"`
		Name           delivery.Text   `json:"name"`
		Path           delivery.Text   `json:"path"`
		Event          delivery.Text   `json:"event"`
		Conclusion     delivery.Text   `json:"conclusion"`
		HeadBranch     delivery.Text   `json:"head_branch"`
		HeadSHA        delivery.Text   `json:"head_sha"`
		HeadCommit     *commit         `json:"head_commit"`
		HeadRepository *repository     `json:"head_repository"` // null when the fork is gone
		UpdatedAt      delivery.Text   `json:"updated_at"`
	}
	workflow struct {
		Name delivery.Text `json:"name"`
		Path delivery.Text `json:"path"`
	}
	madeDeployment struct {
		ID          json.RawMessage `json:"id"`
		SHA         delivery.Text   `json:"sha"`
		Ref         delivery.Text   `json:"ref"`
		Environment delivery.Text   `json:"environment"`
		Payload     json.RawMessage `json:"payload"` // an object, or a text
		CreatedAt   delivery.Text   `json:"created_at"`
	}
	group struct {
		HeadSHA    delivery.Text `json:"head_sha"`
		HeadRef    delivery.Text `json:"head_ref"`
		BaseRef    delivery.Text `json:"base_ref"`
		HeadCommit *commit       `json:"head_commit"`
	}
)

// hasTrigger says whether an event starts pipelines by a trigger of its own.
func hasTrigger(event string) bool {
	return event == "release" || event == "workflow_run" || event == "deployment" || event == "merge_group"
}

// startsBy is the action of such an event that starts pipelines.
func startsBy(event string) string {
	return map[string]string{"release": "published", "workflow_run": "completed", "deployment": "created", "merge_group": "checks_requested"}[event]
}

// parseEvent reads an event that has a trigger of its own.
func parseEvent(event string, payload []byte) (parsedDelivery, error) {
	var p eventPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return parsedDelivery{}, fmt.Errorf("the event %s cannot be read: a field has an unexpected type", event)
	}
	if string(p.Action) != startsBy(event) {
		return parsedDelivery{ignored: fmt.Sprintf("%s: %s starts nothing", event, words.Cut(clean.Line(string(p.Action)), 64))}, nil
	}
	if _, _, err := api.SplitRepository(p.Repository.FullName); err != nil {
		return parsedDelivery{}, err
	}
	news := parsedDelivery{change: work.Change{Provider: "GitHub", Event: event, Repository: p.Repository.FullName, By: delivery.Principal("", "")}}
	if p.Sender != nil {
		news.change.By = delivery.Principal(string(p.Sender.Login), "")
	}
	read := map[string]func(*parsedDelivery) error{"release": p.release, "workflow_run": p.run, "deployment": p.deployment, "merge_group": p.group}[event]
	if err := read(&news); err != nil || news.ignored != "" {
		return parsedDelivery{ignored: news.ignored}, err
	}
	if news.change.Commit != "" && !api.IsSHA(news.change.Commit) {
		return parsedDelivery{}, fmt.Errorf("the event %s names no commit", event)
	}
	news.change.Payload = excerpt(payload, event)
	return news, nil
}

// release leaves the commit open: an event names the tag only.
func (p *eventPayload) release(news *parsedDelivery) error {
	r := p.Release
	switch {
	case r == nil || r.TagName == "":
		return errors.New("the release names no tag")
	case r.Draft:
		news.ignored = "release " + clean.Line(r.TagName) + ": a draft starts nothing"
	}
	news.at = instant(string(r.PublishedAt))
	c := &news.change
	c.Tag, c.Prerelease, c.At, c.ID = r.TagName, r.Prerelease, news.at, string(r.ID)+" "+string(r.PublishedAt)
	return nil
}

func (p *eventPayload) run(news *parsedDelivery) error {
	r := p.WorkflowRun
	if r == nil || r.HeadSHA == "" {
		return errors.New("the workflow run names no commit")
	}
	news.at = instant(string(r.UpdatedAt))
	c := &news.change
	c.Commit, c.Branch, c.At = string(r.HeadSHA), string(r.HeadBranch), news.at
	c.Workflow, c.Cause, c.Conclusion = r.workflow(p.Workflow), string(r.Event), string(r.Conclusion)
	c.Fork, c.ID = r.isFork(p.Repository), string(r.ID)+" "+string(r.Attempt)
	r.HeadCommit.describe(c)
	return nil
}

// workflow is how the workflow of a run may be called: its name, and the path of its file.
func (r *workflowRun) workflow(w *workflow) (names []string) {
	if w == nil {
		w = &workflow{}
	}
	for _, name := range []delivery.Text{w.Name, r.Name, w.Path, r.Path} {
		path, _, _ := strings.Cut(string(name), "@") // a run of a reusable workflow says of which ref
		if path = words.Cut(clean.Line(path), 255); path != "" && !slices.Contains(names, path) {
			names = append(names, path)
		}
	}
	return names
}

// isFork says whether what ran is not of the repository.
func (r *workflowRun) isFork(of repository) bool {
	return r.HeadRepository == nil || !strings.EqualFold(r.HeadRepository.FullName, of.FullName)
}

func (p *eventPayload) deployment(news *parsedDelivery) error {
	d := p.Deployment
	switch {
	case d == nil || d.SHA == "":
		return errors.New("the deployment names no commit")
	case isOwnDeployment(d.Payload):
		news.ignored = "deployment of " + words.Cut(clean.Line(string(d.Ref)), 64) + ": rollcall made it"
	}
	news.at = instant(string(d.CreatedAt))
	c := &news.change
	c.Commit, c.Branch, c.Environment, c.At, c.ID = string(d.SHA), string(d.Ref), string(d.Environment), news.at, string(d.ID)
	if r := p.WorkflowRun; r != nil {
		c.Workflow, c.Cause, c.Fork = r.workflow(p.Workflow), string(r.Event), r.isFork(p.Repository)
	}
	c.Fork = c.Fork || strings.HasPrefix(c.Branch, "refs/pull/")
	return nil
}

// isOwnDeployment says whether rollcall made a deployment: such a one names its
// execution in the payload, which GitHub sends as it was given, or as a text.
func isOwnDeployment(payload json.RawMessage) bool {
	var text string
	if json.Unmarshal(payload, &text) == nil {
		payload = json.RawMessage(text)
	}
	var made struct {
		Execution delivery.Text `json:"execution"`
	}
	return json.Unmarshal(payload, &made) == nil && isUUID(string(made.Execution))
}

// isUUID says whether a text looks like the ID of an execution.
func isUUID(s string) bool {
	return len(s) == 36 && strings.Count(s, "-") == 4 && strings.Trim(s, "0123456789abcdef-") == ""
}

func (p *eventPayload) group(news *parsedDelivery) error {
	g := p.MergeGroup
	if g == nil || g.HeadSHA == "" || g.BaseRef == "" {
		return errors.New("the merge group names no commit or no base branch")
	}
	c := &news.change
	c.Commit, c.Branch = string(g.HeadSHA), strings.TrimPrefix(string(g.BaseRef), "refs/heads/")
	c.HeadBranch = strings.TrimPrefix(string(g.HeadRef), "refs/heads/")
	g.HeadCommit.describe(c)
	return nil
}

// describe says in a change what is known of its commit; nil: nothing.
func (g *commit) describe(c *work.Change) {
	if g == nil {
		return
	}
	c.Summary = delivery.FirstLine(string(g.Message))
	author := g.Author.author()
	c.Author = &author
}

const (
	longestText = 1000 // what a variable may hold
	mostListed  = 20   // elements of a list
	mostKept    = 64e3 // bytes of an excerpt
	deepest     = 12   // levels
)

// excerpt is what variables may name of a payload: what happened, who and where,
// without texts and lists that are longer than any variable. Nil: that is still too much.
func excerpt(payload []byte, event string) json.RawMessage {
	var all map[string]any
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.UseNumber()
	if d.Decode(&all) != nil {
		return nil
	}
	kept := map[string]any{}
	for _, key := range []string{"action", event, "workflow", "sender", "repository"} {
		if value, there := all[key]; there {
			kept[key] = shortened(value, deepest)
		}
	}
	raw, err := json.Marshal(kept)
	if err != nil || len(raw) > mostKept {
		return nil
	}
	return raw
}

func shortened(value any, levels int) any {
	switch value := value.(type) {
	case map[string]any:
		short := map[string]any{}
		for key, v := range value {
			if text, is := v.(string); levels > 0 && (!is || len(text) <= 4*longestText) && !strings.HasSuffix(key, "_url") {
				short[key] = shortened(v, levels-1)
			}
		}
		if page, there := value["html_url"]; there {
			short["html_url"] = page
		}
		return short
	case []any:
		short := []any{}
		for _, v := range value[:min(len(value), mostListed)] {
			short = append(short, shortened(v, levels-1))
		}
		return short
	}
	return value
}
