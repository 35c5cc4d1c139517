package rehearsal

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/spec"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// intent makes an act of a verb whose keys mean the same everywhere.
func intent(verb workflows.Verb) func(*simulation, *node) error {
	return func(w *simulation, n *node) error {
		in := workflows.Intent{
			Verb: verb, Stage: n.str("stage"), Condition: n.str("condition"), As: n.str("as"),
			Reason: n.str("reason") + n.str("comment"), Abandon: n.str("abandon") == "true", All: n.str("all") == "true",
		}
		if stage, action, ok := strings.Cut(n.str("action"), "/"); ok {
			in.Stage, in.Action = stage, action
		}
		var err error
		switch {
		case n.get("only") != nil:
			in.Execution, err = w.numbered(n.str("only"))
		case verb == workflows.Unlock || verb == workflows.Lock:
		default:
			in.Execution, err = w.executionFor(verb, n.str("execution"), in.Stage)
		}
		if err != nil {
			return err
		}
		return w.ask(w.principal(n.str("by")), in)
	}
}

// numbered is the ID of #2.
func (w *simulation) numbered(text string) (string, error) {
	n, _ := executionNumber(text)
	if n < len(w.ids) && n > 0 {
		return w.ids[n], nil
	}
	return "", broken{fmt.Errorf("there is no execution #%d: %d were started so far", n, len(w.ids)-1)}
}

// executionFor is the execution that an act is about: the one it names, else the
// newest that fits, else the newest.
func (w *simulation) executionFor(verb workflows.Verb, named, stage string) (string, error) {
	if named != "" {
		return w.numbered(named)
	}
	for _, id := range slices.Backward(w.ids[1:]) {
		if x, ok := w.row(id); ok && fits(verb, x, stage) {
			return id, nil
		}
	}
	if len(w.ids) == 1 {
		return "", broken{fmt.Errorf("nothing has been started yet")}
	}
	return w.ids[len(w.ids)-1], nil
}

func fits(verb workflows.Verb, x workflows.Execution, stage string) bool {
	needs := func(what string) bool {
		return slices.ContainsFunc(x.Stages, func(st workflows.StageExecution) bool {
			return (stage == "" || st.Name == stage) && slices.ContainsFunc(st.Actions, func(a workflows.ActionExecution) bool { return a.Needs == what })
		})
	}
	switch verb {
	case workflows.Approve, workflows.Reject:
		return needs(workflows.NeedsApproval)
	case workflows.Resolve:
		return needs(workflows.NeedsResolve)
	case workflows.Retry:
		return x.Status == workflows.StatusFailed || x.Status == workflows.StatusStopped
	case workflows.StopExecution:
		return !x.Status.Final()
	}
	return x.Trigger.Type != workflows.TriggerAutomated
}

func (w *simulation) start(n *node) error {
	in := workflows.Intent{Verb: workflows.Start, Variables: n.get("variables").table(), Token: n.str("token")}
	for _, name := range words.Keys(n.get("revisions").table()) {
		in.Revisions = append(in.Revisions, workflows.RevisionOverride{ActionName: name, RevisionValue: n.get("revisions").str(name)})
	}
	return w.ask(w.principal(n.str("by")), in)
}

func (w *simulation) rollback(n *node) error {
	in := workflows.Intent{Verb: workflows.RollBack, Stage: n.str("stage"), Definition: n.str("definition"), Reason: n.str("reason"), WhileRunning: n.str("whileRunning")}
	var err error
	if to := n.str("to"); to != "" {
		in.Target, err = w.numbered(to)
	} else {
		in.Target, err = w.lastGood(in.Stage)
	}
	if err != nil {
		return err
	}
	return w.ask(w.principal(n.str("by")), in)
}

// lastGood is the target that a person is offered.
func (w *simulation) lastGood(stage string) (string, error) {
	view := w.s.View()
	if st, ok := view.Stage(stage); ok {
		for _, o := range st.Offers {
			if o.Verb == workflows.RollBack {
				return o.Target, nil
			}
		}
	}
	return "", &workflows.Problem{Code: workflows.CodeUnableToRollback, Message: fmt.Sprintf("there is nothing to return %s to", stage), Hint: "name an execution: to: 1"}
}

func (w *simulation) edit(n *node) error {
	name := path.Join(path.Dir(w.file.Path), n.str("file"))
	in := workflows.Intent{Verb: workflows.Edit, Pipeline: w.s.Name, NewDefinition: w.file.definitions[name], ManagedBy: "file:" + w.file.main}
	return w.ask(workflows.EnginePrincipal(), in)
}

func (w *simulation) wait(n *node) error {
	d, _ := span(n.str("for"))
	return w.pass(w.at.Add(d))
}

func (w *simulation) until(n *node) error {
	at, _ := momentIn(n.str("at"), w.zone)
	if at.Before(w.at) {
		return broken{fmt.Errorf("it is %s already", w.at.In(w.zone).Format("2006-01-02 15:04"))}
	}
	return w.pass(at)
}

