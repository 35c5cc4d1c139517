package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// see looks at the pipeline once. What is remembered changes only when the engine
// has taken all of it in, so that a look that fails is made again in full.
func (w *watched) see(ctx context.Context, at time.Time, hinted bool) error {
	config, err := w.of.o.Accounts.Config(ctx, w.bridge.place(""))
	if err != nil {
		return err
	}
	r := newReader(config)
	if w.looked && !hinted && w.lost == "" && w.failures == 0 {
		if quiet, err := w.quiet(ctx, r); err != nil || quiet {
			return w.still(ctx, at, err)
		}
	}
	state, err := r.getPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &w.row.External})
	if err != nil {
		return err
	}
	if w.declared == nil || aws.ToInt32(state.PipelineVersion) != aws.ToInt32(w.declared.Pipeline.Version) {
		if err := w.define(ctx, r); err != nil {
			return err
		}
	}
	next, changed, err := w.read(ctx, r, state)
	if err != nil {
		return err
	}
	snapshot := work.Snapshot{Pipeline: w.row.Name, At: at, Stages: stages(w.inForce, state)}
	for _, id := range order(next, changed) {
		snapshot.Executions = append(snapshot.Executions, w.execution(id, next[id], state))
	}
	if err := w.of.o.Engine().Observe(ctx, snapshot); err != nil {
		return &engineError{err}
	}
	w.executions, w.state, w.looked = next, state, true
	snapshot.Executions = slices.DeleteFunc(slices.Clone(snapshot.Executions), func(e workflows.Execution) bool { return e.Status.Final() })
	w.snapshot = snapshot
	return nil
}

// still tells that the pipeline was seen as it was before.
func (w *watched) still(ctx context.Context, at time.Time, err error) error {
	if err != nil {
		return err
	}
	w.snapshot.At = at
	if err := w.of.o.Engine().Observe(ctx, w.snapshot); err != nil {
		return &engineError{err}
	}
	return nil
}

// quiet says whether an idle pipeline is as it was, or one in which something runs:
// for one call, or two where there are calls to spare.
func (w *watched) quiet(ctx context.Context, r reader) (bool, error) {
	w.turn++
	parallel := w.inForce.ExecutionMode == workflows.ModeParallel
	if idle := w.interval() == w.bridge.Poll; idle {
		both := w.line.calls <= bothCalls || parallel && w.turn%4 == 0
		if both || parallel || w.turn%2 == 1 {
			if same, err := w.sameList(ctx, r); err != nil || !same || !both {
				return same, err
			}
		}
		return w.sameState(ctx, r)
	}
	if parallel { // its state says nothing of its executions
		return false, nil
	}
	if same, err := w.sameState(ctx, r); err != nil || !same || w.turn%4 != 0 {
		return same, err
	}
	return w.sameList(ctx, r)
}

func (w *watched) sameList(ctx context.Context, r reader) (bool, error) {
	all, err := r.summaries(ctx, w.row.External, 10, func([]types.PipelineExecutionSummary) bool { return false })
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if known := w.executions[aws.ToString(s.PipelineExecutionId)]; known == nil || !same(known.summary, s) {
			return false, nil
		}
	}
	return true, nil
}

func (w *watched) sameState(ctx context.Context, r reader) (bool, error) {
	state, err := r.getPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &w.row.External})
	if err != nil {
		return false, err
	}
	return same(state.StageStates, w.state.StageStates) && aws.ToInt32(state.PipelineVersion) == aws.ToInt32(w.state.PipelineVersion), nil
}

