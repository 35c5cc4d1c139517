package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// post sends an intent; what came of it is read into answer.
func (s *service) post(ctx context.Context, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.client().Do(ctx, http.MethodPost, path, body, answer)
}

// postAndWait sends an intent about an execution, and waits if that is wanted. %s in
// done becomes the execution's name.
func (s *service) postAndWait(ctx context.Context, o *output, w *waiting, path string, body any, done string) error {
	var e workflows.Execution
	if err := s.post(ctx, path, body, &e); err != nil {
		return err
	}
	return s.finish(ctx, o, w, &e, fmt.Sprintf(done, e.Ref()))
}

// seg is one part of a path.
func seg(name string) string { return url.PathEscape(name) }

// nearest is the hint for an unknown word: the known one that was meant, or all of them.
func nearest(word string, known []string) string {
	if near, ok := words.Nearest(word, known); ok {
		return ": did you mean " + near + "?"
	}
	return " (it has " + strings.Join(known, ", ") + ")"
}

type startCmd struct {
	service
	waiting
	Pipeline            string
	Variables, Revision []string
}

func (c *startCmd) command() *cobra.Command {
	cmd := command(c.Run, "start", "Start an execution.", "rollcall start webshop --wait=approval",
		c.pipelineArg(&c.Pipeline), several(&c.Variables, "NAME=VALUE", "Pipeline variables.").orNone().from(c.variables))
	c.waiting.flags(cmd, &c.service)
	cmd.Flags().StringArrayVar(&c.Revision, "revision", nil, "Start with the revision of a source action, `ACTION=REV`: a commit, an image's digest, S3_OBJECT_KEY:KEY or S3_OBJECT_VERSION_ID:ID of an object.")
	c.service.flags(cmd)
	return cmd
}

// Run starts an execution.
func (c *startCmd) Run(ctx context.Context, o *output) error {
	variables := map[string]string{}
	for _, v := range c.Variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return &exit{2, v + " is not NAME=VALUE"}
		}
		variables[name] = value
	}
	var revisions []workflows.RevisionOverride
	for _, r := range c.Revision {
		one, err := parseRevision(r)
		if err != nil {
			return err
		}
		revisions = append(revisions, one)
	}
	if err := c.check(ctx, c.client(), c.Pipeline); err != nil {
		return err
	}
	var e workflows.Execution
	body := map[string]any{"variables": variables, "sourceRevisions": revisions, "clientRequestToken": rand.Text()}
	if made, err := c.made(ctx, o, &c.waiting, "pipelines/"+seg(c.Pipeline)+"/executions", body, &e, ""); err != nil || !made {
		return err
	}
	if c.Wait == "" && !c.structured() {
		fmt.Fprintf(o.err, "follow it with: rollcall watch %s\n", e.Ref())
	}
	return c.finish(ctx, o, &c.waiting, &e, "started "+e.Ref())
}

type stopCmd struct {
	service
	Execution, Reason string
	Abandon, Yes      bool
}

func (c *stopCmd) command() *cobra.Command {
	cmd := command(c.Run, "stop", "Stop an execution.", "rollcall stop webshop#42 -m 'wrong branch'", c.executionArg(&c.Execution))
	cmd.Flags().BoolVar(&c.Abandon, "abandon", false, "Do not wait for what is running.")
	reason(cmd, &c.Reason, "The `REASON`, which everybody sees.")
	cmd.Flags().BoolVarP(&c.Yes, "yes", "y", false, "Do not ask.")
	c.service.flags(cmd)
	return cmd
}

// Run stops an execution; on a terminal it asks first.
func (c *stopCmd) Run(ctx context.Context, o *output) error {
	if terminal(os.Stdin) && !c.Yes {
		if err := confirm(ctx, o, os.Stdin, "Stop "+c.Execution+"?"); err != nil {
			return err
		}
	}
	return c.postAndWait(ctx, o, &waiting{}, "executions/"+seg(c.Execution)+"/stop", map[string]any{"abandon": c.Abandon, "reason": c.Reason}, "stopping %s")
}

type retryCmd struct {
	service
	waiting
	Execution, Stage string
	All              bool
}

func (c *retryCmd) command() *cobra.Command {
	cmd := command(c.Run, "retry", "Run the failed actions of a stage again.", "rollcall retry webshop#42 --wait", c.executionArg(&c.Execution))
	cmd.Flags().StringVar(&c.Stage, "stage", "", "The `STAGE`; default the one that failed.")
	cmd.Flags().BoolVar(&c.All, "all", false, "All actions of the stage, not only the failed ones.")
	must(cmd.RegisterFlagCompletionFunc("stage", offer(c.stages)))
	c.waiting.flags(cmd, &c.service)
	c.service.flags(cmd)
	return cmd
}

