package runtime

import (
	"context"
	"fmt"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/subject"
)

// now says who somebody is at this moment. Without People everybody is who
// their surface says.
func (e *Engine) now(ctx context.Context, p workflows.Principal) (workflows.Principal, error) {
	if e.o.People == nil || p.Stranger != "" {
		return p, nil
	}
	q, err := e.o.People.Now(ctx, p)
	if err != nil {
		e.log.Warn("who somebody is could not be looked up", "person", p.ID, "err", err)
		return p, unchecked(err, "who "+p.Called()+" is now")
	}
	return q, nil
}

// judge answers questions about the rights of one principal, of whom is known
// who they are now. What is looked up outside is looked up once.
type judge struct {
	e      *Engine
	who    workflows.Principal
	known  access.Facts
	failed map[access.Lookup]error

	answered gateMemo // the gate that was asked for; no Token: none
}

func (e *Engine) judge(who workflows.Principal) *judge {
	return &judge{e: e, who: who, known: access.Facts{}, failed: map[access.Lookup]error{}}
}

// ask answers a question of access. The error is a look-up that failed and could
// have changed the answer; what is known by then is true all the same.
func (j *judge) ask(ctx context.Context, q access.Question) (a access.Answer, err error) {
	q.By = j.who
	err = j.lookUp(ctx, func() access.Open {
		a = j.e.o.Policy.Ask(q, j.known)
		return a.Open
	})
	return a, err
}

// count says for which who-expressions somebody counts at a gate; here are those
// who answer it in person.
func (j *judge) count(ctx context.Context, need *machine.NeedFacts, here []string) (fits map[string]bool, err error) {
	err = j.lookUp(ctx, func() (open access.Open) {
		fits, open = j.e.o.Policy.Count(access.Count{By: j.who, Who: need.Who, Gate: need.Gate, Here: here}, j.known)
		return open
	})
	return fits, err
}

// lookUp asks the outside for one thing at a time, until what is asked is certain.
func (j *judge) lookUp(ctx context.Context, ask func() access.Open) error {
	for {
		open := ask()
		switch {
		case len(open.Lookups) > 0:
			l := open.Lookups[0]
			is, err := j.fact(ctx, l)
			switch {
			case err != nil:
				j.known[l], j.failed[l] = access.Failed, err
			case is:
				j.known[l] = access.Yes
			default:
				j.known[l] = access.No
			}
		case len(open.Failed) > 0:
			return j.failed[open.Failed[0]]
		default:
			return nil
		}
	}
}

// fact asks the chat, or the directory for that kind of group.
func (j *judge) fact(ctx context.Context, l access.Lookup) (bool, error) {
	person := j.who
	if l.As != "" {
		person = workflows.Principal{ID: "mail:" + l.As, Name: l.As, Email: l.As, Via: j.who.Via}
	}
	if l.Group == "" {
		absent, err := j.e.now(ctx, person)
		return absent.Stranger == "", err
	}
	kind, _, _ := subject.Split(l.Group)
	is, err := false, error(&workflows.Problem{Code: workflows.CodeUnavailable, Message: fmt.Sprintf("nothing here answers for groups of the kind %s", kind), Hint: "connect what knows them in the configuration, or name people in another way"})
	if directory := j.e.o.Directories[kind]; directory != nil {
		is, err = directory.Member(ctx, person, l.Group)
	}
	if err != nil {
		j.e.log.Warn("a membership could not be looked up", "person", person.ID, "group", l.Group, "err", err)
		err = unchecked(err, fmt.Sprintf("whether %s is in %s", person.Called(), l.Group))
	}
	return is, err
}

// may says whether the rules allow a verb somewhere.
func (j *judge) may(ctx context.Context, v workflows.Verb, on access.Resource) (access.Verdict, error) {
	a, err := j.ask(ctx, access.Right(j.who, v, on))
	return a.Verdict, err
}
