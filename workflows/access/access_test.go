package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

func person(name string) workflows.Principal {
	return workflows.Principal{ID: "slack:U" + strings.ToUpper(name), Name: name, Email: name + "@acme.example", Via: "slack"}
}

func stranger(name, why string) workflows.Principal {
	p := person(name)
	p.Stranger = why
	return p
}

func token(name string) workflows.Principal {
	return workflows.Principal{ID: "token:" + name, Name: name, Via: "api"}
}

// verbs reads several verbs from one line of a table.
func verbs(list string) (v []workflows.Verb) {
	for _, word := range strings.Fields(list) {
		v = append(v, workflows.Verb(word))
	}
	return v
}

func rule(allow, to, on string) access.Rule {
	return access.Rule{Allow: verbs(allow), To: strings.Fields(to), On: strings.Fields(on)}
}

// policy is the one of the manual.
func policy() *access.Policy {
	return &access.Policy{
		Admins: []string{"ana@acme.example"},
		Groups: map[string][]string{
			"release-managers": {"ben@acme.example", "slack-group:S0123ABC"},
			"platform":         {"group:release-managers", "dan@acme.example"},
			"round":            {"group:trip", "eve@acme.example"},
			"trip":             {"group:round"},
		},
		Deputies: map[string]string{"Ben@acme.example": "cho@acme.example"},
		Rules: []access.Rule{
			rule("view start stop retry", "everyone", ""),
			rule("approve rollback logs", "group:release-managers", "webshop */Production"),
			rule("edit audit", "group:platform", ""),
			rule("resolve", "group:trip", "web*/[BP]*"),
			rule("lock", "eve@acme.example", "*/*"),
		},
		Tokens: map[string][]workflows.Verb{"ci": verbs("view start")},
	}
}