// same compares what AWS said; its types hold pointers.
func same(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

// define puts the definition in force that AWS has now.
func (w *watched) define(ctx context.Context, r reader) error {
	got, err := r.getPipeline(ctx, &codepipeline.GetPipelineInput{Name: &w.row.External})
	if err != nil {
		return err
	}
	if got.Pipeline == nil {
		return errors.New("AWS's answer holds no pipeline")
	}
	p := w.definition(got)
	in := workflows.Intent{Verb: workflows.Edit, Pipeline: p.Name, NewDefinition: p, ManagedBy: Manager + w.bridge.Name, Version: int(aws.ToInt32(got.Pipeline.Version))}
	res, err := w.of.o.Engine().Submit(ctx, in, workflows.EnginePrincipal())
	if err != nil {
		return &engineError{err}
	}
	if res.Changed {
		w.of.o.Log.Info("definition of a pipeline in AWS applied", "pipeline", p.Name, "version", res.Version, "bridge", w.bridge.Name)
	}
	w.declared, w.inForce = got, p
	w.mu.Lock()
	w.shown = p
	w.mu.Unlock()
	return nil
}

// read asks for all that is unfinished or has changed, and at the first look for
// the history. It returns what is remembered from now on, and the IDs of what is to be told.
func (w *watched) read(ctx context.Context, r reader, state *codepipeline.GetPipelineStateOutput) (next map[string]*seen, changed []string, err error) {
	unfinished, err := w.unfinished(ctx)
	if err != nil {
		return nil, nil, err
	}
	n := int32(10)
	if !w.looked {
		n = mostHistory
	}
	list, err := r.summaries(ctx, w.row.External, n, func(all []types.PipelineExecutionSummary) bool {
		return w.looked && !w.overlaps(all) || missing(unfinished, all)
	})
	if err != nil {
		return nil, nil, err
	}
	next = map[string]*seen{}
	for _, s := range list {
		id := aws.ToString(s.PipelineExecutionId)
		if id == "" {
			continue
		}
		known := w.executions[id]
		x := &seen{summary: s, actions: map[string]types.ActionExecutionDetail{}, final: workflows.Status(s.Status).Final()}
		if known != nil {
			x.rules, x.vars = known.rules, known.vars
			for k, a := range known.actions {
				x.actions[k] = a
			}
		}
		next[id] = x
		if known == nil || !known.final || !x.final || !same(known.summary, s) {
			changed = append(changed, id)
		}
	}
	for id := range unfinished {
		if next[id] != nil {
			continue
		}
		x, err := w.vanished(ctx, r, id)
		if err != nil {
			return nil, nil, err
		}
		next[id] = x
		changed = append(changed, id)
	}
	if err := w.readActions(ctx, r, next, changed); err != nil {
		return nil, nil, err
	}
	return next, changed, w.readDetails(ctx, r, next, changed)
}

// overlaps says whether the list reaches back to what is known.
func (w *watched) overlaps(list []types.PipelineExecutionSummary) bool {
	return len(w.executions) == 0 || slices.ContainsFunc(list, func(s types.PipelineExecutionSummary) bool {
		return w.executions[aws.ToString(s.PipelineExecutionId)] != nil
	})
}

func missing(unfinished map[string]bool, list []types.PipelineExecutionSummary) bool {
	found := 0
	for _, s := range list {
		if unfinished[aws.ToString(s.PipelineExecutionId)] {
			found++
		}
	}
	return found < len(unfinished)
}

// unfinished are the executions that have not ended as far as is known: at the
// first look, as the engine knows from an earlier process.
func (w *watched) unfinished(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	for id, x := range w.executions {
		if !x.final {
			open[id] = true
		}
	}
	if w.looked {
		return open, nil
	}
	for _, status := range []workflows.Status{workflows.StatusInProgress, workflows.StatusStopping} {
		rows, err := w.of.o.Engine().Executions(ctx, workflows.EnginePrincipal(), record.Query{Pipeline: w.row.Name, Status: status, Limit: pageSize})
		if err != nil {
			return nil, &engineError{err}
		}
		for i := range rows {
			if rows[i].ExternalID != "" && !isHook(rows[i].ExternalID) {
				open[rows[i].ExternalID] = true
			}
		}
	}
	return open, nil
}

// vanished asks for an execution that AWS lists no more.
func (w *watched) vanished(ctx context.Context, r reader, id string) (*seen, error) {
	x := &seen{actions: map[string]types.ActionExecutionDetail{}}
	if known := w.executions[id]; known != nil {
		*x = *known
	}
	x.summary.PipelineExecutionId = &id
	out, err := r.getPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &w.row.External, PipelineExecutionId: &id})
	switch code, _ := code(err); {
	case code == "PipelineExecutionNotFound":
		x.summary.Status, x.summary.StatusSummary = types.PipelineExecutionStatusCancelled, aws.String("AWS does not know this execution any more")
	case err != nil:
		return nil, err
	case out.PipelineExecution != nil:
		x.summary.Status, x.summary.StatusSummary, x.summary.Trigger = out.PipelineExecution.Status, out.PipelineExecution.StatusSummary, out.PipelineExecution.Trigger
	}
	x.final = workflows.Status(x.summary.Status).Final()
	return x, nil
}