// Run retries a stage.
func (c *retryCmd) Run(ctx context.Context, o *output) error {
	mode := "FAILED_ACTIONS"
	if c.All {
		mode = "ALL_ACTIONS"
	}
	if err := c.checkOf(ctx, &c.service, c.Execution); err != nil {
		return err
	}
	c.verb = workflows.Retry
	return c.postAndWait(ctx, o, &c.waiting, "executions/"+seg(c.Execution)+"/retry", map[string]any{"stage": c.Stage, "mode": mode}, "retrying %s")
}

// checkOf is check for a command that names an execution.
func (w *waiting) checkOf(ctx context.Context, s *service, ref string) error {
	if w.Wait == "" || w.Wait == "end" || w.Wait == "approval" {
		return nil
	}
	e, err := s.client().Execution(ctx, ref)
	if err != nil {
		return err
	}
	return w.check(ctx, s.client(), e.Pipeline)
}

type rollbackCmd struct {
	service
	waiting
	Pipeline, Stage, To, Definition, Reason string
	Stop, Yes                               bool
}

func (c *rollbackCmd) command() *cobra.Command {
	cmd := command(c.Run, "rollback", "Roll a stage back to an earlier execution.",
		"rollcall rollback webshop Production -m 'checkout errors'\nrollcall rollback webshop Production --to webshop#41 --wait",
		c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	f := cmd.Flags()
	f.StringVar(c.refers(&c.To, &c.Pipeline), "to", "", "The `EXECUTION` to roll back to; default the last one that succeeded there before.")
	f.Var(oneOf(&c.Definition, "original", "original", "current"), "definition", "`WHICH`: original is the stage as it was deployed then, current as the pipeline is now.")
	reason(cmd, &c.Reason, "The `REASON`, which everybody sees.")
	f.BoolVar(&c.Stop, "stop", false, "Stop what runs in the stage first.")
	f.BoolVarP(&c.Yes, "yes", "y", false, "Do not ask.")
	must(cmd.RegisterFlagCompletionFunc("to", offer(c.targets)))
	c.waiting.flags(cmd, &c.service)
	c.service.flags(cmd)
	return cmd
}

// Run rolls a stage back. Without a target it is the newest success that is
// older than what runs; that is asked for on a terminal, and needs --yes without.
func (c *rollbackCmd) Run(ctx context.Context, o *output) error {
	if err := c.check(ctx, c.client(), c.Pipeline); err != nil {
		return err
	}
	target, err := c.target(ctx, o, os.Stdin)
	if err != nil {
		return err
	}
	body := map[string]any{"target": target.ID, "definition": c.Definition, "reason": c.Reason, "stopRunning": c.Stop, "clientRequestToken": rand.Text()}
	path := "pipelines/" + seg(c.Pipeline) + "/stages/" + seg(c.Stage) + "/rollback"
	var e workflows.Execution
	if made, err := c.made(ctx, o, &c.waiting, path, body, &e, c.Stage+" is rolled back to "+target.Ref()); err != nil || !made {
		return err
	}
	return c.finish(ctx, o, &c.waiting, &e, fmt.Sprintf("rolling %s back to %s: %s", c.Stage, target.Ref(), e.Ref()))
}

// target is the execution to return to.
func (c *rollbackCmd) target(ctx context.Context, o *output, in io.Reader) (workflows.Execution, error) {
	cl := c.client()
	if c.To != "" {
		return cl.Execution(ctx, c.To)
	}
	none := workflows.Execution{}
	targets, err := cl.Targets(ctx, c.Pipeline, c.Stage)
	if err != nil {
		return none, err
	}
	i := client.Previous(targets)
	if i < 0 {
		c.printer(o.err).Targets(c.Pipeline, targets)
		return none, &workflows.Problem{Message: fmt.Sprintf("nothing that ran in %s of %s before can be rolled back to", c.Stage, c.Pipeline), Hint: client.Choose(c.Pipeline, c.Stage, targets)}
	}
	ref := fmt.Sprintf("%s#%d", c.Pipeline, targets[i].Number)
	switch {
	case c.Yes:
	case terminal(in):
		if err := confirm(ctx, o, in, fmt.Sprintf("Roll %s of %s back to %s?", c.Stage, c.Pipeline, ref)); err != nil {
			return none, err
		}
	default:
		return none, &workflows.Problem{Message: fmt.Sprintf("%s of %s would be rolled back to %s; nothing was done", c.Stage, c.Pipeline, ref), Hint: "add --yes to do it, or --to EXECUTION"}
	}
	return cl.Execution(ctx, targets[i].Execution)
}

type approveCmd struct {
	service
	waiting
	Execution, Action, Reason string
}

func (c *approveCmd) command() *cobra.Command {
	cmd := command(c.Run, "approve", "Approve an execution that is waiting for approval.", "rollcall approve webshop#42 --wait", c.executionArg(&c.Execution), c.approvalArg(&c.Action))
	reason(cmd, &c.Reason, "A `COMMENT`.")
	c.waiting.flags(cmd, &c.service)
	c.service.flags(cmd)
	return cmd
}

// Run approves.
func (c *approveCmd) Run(ctx context.Context, o *output) error {
	return c.answer(ctx, o, &c.waiting, c.Execution, c.Action, "approve", c.Reason)
}

type rejectCmd struct {
	service
	Execution, Action, Reason string
}

func (c *rejectCmd) command() *cobra.Command {
	cmd := command(c.Run, "reject", "Reject an execution that is waiting for approval.", "rollcall reject webshop#42 -m 'the migration is missing'", c.executionArg(&c.Execution), c.approvalArg(&c.Action))
	reason(cmd, &c.Reason, "The `REASON`, which everybody sees.")
	requires(cmd, "reason")
	c.service.flags(cmd)
	return cmd
}

// Run rejects.
func (c *rejectCmd) Run(ctx context.Context, o *output) error {
	return c.answer(ctx, o, &waiting{}, c.Execution, c.Action, "reject", c.Reason)
}

// answer finds the gate that is meant and answers it.
func (s *service) answer(ctx context.Context, o *output, w *waiting, ref, action, answer, comment string) error {
	e, err := s.client().Execution(ctx, ref)
	if err != nil {
		return err
	}
	if err := w.check(ctx, s.client(), e.Pipeline); err != nil {
		return err
	}
	token, open := "", []string{}
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			if a.Approval == nil || action != "" && a.Name != action {
				continue
			}
			if token == "" {
				token = a.Approval.Token // a gate that has closed answers for itself
			}
			if a.Approval.Closed == "" {
				open = append(open, a.Name)
				token = a.Approval.Token
			}
		}
	}
	switch {
	case token == "" && e.Status.Final():
		return &workflows.Problem{Message: e.Ref() + " is not waiting for approval: it " + client.Ended(&e), Hint: "see rollcall status " + e.Ref()}
	case token == "":
		return &workflows.Problem{Message: e.Ref() + " has not reached its approval yet: " + client.Sentence(&e), Hint: "wait for it: rollcall wait " + e.Ref() + " --for approval"}
	case len(open) > 1:
		return &workflows.Problem{Message: e.Ref() + " has several open approvals: " + strings.Join(open, ", "), Hint: "name the action: rollcall " + answer + " " + e.Ref() + " " + open[0]}
	}
	return s.postAndWait(ctx, o, w, "approvals/"+seg(token), map[string]any{"answer": answer, "comment": comment}, map[string]string{"approve": "approved %s", "reject": "rejected %s"}[answer])
}