func TestJudge(t *testing.T) {
	inSlackGroup := map[string]bool{"slack-group:S0123ABC": true}
	for _, c := range []struct {
		about  string
		who    workflows.Principal
		verb   workflows.Verb
		on     string // PIPELINE or PIPELINE/STAGE
		member map[string]bool
		want   bool
	}{
		{"everyone is each full member", person("eve"), "start", "webshop", nil, true},
		{"a console session is a member too", workflows.Principal{ID: "console:eve@acme.example"}, "start", "webshop", nil, true},
		{"what no rule allows is refused", person("eve"), "approve", "webshop/Production", nil, false},
		{"an admin may everything", person("ana"), "override", "billing/Production", nil, true},
		{"by mail, whatever its case", workflows.Principal{ID: "slack:U1", Email: "ANA@Acme.Example"}, "edit", "webshop", nil, true},
		{"no mail is nobody's mail", workflows.Principal{ID: "slack:U1"}, "edit", "webshop", nil, false},

		{"a group's member", person("ben"), "approve", "webshop/Production", nil, true},
		{"a pipeline's rule covers its stages", person("ben"), "approve", "webshop/Staging", nil, true},
		{"and the pipeline itself", person("ben"), "rollback", "webshop", nil, true},
		{"a stage's rule covers that stage in every pipeline", person("ben"), "approve", "billing/Production", nil, true},
		{"but no other stage", person("ben"), "approve", "billing/Staging", nil, false},
		{"nor the pipeline", person("ben"), "approve", "billing", nil, false},
		{"names are compared with their case", person("ben"), "approve", "billing/production", nil, false},
		{"a pattern does not go past its part", person("ben"), "approve", "webshop2/Staging", nil, false},
		{"patterns on both parts", person("eve"), "resolve", "webshop/Build", nil, true},
		{"patterns on both parts, another stage", person("eve"), "resolve", "webshop/Source", nil, false},

		{"a rule for every stage", person("eve"), "lock", "billing/Staging", nil, true},
		{"is none for the pipeline", person("eve"), "lock", "billing", nil, false},

		{"a Slack group's member", person("fay"), "approve", "webshop/Production", inSlackGroup, true},
		{"not a member of the Slack group", person("fay"), "approve", "webshop/Production", nil, false},
		{"a group inside a group", person("ben"), "edit", "webshop", nil, true},
		{"a Slack group inside a group inside a group", person("fay"), "edit", "webshop", inSlackGroup, true},
		{"groups that name each other still end", person("ben"), "resolve", "webshop/Build", nil, false},

		{"a deputy, where the other is named", person("cho"), "approve", "webshop/Production", nil, true},
		{"but not the other way round", person("dan"), "approve", "webshop/Production", nil, false},

		{"reject needs approve", person("ben"), "reject", "webshop/Production", nil, true},
		{"reject needs approve, which is missing", person("eve"), "reject", "webshop/Production", nil, false},
		{"archive needs edit", person("dan"), "archive", "webshop", nil, true},
		{"start does not include any revision", person("eve"), "start-any-revision", "webshop", nil, false},
		{"any revision, by an admin", person("ana"), "start-any-revision", "webshop", nil, true},
		{"freezes are nobody's to set, not even an admin's", person("ana"), "replace-freezes", "webshop", nil, false},
		{"annotate is nobody's, not even an admin's", person("ana"), "annotate", "webshop", nil, false},
		{"a verb that does not exist", person("ana"), "destroy", "webshop", nil, false},
		{"audit of the whole service", person("dan"), "audit", "", nil, true},

		{"a guest is nobody", stranger("ana", "guest"), "view", "webshop", nil, false},
		{"a bot is nobody", stranger("eve", "bot"), "view", "webshop", nil, false},
		{"Slack Connect is nobody", stranger("ben", "connect"), "approve", "webshop/Production", inSlackGroup, false},
		{"who has left is nobody", stranger("ana", "deactivated"), "view", "webshop", nil, false},

		{"a token may what its list says", token("ci"), "start", "webshop", nil, true},
		{"and nothing that members may", token("ci"), "retry", "webshop", nil, false},
		{"nor what everybody may see", token("unknown"), "view", "webshop", nil, false},
		{"an unknown token with a fine mail", workflows.Principal{ID: "token:x", Email: "ana@acme.example"}, "view", "webshop", nil, false},
		{"who pushed is not thereby somebody", workflows.Principal{ID: "github:ana", Email: "ana@acme.example"}, "view", "webshop", nil, false},
		{"who committed neither", workflows.Principal{ID: "git:ana@acme.example", Email: "ana@acme.example"}, "start", "webshop", nil, false},
		{"rollcall itself", workflows.EnginePrincipal(), "annotate", "webshop", nil, true},
	} {
		t.Run(c.about, func(t *testing.T) {
			var on access.Resource
			on.Pipeline, on.Stage, _ = strings.Cut(c.on, "/")
			got := policy().Judge(c.who, c.verb, on, c.member)
			if got.Allowed != c.want {
				t.Errorf("%s %s %s: got %+v, want %v", c.who.ID, c.verb, c.on, got, c.want)
			}
			if got.Reason == "" {
				t.Error("a verdict without a reason")
			}
		})
	}
}

func TestWithoutRulesMembersLookAndAdminsAct(t *testing.T) {
	p := &access.Policy{Admins: []string{"ana@acme.example"}}
	on := access.Resource{Pipeline: "webshop", Stage: "Production"}
	for _, c := range []struct {
		who  workflows.Principal
		verb workflows.Verb
		want bool
	}{
		{person("eve"), workflows.View, true},
		{person("eve"), workflows.Logs, false},
		{person("eve"), workflows.Start, false},
		{person("ana"), workflows.RollBack, true},
		{stranger("eve", "guest"), workflows.View, false},
		{token("ci"), workflows.View, false},
	} {
		if got := p.Judge(c.who, c.verb, on, nil); got.Allowed != c.want {
			t.Errorf("%s %s: got %+v", c.who.ID, c.verb, got)
		}
	}
}

func TestAllowAllIsForMembersOnly(t *testing.T) {
	p := &access.Policy{AllowAll: true}
	on := access.Resource{Pipeline: "webshop"}
	for _, c := range []struct {
		who  workflows.Principal
		want bool
	}{
		{person("eve"), true}, {stranger("eve", "connect"), false}, {token("ci"), false}, {workflows.Principal{ID: "github:eve"}, false},
	} {
		if got := p.Judge(c.who, workflows.Edit, on, nil); got.Allowed != c.want {
			t.Errorf("%s: got %+v", c.who.ID, got)
		}
	}
}