// source is the source action whose repository something happened in.
func (w *simulation) source(n *node) (workflows.Action, error) {
	p := w.s.View().Definition
	for _, a := range p.Stages[0].Actions {
		if a.IsSource() && (n.str("source") == "" || n.str("source") == a.Name) {
			return a, nil
		}
	}
	return workflows.Action{}, broken{fmt.Errorf("%s has no source action %s now", p.Name, n.str("source"))}
}

// change is what a webhook or a poll would say.
func (w *simulation) change(n *node, kind string) (work.Change, workflows.Action, error) {
	a, err := w.source(n)
	if err != nil {
		return work.Change{}, a, err
	}
	c := work.Change{
		Provider: "GitHub", Event: kind, Repository: n.str("repository"), Branch: n.str("branch") + n.str("into"), Tag: n.str("tag"),
		Commit: n.str("commit"), Created: n.str("created") == "true", Deleted: n.str("deleted") == "true", PullEvent: n.str("event"),
		Fork: n.str("fork") == "true", Files: n.get("files").texts(), Summary: n.str("message"), Author: w.author(n.str("author")), At: w.at,
	}
	if provider := a.ActionType.Provider; slices.Contains([]string{"Git", "Bitbucket", "GitLab"}, provider) || spec.InAWS(a.ActionType) {
		c.Provider = provider
	}
	repository, ref := trigger.Followed(&a)
	if c.Repository == "" {
		c.Repository = repository
	}
	if c.Branch == "" && (c.Tag == "" || trigger.IsGitHub(kind)) && kind != "release" {
		c.Branch = ref
	}
	if c.Commit == "" {
		c.Commit = madeUpCommit(len(w.ids))
	}
	if c.Files == nil {
		c.Files = []string{"changed"}
	}
	for _, name := range n.get("authors").texts() {
		c.Authors = append(c.Authors, *w.author(name))
	}
	c.By = w.pusher(n.str("by"), c.Provider)
	onGitHub(n, &c)
	return c, a, nil
}

func (w *simulation) push(n *node) error        { return w.changed(n, "push") }
func (w *simulation) pullRequest(n *node) error { return w.changed(n, "pull_request") }

// event lets the pipeline's triggers judge an event of EventBridge.
func (w *simulation) event(n *node) error {
	doc, err := document.Read([]byte(n.str("json")))
	if err != nil {
		return fmt.Errorf("the event %w", err)
	}
	variables, fits, why := trigger.ByEvent(w.s.View().Definition, doc)
	if !fits {
		why = "no trigger waits for such an event"
	}
	if why != "" {
		w.ignored = why
		w.traceLine("starts nothing: " + why)
		return nil
	}
	in := workflows.Intent{Verb: workflows.Start, Pipeline: w.s.Name, Variables: variables, Trigger: &workflows.StartedBy{Type: "CloudWatchEvent"}}
	return w.decide(machine.Input{By: workflows.EnginePrincipal(), Intent: &in})
}

// changed lets the pipeline's triggers judge, and starts what they start.
func (w *simulation) changed(n *node, kind string) error {
	c, a, err := w.change(n, kind)
	if err != nil {
		return err
	}
	_, followed := trigger.Followed(&a)
	r := workflows.SourceRevision{
		ActionName: a.Name, RevisionID: c.Commit, RevisionSummary: c.Summary, Branch: c.Branch, Repository: c.Repository, Author: c.Author, Authors: c.Authors,
		AnyBranch: kind != "push" || c.Branch != followed,
	}
	if kind == "push" && c.Branch == followed && !c.Deleted {
		w.heads[a.Name] = r
	}
	noticed := workflows.TriggerWebhook
	if spec.InAWS(a.ActionType) {
		noticed = workflows.TriggerPoll
	}
	e := trigger.Event{
		Provider: c.Provider, Kind: c.Event, Repository: c.Repository, Branch: c.Branch, Tag: c.Tag, PullEvent: c.PullEvent,
		Created: c.Created, Deleted: c.Deleted, Fork: c.Fork, Files: c.Files,
		Workflow: c.Workflow, Cause: c.Cause, Conclusion: c.Conclusion, Environment: c.Environment, Prerelease: c.Prerelease,
	}
	name, starts, why := trigger.Match(w.s.View().Definition, e)
	detail, variables := strings.TrimSpace(c.Repository+" "+c.Branch+c.Tag), map[string]string(nil)
	if starts && trigger.IsGitHub(kind) {
		detail = c.Repository + " " + why
		doc, _ := document.Read(c.Payload) // the act has checked it
		variables, why = trigger.Variables(w.s.View().Definition, name, e, doc)
		starts = why == ""
	}
	if !starts {
		w.ignored = why
		w.traceLine("starts nothing: " + why)
		return nil
	}
	r.ActionName = name
	in := workflows.Intent{
		Verb: workflows.Start, Pipeline: w.s.Name, Change: []workflows.SourceRevision{r}, Variables: variables,
		Trigger: &workflows.StartedBy{Type: noticed, Detail: detail, By: c.By},
	}
	return w.decide(machine.Input{By: workflows.EnginePrincipal(), Intent: &in})
}