type unlockCmd struct {
	service
	Pipeline, Stage, Only string
}

func (c *unlockCmd) command() *cobra.Command {
	cmd := command(c.Run, "unlock", "Unlock a stage, or let one execution in.", "rollcall unlock webshop Production --only webshop#45", c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	cmd.Aliases = []string{"enable"}
	cmd.Long = "CodePipeline calls this enabling the transition: enable works too."
	cmd.Flags().StringVar(c.refers(&c.Only, &c.Pipeline), "only", "", "Let only this `EXECUTION` in; the stage stays locked for others.")
	must(cmd.RegisterFlagCompletionFunc("only", offer(c.executions)))
	c.service.flags(cmd)
	return cmd
}

// Run unlocks a stage.
func (c *unlockCmd) Run(ctx context.Context, o *output) error {
	body, done := map[string]any{"enabled": true}, c.Stage+" of "+c.Pipeline+" is unlocked"
	if c.Only != "" {
		e, err := c.client().Execution(ctx, c.Only)
		if err != nil {
			return err
		}
		body["only"], done = e.ID, e.Ref()+" may enter "+c.Stage
	}
	return c.transition(ctx, o, c.Pipeline, c.Stage, body, done)
}

type lockCmd struct {
	service
	Pipeline, Stage, Reason string
}

func (c *lockCmd) command() *cobra.Command {
	cmd := command(c.Run, "lock", "Lock a stage: no execution enters it.", "rollcall lock webshop Production -m 'sale until noon'", c.pipelineArg(&c.Pipeline), c.stageArg(&c.Stage))
	cmd.Aliases = []string{"disable"}
	cmd.Long = "CodePipeline calls this disabling the transition: disable works too."
	reason(cmd, &c.Reason, "The `REASON`, which everybody sees.")
	c.service.flags(cmd)
	return cmd
}

// Run locks a stage.
func (c *lockCmd) Run(ctx context.Context, o *output) error {
	return c.transition(ctx, o, c.Pipeline, c.Stage, map[string]any{"enabled": false, "reason": c.Reason}, c.Stage+" of "+c.Pipeline+" is locked")
}

func (s *service) transition(ctx context.Context, o *output, pipeline, stage string, body any, done string) error {
	var t struct {
		workflows.Transition
		Request *workflows.Request `json:"request"`
	}
	if err := s.post(ctx, "pipelines/"+seg(pipeline)+"/stages/"+seg(stage)+"/transition", body, &t); err != nil {
		return err
	}
	if t.Request != nil {
		return s.asked(o, t.Request)
	}
	return s.show(o, t.Transition, nil, func() []string { return []string{stage} }, func(p client.Printer) { p.Line(done) })
}

type overrideCmd struct {
	service
	waiting
	Execution, Stage, Action, Condition, Reason string
}

func (c *overrideCmd) command() *cobra.Command {
	cmd := command(c.Run, "override", "Override missing approvals or a failed condition, in an emergency.", "rollcall override webshop#42 Production -m 'outage, and Cho is on a plane'", c.executionArg(&c.Execution), c.stageArg(&c.Stage))
	f := cmd.Flags()
	reason(cmd, &c.Reason, "The `REASON`. It stays visible on the execution.")
	requires(cmd, "reason")
	f.StringVar(&c.Action, "action", "", "The approval `ACTION`, when several are open.")
	f.Var(oneOf(&c.Condition, "", "BEFORE_ENTRY", "ON_SUCCESS", "APPROVAL"), "condition", "`CHECK`: BEFORE_ENTRY, ON_SUCCESS or APPROVAL; default the one that blocks.")
	must(cmd.RegisterFlagCompletionFunc("action", offer(c.actions)))
	c.waiting.flags(cmd, &c.service)
	c.service.flags(cmd)
	return cmd
}

// Run sets a gate or a condition aside.
func (c *overrideCmd) Run(ctx context.Context, o *output) error {
	if err := c.checkOf(ctx, &c.service, c.Execution); err != nil {
		return err
	}
	return c.postAndWait(ctx, o, &c.waiting, "executions/"+seg(c.Execution)+"/override", map[string]any{"stage": c.Stage, "action": c.Action, "condition": c.Condition, "reason": c.Reason}, "overridden in "+strings.ReplaceAll(c.Stage, "%", "%%")+": %s")
}

type resolveCmd struct {
	service
	waiting
	Execution, Action, As, Reason string
}

func (c *resolveCmd) command() *cobra.Command {
	cmd := command(c.Run, "resolve", "Set the outcome of an action whose result is unknown.", "rollcall resolve webshop#42 Deploy succeeded -m 'the new version answers'",
		c.executionArg(&c.Execution), c.actionArg(&c.Action, "The action whose result is unknown."),
		among(&c.As, "OUTCOME", "succeeded or failed; again runs it once more.", "succeeded", "failed", "again"))
	reason(cmd, &c.Reason, "The `REASON`: how you know.")
	c.waiting.flags(cmd, &c.service)
	c.service.flags(cmd)
	return cmd
}

// Run resolves an action that is in doubt.
func (c *resolveCmd) Run(ctx context.Context, o *output) error {
	e, err := c.client().Execution(ctx, c.Execution)
	if err != nil {
		return err
	}
	if err := c.check(ctx, c.client(), e.Pipeline); err != nil {
		return err
	}
	i := slices.IndexFunc(e.Stages, func(st workflows.StageExecution) bool {
		a, ok := st.Action(c.Action)
		return ok && a.Needs == workflows.NeedsResolve
	})
	if i < 0 { // the service says what is wrong with it
		i = slices.IndexFunc(e.Stages, func(st workflows.StageExecution) bool { _, ok := st.Action(c.Action); return ok })
	}
	stage := ""
	if i >= 0 {
		stage = e.Stages[i].Name
	}
	return c.postAndWait(ctx, o, &c.waiting, "executions/"+seg(e.ID)+"/resolve", map[string]any{"stage": stage, "action": c.Action, "as": c.As, "reason": c.Reason}, "resolved in %s")
}