func TestWhoMayDoAnythingMayLook(t *testing.T) {
	p := &access.Policy{Rules: []access.Rule{rule("approve", "ben@acme.example", "webshop/Production")}}
	for pipeline, want := range map[string]bool{"webshop": true, "billing": false} {
		if got := p.Judge(person("ben"), workflows.View, access.Resource{Pipeline: pipeline}, nil); got.Allowed != want {
			t.Errorf("%s: got %+v", pipeline, got)
		}
	}
	if got := p.Judge(person("eve"), workflows.View, access.Resource{Pipeline: "webshop"}, nil); got.Allowed {
		t.Errorf("with rules, looking needs one: %+v", got)
	}
}

func TestAVerdictSaysWhyAndWhoElse(t *testing.T) {
	production := access.Resource{Pipeline: "billing", Stage: "Production"}
	for _, c := range []struct {
		who  workflows.Principal
		verb workflows.Verb
		want access.Verdict
	}{
		{person("eve"), workflows.Reject, access.Verdict{Reason: "eve does not have the right approve on billing/Production",
			Holders: []string{"group:release-managers", "ana@acme.example"}}},
		{person("ben"), workflows.Approve, access.Verdict{Allowed: true, Reason: "group:release-managers may approve on webshop, */Production",
			Holders: []string{"group:release-managers", "ana@acme.example"}}},
		{person("ana"), workflows.Lock, access.Verdict{Allowed: true, Reason: "ana is an admin", Holders: []string{"eve@acme.example", "ana@acme.example"}}},
		{stranger("gil", "guest"), workflows.View, access.Verdict{Reason: "gil has no rights here: guests of the workspace may not act",
			Holders: []string{"everyone", "group:release-managers", "group:platform", "group:trip", "eve@acme.example", "ana@acme.example"}}},
		{token("ci"), workflows.Approve, access.Verdict{Reason: "the token ci may not approve: its `may` does not list it",
			Holders: []string{"group:release-managers", "ana@acme.example"}}},
	} {
		p := policy()
		p.Rules[3].On = nil
		if diff := cmp.Diff(c.want, p.Judge(c.who, c.verb, production, nil)); diff != "" {
			t.Errorf("%s %s:\n%s", c.who.Name, c.verb, diff)
		}
	}

	p := &access.Policy{Admins: []string{"ben@acme.example"}, Deputies: policy().Deputies}
	if got, want := p.Judge(person("cho"), workflows.Edit, production, nil).Reason, "cho is an admin (cho stands in for ben@acme.example)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMatches(t *testing.T) {
	in := map[string]bool{"slack-group:S0123ABC": true, "github-team:acme/web": true}
	for _, c := range []struct {
		who    workflows.Principal
		expr   string
		member map[string]bool
		want   bool
	}{
		{person("ben"), "ben@acme.example", nil, true},
		{person("ben"), "ana@acme.example", nil, false},
		{person("cho"), "ben@acme.example", nil, true}, // stands in
		{person("ben"), "cho@acme.example", nil, false},
		{person("ben"), "everyone", nil, true},
		{person("ben"), "group:release-managers", nil, true},
		{person("ben"), "group:unknown", nil, false},
		{person("fay"), "group:release-managers", in, true},
		{person("fay"), "slack-group:S0123ABC", in, true},
		{person("fay"), "slack-group:S0999XYZ", in, false},
		{person("fay"), "github-team:acme/web", in, true},
		{person("fay"), "github-team:acme/web", nil, false},
		{person("ben"), "", nil, false},
		{person("ben"), "ben", nil, false},
		{stranger("ben", "guest"), "ben@acme.example", nil, false},
		{stranger("ben", "guest"), "everyone", nil, false},
		{token("ci"), "token:ci", nil, true},
		{token("ci"), "token:cd", nil, false},
		{token("ci"), "everyone", nil, false},
		{token("ci"), "slack-group:S0123ABC", in, false},
		{workflows.EnginePrincipal(), "everyone", nil, false},
		{workflows.Principal{ID: "git:ben@acme.example", Email: "ben@acme.example"}, "ben@acme.example", nil, false},
	} {
		if got := policy().Matches(c.who, c.expr, c.member); got != c.want {
			t.Errorf("%s is %s: got %v", c.who.ID, c.expr, got)
		}
	}
}

