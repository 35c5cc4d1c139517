package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
)

// lookUp answers what a decision asks for, beside the facts it has. people are
// all that it has asked about so far. A look-up that fails ends as "could not
// check", never as a no.
func (e *Engine) lookUp(ctx context.Context, pipeline string, have machine.Facts, need *machine.NeedFacts, people []workflows.Principal) (machine.Facts, error) {
	facts := machine.Facts{
		Members: maps.Clone(have.Members), May: maps.Clone(have.May),
		Executions: maps.Clone(have.Executions), Versions: maps.Clone(have.Versions),
	}
	if err := e.lookUpPeople(ctx, pipeline, &facts, need, people); err != nil {
		return facts, err
	}
	for _, id := range need.Executions {
		row, ok, err := e.o.History.Execution(ctx, id)
		if err != nil {
			return facts, e.unreadable(err, "execution "+id)
		}
		put(&facts.Executions, id, nil)
		if ok && row.Pipeline == pipeline {
			put(&facts.Executions, id, &row)
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

// lookUpPeople finds out who of the people is what. Everybody is looked at
// again when somebody joins them: for whoever answers in person, nobody else does.
func (e *Engine) lookUpPeople(ctx context.Context, pipeline string, facts *machine.Facts, need *machine.NeedFacts, people []workflows.Principal) error {
	if len(need.Who) > 0 {
		var here []string
		for _, person := range people {
			here = append(here, person.Key())
		}
		for _, person := range people {
			groups, err := e.standing(ctx, person, e.groupsOf(need.Who))
			if err != nil {
				return err
			}
			known := maps.Clone(facts.Members[person.Key()])
			if known == nil {
				known = map[string]bool{}
			}
			maps.Copy(known, e.o.Policy.Standing(person, need.Who, groups, here...))
			put(&facts.Members, person.Key(), known)
		}
	}
	for _, person := range need.People {
		if need.MayApprove != "" {
			verdict, err := e.judge(person).may(ctx, workflows.Approve, access.Resource{Pipeline: pipeline, Stage: need.MayApprove})
			if err != nil {
				return err
			}
			put(&facts.May, person.Key(), verdict.Allowed)
		}
	}
	return nil
}

// everybody adds people, each once.
func everybody(people, more []workflows.Principal) []workflows.Principal {
	for _, p := range more {
		if !slices.ContainsFunc(people, func(q workflows.Principal) bool { return q.Key() == p.Key() }) {
			people = append(slices.Clip(people), p)
		}
	}
	return people
}

// put writes into a map that may be nil.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// groupsOf returns the outside groups behind who-expressions, those of rules left out.
func (e *Engine) groupsOf(who []string) []string {
	return (&access.Policy{Groups: e.o.Policy.Groups}).External(who...)
}

// memberships says in which of the outside groups somebody is, by themself or
// as a deputy: for rights, where it is enough to be named once.
func (e *Engine) memberships(ctx context.Context, person workflows.Principal, groups []string) (map[string]bool, error) {
	standing, err := e.standing(ctx, person, groups)
	if err != nil {
		return nil, err
	}
	member := map[string]bool{}
	for _, in := range standing {
		for _, group := range groups {
			member[group] = member[group] || in[group]
		}
	}
	return member, nil
}

// standing says in which of the outside groups somebody is, and in which those
// are whom they stand in for, as access.Policy.Standing takes it. The absent
// are asked about by their e-mail address.
func (e *Engine) standing(ctx context.Context, person workflows.Principal, groups []string) (map[string]map[string]bool, error) {
	standing := map[string]map[string]bool{}
	if len(groups) == 0 || !e.o.Policy.Matches(person, workflows.WhoEveryone, nil) {
		return standing, nil // strangers and machines are in no group
	}
	own, err := e.askDirectory(ctx, person, groups)
	if err != nil {
		return nil, err
	}
	standing[""] = own
	for _, mail := range e.o.Policy.StandsInFor(person) {
		absent := workflows.Principal{ID: "mail:" + mail, Name: mail, Email: mail, Via: person.Via}
		if standing[mail], err = e.askDirectory(ctx, absent, groups); err != nil {
			return nil, err
		}
	}
	return standing, nil
}

// askDirectory asks in which of the groups somebody is.
func (e *Engine) askDirectory(ctx context.Context, person workflows.Principal, groups []string) (map[string]bool, error) {
	member := map[string]bool{}
	for _, group := range groups {
		in, err := false, errors.New("no directory is connected")
		if e.o.Directory != nil {
			in, err = e.o.Directory.Member(ctx, person, group)
		}
		if err != nil {
			e.log.Warn("a membership could not be looked up", "person", person.ID, "group", group, "err", err)
			return nil, &workflows.Problem{
				Code:    workflows.CodeUnavailable,
				Message: fmt.Sprintf("could not check whether %s is in %s; nothing was decided", person.Name, group),
				Hint:    "try again in a moment",
			}
		}
		member[group] = in
	}
	return member, nil
}

// judge answers questions about the rights of one principal. Outside groups are
// looked up at most once, and only when the answer depends on them.
type judge struct {
	e      *Engine
	who    workflows.Principal
	member map[string]bool
	looked bool
}

func (e *Engine) judge(who workflows.Principal) *judge { return &judge{e: e, who: who} }

func (j *judge) may(ctx context.Context, v workflows.Verb, on access.Resource) (access.Verdict, error) {
	policy := j.e.o.Policy
	verdict := policy.Judge(j.who, v, on, j.member)
	if verdict.Allowed || j.looked {
		return verdict, nil
	}
	member, err := j.e.memberships(ctx, j.who, policy.External())
	if err != nil {
		return verdict, err
	}
	j.member, j.looked = member, true
	return policy.Judge(j.who, v, on, member), nil
}

// Verdict says whether somebody may do something, why, and who has that right:
// for `who` and for explaining. An empty stage asks about the pipeline itself.
// The error is a failed look-up, never a no.
func (e *Engine) Verdict(ctx context.Context, p workflows.Principal, v workflows.Verb, pipeline, stage string) (allowed bool, why string, holders []string, err error) {
	verdict, err := e.judge(p).may(ctx, v, access.Resource{Pipeline: pipeline, Stage: stage})
	return verdict.Allowed, verdict.Reason, verdict.Holders, err
}

// denied is the refusal of somebody without a right: which one, and who has it.
func denied(verdict access.Verdict) *workflows.Problem {
	p := &workflows.Problem{Code: workflows.CodeAccessDenied, Message: verdict.Reason, Hint: "nobody has this right; an admin can give it in the configuration"}
	if len(verdict.Holders) > 0 {
		p.Hint = "ask " + strings.Join(verdict.Holders, ", ")
	}
	return p
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

// unreadable is what people hear when the store does not answer.
func (e *Engine) unreadable(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e.log.Error("the store does not answer", "wanted", what, "err", err)
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: what + " could not be read; nothing was changed", Hint: "the log of the service says why"}
}
