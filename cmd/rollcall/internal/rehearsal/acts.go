package rehearsal

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/trigger"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// intent makes an act of a verb whose keys mean the same everywhere.
func intent(verb workflows.Verb) func(*world, *node) error {
	return func(w *world, n *node) error {
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
		case verb == workflows.Enable || verb == workflows.Disable:
		default:
			in.Execution, err = w.meant(verb, n.str("execution"), in.Stage)
		}
		if err != nil {
			return err
		}
		if x, _ := w.row(in.Execution); verb == workflows.Retry && in.Stage == "" {
			in.Stage = present(x)
		}
		return w.ask(w.principal(n.str("by")), in)
	}
}

// numbered is the ID of #2.
func (w *world) numbered(text string) (string, error) {
	n, _ := executionNumber(text)
	if n < len(w.ids) && n > 0 {
		return w.ids[n], nil
	}
	return "", broken{fmt.Errorf("there is no execution #%d: %d were started so far", n, len(w.ids)-1)}
}

// meant is the execution that an act is about: the one it names, else the
// newest that fits, else the newest.
func (w *world) meant(verb workflows.Verb, named, stage string) (string, error) {
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
	case workflows.StopIt:
		return !x.Status.Final()
	}
	return x.Trigger.Type != workflows.TriggerAutomated
}

func (w *world) start(n *node) error {
	in := workflows.Intent{Verb: workflows.Start, Variables: n.get("variables").table(), Token: n.str("token")}
	for _, name := range sortedKeys(n.get("revisions").table()) {
		in.Revisions = append(in.Revisions, workflows.RevisionOverride{ActionName: name, RevisionType: "COMMIT_ID", RevisionValue: n.get("revisions").str(name)})
	}
	return w.ask(w.principal(n.str("by")), in)
}

func (w *world) rollback(n *node) error {
	in := workflows.Intent{Verb: workflows.RollBack, Stage: n.str("stage"), Reason: n.str("reason"), WhileRunning: n.str("whileRunning")}
	if n.str("asIs") == "true" {
		in.Definition = "asIs"
	}
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
func (w *world) lastGood(stage string) (string, error) {
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

func (w *world) edit(n *node) error {
	name := path.Join(path.Dir(w.file.Path), n.str("file"))
	in := workflows.Intent{Verb: workflows.Edit, Pipeline: w.s.Name, Definitions: w.file.definitions[name], ManagedBy: "file:" + w.file.main}
	return w.ask(workflows.EnginePrincipal(), in)
}

func (w *world) wait(n *node) error {
	d, _ := span(n.str("for"))
	return w.pass(w.at.Add(d))
}

func (w *world) until(n *node) error {
	at, _ := momentIn(n.str("at"), w.zone)
	if at.Before(w.at) {
		return broken{fmt.Errorf("it is %s already", w.at.In(w.zone).Format("2006-01-02 15:04"))}
	}
	return w.pass(at)
}

// source is the source action whose repository something happened in.
func (w *world) source(n *node) (workflows.Action, error) {
	p := w.s.View().Definition
	for _, a := range p.Stages[0].Actions {
		if a.IsSource() && (n.str("source") == "" || n.str("source") == a.Name) {
			return a, nil
		}
	}
	return workflows.Action{}, broken{fmt.Errorf("%s has no source action %s now", p.Name, n.str("source"))}
}

// change is what a webhook or a poll would say.
func (w *world) change(n *node, kind string) (work.Change, workflows.Action, error) {
	a, err := w.source(n)
	if err != nil {
		return work.Change{}, a, err
	}
	c := work.Change{
		Provider: "GitHub", Event: kind, Repository: n.str("repository"), Branch: n.str("branch") + n.str("into"), Tag: n.str("tag"),
		Commit: n.str("commit"), Created: n.str("created") == "true", Deleted: n.str("deleted") == "true", PullEvent: n.str("event"),
		Fork: n.str("fork") == "true", Files: n.get("files").texts(), Summary: n.str("message"), Author: w.author(n.str("author")), At: w.at,
	}
	if a.ActionType.Provider == "Git" {
		c.Provider = "Git"
	}
	if c.Repository == "" {
		c.Repository = repository(a)
	}
	if c.Branch == "" && c.Tag == "" {
		c.Branch = a.Configuration["BranchName"]
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
	return c, a, nil
}

func (w *world) push(n *node) error        { return w.changed(n, "push") }
func (w *world) pullRequest(n *node) error { return w.changed(n, "pull_request") }

// changed lets the pipeline's triggers judge, and starts what they start.
func (w *world) changed(n *node, kind string) error {
	c, a, err := w.change(n, kind)
	if err != nil {
		return err
	}
	r := workflows.SourceRevision{
		ActionName: a.Name, RevisionID: c.Commit, RevisionSummary: c.Summary, Branch: c.Branch, Repository: c.Repository, Author: c.Author, Authors: c.Authors,
		AnyBranch: kind != "push" || c.Branch != a.Configuration["BranchName"],
	}
	if kind == "push" && c.Branch == a.Configuration["BranchName"] && !c.Deleted {
		w.heads[a.Name] = r
	}
	name, starts, why := trigger.Match(w.s.View().Definition, trigger.Event{
		Provider: c.Provider, Kind: c.Event, Repository: c.Repository, Branch: c.Branch, Tag: c.Tag, PullEvent: c.PullEvent,
		Created: c.Created, Deleted: c.Deleted, Fork: c.Fork, Files: c.Files,
	})
	if !starts {
		w.ignored = why
		w.say("starts nothing: " + why)
		return nil
	}
	r.ActionName = name
	in := workflows.Intent{
		Verb: workflows.Start, Pipeline: w.s.Name, Change: []workflows.SourceRevision{r},
		Trigger: &workflows.StartedBy{Type: workflows.TriggerWebhook, Detail: strings.TrimSpace(c.Repository + " " + c.Branch + c.Tag), By: c.By},
	}
	return w.decide(machine.Input{By: workflows.EnginePrincipal(), Intent: &in})
}