// A deputy is one person: at a gate they count as themself or as one of those
// they stand in for, never as two people, and not for somebody who is there.
func TestADeputyIsOnePerson(t *testing.T) {
	p := &access.Policy{
		Groups: map[string][]string{
			"dev":      {"cho@acme.example", "slack-group:S1"},
			"security": {"ben@acme.example"},
			"legal":    {"dan@acme.example", "slack-group:S2"},
			"boss":     {"dan@acme.example"},
		},
		Deputies: map[string]string{"Ben@acme.example": "cho@acme.example", "dan@acme.example": "CHO@acme.example"},
	}
	cho := person("cho")
	for _, c := range []struct {
		about  string
		who    workflows.Principal
		asked  string
		groups map[string]map[string]bool
		here   []string
		want   string // the expressions that count
	}{
		{about: "as themself", who: cho, asked: "group:dev", want: "group:dev"},
		{about: "as the absent one", who: cho, asked: "group:security", want: "group:security"},
		{about: "never as two people: as themself when that is as good", who: cho, asked: "group:dev group:security", want: "group:dev"},
		{about: "as whom they count for more", who: cho, asked: "group:dev group:legal group:boss", want: "group:legal group:boss"},
		{about: "never as two absent ones", who: cho, asked: "group:security group:legal", want: "group:security"},
		{about: "not for somebody who is there", who: cho, asked: "group:security group:legal", here: []string{"ben@acme.example"}, want: "group:legal"},
		{about: "by the absent one's outside group", who: cho, asked: "group:legal slack-group:S2",
			groups: map[string]map[string]bool{"dan@acme.example": {"slack-group:S2": true}}, want: "group:legal slack-group:S2"},
		{about: "not by an outside group of their own, for somebody else", who: cho, asked: "group:legal group:boss slack-group:S1",
			groups: map[string]map[string]bool{"": {"slack-group:S1": true}}, want: "group:legal group:boss"},
		{about: "who stands in for nobody", who: person("eve"), asked: "group:security everyone", want: "everyone"},
		{about: "a stranger counts for nobody", who: stranger("cho", "guest"), asked: "group:dev group:security everyone", want: ""},
		{about: "a token counts as itself", who: token("cho@acme.example"), asked: "group:dev token:cho@acme.example", want: "token:cho@acme.example"},
	} {
		t.Run(c.about, func(t *testing.T) {
			var got []string
			standing := p.Standing(c.who, strings.Fields(c.asked), c.groups, c.here...)
			for _, who := range strings.Fields(c.asked) {
				if counts, answered := standing[who]; counts {
					got = append(got, who)
				} else if !answered {
					t.Errorf("nothing is said about %s", who)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("counts for %v, want %s", got, c.want)
			}
		})
	}
	if diff := cmp.Diff([]string{"ben@acme.example", "dan@acme.example"}, p.StandsInFor(cho)); diff != "" {
		t.Error(diff)
	}
}

func TestExternalNamesWhatMustBeLookedUp(t *testing.T) {
	p := policy()
	if diff := cmp.Diff([]string{"slack-group:S0123ABC"}, p.External(p.Named()...)); diff != "" {
		t.Errorf("for the policy alone:\n%s", diff)
	}
	got := p.External("github-team:acme/web", "group:platform", "eve@acme.example", "slack-group:S0BEEF")
	if diff := cmp.Diff([]string{"github-team:acme/web", "slack-group:S0123ABC", "slack-group:S0BEEF"}, got); diff != "" {
		t.Error(diff)
	}
	if got := new(access.Policy).External(); len(got) != 0 {
		t.Errorf("an empty policy needs %v", got)
	}
}

func TestManyGroupsThatNameEachOtherEnd(t *testing.T) {
	p := &access.Policy{Groups: map[string][]string{}, Rules: []access.Rule{rule("start", "group:g0", "")}}
	for i := range 30 {
		for j := range 30 {
			p.Groups[fmt.Sprint("g", i)] = append(p.Groups[fmt.Sprint("g", i)], fmt.Sprint("group:g", j))
		}
	}
	if got := p.Judge(person("ben"), workflows.Start, access.Resource{}, nil); got.Allowed {
		t.Errorf("got %+v", got)
	}
	if got := len(p.Check()); got != 30 {
		t.Errorf("got %d problems, want one for each group", got)
	}
}
