package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// lookUp answers what a decision asks for, beside the facts it has. people are
// all that it has asked about so far. A look-up that fails ends as "could not
// check", never as a no.
func (e *Engine) lookUp(ctx context.Context, pipeline string, have machine.Facts, need *machine.NeedFacts, people []workflows.Principal) (machine.Facts, error) {
	facts := machine.Facts{
		Members: maps.Clone(have.Members), May: maps.Clone(have.May), Gone: maps.Clone(have.Gone),
		Executions: maps.Clone(have.Executions), External: maps.Clone(have.External), Versions: maps.Clone(have.Versions), Changes: maps.Clone(have.Changes),
	}
	for _, r := range need.Changes {
		c, err := e.ranges.ForDecision(ctx, r)
		if err != nil {
			return facts, err
		}
		put(&facts.Changes, r, c)
	}
	if err := e.lookUpPeople(ctx, pipeline, &facts, need, people); err != nil {
		return facts, err
	}
	for _, external := range need.External {
		ids, err := e.o.History.Resolve(ctx, external)
		if err != nil {
			return facts, e.unreadable(err, "what AWS knows as "+external)
		}
		put(&facts.External, external, "")
		need.Executions = append(need.Executions, ids...)
	}
	for _, id := range need.Executions {
		row, ok, err := e.o.History.Execution(ctx, id)
		if err != nil {
			return facts, e.unreadable(err, "execution "+id)
		}
		put(&facts.Executions, id, nil)
		if ok && row.Pipeline == pipeline {
			put(&facts.Executions, id, &row)
			if _, asked := facts.External[row.ExternalID]; asked {
				put(&facts.External, row.ExternalID, row.ID)
			}
		}
	}
	for _, v := range need.Versions {
		p, err := e.definition(ctx, pipeline, v)
		if err != nil {
			return facts, e.unreadable(err, fmt.Sprintf("version %d of %s", v, pipeline))
		}
		put(&facts.Versions, v, p)
	}
	return facts, nil
}

// lookUpPeople finds out for whom each of the people counts, now. All of them are
// looked at again when somebody joins: who answers in person is no longer
// represented by a deputy.
func (e *Engine) lookUpPeople(ctx context.Context, pipeline string, facts *machine.Facts, need *machine.NeedFacts, people []workflows.Principal) error {
	var here []string
	for _, person := range people {
		here = append(here, person.Key())
	}
	for _, person := range people {
		now, err := e.now(ctx, person)
		if err != nil {
			return err
		}
		put(&facts.Gone, person.Key(), access.Stranger(now.Stranger))
		j := e.judge(now)
		if len(need.Who) > 0 {
			fits, err := j.count(ctx, need, here)
			if err != nil {
				return err
			}
			known := maps.Clone(facts.Members[person.Key()])
			if known == nil {
				known = map[string]bool{}
			}
			maps.Copy(known, fits)
			put(&facts.Members, person.Key(), known)
		}
		if need.MayApprove != "" && slices.ContainsFunc(need.People, func(p workflows.Principal) bool { return p.Key() == person.Key() }) {
			verdict, err := j.may(ctx, workflows.Approve, access.Resource{Pipeline: pipeline, Stage: need.MayApprove})
			if err != nil {
				return err
			}
			put(&facts.May, person.Key(), verdict.Allowed)
		}
	}
	return nil
}

// put writes into a map that may be nil.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// Verdict says whether somebody may do something, and who has that right: for
// `who` and for explaining. An empty stage asks about the pipeline itself. The
// refusal is nil when they may; the error is a failed look-up, never a no.
func (e *Engine) Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (refusal *workflows.Problem, holders []string, err error) {
	verdict, err := e.judge(p).may(ctx, v, access.Resource{Pipeline: pipeline, Stage: stage})
	return verdict.Refusal(), verdict.Holders, err
}

// definition returns a version of a definition that may have left the state; nil: there is none.
func (e *Engine) definition(ctx context.Context, pipeline string, version int) (*workflows.Pipeline, error) {
	value, ok, err := e.o.Memos.Memo(ctx, owner, definitionKey(pipeline, version))
	if err != nil || !ok {
		return nil, err
	}
	var p workflows.Pipeline
	if err := json.Unmarshal(value, &p); err != nil {
		return nil, fmt.Errorf("read version %d of %s: %w", version, pipeline, err)
	}
	return &p, nil
}
