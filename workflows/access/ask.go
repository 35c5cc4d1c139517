package access

import (
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Lookup is something about a principal that only the outside knows: whether
// somebody is in an outside group or, without a Group, still is a full member
// of the workspace at all. As is the e-mail address, as [Policy.StandsInFor]
// has it, of one whom the principal stands in for; empty: the principal.
type Lookup struct{ As, Group string }

// Fact is what the outside said to a [Lookup].
type Fact int

// The zero Fact has not been looked up.
const (
	Yes Fact = iota + 1
	No
	Failed // the outside did not answer: neither yes nor no
)

// Facts are what is known of one principal's groups and of those they stand in for.
type Facts map[Lookup]Fact

// Open is what an answer still depends on. Without any of it the answer is final.
type Open struct {
	Lookups []Lookup // not asked yet, in the order in which to ask
	Failed  []Lookup // asked in vain; with no Lookups left the answer is "could not check"
}

// Answer is a [Verdict] and how far it can be relied on. While something is
// Open it is what is certain by now: allowed stays allowed, not allowed may change.
type Answer struct {
	Verdict
	Beyond bool // the principal has the right Question.Beyond too
	Frozen bool // allowed, and kept out by a freeze that does not name the principal
	Open   Open
}

// Ask answers a question by the rules and by what is known from outside. What
// could change the answer and is not known is in Answer.Open; whoever asks looks
// it up and asks again.
func (p *Policy) Ask(q Question, known Facts) Answer {
	who := slices.Concat(slices.Concat(q.Named, q.Freezes)...)
	who = append(who, p.holders(q.Verb.Right(), q.On)...)
	if q.Beyond != "" {
		who = append(who, p.holders(q.Beyond, q.On)...)
	}
	groups := p.External(who...)
	least, most := p.answer(q, p.suppose(q.By, groups, known, false)), p.answer(q, p.suppose(q.By, groups, known, true))
	if least.Allowed != most.Allowed || least.Beyond != most.Beyond || least.Frozen != most.Frozen {
		least.Open = p.open(q.By, groups, known)
	}
	return least
}

// answer answers a question in a world of which all is known.
func (p *Policy) answer(q Question, w world) (a Answer) {
	member := map[string]bool{}
	for _, groups := range w.in {
		maps.Copy(member, groups)
	}
	if !q.Alone {
		a.Verdict = w.policy.Judge(q.By, q.Verb, q.On, member)
	} else {
		a.Verdict = Verdict{Reason: q.By.Called() + " is not asked there", Holders: slices.Concat(q.Named...)}
	}
	if !a.Allowed && len(q.Named) > 0 && w.named(q.By, q.Named, member) {
		a.Allowed, a.Reason = true, q.By.Called()+" is named there"
	}
	a.Frozen = a.Allowed && !w.named(q.By, q.Freezes, member)
	a.Beyond = a.Allowed && q.Beyond != "" && w.policy.Judge(q.By, q.Beyond, q.On, member).Allowed
	return a
}

// Count asks for which who-expressions a person counts at a gate, where people
// are counted and a deputy is one person (see [Policy.Standing]).
type Count struct {
	By   workflows.Principal
	Who  []string                  // the expressions
	Gate *workflows.ApprovalPolicy // whose From and AtLeast are among Who; may be nil
	Here []string                  // who answers in person (Principal.Key)
}

// Count answers for which of the expressions a person counts, by what is known
// from outside; what it still depends on is in open.
func (p *Policy) Count(c Count, known Facts) (fits map[string]bool, open Open) {
	groups := p.External(c.Who...)
	count := func(hope bool) func(who []string) map[string]bool {
		w := p.suppose(c.By, groups, known, hope)
		return func(who []string) map[string]bool { return w.policy.Standing(c.By, who, w.in, c.Here...) }
	}
	fits = count(false)(c.Who)
	hoped := count(true)
	if !certain(fits, c.Who, c.Gate, func(who string) bool { return hoped([]string{who})[who] }) {
		open = p.open(c.By, groups, known)
	}
	return fits, open
}

// world is one in which everything about a principal is known.
type world struct {
	policy *Policy                    // without the deputies of those who are nobody any more
	in     map[string]map[string]bool // the groups, by whose: "" is the principal
}

// suppose takes what is not known for no, or, in hope, for yes.
func (p *Policy) suppose(by workflows.Principal, groups []string, known Facts, hope bool) world {
	is := func(l Lookup) bool { return known[l] == Yes || hope && known[l] != No }
	w := world{policy: p, in: map[string]map[string]bool{"": {}}}
	var nobody []string
	for _, as := range p.StandsInFor(by) {
		if is(Lookup{As: as}) {
			w.in[as] = map[string]bool{}
		} else {
			nobody = append(nobody, as)
		}
	}
	if nobody != nil {
		w.policy = p.Without(nobody)
	}
	for as := range w.in {
		for _, group := range groups {
			if is(Lookup{as, group}) {
				w.in[as][group] = true
			}
		}
	}
	return w
}

// open lists what is not known, the principal's own groups first.
func (p *Policy) open(by workflows.Principal, groups []string, known Facts) (open Open) {
	add := func(l Lookup) {
		switch known[l] {
		case 0:
			open.Lookups = append(open.Lookups, l)
		case Failed:
			open.Failed = append(open.Failed, l)
		}
	}
	for _, as := range append([]string{""}, p.StandsInFor(by)...) {
		if as != "" {
			add(Lookup{As: as})
			if f := known[Lookup{As: as}]; f == No || f == Failed {
				continue
			}
		}
		for _, group := range groups {
			add(Lookup{as, group})
		}
	}
	return open
}

// named says whether each list names the principal. The engine sees everything,
// so that it can draw for others.
func (w world) named(by workflows.Principal, lists [][]string, member map[string]bool) bool {
	matches := func(who string) bool { return w.policy.Matches(by, who, member) }
	return by.IsEngine() || !slices.ContainsFunc(lists, func(list []string) bool { return !slices.ContainsFunc(list, matches) })
}

// certain says whether what somebody counts for at a gate can change no more by
// what is still unknown of them: fits are the expressions of who that they count
// for by now, and possible says whether they could count for one. Of those in
// the gate's From one is enough, unless AtLeast counts it; pol may be nil.
func certain(fits map[string]bool, who []string, pol *workflows.ApprovalPolicy, possible func(who string) bool) bool {
	if pol == nil {
		pol = &workflows.ApprovalPolicy{}
	}
	may := slices.ContainsFunc(pol.From, func(w string) bool { return fits[w] })
	return !slices.ContainsFunc(who, func(w string) bool {
		enough := may && pol.AtLeast[w] == 0 && slices.Contains(pol.From, w)
		return !fits[w] && !enough && possible(w)
	})
}