// code is the code of a refusal; none for another error, or none.
func code(err error) (code, message string) {
	if err == nil {
		return "", ""
	}
	return accounts.Words(err)
}

// readActions asks for the actions of what has changed: the newest of all, and
// those of older executions one by one.
func (w *watched) readActions(ctx context.Context, r reader, next map[string]*seen, changed []string) error {
	if len(changed) == 0 {
		return nil
	}
	oldest := time.Now()
	for _, id := range changed {
		if at := next[id].summary.StartTime; at != nil && at.Before(oldest) {
			oldest = *at
		}
	}
	covers := func(all []types.ActionExecutionDetail) bool {
		return len(all) > 0 && startOf(all[len(all)-1]).Before(oldest)
	}
	all, complete, err := r.actions(ctx, w.row.External, "", func(all []types.ActionExecutionDetail) bool { return !w.looked && !covers(all) })
	if err != nil {
		return err
	}
	for _, a := range all {
		if x := next[aws.ToString(a.PipelineExecutionId)]; x != nil {
			x.actions[aws.ToString(a.ActionExecutionId)] = a
		}
	}
	if complete || covers(all) || len(all) == 0 {
		return nil
	}
	reached := startOf(all[len(all)-1])
	for _, id := range changed {
		x := next[id]
		if x.summary.StartTime == nil || !x.summary.StartTime.Before(reached) || !w.looked && x.final {
			continue
		}
		own, _, err := r.actions(ctx, w.row.External, id, func([]types.ActionExecutionDetail) bool { return true })
		if err != nil {
			return err
		}
		for _, a := range own {
			x.actions[aws.ToString(a.ActionExecutionId)] = a
		}
	}
	return nil
}

// readDetails asks for the rules of stages and the variables, of pipelines that
// have such and of executions that are not history.
func (w *watched) readDetails(ctx context.Context, r reader, next map[string]*seen, changed []string) (err error) {
	conditions := hasConditions(w.inForce)
	for _, id := range changed {
		x := next[id]
		if !w.looked && x.final {
			continue
		}
		if conditions {
			if x.rules, err = r.rules(ctx, w.row.External, id); err != nil {
				return err
			}
		}
		if len(w.inForce.Variables) > 0 && x.vars == nil {
			out, err := r.getPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &w.row.External, PipelineExecutionId: aws.String(id)})
			if code, _ := code(err); err != nil && code != "PipelineExecutionNotFound" {
				return err
			}
			x.vars = map[string]string{}
			if err == nil && out.PipelineExecution != nil {
				for _, v := range out.PipelineExecution.Variables {
					x.vars[aws.ToString(v.Name)] = aws.ToString(v.ResolvedValue)
				}
			}
		}
	}
	return nil
}

func startOf(a types.ActionExecutionDetail) time.Time { return aws.ToTime(a.StartTime) }

// order sorts IDs by when their executions started, oldest first.
func order(all map[string]*seen, ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids) // AWS lists the newest first, also where two started at once
	slices.SortStableFunc(ids, func(a, b string) int {
		return aws.ToTime(all[a].summary.StartTime).Compare(aws.ToTime(all[b].summary.StartTime))
	})
	return ids
}
